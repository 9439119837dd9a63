-- What follows when steps end, whoever ended them: places in batches become free, successors count down and are queued,
-- tasks lose sinks and come to rest.
--
-- The caller has locked, in the order of their keys, first the rows of the tasks whose guarded steps or failures it
-- brings, then the steps; and it has written the steps' new states with their transitions.

-- Whether the steps that depend on a step wait for it no more. A worker that failed counts as finished where its batch
-- goes on without it.
create function tasker.is_finished(p_state tasker.step_state, p_batch uuid) returns boolean
language plpgsql stable as $$
begin
    if p_state in ('complete', 'resolved_manually') then
        return true;
    end if;
    return p_state = 'error' and p_batch is not null and exists (
        select from tasker.batches where batch_uuid = p_batch and failure_strategy = 'continue_on_failure'
    );
end
$$;

-- Opens the window of batches as far as it goes, and answers the workers that may begin: each counts its place down.
-- `p_batches` names a batch once for each worker that ended, `p_failed_batches` for each that failed; `p_reopened` are
-- batches of which none ended.
create function tasker.release_workers(p_batches uuid[], p_failed_batches uuid[], p_reopened uuid[] default '{}')
returns uuid[]
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_batch record;
    v_running integer;
    v_places integer;
    v_released uuid[] := '{}';
begin
    for v_batch in
        select b.*, ended.workers as ended
        from (
            select batch_uuid, sum(workers)::integer as workers
            from (
                select unnest(p_batches) as batch_uuid, 1 as workers union all select unnest(p_reopened), 0
            ) each
            group by batch_uuid
        ) ended
        join tasker.batches b on b.batch_uuid = ended.batch_uuid
        order by b.batch_uuid
        for update of b
    loop
        v_running := greatest(0, v_batch.running - v_batch.ended);
        v_batch.closed := v_batch.closed
            or v_batch.failure_strategy = 'fail_fast' and v_batch.batch_uuid = any (p_failed_batches);
        v_places := case when v_batch.closed then 0
            else greatest(0, least(v_batch.parallelism - v_running, v_batch.workers - v_batch.released)) end;
        update tasker.batches
        set running = v_running + v_places, released = v_batch.released + v_places, closed = v_batch.closed
        where batch_uuid = v_batch.batch_uuid;
        if v_places > 0 then
            v_released := v_released || array(
                select s.step_uuid from tasker.steps s
                where s.batch_uuid = v_batch.batch_uuid and s.batch_place >= v_batch.released
                    and s.batch_place < v_batch.released + v_places
            );
        end if;
    end loop;
    return v_released;
end
$$;

-- The steps that count down, and by how much: once for each parent that finished, a released worker once for its place. A
-- plain query, so that it becomes part of the statements that ask it.
create function tasker.successors_of(p_parents uuid[], p_released uuid[])
returns table (child_uuid uuid, parents integer)
language sql stable as $$
    select child_uuid, count(*)::integer
    from (
        select e.child_uuid from tasker.edges e where e.parent_uuid = any (p_parents)
        union all select unnest(p_released)
    ) each
    group by child_uuid
$$;

