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
    from tasker.transitions c
    join tasker.tasks t on t.task_uuid = c.task_uuid
    left join tasker.steps s on s.step_uuid = c.step_uuid
    where c.xid >= p_xid and (c.xid, c.sequence) > (p_xid, p_sequence) and c.xid < tasker.changes_end()
        and (p_task is null or c.task_uuid = p_task)
        and (p_namespaces is null or t.namespace = any (p_namespaces))
    order by c.xid, c.sequence
    limit p_limit;
end
$$;
