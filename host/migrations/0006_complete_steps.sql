-- Commits the outcomes of many attempts at once: results, attempts, transitions, messages, the successors that may now
-- run, and the states of the tasks.
--
-- A completion is accepted when its step is in progress under the claim it carries; any other changes nothing, whoever
-- sends it and however often. Verdicts:
--   complete  the result is stored, successors count down, the task is complete with its last sink
--   retry     the step waits until its delay is over, out of the queue (enqueue_due brings it back); the task stays in
--             steps_in_process, so a retry costs no write of its row
--   error     the step and the task rest (error, blocked_by_failures); branches that do not depend on it go on
--
-- Locks are taken in one order, each kind sorted by key: steps, tasks, successors; then messages, whose lock comes with
-- their step's. A step in progress is never a successor that still counts down, so the first and the third can not
-- cross.
create function tasker.complete_steps(
    p_steps uuid[], p_claims integer[], p_namespaces text[], p_messages bigint[], p_verdicts text[],
    p_delays_ms bigint[], p_results text[], p_metadata text[], p_errors text[], p_outcomes text[], p_error_types text[],
    p_hosts text[], p_fuel bigint[], p_peak_memory_bytes bigint[], p_instantiate_us bigint[], p_guest_us bigint[],
    p_total_us bigint[], p_host_calls bigint[], p_started_at timestamptz[], p_finished_at timestamptz[],
    out accepted integer[], out enqueued integer, out changed_tasks uuid[], out changed_states text[],
    out next_retry_ms bigint
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_batch record;
    v_namespaces text[];
    v_messages bigint[];
    v_parents uuid[];
    v_sink_tasks uuid[];
    v_failed_tasks uuid[];
    v_ready uuid[];
    v_ready_tasks uuid[];
begin
    enqueued := 0;

    -- 1. The steps: fence, store, log.
    with held as (
        select given.*, s.attempts from unnest(
            p_steps, p_claims, p_verdicts, p_delays_ms, p_results, p_metadata, p_errors, p_outcomes, p_error_types,
            p_hosts, p_fuel, p_peak_memory_bytes, p_instantiate_us, p_guest_us, p_total_us, p_host_calls, p_started_at,
            p_finished_at, p_namespaces, p_messages
        ) with ordinality given (
            step_uuid, claim, verdict, delay_ms, result, metadata, error, outcome, error_type,
            host, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us, host_calls, started_at,
            finished_at, namespace, message, place
        )
        join tasker.steps s on s.step_uuid = given.step_uuid
        where s.state = 'in_progress' and s.claims = given.claim
        order by s.step_uuid
        for update of s
    ), done as (
        update tasker.steps s
        set state = case held.verdict
                when 'complete' then 'complete' when 'retry' then 'waiting_for_retry' when 'error' then 'error'
            end::tasker.step_state,
            run_after = case held.verdict when 'retry' then v_now + held.delay_ms * interval '1 millisecond' end,
            result = held.result::json, metadata = held.metadata::json, error = held.error::json, updated_at = v_now
        from held
        where s.step_uuid = held.step_uuid
        returning s.task_uuid, s.is_sink, s.state, held.*
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state, reason)
        select task_uuid, step_uuid, v_now, attempts, 'in_progress', state, error_type from done
    ), measured as (
        insert into tasker.attempts (
            step_uuid, claim, attempt, host_calls, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us,
            started_at, finished_at, outcome, error_type, host
        )
        select step_uuid, claim, attempts, host_calls, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us,
            started_at, finished_at, outcome, error_type, host
        from done
    )
    select array_agg(place::integer), array_agg(namespace), array_agg(message),
        array_agg(step_uuid) filter (where verdict = 'complete' and not is_sink),
        array_agg(task_uuid) filter (where verdict = 'complete' and is_sink),
        array_agg(task_uuid) filter (where verdict = 'error'), min(delay_ms) filter (where verdict = 'retry')
    into accepted, v_namespaces, v_messages, v_parents, v_sink_tasks, v_failed_tasks, next_retry_ms
    from done;
    if accepted is null then
        accepted := '{}';
        return;
    end if;

    -- 2. The tasks that lose a sink or meet a failure.
    if v_sink_tasks is not null or v_failed_tasks is not null then
        with touched as (
            select task_uuid, sum(sinks)::integer as sinks, bool_or(failed) as failed
            from (
                select unnest(v_sink_tasks) as task_uuid, 1 as sinks, false as failed
                union all select unnest(v_failed_tasks), 0, true
            ) each
            group by task_uuid
        ), held as (
            select touched.*, t.state from touched join tasker.tasks t on t.task_uuid = touched.task_uuid
            order by t.task_uuid
            for update of t
        ), done as (
            update tasker.tasks t
            set sinks_left = t.sinks_left - held.sinks, updated_at = v_now,
                state = case when t.state <> 'steps_in_process' then t.state
                    when held.failed then 'blocked_by_failures'
                    when t.sinks_left = held.sinks then 'complete' else t.state end,
                completed_at = case when t.state = 'steps_in_process' and not held.failed
                    and t.sinks_left = held.sinks then v_now else t.completed_at end
            from held
            where t.task_uuid = held.task_uuid
            returning t.task_uuid, held.state as from_state, t.state
        ), logged as (
            insert into tasker.transitions (task_uuid, at, from_state, to_state)
            select task_uuid, v_now, from_state, state from done where state <> from_state
        )
        select array_agg(task_uuid), array_agg(state::text) into changed_tasks, changed_states
        from done where state <> from_state;
    end if;

    -- 3. The successors: each counts down once for each parent that finished.
    if v_parents is not null then
        with finished as (
            select child_uuid, count(*)::integer as parents from tasker.edges where parent_uuid = any (v_parents)
            group by child_uuid
        ), held as (
            select finished.* from finished join tasker.steps s on s.step_uuid = finished.child_uuid
            order by s.step_uuid
            for update of s
        ), counted as (
            update tasker.steps s
            set pending_parents = s.pending_parents - held.parents, updated_at = v_now,
                state = case when s.state = 'pending' and s.pending_parents = held.parents then 'enqueued'
                    else s.state end
            from held
            where s.step_uuid = held.child_uuid
            returning s.step_uuid, s.task_uuid, s.state, s.pending_parents
        ), ready as (
            select step_uuid, task_uuid from counted where state = 'enqueued' and pending_parents = 0
        ), logged as (
            insert into tasker.transitions (task_uuid, step_uuid, at, from_state, to_state)
            select task_uuid, step_uuid, v_now, 'pending', 'enqueued' from ready
        )
        select array_agg(step_uuid order by step_uuid), array_agg(task_uuid order by step_uuid)
        into v_ready, v_ready_tasks from ready;
    end if;

    -- 4. The messages: out with the finished, in with the ready.
    for v_batch in
        select namespace, array_agg(message) as messages
        from unnest(v_namespaces, v_messages) finished (namespace, message)
        group by namespace
        order by namespace
    loop
        perform tasker.delete_messages(v_batch.namespace, v_batch.messages);
    end loop;
    if v_ready is not null then
        perform tasker.send_steps(v_ready, v_ready_tasks);
        enqueued := cardinality(v_ready);
    end if;
end
$$;
