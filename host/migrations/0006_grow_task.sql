-- Adds steps to a task: the branches a decision chose, the workers of a batch, and what follows from them. The host has
-- planned them from the template and from what the task was at `version`; with another version nothing is added and the
-- answer is false. Called under the lock of the task's row and before the deciding step is finished, so that the new
-- steps count it among the parents they wait for.
--
-- `p_growth`: {"version", "steps": [{"step_uuid", "name", "template_step", "retryable", "max_attempts", "inputs",
-- "batch_place"}], "edges": [{"parent", "child"}], "batch": {"parallelism", "failure_strategy"}, "brief"}.
create function tasker.grow_task(p_step uuid, p_growth json) returns boolean
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_task uuid;
    v_workers integer;
    v_parallelism integer;
    v_sinks integer;
    v_covered integer;
begin
    update tasker.tasks t set growths = t.growths + 1
    from tasker.steps s
    where s.step_uuid = p_step and t.task_uuid = any (array[s.task_uuid]) and t.growths = (p_growth ->> 'version')::integer
    returning t.task_uuid into v_task;
    if not found then
        return false;
    end if;

    if p_growth ->> 'batch' is not null then
        select count(given.batch_place) into v_workers
        from json_to_recordset(p_growth -> 'steps') given (batch_place integer);
        v_parallelism := p_growth #>> '{batch,parallelism}';
        insert into tasker.batches (batch_uuid, task_uuid, workers, parallelism, released, running, failure_strategy)
        values (
            p_step, v_task, v_workers, v_parallelism, least(v_workers, v_parallelism), least(v_workers, v_parallelism),
            p_growth #>> '{batch,failure_strategy}'
        );
    end if;
    if p_growth ->> 'brief' is not null then
        update tasker.steps set brief = p_growth -> 'brief' where step_uuid = p_step;
    end if;

    insert into tasker.edges (parent_uuid, child_uuid)
    select given.parent, given.child from json_to_recordset(p_growth -> 'edges') given (parent uuid, child uuid);

    -- A worker beyond the window of its batch waits for one thing more.
    with added as (
        insert into tasker.steps (
            step_uuid, task_uuid, batch_uuid, created_at, updated_at, state, pending_parents, max_attempts, batch_place,
            is_sink, guarded, retryable, name, template_step, inputs
        )
        select given.step_uuid, v_task, case when given.batch_place is not null then p_step end, v_now, v_now, 'pending',
            case when given.batch_place >= v_parallelism then 1 else 0 end, given.max_attempts, given.batch_place,
            not exists (select from tasker.edges e where e.parent_uuid = given.step_uuid), true, given.retryable,
            given.name, given.template_step, given.inputs
        from json_to_recordset(p_growth -> 'steps') given (
            step_uuid uuid, name text, template_step text, retryable boolean, max_attempts integer, inputs json,
            batch_place integer
        )
        returning is_sink
    )
    select count(*) filter (where is_sink) into v_sinks from added;

    update tasker.steps child set pending_parents = child.pending_parents + awaited.parents, updated_at = v_now
    from (
        select given.child, count(*)::integer as parents
        from json_to_recordset(p_growth -> 'edges') given (parent uuid, child uuid)
        join tasker.steps parent on parent.step_uuid = any (array[given.parent])
        where not tasker.is_finished(parent.state, parent.batch_uuid)
        group by given.child
    ) awaited
    where child.step_uuid = awaited.child;

    -- The steps that were sinks until now; those of them that are done have been counted already.
    with covered as (
        update tasker.steps parent set is_sink = false
        from (
            select distinct given.parent from json_to_recordset(p_growth -> 'edges') given (parent uuid)
        ) growing
        where parent.step_uuid = growing.parent and parent.is_sink
        returning tasker.is_finished(parent.state, parent.batch_uuid) as finished
    )
    select count(*) filter (where not finished) into v_covered from covered;
    update tasker.tasks set sinks_left = sinks_left + v_sinks - v_covered where task_uuid = v_task;
    return true;
end
$$;
