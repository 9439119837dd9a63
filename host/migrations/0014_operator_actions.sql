-- What a person does to a task or step, with who and why on every transition it makes. Each is one transaction under the
-- lock of the task's row; a refusal changes nothing and is answered, not raised: `refused` is 'unknown', 'task', 'step'
-- (the state forbids it), 'child' (what depends on it has begun) or 'outgrown' (see grow_task), `actual` the state or
-- the child's name. `task_state` is the task's state afterwards, `enqueued` how many steps were queued.
--
-- Steps are locked as everywhere: those in progress before others, each kind in the order of their keys. An attempt under
-- way is not waited for: `claims` goes up, and its result is refused when it comes. The messages of steps that do not
-- run any more are left in the queue, where the claim clears them away.

-- Ends what is unfinished of a task. Answers how many steps that were. The task's row is locked.
create function tasker.cancel_steps(p_task uuid, p_actor text, p_reason text) returns integer
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_cancelled integer;
begin
    with held as (
        select s.step_uuid, s.state from tasker.steps s
        where s.task_uuid = p_task and s.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
        order by s.state <> 'in_progress', s.step_uuid
        for update of s
    ), ended as (
        update tasker.steps s
        set state = 'cancelled', claims = s.claims + 1, run_after = null, updated_at = v_now
        from held
        where s.step_uuid = held.step_uuid
        returning s.step_uuid, s.attempts, held.state as from_state
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state, reason, actor)
        select p_task, step_uuid, v_now, case when from_state = 'in_progress' then attempts end, from_state,
            'cancelled', p_reason, p_actor
        from ended
    )
    select count(*) into v_cancelled from ended;
    return v_cancelled;
end
$$;

-- Takes a task and its unfinished steps to their end: `p_state` is cancelled or resolved_manually. Hosts that run one of
-- the steps hear of it.
create function tasker.end_task(
    p_task uuid, p_state tasker.task_state, p_actor text, p_reason text,
    out refused text, out actual text, out cancelled integer
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
declare
    v_state tasker.task_state;
    v_now timestamptz;
begin
    select state into v_state from tasker.tasks where task_uuid = p_task for update;
    if not found then
        refused := 'unknown';
        return;
    end if;
    if v_state in ('complete', 'cancelled', 'resolved_manually') or v_state = 'error' and p_state = 'cancelled' then
        refused := 'task';
        actual := v_state;
        return;
    end if;
    perform tasker.write_planned(array[p_task], null);
    v_now := clock_timestamp();
    update tasker.tasks set state = p_state, updated_at = v_now, completed_at = v_now where task_uuid = p_task;
    insert into tasker.transitions (task_uuid, at, from_state, to_state, reason, actor)
    values (p_task, v_now, v_state, p_state, p_reason, p_actor);
    cancelled := tasker.cancel_steps(p_task, p_actor, p_reason);
    perform pg_notify('tasker_cancel', p_task::text);
end
$$;

-- Puts steps into the queue again that should be there and are not: while their task was at rest in `error`, the claim
-- cleared their messages away. The rows of the messages are locked while they are looked at, so that none is cleared
-- between the look and the commit. Answers how many it sent. The task's row is locked.
create function tasker.send_lost_steps(p_task uuid) returns integer
language plpgsql
set plan_cache_mode = force_generic_plan set jit = off
as $$
declare
    v_namespace text;
    v_found uuid[];
    v_lost uuid[];
    v_tasks uuid[];
begin
    select namespace into v_namespace from tasker.tasks where task_uuid = p_task;
    perform from tasker.steps s
    where s.task_uuid = p_task and s.state in ('enqueued', 'in_progress')
    order by s.state <> 'in_progress', s.step_uuid
    for update;
    execute format(
        'select array_agg(step_uuid) from (
            select (message ->> ''step_uuid'')::uuid as step_uuid from pgmq.%I where message ->> ''task_uuid'' = $1
            for update
        ) message',
        tasker.queue_table(v_namespace)
    ) into v_found using p_task::text;

    with lost as (
        select s.step_uuid, s.state from tasker.steps s
        where s.task_uuid = p_task and s.state in ('enqueued', 'in_progress')
            and s.step_uuid <> all (coalesce(v_found, '{}'))
    ), put_back as (
        update tasker.steps s
        set state = 'enqueued', claims = s.claims + (lost.state = 'in_progress')::integer,
            attempts = s.attempts - (lost.state = 'in_progress')::integer, updated_at = clock_timestamp()
        from lost
        where s.step_uuid = lost.step_uuid
        returning s.step_uuid, s.task_uuid, s.attempts, lost.state as from_state
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, attempt, from_state, to_state, reason)
        select task_uuid, step_uuid, attempts + 1, 'in_progress', 'enqueued', 'its lease lapsed' from put_back
        where from_state = 'in_progress'
    )
    select array_agg(step_uuid order by step_uuid), array_agg(task_uuid order by step_uuid) into v_lost, v_tasks
    from put_back;
    if v_lost is not null then
        perform tasker.send_steps(v_lost, v_tasks);
    end if;
    return coalesce(cardinality(v_lost), 0);
