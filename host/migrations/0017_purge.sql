-- What is old goes, in small commits. Keys are UUIDv7 and grow with time, so what is old enough stands at the beginning
-- of the index and nothing that lives is looked at.

-- The smallest UUIDv7 of a moment.
create function tasker.uuid_at(p_at timestamptz) returns uuid
language sql immutable strict parallel safe as $$
    select (lpad(to_hex(greatest(0, floor(extract(epoch from p_at) * 1000))::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- Takes away tasks that finished before `p_before`, with all their rows. Looks at up to `p_limit` tasks after the one with
-- key `p_after` (null: from the beginning) and stops earlier when they have many steps. A task with a dead letter that
-- nobody resolved stays. `looked_to` is the key to go on after: null at the end.
create function tasker.purge_tasks(
    p_before timestamptz, p_after uuid, p_limit integer, out purged integer, out looked_to uuid
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_looked integer;
    v_tasks uuid[];
    v_held uuid[];
    v_steps uuid[];
begin
    -- At most twenty steps a task on average, and at least one task.
    select count(*), max(task_uuid::text)::uuid, array_agg(task_uuid) filter (where over)
    into v_looked, looked_to, v_tasks
    from (
        select page.task_uuid, page.over, sum(page.steps) over (order by page.task_uuid) - page.steps as before
        from (
            select t.task_uuid, over,
                case when over then (select count(*) from tasker.steps s where s.task_uuid = t.task_uuid) else 0 end as steps
            from (
                select each.* from tasker.tasks each
                where (p_after is null or each.task_uuid > p_after) and each.task_uuid < tasker.uuid_at(p_before)
                order by each.task_uuid
                limit p_limit
            ) t
            cross join lateral (
                select coalesce(t.completed_at < p_before, false) and not exists (
                    select from tasker.dead_letters d
                    where d.task_uuid = t.task_uuid and d.resolution_status = 'pending'
                ) as over
            ) verdict
        ) page
    ) counted
    where before < 20 * p_limit;
    purged := 0;
    if v_tasks is not null then
        select array_agg(held.task_uuid) into v_held from (
            select t.task_uuid from tasker.tasks t
            where t.task_uuid = any (v_tasks) and t.completed_at < p_before
            order by t.task_uuid
            for update skip locked
        ) held;
    end if;
    if v_held is not null then
        select coalesce(array_agg(s.step_uuid), '{}') into v_steps from tasker.steps s where s.task_uuid = any (v_held);
        perform set_config('tasker.purging', 'on', true);
        delete from tasker.transitions where task_uuid = any (v_held);
        perform set_config('tasker.purging', '', true);
        delete from tasker.checkpoints where step_uuid = any (v_steps);
        delete from tasker.attempts where step_uuid = any (v_steps);
        delete from tasker.edges where parent_uuid = any (v_steps);
        delete from tasker.batches where batch_uuid = any (v_steps);
        delete from tasker.direct_events where step_uuid = any (v_steps);
        delete from tasker.steps where step_uuid = any (v_steps);
        delete from tasker.dead_letters where task_uuid = any (v_held);
        delete from tasker.tasks where task_uuid = any (v_held);
        purged := cardinality(v_held);
    end if;
    if v_looked = 0 or v_looked < p_limit and not exists (
        select from tasker.tasks t where t.task_uuid > looked_to and t.task_uuid < tasker.uuid_at(p_before)
    ) then
        looked_to := null;
    end if;
end
$$;

-- Takes away old messages, up to `p_limit` of each table: what was archived before `p_archived_before` from the archives
-- of the namespaces' queues, and events, waiting or archived, from before `p_events_before`. `more` says that there is
-- more to take.
create function tasker.purge_messages(
    p_archived_before timestamptz, p_events_before timestamptz, p_limit integer, out purged bigint, out more boolean
)
language plpgsql
set plan_cache_mode = force_custom_plan set enable_seqscan = off set jit = off
as $$
declare
    v_table record;
    v_gone bigint;
begin
    purged := 0;
    more := false;
    for v_table in
        select format('%s_%s', kind.prefix, lower(queue.name)) as name, kind.stamp, kind.position,
            case when queue.events then p_events_before else p_archived_before end as before
        from tasker.namespaces n
        cross join lateral (values
            (tasker.queue_name(n.name), false), (n.name || '_domain_events', true), (n.name || '_domain_events_dlq', true)
        ) queue (name, events)
        cross join (values ('a', 'archived_at', 'archived_at'), ('q', 'enqueued_at', 'msg_id')) kind (prefix, stamp, position)
        where (queue.events or kind.prefix = 'a')
            and to_regclass(format('pgmq.%I', format('%s_%s', kind.prefix, lower(queue.name)))) is not null
        order by 1
    loop
        -- The oldest first: of an archive by its time, of a queue by its order.
        execute format(
            'delete from pgmq.%1$I where msg_id = any (array(
                select msg_id from (
                    select msg_id, %2$I as stamp from pgmq.%1$I order by %3$I limit $2 for update skip locked
                ) oldest
                where stamp < $1
            ))',
            v_table.name, v_table.stamp, v_table.position
        ) using v_table.before, p_limit;
        get diagnostics v_gone = row_count;
        purged := purged + v_gone;
        more := more or v_gone = p_limit;
    end loop;
end
$$;
