-- Commits the outcomes of many attempts at once: results, attempts, transitions, events, the steps that a decision or a
-- batch adds, the successors that may now run, and the states of the tasks.
--
-- What becomes of messages the caller does, in the same statement: those that are spent go, those of successors are sent,
-- the taken ones hidden for the length of the lease. A spent message may become that of a successor: to change a
-- message is one statement, to delete it and to send another are two.
--
-- A completion is accepted when its step is in progress under the claim it carries; any other changes nothing, whoever
-- sends it and however often. Verdicts:
--   complete  the result is stored, successors count down, the task is complete with its last sink
--   retry     the step waits until its delay is over, out of the queue (enqueue_due brings it back); the task stays in
--             steps_in_process, so a retry costs no write of its row
--   error     the step and the task rest (error, blocked_by_failures); branches that do not depend on it go on
-- A completion whose growth was planned on an older state of its task is `outgrown`: it is not accepted, and is to be
-- planned again. At most one growth a task is taken in one call.
--
-- `p_tasks` are the tasks of guarded steps and of failures; null where it is neither.
--
-- Of the steps that may run now, the caller takes over those it has room for: finish_steps says which.
--
-- Locks are taken in one order, each kind sorted by key: tasks, the steps that end, their successors; then batches and
-- messages, whose locks come with their steps'. Only the ends of guarded steps and failures lock their tasks. A step in
-- progress is never a successor that still counts down, so the second and the third can not cross.
create function tasker.complete_steps(
    p_steps uuid[], p_claims integer[], p_namespaces text[], p_messages bigint[], p_verdicts text[],
    p_delays_ms bigint[], p_results text[], p_metadata text[], p_errors text[], p_growths text[], p_events text[],
    p_outcomes text[], p_error_types text[], p_hosts text[], p_fuel bigint[], p_peak_memory_bytes bigint[],
    p_instantiate_us bigint[], p_guest_us bigint[], p_total_us bigint[], p_host_calls bigint[],
    p_started_at timestamptz[], p_finished_at timestamptz[], p_logs text[], p_open text[], p_places integer[], p_tasks uuid[],
    out accepted integer[], out outgrown integer[], out changed_tasks uuid[], out changed_states text[],
    out next_retry_ms bigint, out spent_namespaces text[], out spent bigint[], out ready_namespaces text[],
    out ready jsonb[], out taken_namespaces text[], out taken jsonb[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_growing record;
    v_followed record;
    v_parents uuid[];
    v_sink_tasks uuid[];
    v_failed_tasks uuid[];
    v_batches uuid[];
    v_failed_batches uuid[];
    v_event_namespaces text[];
    v_events text[];
begin
    accepted := '{}';
    outgrown := '{}';

    -- 1. The tasks whose rows this touches.
    if cardinality(array_remove(p_tasks, null)) > 0 then
        perform from tasker.tasks t where t.task_uuid = any (p_tasks) order by t.task_uuid for update;
    end if;

    -- 2. What decisions and batches add.
    if cardinality(array_remove(p_growths, null)) > 0 then
        for v_growing in
            select given.step_uuid, given.growth::json as growth, given.place
            from unnest(p_steps, p_claims, p_growths) with ordinality given (step_uuid, claim, growth, place)
            join tasker.steps s on s.step_uuid = any (array[given.step_uuid])
            where given.growth is not null and s.state = 'in_progress' and s.claims = given.claim
            order by given.step_uuid
            for update of s
        loop
            if not tasker.grow_task(v_growing.step_uuid, v_growing.growth) then
                outgrown := outgrown || v_growing.place::integer;
                p_claims[v_growing.place] := null;
            end if;
        end loop;
    end if;

    -- 3. The steps: fence, store, log.
    with held as (
        select given.*, s.attempts from unnest(
            p_steps, p_claims, p_verdicts, p_delays_ms, p_results, p_metadata, p_errors, p_outcomes, p_error_types,
            p_hosts, p_fuel, p_peak_memory_bytes, p_instantiate_us, p_guest_us, p_total_us, p_host_calls, p_started_at,
            p_finished_at, p_namespaces, p_messages, p_events, p_logs
        ) with ordinality given (
            step_uuid, claim, verdict, delay_ms, result, metadata, error, outcome, error_type,
            host, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us, host_calls, started_at,
            finished_at, namespace, message, events, log, place
        )
        join tasker.steps s on s.step_uuid = any (array[given.step_uuid])
        where s.state = 'in_progress' and s.claims = given.claim
        order by given.step_uuid
        for update of s
    ), done as (
        update tasker.steps s
        set state = case held.verdict
                when 'complete' then 'complete' when 'retry' then 'waiting_for_retry' when 'error' then 'error'
            end::tasker.step_state,
            run_after = case held.verdict when 'retry' then v_now + held.delay_ms * interval '1 millisecond' end,
            lapses = 0, result = held.result::json, metadata = held.metadata::json, error = held.error::json,
            updated_at = v_now
        from held
        where s.step_uuid = any (array[held.step_uuid])
        returning s.task_uuid, s.state, s.is_sink, s.batch_uuid, held.*
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state, reason)
        select task_uuid, step_uuid, v_now, attempts, 'in_progress', state, error_type from done
    ), measured as (
        insert into tasker.attempts (
            step_uuid, claim, attempt, host_calls, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us,
            started_at, finished_at, outcome, error_type, host, error, log
        )
        select step_uuid, claim, attempts, host_calls, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us,
            started_at, finished_at, outcome, error_type, host, error::json, log::json
        from done
    )
    select array_agg(place::integer), array_agg(namespace order by namespace), array_agg(message order by namespace),
        array_agg(step_uuid) filter (where finished and not is_sink),
        array_agg(task_uuid) filter (where finished and is_sink),
        array_agg(task_uuid) filter (where verdict = 'error' and not finished),
        array_agg(batch_uuid) filter (where verdict <> 'retry' and batch_uuid is not null),
        array_agg(batch_uuid) filter (where verdict = 'error' and batch_uuid is not null),
        array_agg(namespace) filter (where events is not null), array_agg(events) filter (where events is not null),
        min(delay_ms) filter (where verdict = 'retry')
    into accepted, spent_namespaces, spent, v_parents, v_sink_tasks, v_failed_tasks, v_batches, v_failed_batches,
        v_event_namespaces, v_events, next_retry_ms
    from done
    -- A failure that its batch goes on without is an end like any other.
    cross join lateral (
        select verdict = 'complete' or verdict = 'error' and tasker.is_finished(state, batch_uuid) as finished
    ) meaning;
    if accepted is null then
        accepted := '{}';
        return;
    end if;

    -- 4. What follows.
    if v_parents is not null or v_sink_tasks is not null or v_failed_tasks is not null then
        v_followed := tasker.finish_steps(
            v_parents, v_sink_tasks, v_failed_tasks, v_batches, v_failed_batches, p_hosts[1], p_open, p_places
        );
        changed_tasks := v_followed.changed_tasks;
        changed_states := v_followed.changed_states;
        ready_namespaces := v_followed.ready_namespaces;
        ready := v_followed.ready_messages;
        taken_namespaces := v_followed.taken_namespaces;
        taken := v_followed.taken_messages;
    end if;
    if v_events is not null then
        perform tasker.send_events(v_event_namespaces, v_events);
    end if;
end
$$;