-- What ended: `p_parents` are steps that satisfy their successors now; `p_sink_tasks` names a task once for each such step
-- that has none; in `p_failed_tasks` a step failed. `p_batches` and `p_failed_batches` are those of the workers among
-- them, as for release_workers. Answers which tasks changed, and the messages of the successors that are queued now, in the
-- order of their namespaces: the caller sends them.
--
-- A host that has room takes successors over as they become ready: of each namespace in `p_open` those that it has `p_begun`
-- with, and as many others as it has `p_places`. They are claimed here, in the commit that makes them ready, and neither it
-- nor another host has to look for them. Their messages, which the caller sends as well, come hidden. Of a namespace that is
-- paused or bounded none is taken. There is room for the first successors of a namespace, ready or not, so that one update
-- counts down, queues and takes: who waits for others too is known when its row is locked, and a statement of its own for
-- that would write the lock's log. Rows are locked in the order of these places, which is the same for all callers. `p_ended`
-- are successors that have ended with what they waited for.
create function tasker.finish_steps(
    p_parents uuid[], p_sink_tasks uuid[], p_failed_tasks uuid[], p_batches uuid[], p_failed_batches uuid[],
    p_host text default null, p_open text[] default '{}', p_places integer[] default '{}', p_begun uuid[] default '{}',
    p_ended uuid[] default null,
    out changed_tasks uuid[], out changed_states text[], out ready_namespaces text[], out ready_messages jsonb[],
    out taken_namespaces text[], out taken_messages jsonb[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_blocked uuid[] := '{}';
    v_released uuid[];
begin
    -- 1. The tasks that lose a sink or meet a failure. Their rows are locked, so what is read here is what is changed.
    if p_failed_tasks is not null then
        v_blocked := array(
            select task_uuid from tasker.tasks where task_uuid = any (p_failed_tasks) and state = 'steps_in_process'
        );
    end if;
    if p_sink_tasks is not null or cardinality(v_blocked) > 0 then
        with done as (
            update tasker.tasks t
            set sinks_left = t.sinks_left - touched.sinks, updated_at = v_now,
                state = case when t.task_uuid = any (v_blocked) then 'blocked_by_failures'
                    when t.state = 'steps_in_process' and t.sinks_left = touched.sinks then 'complete' else t.state end,
                completed_at = case when t.task_uuid <> all (v_blocked) and t.state = 'steps_in_process'
                    and t.sinks_left = touched.sinks then v_now else t.completed_at end
            from (
                select task_uuid, count(*)::integer - (task_uuid = any (v_blocked))::integer as sinks
                from unnest(p_sink_tasks || v_blocked) task_uuid group by task_uuid
            ) touched
            where t.task_uuid = any (array[touched.task_uuid])
            returning t.task_uuid, t.state, t.completed_at = v_now or t.task_uuid = any (v_blocked) as changed
        ), logged as (
            insert into tasker.transitions (task_uuid, at, from_state, to_state)
            select task_uuid, v_now, 'steps_in_process', state from done where changed
        )
        select array_agg(task_uuid), array_agg(state::text) into changed_tasks, changed_states from done where changed;
    end if;

    -- 2. The successors.
    if p_batches is not null then
        v_released := tasker.release_workers(p_batches, coalesce(p_failed_batches, '{}'));
    end if;
    if p_parents is null and v_released is null then
        return;
    end if;
    with counted as (
        update tasker.steps s
        set pending_parents = s.pending_parents - fewer.parents, updated_at = v_now,
            state = case when s.state <> 'pending' or s.pending_parents <> fewer.parents then s.state
                when fewer.room then 'in_progress' else 'enqueued' end,
            attempts = s.attempts + (fewer.room and s.state = 'pending' and s.pending_parents = fewer.parents)::integer,
            claims = s.claims + (fewer.room and s.state = 'pending' and s.pending_parents = fewer.parents)::integer,
            claimed_by = case when fewer.room and s.state = 'pending' and s.pending_parents = fewer.parents then p_host
                else s.claimed_by end,
            claimed_at = case when fewer.room and s.state = 'pending' and s.pending_parents = fewer.parents then v_now
                else s.claimed_at end
        from (
            select fewer.*, before.state, t.namespace, t.correlation_id, t.priority,
                open.places is not null and (
                    begun or row_number() over (partition by t.namespace, begun order by fewer.child_uuid) <= open.places
                ) as room
            from tasker.successors_of(p_parents, v_released) fewer
            cross join lateral (
                select task_uuid, state, step_uuid = any (p_begun) as begun from tasker.steps
                where step_uuid = fewer.child_uuid offset 0
            ) before
            cross join lateral (
                select namespace, correlation_id, priority, state from tasker.tasks
                where task_uuid = before.task_uuid offset 0
            ) t
            left join (
                select given.namespace, given.places from unnest(p_open, p_places) given (namespace, places)
                join tasker.namespaces n on n.name = given.namespace
                where n.paused_at is null and n.max_concurrent is null
            ) open on open.namespace = t.namespace
                and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
            where p_ended is null or fewer.child_uuid <> all (p_ended)
        ) fewer
        where s.step_uuid = any (array[fewer.child_uuid])
        returning s.step_uuid, s.task_uuid, s.attempts, fewer.state = 'pending' and s.state in ('enqueued', 'in_progress')
                as ready,
            fewer.state = 'pending' and s.state = 'in_progress' as taken, fewer.namespace, fewer.correlation_id,
            fewer.priority
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state)
        select task_uuid, step_uuid, v_now, null, 'pending', 'enqueued' from counted where ready
        union all
        select task_uuid, step_uuid, v_now, attempts, 'enqueued', 'in_progress' from counted where taken
    )
    select array_agg(namespace) filter (where not taken), array_agg(message) filter (where not taken),
        array_agg(namespace) filter (where taken), array_agg(message) filter (where taken)
    into ready_namespaces, ready_messages, taken_namespaces, taken_messages
    from (
        select namespace, taken, tasker.step_message(task_uuid, step_uuid, correlation_id, priority) as message
        from counted where ready
        order by namespace, step_uuid
    ) ready;
end
$$;
