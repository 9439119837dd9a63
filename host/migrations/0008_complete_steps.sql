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
-- Of the steps that may run now, the caller takes over those it has room for: finish_steps says which.
--
-- Locks are taken in one order, each kind sorted by key: tasks, the steps that end, their successors; then batches and
-- messages, whose locks come with their steps'. Only the ends of guarded steps and failures lock their tasks. A step in
-- progress is never a successor that still counts down, so the second and the third can not cross.
--
-- What is given is one array of rows, and each stays whole until a column of it is written. An array for each column would
-- be a function scan for each: to read them takes the server two and a half times as long for one completion and three
-- times for a hundred (22 us and 8, 180 and 57, in a loop inside the server).
create type tasker.completion as (
    step_uuid uuid, claim integer, namespace text, message bigint, verdict text, delay_ms bigint, result text,
    metadata text, error text, growth text, events text, outcome text, error_type text, host text, log text, fuel bigint,
    peak_memory_bytes bigint, instantiate_us bigint, guest_us bigint, total_us bigint, host_calls bigint,
    started_at timestamptz, finished_at timestamptz
);

-- `p_tasks` are the tasks of guarded steps and of failures, `p_growing` the places of the completions that have a growth.
create function tasker.complete_steps(
    p_completions tasker.completion[], p_tasks uuid[], p_growing integer[], p_open text[], p_places integer[],
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
    outgrown := '{}';

    -- 1. The tasks whose rows this touches.
    if cardinality(p_tasks) > 0 then
        perform from tasker.tasks t where t.task_uuid = any (p_tasks) order by t.task_uuid for update;
    end if;

    -- 2. What decisions and batches add.
    if cardinality(p_growing) > 0 then
        for v_growing in
            select (given.it).step_uuid, (given.it).growth::json as growth, given.place
            from (select p_completions[place] as it, place from unnest(p_growing) place) given
            join tasker.steps s on s.step_uuid = any (array[(given.it).step_uuid])
            where s.state = 'in_progress' and s.claims = (given.it).claim
            order by (given.it).step_uuid
            for update of s
        loop
            if not tasker.grow_task(v_growing.step_uuid, v_growing.growth) then
                outgrown := outgrown || v_growing.place;
            end if;
        end loop;
    end if;

    -- 3. The steps: fence, store, log.
    with done as (
        update tasker.steps s
        set state = case (given.it).verdict
                when 'complete' then 'complete' when 'retry' then 'waiting_for_retry' when 'error' then 'error'
            end::tasker.step_state,
            run_after = case (given.it).verdict
                when 'retry' then v_now + (given.it).delay_ms * interval '1 millisecond'
            end,
            lapses = 0, result = (given.it).result::json, metadata = (given.it).metadata::json,
            error = (given.it).error::json, updated_at = v_now
        from (
            select it, place
            from (select unnest(p_completions) as it, generate_subscripts(p_completions, 1) as place) each
            order by (it).step_uuid
        ) given
        where s.step_uuid = any (array[(given.it).step_uuid]) and s.state = 'in_progress' and s.claims = (given.it).claim
            and given.place <> all (outgrown)
        returning s.step_uuid, s.task_uuid, s.state, s.is_sink, s.batch_uuid, s.attempts, given.it, given.place
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state, reason)
        select task_uuid, step_uuid, v_now, attempts, 'in_progress', state, (it).error_type from done
    ), measured as (
        insert into tasker.attempts (
            step_uuid, claim, attempt, host_calls, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us,
            started_at, finished_at, outcome, error_type, host, error, log
        )
        select step_uuid, (it).claim, attempts, (it).host_calls, (it).fuel, (it).peak_memory_bytes, (it).instantiate_us,
            (it).guest_us, (it).total_us, (it).started_at, (it).finished_at, (it).outcome, (it).error_type, (it).host,
            (it).error::json, (it).log::json
        from done
    )
    select array_agg(place), array_agg((it).namespace), array_agg((it).message),
        array_agg(step_uuid) filter (where finished and not is_sink),
        array_agg(task_uuid) filter (where finished and is_sink),
        array_agg(task_uuid) filter (where (it).verdict = 'error' and not finished),
        array_agg(batch_uuid) filter (where (it).verdict <> 'retry' and batch_uuid is not null),
        array_agg(batch_uuid) filter (where (it).verdict = 'error' and batch_uuid is not null),
        array_agg((it).namespace) filter (where (it).events is not null),
        array_agg((it).events) filter (where (it).events is not null),
        min((it).delay_ms) filter (where (it).verdict = 'retry')
    into accepted, spent_namespaces, spent, v_parents, v_sink_tasks, v_failed_tasks, v_batches, v_failed_batches,
        v_event_namespaces, v_events, next_retry_ms
    from done
    -- A failure that its batch goes on without is an end like any other.
    cross join lateral (
        select (it).verdict = 'complete' or (it).verdict = 'error' and tasker.is_finished(state, batch_uuid) as finished
    ) meaning;
    if accepted is null then
        accepted := '{}';
        return;
    end if;

    -- 4. What follows.
    if v_parents is not null or v_sink_tasks is not null or v_failed_tasks is not null then
        v_followed := tasker.finish_steps(
            v_parents, v_sink_tasks, v_failed_tasks, v_batches, v_failed_batches, p_completions[1].host, p_open, p_places
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

-- The same for steps that wait for each other, all of one namespace and of tasks that do not grow: a host that runs steps
-- before they are claimed brings the ends of several in a row at once, each after those it waits for. `p_turns` says at which
-- place of `p_completions` each turn ends; those of a turn wait for nothing but what came before. What a turn takes over is
-- complete in the next one, if its end is there: it is in progress in between, so its end is fenced like any other, and it
-- never has a message.
--
-- All that is locked is locked before the first turn, in the order in which it always is.
create function tasker.complete_in_turns(
    p_completions tasker.completion[], p_tasks uuid[], p_turns integer[], p_open text[], p_places integer[],
    out accepted integer[], out outgrown integer[], out changed_tasks uuid[], out changed_states text[],
    out next_retry_ms bigint, out spent_namespaces text[], out spent bigint[], out ready_namespaces text[],
    out ready jsonb[], out taken_namespaces text[], out taken jsonb[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_ending uuid[];
    v_first integer := 1;
    v_last integer;
    v_turn record;
begin
    accepted := '{}';
    outgrown := '{}';
    perform from tasker.tasks t where t.task_uuid = any (p_tasks) order by t.task_uuid for update;
    select array_agg((it).step_uuid order by (it).step_uuid) into v_ending from unnest(p_completions) it;
    perform from tasker.steps s where s.step_uuid = any (v_ending) and s.state = 'in_progress'
    order by s.step_uuid for update;
    perform from tasker.steps s
    where s.step_uuid = any (array(select e.child_uuid from tasker.edges e where e.parent_uuid = any (v_ending)))
    order by s.step_uuid for update;

    foreach v_last in array p_turns loop
        v_turn := tasker.complete_steps(
            p_completions[v_first:v_last], '{}', '{}', p_open,
            -- Those that end in this turn leave their places.
            array[p_places[1] - greatest(0, coalesce(cardinality(taken), 0) - (v_last - v_first + 1))]
        );
        exit when cardinality(v_turn.accepted) = 0;
        if v_first = 1 then
            spent_namespaces := v_turn.spent_namespaces;
            spent := v_turn.spent;
        else
            taken := array(
                select message from unnest(taken) message
                where (message ->> 'step_uuid')::uuid <> all (array(
                    select p_completions[v_first - 1 + place].step_uuid from unnest(v_turn.accepted) place
                ))
            );
        end if;
        accepted := accepted || array(select v_first - 1 + place from unnest(v_turn.accepted) place);
        changed_tasks := changed_tasks || v_turn.changed_tasks;
        changed_states := changed_states || v_turn.changed_states;
        next_retry_ms := least(next_retry_ms, v_turn.next_retry_ms);
        ready_namespaces := ready_namespaces || v_turn.ready_namespaces;
        ready := ready || v_turn.ready;
        taken := taken || v_turn.taken;
        v_first := v_last + 1;
    end loop;
    taken_namespaces := array_fill(p_open[1], array[coalesce(cardinality(taken), 0)]);
end
$$;
