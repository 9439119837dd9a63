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
-- A host that runs steps before they are claimed brings the ends of several in a row at once. Those that wait for others of
-- them come last: they have their claim and their end in this commit, and nothing in between is written but their history.
-- See may_end_unclaimed.
--
-- Locks are taken in one order, each kind sorted by key: tasks, the steps that end, their successors; then batches and
-- messages, whose locks come with their steps'. Only the ends of guarded steps and failures lock their tasks. A step in
-- progress is never a successor that still counts down, so the second and the third can not cross. One that ends unclaimed is
-- locked as the successor that it is.
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

-- Whether the last `p_unclaimed` of some completions may be claimed and end in one go: the steps were never claimed, wait for
-- nothing but steps that are complete with these completions, and could be claimed at all. `steps` are these steps, and
-- `leads_on` is whether others wait for any of all that end. The rows of steps that are read are locked, in the order that
-- complete_steps names.
create function tasker.may_end_unclaimed(
    p_completions tasker.completion[], p_unclaimed integer, out may_end boolean, out leads_on boolean, out steps uuid[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_claimed integer := cardinality(p_completions) - p_unclaimed;
    v_found integer;
    v_complete uuid[];
begin
    select count(*) into v_found
    from (
        select from (select unnest(p_completions[:v_claimed]) as it) given
        join tasker.steps s on s.step_uuid = any (array[(given.it).step_uuid])
        where s.state = 'in_progress' and s.claims = (given.it).claim
        order by (given.it).step_uuid
        for update of s
    ) claimed;
    if v_found < v_claimed then
        may_end := false;
        return;
    end if;

    select array_agg((it).step_uuid) filter (where (it).verdict = 'complete'),
        array_agg((it).step_uuid) filter (where place > v_claimed)
    into v_complete, steps
    from (select unnest(p_completions) as it, generate_subscripts(p_completions, 1) as place) given;
    select count(*) filter (where step_uuid = any (steps) and ready) = p_unclaimed,
        coalesce(bool_or(step_uuid <> all (steps)), false)
    into may_end, leads_on
    from (
        select s.step_uuid, s.state = 'pending' and s.claims = 0 and s.pending_parents = fewer.parents
            and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually') as ready
        from tasker.successors_of(v_complete, null) fewer
        join tasker.steps s on s.step_uuid = any (array[fewer.child_uuid])
        cross join lateral (select state from tasker.tasks where task_uuid = s.task_uuid offset 0) t
        order by fewer.child_uuid
        for update of s
    ) successor;
    may_end := may_end and exists (
        select from tasker.namespaces
        where name = p_completions[1].namespace and paused_at is null and max_concurrent is null
    );
end
$$;

-- `p_tasks` are the tasks of guarded steps and of failures, `p_planned` those whose steps may not be written yet, `p_growing`
-- the places of the completions that have a growth. The steps of the last `p_unclaimed` are not claimed yet: then all are of
-- one namespace and of tasks that do not grow. Where these may not end, nothing that follows the others is taken over either.
create function tasker.complete_steps(
    p_completions tasker.completion[], p_tasks uuid[], p_planned uuid[], p_growing integer[], p_unclaimed integer,
    p_open text[], p_places integer[], p_begun uuid[],
    out accepted integer[], out outgrown integer[], out changed_tasks uuid[], out changed_states text[],
    out next_retry_ms bigint, out spent bigint[], out ready_namespaces text[], out ready jsonb[],
    out taken_namespaces text[], out taken jsonb[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_growing record;
    v_ahead record;
    v_leads_on boolean := true;
    v_claimed integer;
    v_followed record;
    v_parents uuid[];
    v_unclaimed uuid[];
    v_sink_tasks uuid[];
    v_failed_tasks uuid[];
    v_batches uuid[];
    v_failed_batches uuid[];
    v_event_namespaces text[];
    v_events text[];
    v_brings_more boolean;
begin
    outgrown := '{}';

    -- 1. The tasks whose rows this touches.
    if cardinality(p_tasks) > 0 then
        perform from tasker.tasks t where t.task_uuid = any (p_tasks || p_planned) order by t.task_uuid for update;
    end if;
    if cardinality(p_planned) > 0 then
        perform tasker.write_planned(p_planned, true, p_completions[1].host);
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

    -- 3. Those that end with what they wait for.
    if p_unclaimed > 0 then
        v_ahead := tasker.may_end_unclaimed(p_completions, p_unclaimed);
        if v_ahead.may_end then
            v_leads_on := v_ahead.leads_on;
            v_unclaimed := v_ahead.steps;
        else
            p_completions := p_completions[:cardinality(p_completions) - p_unclaimed];
            p_unclaimed := 0;
            p_open := '{}';
        end if;
    end if;
    v_claimed := cardinality(p_completions) - p_unclaimed;

    -- 4. The steps: fence, store, log.
    with done as (
        update tasker.steps s
        set state = case (given.it).verdict
                when 'complete' then 'complete' when 'retry' then 'waiting_for_retry' when 'error' then 'error'
            end::tasker.step_state,
            pending_parents = case when given.place > v_claimed then 0 else s.pending_parents end,
            attempts = s.attempts + (given.place > v_claimed)::integer,
            claims = s.claims + (given.place > v_claimed)::integer,
            claimed_by = case when given.place > v_claimed then (given.it).host else s.claimed_by end,
            claimed_at = case when given.place > v_claimed then v_now else s.claimed_at end,
            run_after = case (given.it).verdict
                when 'retry' then v_now + (given.it).delay_ms * interval '1 millisecond'
            end,
            lapses = 0, result = (given.it).result::json, metadata = (given.it).metadata::json,
            error = (given.it).error::json, updated_at = v_now
        from (
            select it, place
            from (select unnest(p_completions) as it, generate_subscripts(p_completions, 1) as place) each
            -- In the order of the history where the rows are locked already.
            order by case when p_unclaimed > 0 then place end, (it).step_uuid
        ) given
        where s.step_uuid = any (array[(given.it).step_uuid])
            and (s.state = 'in_progress' and s.claims = (given.it).claim or given.place > v_claimed)
            and given.place <> all (outgrown)
        returning s.step_uuid, s.task_uuid, s.state, s.is_sink, s.batch_uuid, s.attempts, given.it, given.place
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state, reason)
        select task_uuid, step_uuid, v_now, case when change > 1 then attempts end,
            case change when 1 then 'pending' when 2 then 'enqueued' else 'in_progress' end,
            case change when 1 then 'enqueued' when 2 then 'in_progress' else state::text end,
            case change when 3 then (it).error_type end
        from (
            select task_uuid, step_uuid, attempts, state, it,
                generate_series(case when place > v_claimed then 1 else 3 end, 3) as change
            from done
        ) done
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
    select array_agg(place), array_agg((it).message) filter (where (it).message is not null),
        array_agg(step_uuid) filter (where finished and not is_sink),
        array_agg(task_uuid) filter (where finished and is_sink),
        bool_or((it).verdict <> 'complete' or batch_uuid is not null or (it).events is not null)
    into accepted, spent, v_parents, v_sink_tasks, v_brings_more
    from done
    -- A failure that its batch goes on without is an end like any other.
    cross join lateral (
        select (it).verdict = 'complete' or (it).verdict = 'error' and tasker.is_finished(state, batch_uuid) as finished
    ) meaning;
    if accepted is null then
        accepted := '{}';
        return;
    end if;
    -- An aggregate costs the server as much as the write of a row, so those for what is rare are asked for where it is there.
    if v_brings_more then
        select array_agg(s.task_uuid) filter (where (it).verdict = 'error' and not tasker.is_finished(s.state, s.batch_uuid)),
            array_agg(s.batch_uuid) filter (where (it).verdict <> 'retry' and s.batch_uuid is not null),
            array_agg(s.batch_uuid) filter (where (it).verdict = 'error' and s.batch_uuid is not null),
            array_agg((it).namespace) filter (where (it).events is not null),
            array_agg((it).events) filter (where (it).events is not null),
            min((it).delay_ms) filter (where (it).verdict = 'retry')
        into v_failed_tasks, v_batches, v_failed_batches, v_event_namespaces, v_events, next_retry_ms
        from (select p_completions[place] as it from unnest(accepted) place) given
        join tasker.steps s on s.step_uuid = any (array[(given.it).step_uuid]);
    end if;

    -- 5. What follows.
    if not v_leads_on then
        v_parents := null;
    end if;
    if v_parents is not null or v_sink_tasks is not null or v_failed_tasks is not null then
        v_followed := tasker.finish_steps(
            v_parents, v_sink_tasks, v_failed_tasks, v_batches, v_failed_batches, p_completions[1].host, p_open, p_places,
            p_begun, v_unclaimed
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
