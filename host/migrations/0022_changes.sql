-- The changes of tasks and steps in the order in which transactions began to write, for those who follow them. What a
-- transaction that is still open may have made is not told yet, nor what came after it; so a follower that goes on after
-- the last change it was told misses nothing and is told nothing twice.

-- New rows stand at the end of the table, or where the purge made room: few blocks hold the newest, and a block range
-- index finds them at next to no cost for those who write.
create index transitions_by_transaction on tasker.transitions
    using brin (xid) with (pages_per_range = 16, autosummarize = on);

-- Where the changes end that can be told now.
create function tasker.changes_end() returns bigint
language sql stable as $$ select pg_snapshot_xmin(pg_current_snapshot())::text::bigint $$;

-- All changes, each of one task or one step. The row that `told_by` numbers tells its own, and where it is `whole` those before
-- it: in the order of their keys, as they are here, a task's steps are in that of its template.
create view tasker.changes as
select t.task_uuid, c.*, t.reason, t.actor, t.xid, t.sequence as told_by
from tasker.transitions t
cross join lateral (
    select t.sequence, t.step_uuid, t.at, t.attempt,
        case when t.whole and t.step_uuid is null then 'steps_in_process' else t.from_state end as from_state, t.to_state
    union all
    select t.sequence - 127, null, case when t.step_uuid is null then begun.created_at else t.at end, null, 'pending',
        'steps_in_process'
    from tasker.tasks begun
    where t.whole and t.from_state = 'pending' and begun.task_uuid = t.task_uuid
    union all
    select t.sequence - 127 + 3 * (place - 1) + change, ended.step_uuid,
        case when change = 3 or not is_first then t.at when change = 2 then a.started_at else ended.created_at end,
        case when change > 1 then 1 end,
        case change when 1 then 'pending' when 2 then 'enqueued' else 'in_progress' end,
        case change when 1 then 'enqueued' when 2 then 'in_progress' else 'complete' end
    from (
        select s.step_uuid, s.created_at, row_number() over (order by s.step_uuid) as place,
            not exists (select from tasker.edges e where e.child_uuid = s.step_uuid) as is_first
        from tasker.steps s where s.task_uuid = t.task_uuid
    ) ended
    join tasker.attempts a on a.step_uuid = ended.step_uuid and a.claim = 1
    cross join lateral generate_series(case when is_first and t.from_state <> 'pending' then 2 else 1 end, 3) change
    where t.whole and t.step_uuid is null
) c;

-- Up to `p_limit` changes after the one that transaction `p_xid` made as number `p_sequence`: of one task, or of all tasks
-- of these namespaces (null: of all).
create function tasker.changes_after(
    p_xid bigint, p_sequence bigint, p_task uuid, p_namespaces text[], p_limit integer
) returns table (
    xid bigint, sequence bigint, at timestamptz, namespace text, task_uuid uuid, step_uuid uuid, step text,
    attempt integer, from_state text, to_state text, reason text, actor text
)
language plpgsql stable
set plan_cache_mode = force_custom_plan set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
begin
    return query
    select c.xid, c.sequence, c.at, t.namespace, c.task_uuid, c.step_uuid,
        coalesce(s.name, (select it.name from unnest(t.planned_steps) it where it.step_uuid = c.step_uuid)), c.attempt,
        c.from_state, c.to_state, c.reason, c.actor
    from (
        -- Each row tells one change at least.
        select r.task_uuid, r.sequence
        from tasker.transitions r
        join tasker.tasks of_row on of_row.task_uuid = r.task_uuid
        where r.xid >= p_xid and (r.xid, r.sequence) > (p_xid, p_sequence) and r.xid < tasker.changes_end()
            and (p_task is null or r.task_uuid = p_task)
            and (p_namespaces is null or of_row.namespace = any (p_namespaces))
        order by r.xid, r.sequence
        limit p_limit
    ) telling
    join tasker.changes c on c.task_uuid = telling.task_uuid and c.told_by = telling.sequence
    join tasker.tasks t on t.task_uuid = c.task_uuid
    left join tasker.steps s on s.step_uuid = c.step_uuid
    where (c.xid, c.sequence) > (p_xid, p_sequence)
    order by c.xid, c.sequence
    limit p_limit;
end
$$;
