-- Tasks whose steps stand in their own rows: nothing has happened to any of them but that a host has begun with the task, which
-- it knows alone. Of most the next thing to be said is that they are complete, with all their steps (complete_planned): each row
-- of a step is written once then, as it ended, and one row tells the history of all. That takes the server half of what it does to
-- create the steps, to claim them and to end them.
--
-- A host begins with such a task as it creates it (`planned_by`), or when it is the first to read its message. The claims of its
-- first steps have the number one either way.
--
-- Whatever else is to be done with the steps has them written first, as they would have been with their task and by these claims
-- (write_planned): a host that takes longer, one that finds them when their lease has lapsed, a person.

-- Writes the steps of those of these tasks that are planned. `p_begun`: their first steps are claimed, by `p_host` where no host
-- did as it created them; false: nobody has. Null: as far as it is known here. Then a host may hold the first claim of a step that
-- is written as waiting in its queue, and what it brings is refused: the next claim is the second.
create function tasker.write_planned(p_tasks uuid[], p_begun boolean, p_host text default null) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    if not exists (select from tasker.tasks where task_uuid = any (p_tasks) and planned_steps is not null) then
        return;
    end if;
    with planned as (
        select task_uuid, created_at, planned_by, planned_steps, planned_edges, coalesce(p_begun, planned_by is not null) as begun,
            case when planned_by is not null then created_at else v_now end as begun_at
        from tasker.tasks
        where task_uuid = any (p_tasks) and planned_steps is not null
        order by task_uuid
        for update
    ), new_steps as (
        insert into tasker.steps (
            step_uuid, task_uuid, created_at, updated_at, claimed_at, state, pending_parents, attempts, max_attempts, claims,
            is_sink, guarded, retryable, name, claimed_by, inputs
        )
        select (it).step_uuid, (it).task_uuid, (it).created_at, case when first and begun then begun_at else (it).created_at end,
            case when first and begun then begun_at end,
            case when first and begun then 'in_progress' when first then 'enqueued' else 'pending' end::tasker.step_state,
            (it).parents, (first and begun)::integer, (it).max_attempts, (first and p_begun is not false)::integer,
            (it).is_sink, (it).guarded, (it).retryable, (it).name,
            case when first and begun then coalesce(planned_by, p_host) end, (it).inputs::json
        from (
            select begun, begun_at, planned_by, it, (it).parents = 0 as first
            from (select begun, begun_at, planned_by, unnest(planned_steps) as it from planned) each
        ) each
        returning step_uuid, task_uuid, created_at, state, updated_at
    ), new_edges as (
        insert into tasker.edges (parent_uuid, child_uuid)
        select (it).parent_uuid, (it).child_uuid from (select unnest(planned_edges) as it from planned) each
    ), written as (
        update tasker.tasks t set planned_by = null, planned_steps = null, planned_edges = null
        from planned where t.task_uuid = any (array[planned.task_uuid])
    )
    insert into tasker.transitions (task_uuid, step_uuid, at, attempt, from_state, to_state)
    select task_uuid, null::uuid, created_at, null::integer, 'pending', 'steps_in_process' from planned
    where planned_by is not null
    union all
    select s.task_uuid, s.step_uuid, s.created_at, null, 'pending', 'enqueued'
    from planned join new_steps s on s.task_uuid = planned.task_uuid
    where planned_by is not null and s.state <> 'pending'
    union all
    select task_uuid, step_uuid, updated_at, 1, 'enqueued', 'in_progress' from new_steps where state = 'in_progress';
end
$$;

-- Completes planned tasks with all their steps, or does nothing and answers false: where the steps of one are written by now, or
-- some may not be claimed any more, because their namespace is paused or bounded. (Those without a message are not yet.)
-- The completions are of all steps of these tasks, each successful, in the order of the tasks' keys and then of the steps'.
create function tasker.complete_planned(
    p_tasks uuid[], p_completions tasker.completion[], p_with_events boolean
) returns boolean
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_steps tasker.new_step[];
    v_ended integer;
begin
    v_steps := array(
        select unnest(planned_steps) from (
            select planned_steps from tasker.tasks where task_uuid = any (p_tasks) order by task_uuid for update
        ) planned
    );
    if cardinality(v_steps) < cardinality(p_completions) then
        return false;
    end if;
    if cardinality(v_steps) > cardinality(p_tasks) then
        if exists (
            select from tasker.namespaces
            where name = any (array(select namespace from unnest(p_completions) where message is not null))
                and (paused_at is not null or max_concurrent is not null)
        ) then
            return false;
        end if;
        insert into tasker.edges (parent_uuid, child_uuid)
        select (it).parent_uuid, (it).child_uuid
        from (select unnest(planned_edges) as it from tasker.tasks where task_uuid = any (p_tasks)) each;
    end if;

    with given as materialized (
        select step, it
        from (select unnest(v_steps) as step, unnest(p_completions) as it) given
        where (step).step_uuid = (it).step_uuid
    ), done as (
        update tasker.tasks
        set state = 'complete', sinks_left = 0, updated_at = v_now, completed_at = v_now, planned_steps = null,
            planned_edges = null
        where task_uuid = any (p_tasks)
        returning task_uuid, planned_by
    ), measured as (
        insert into tasker.attempts (
            step_uuid, claim, attempt, host_calls, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us,
            started_at, finished_at, outcome, error_type, host, error, log
        )
        select (it).step_uuid, 1, 1, (it).host_calls, (it).fuel, (it).peak_memory_bytes, (it).instantiate_us,
            (it).guest_us, (it).total_us, (it).started_at, (it).finished_at, (it).outcome, (it).error_type, (it).host,
            (it).error::json, (it).log::json
        from given
    ), logged as (
        insert into tasker.transitions (task_uuid, whole, at, from_state, to_state)
        select task_uuid, true, v_now, case when planned_by is null then 'steps_in_process' else 'pending' end, 'complete'
        from done
    )
    insert into tasker.steps (
        step_uuid, task_uuid, created_at, updated_at, claimed_at, state, pending_parents, attempts, max_attempts, claims,
        is_sink, guarded, retryable, name, claimed_by, inputs, result, metadata
    )
    select (step).step_uuid, (step).task_uuid, (step).created_at, v_now, (it).started_at, 'complete', 0, 1,
        (step).max_attempts, 1, (step).is_sink, (step).guarded, (step).retryable, (step).name, (it).host,
        (step).inputs::json, (it).result::json, (it).metadata::json
    from given;
    get diagnostics v_ended = row_count;
    if v_ended < cardinality(v_steps) then
        raise exception 'the completions are not those of all steps of their tasks' using errcode = 'assert_failure';
    end if;
    if p_with_events then
        perform tasker.send_events(
            array(select namespace from unnest(p_completions)), array(select events from unnest(p_completions))
        );
    end if;
    return true;
end
$$;