end
$$;

-- Lets a task that rested go on when no failure holds it any more. Ends what is left of one that is complete, which only
-- a person who completes a step before its time can bring about. The task's row is locked.
create function tasker.resume_task(p_task uuid, p_actor text, p_reason text, out enqueued integer, out task_state text)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_from tasker.task_state;
    v_state tasker.task_state;
    v_sinks integer;
begin
    enqueued := 0;
    select state, sinks_left into v_from, v_sinks from tasker.tasks where task_uuid = p_task;
    v_state := v_from;
    if v_from in ('blocked_by_failures', 'error') and not exists (
        select from tasker.steps s
        where s.task_uuid = p_task and s.state = 'error' and not tasker.is_finished(s.state, s.batch_uuid)
    ) then
        v_state := case when v_sinks = 0 then 'complete' else 'steps_in_process' end;
        update tasker.tasks
        set state = v_state, updated_at = v_now, completed_at = case when v_sinks = 0 then v_now end
        where task_uuid = p_task;
        insert into tasker.transitions (task_uuid, at, from_state, to_state, reason, actor)
        values (p_task, v_now, v_from, v_state, p_reason, p_actor);
        if v_from = 'error' and v_state = 'steps_in_process' then
            enqueued := tasker.send_lost_steps(p_task);
        end if;
    end if;
    if v_state = 'complete' then
        perform tasker.cancel_steps(p_task, p_actor, p_reason);
    end if;
    task_state := v_state;
end
$$;

-- Makes failed steps of one task new: no attempt spent, no lease lapsed, their checkpoints kept. A worker takes a new
-- place behind the last one of its batch, so that the batch's parallelism holds for it as well; a batch that its failure
-- closed is opened. The task's row and the steps are locked.
create function tasker.reset_steps(p_steps uuid[], p_actor text, p_reason text) returns integer
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_batches uuid[];
    v_released uuid[];
    v_ready uuid[];
    v_tasks uuid[];
begin
    -- What its batch went on without counts as unfinished again.
    update tasker.steps child set pending_parents = child.pending_parents + again.parents, updated_at = v_now
    from (
        select e.child_uuid, count(*)::integer as parents
        from tasker.steps s join tasker.edges e on e.parent_uuid = s.step_uuid
        where s.step_uuid = any (p_steps) and tasker.is_finished(s.state, s.batch_uuid)
        group by e.child_uuid
    ) again
    where child.step_uuid = again.child_uuid;
    update tasker.tasks t set sinks_left = t.sinks_left + again.sinks
    from (
        select s.task_uuid, count(*)::integer as sinks from tasker.steps s
        where s.step_uuid = any (p_steps) and s.is_sink and tasker.is_finished(s.state, s.batch_uuid)
        group by s.task_uuid
    ) again
    where t.task_uuid = again.task_uuid;

    with places as (
        select s.step_uuid, b.workers - 1 + row_number() over (partition by b.batch_uuid order by s.batch_place) as place
        from tasker.steps s left join tasker.batches b on b.batch_uuid = s.batch_uuid
        where s.step_uuid = any (p_steps)
    ), reset as (
        update tasker.steps s
        set state = case when s.batch_uuid is null and s.pending_parents = 0 then 'enqueued' else 'pending'
                end::tasker.step_state,
            pending_parents = s.pending_parents + (s.batch_uuid is not null)::integer, batch_place = places.place,
            attempts = 0, lapses = 0, run_after = null, updated_at = v_now
        from places
        where s.step_uuid = places.step_uuid
        returning s.batch_uuid
    )
    select array_agg(distinct batch_uuid) into v_batches from reset where batch_uuid is not null;
    if v_batches is not null then
        update tasker.batches b
        set workers = b.workers + (
                select count(*) from tasker.steps s where s.step_uuid = any (p_steps) and s.batch_uuid = b.batch_uuid
            ),
            closed = b.closed and exists (
                select from tasker.steps s where s.batch_uuid = b.batch_uuid and s.state = 'error'
            )
        where b.batch_uuid = any (v_batches);
        v_released := tasker.release_workers('{}', '{}', v_batches);
        update tasker.steps s
        set pending_parents = s.pending_parents - 1, updated_at = v_now,
            state = case when s.state = 'pending' and s.pending_parents = 1 then 'enqueued' else s.state end
        where s.step_uuid = any (v_released);
    end if;

    insert into tasker.transitions (task_uuid, step_uuid, at, from_state, to_state, reason, actor)
    select s.task_uuid, s.step_uuid, v_now, 'error', s.state, p_reason, p_actor from tasker.steps s
    where s.step_uuid = any (p_steps)
    union all
    select s.task_uuid, s.step_uuid, v_now, 'pending', 'enqueued', null, null from tasker.steps s
    where s.step_uuid = any (v_released) and s.step_uuid <> all (p_steps) and s.state = 'enqueued';

    select array_agg(s.step_uuid order by s.step_uuid), array_agg(s.task_uuid order by s.step_uuid)
    into v_ready, v_tasks
    from tasker.steps s
    where s.step_uuid = any (p_steps || coalesce(v_released, '{}')) and s.state = 'enqueued';
    if v_ready is not null then
        perform tasker.send_steps(v_ready, v_tasks);
    end if;
    return coalesce(cardinality(v_ready), 0);
