-- Creates planned tasks, their steps and edges, and queues the steps that may run, all in one commit. The host has
-- counted parents and sinks. Answers how many steps were queued.
--
-- The caller's arrays are parallel: one element a task, one a step, one an edge.
create function tasker.create_tasks(
    p_task_uuids uuid[], p_template_uuids uuid[], p_correlation_ids uuid[], p_priorities integer[],
    p_namespaces text[], p_names text[], p_versions text[], p_initiators text[], p_source_systems text[],
    p_reasons text[], p_tags text[], p_contexts text[], p_sinks integer[],
    p_step_uuids uuid[], p_step_tasks uuid[], p_step_names text[], p_step_parents integer[], p_step_sinks boolean[],
    p_step_retryable boolean[], p_step_max_attempts integer[], p_step_inputs text[],
    p_edge_parents uuid[], p_edge_children uuid[]
) returns integer
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_unknown uuid;
    v_steps uuid[];
    v_tasks uuid[];
begin
    select given.template_uuid into v_unknown
    from unnest(p_template_uuids, p_namespaces) given (template_uuid, namespace)
    where not exists (
        select from tasker.templates t where t.template_uuid = given.template_uuid and t.namespace = given.namespace
    )
    limit 1;
    if found then
        raise exception 'template % is not registered in the namespace its task names', v_unknown
            using errcode = 'foreign_key_violation', hint = 'register the template first, with register_template';
    end if;

    insert into tasker.tasks (
        task_uuid, template_uuid, correlation_id, created_at, updated_at, completed_at, state, sinks_left, priority,
        namespace, name, version, initiator, source_system, reason, tags, context
    )
    select task_uuid, template_uuid, correlation_id, v_now, v_now, case when sinks = 0 then v_now end,
        case when sinks = 0 then 'complete' else 'steps_in_process' end::tasker.task_state, sinks, priority,
        namespace, name, version, initiator, source_system, reason, tags::json, context::json
    from unnest(
        p_task_uuids, p_template_uuids, p_correlation_ids, p_priorities, p_namespaces, p_names, p_versions,
        p_initiators, p_source_systems, p_reasons, p_tags, p_contexts, p_sinks
    ) given (
        task_uuid, template_uuid, correlation_id, priority, namespace, name, version,
        initiator, source_system, reason, tags, context, sinks
    );

    insert into tasker.transitions (task_uuid, from_state, to_state)
    select task_uuid, 'pending', case when sinks = 0 then 'complete' else 'steps_in_process' end
    from unnest(p_task_uuids, p_sinks) given (task_uuid, sinks);

    insert into tasker.steps (
        step_uuid, task_uuid, created_at, updated_at, state, pending_parents, max_attempts, is_sink, retryable, name,
        inputs
    )
    select step_uuid, task_uuid, v_now, v_now,
        case when parents = 0 then 'enqueued' else 'pending' end::tasker.step_state, parents, max_attempts, sink,
        retryable, name, inputs::json
    from unnest(
        p_step_uuids, p_step_tasks, p_step_names, p_step_parents, p_step_sinks, p_step_retryable, p_step_max_attempts,
        p_step_inputs
    ) given (step_uuid, task_uuid, name, parents, sink, retryable, max_attempts, inputs);

    insert into tasker.edges (parent_uuid, child_uuid)
    select parent_uuid, child_uuid from unnest(p_edge_parents, p_edge_children) given (parent_uuid, child_uuid);

    select array_agg(step_uuid order by place), array_agg(task_uuid order by place) into v_steps, v_tasks
    from unnest(p_step_uuids, p_step_tasks, p_step_parents) with ordinality given (step_uuid, task_uuid, parents, place)
    where parents = 0;
    if v_steps is null then
        return 0;
    end if;

    insert into tasker.transitions (task_uuid, step_uuid, from_state, to_state)
    select task_uuid, step_uuid, 'pending', 'enqueued' from unnest(v_steps, v_tasks) ready (step_uuid, task_uuid);
    perform tasker.send_steps(v_steps, v_tasks);
    return cardinality(v_steps);
end
$$;