end
$$;

-- Locks a step and its task for a person, and tells the two states. Refuses a task that is over, and a step it does not have.
-- Where the steps of a waiting task stand in its row, a host may have begun with the first, and what it brings will be refused: its
-- message can be read again at once.
create function tasker.hold_step(
    p_task uuid, p_step uuid, out refused text, out actual text, out step tasker.steps
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
declare
    v_state tasker.task_state;
    v_namespace text;
    v_waits boolean;
begin
    select t.state, t.namespace, t.planned_steps is not null and t.planned_by is null into v_state, v_namespace, v_waits
    from tasker.tasks t where t.task_uuid = p_task for update;
    perform tasker.write_planned(array[p_task], null);
    if v_waits then
        execute format(
            'update pgmq.%I set vt = clock_timestamp() where message ->> ''task_uuid'' = $1', tasker.queue_table(v_namespace)
        ) using p_task::text;
    end if;
    select s.* into step from tasker.steps s where s.step_uuid = p_step and s.task_uuid = p_task for update;
    if not found then
        refused := 'unknown';
        return;
    end if;
    if v_state in ('complete', 'cancelled', 'resolved_manually') then
        refused := 'task';
        actual := v_state;
    end if;
end
$$;

-- Tries a step in `error` again.
create function tasker.reset_step_for_retry(
    p_task uuid, p_step uuid, p_actor text, p_reason text,
    out refused text, out actual text, out enqueued integer, out task_state text
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
declare
    v_held record;
    v_sent integer;
begin
    v_held := tasker.hold_step(p_task, p_step);
    refused := v_held.refused;
    actual := v_held.actual;
    if refused is null and (v_held.step).state <> 'error' then
        refused := 'step';
        actual := (v_held.step).state;
    end if;
    if refused is null and tasker.is_finished((v_held.step).state, (v_held.step).batch_uuid) then
        select child.name into actual from (
            select s.name, s.state from tasker.edges e join tasker.steps s on s.step_uuid = e.child_uuid
            where e.parent_uuid = p_step
            order by s.step_uuid
            for update of s
        ) child
        where child.state <> 'pending'
        limit 1;
        refused := case when found then 'child' end;
    end if;
    if refused is not null then
        return;
    end if;
    v_sent := tasker.reset_steps(array[p_step], p_actor, p_reason);
    select r.enqueued, r.task_state into enqueued, task_state
    from tasker.resume_task(p_task, p_actor, p_reason) r;
    enqueued := enqueued + v_sent;
end
$$;

-- Ends an unfinished step by hand: `p_state` is complete, with the result it should have brought, or resolved_manually,
-- without one. `p_growth` is what a decision or batchable step completed by hand decides.
create function tasker.end_step(
    p_task uuid, p_step uuid, p_state tasker.step_state, p_result text, p_metadata text, p_growth text, p_actor text, p_reason text,
    out refused text, out actual text, out enqueued integer, out task_state text
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz;
    v_held record;
    v_step tasker.steps;
    v_counted boolean;
    v_is_sink boolean;
    v_followed record;
    v_sent integer := 0;
begin
    v_held := tasker.hold_step(p_task, p_step);
    refused := v_held.refused;
    actual := v_held.actual;
    v_step := v_held.step;
    if refused is null and v_step.state in ('complete', 'cancelled', 'resolved_manually') then
        refused := 'step';
        actual := v_step.state;
    end if;
    if refused is null and p_growth is not null and not tasker.grow_task(p_step, p_growth::json) then
        refused := 'outgrown';
    end if;
    if refused is not null then
        return;
    end if;

    v_now := clock_timestamp();
    v_counted := tasker.is_finished(v_step.state, v_step.batch_uuid);
    if v_step.batch_uuid is not null and not v_counted then
        perform tasker.take_place(p_step);
    end if;
    update tasker.steps s
    set state = p_state, claims = s.claims + 1, run_after = null, updated_at = v_now,
        result = case when p_state = 'complete' then p_result::json else s.result end,
        metadata = case when p_state = 'complete' then p_metadata::json else s.metadata end,
        error = case when p_state <> 'complete' then s.error end
    where s.step_uuid = p_step
    returning s.is_sink into v_is_sink;
    insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state, reason, actor)
    values (
        p_task, p_step, v_now, case when v_step.state = 'in_progress' then v_step.attempts end, v_step.state,
        p_state, p_reason, p_actor
    );
    if not v_counted then
        v_followed := tasker.finish_steps(
            case when not v_is_sink then array[p_step] end, case when v_is_sink then array[p_task] end, null,
            array_remove(array[v_step.batch_uuid], null), '{}'
        );
        perform tasker.send_messages(v_followed.ready_namespaces, v_followed.ready_messages);
        v_sent := coalesce(cardinality(v_followed.ready_messages), 0);
    end if;
    select r.enqueued, r.task_state into enqueued, task_state
    from tasker.resume_task(p_task, p_actor, p_reason) r;
    enqueued := enqueued + v_sent;
end
$$;

-- Before a worker is ended by hand: gives it a place of its batch's window that its end can then give back. One that
-- failed takes a place anew, and a batch that no other failure keeps closed is opened; one that waits for its turn
-- changes places with the next, because the window moves over the places in their order.
create function tasker.take_place(p_worker uuid) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
declare
    v_worker tasker.steps;
    v_batch tasker.batches;
begin
    select * into strict v_worker from tasker.steps where step_uuid = p_worker;
    select * into strict v_batch from tasker.batches where batch_uuid = v_worker.batch_uuid for update;
    if v_worker.state = 'error' then
        update tasker.batches b
        set running = b.running + 1, closed = b.closed and exists (
            select from tasker.steps s
            where s.batch_uuid = b.batch_uuid and s.state = 'error' and s.step_uuid <> p_worker
        )
        where b.batch_uuid = v_batch.batch_uuid;
    elsif v_worker.batch_place >= v_batch.released then
        update tasker.steps set batch_place = v_worker.batch_place
        where batch_uuid = v_batch.batch_uuid and batch_place = v_batch.released;
        update tasker.steps set batch_place = v_batch.released, pending_parents = pending_parents - 1
        where step_uuid = p_worker;
        update tasker.batches set running = running + 1, released = released + 1
        where batch_uuid = v_batch.batch_uuid;
    end if;
end
$$;

-- Lets a task that failures stopped, or that was given up, go on: the steps that hold it are made new.
create function tasker.reset_task(
    p_task uuid, p_actor text, p_reason text,
    out refused text, out actual text, out enqueued integer, out task_state text
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_state tasker.task_state;
    v_failed uuid[];
    v_sent integer := 0;
begin
    select t.state into v_state from tasker.tasks t where t.task_uuid = p_task for update;
    if not found then
        refused := 'unknown';
        return;
    end if;
    if v_state not in ('error', 'blocked_by_failures') then
        refused := 'task';
        actual := v_state;
        return;
    end if;
    select array_agg(failed.step_uuid) into v_failed from (
        select s.step_uuid from tasker.steps s
        where s.task_uuid = p_task and s.state = 'error' and not tasker.is_finished(s.state, s.batch_uuid)
        order by s.step_uuid
        for update
    ) failed;
    if v_failed is not null then
        v_sent := tasker.reset_steps(v_failed, p_actor, p_reason);
    end if;
    select r.enqueued, r.task_state into enqueued, task_state from tasker.resume_task(p_task, p_actor, p_reason) r;
    enqueued := enqueued + v_sent;
end
$$;
