-- Whether a task may be created from a template: it is registered in the namespace that the task names, and no later one has
-- taken its place since it was chosen (see create_tasks).
create function tasker.may_be_created(
    p_template uuid, p_namespace text, p_name text, p_version text, p_choice text
) returns boolean
language plpgsql stable as $$
begin
    return exists (
        select from tasker.templates own
        where own.template_uuid = p_template and own.namespace = p_namespace and (p_choice is null or not exists (
            select from tasker.templates later
            where later.namespace = p_namespace and later.name = p_name and later.registered_at > own.registered_at
                and (p_choice = 'newest' or later.version = p_version)
        ))
    );
end
$$;

-- Creates planned tasks, their steps and edges, all in one commit. Answers the messages of the steps that may run, and whose
-- they are: the caller sends them, in the same statement. The host has counted parents and sinks. A task whose identity
-- another one has already is left out with all its steps; `duplicates` says for each task given which one that is, null for
-- those that were created. Of two such tasks in one call the first is created.
--
-- `p_choices` says which of a name's templates a task was planned from: the newest of its version ('version') or of all
-- ('newest'), which it must still be; null where any will do.
--
-- The caller's arrays are parallel: one element a task, one a step, one an edge.
create function tasker.create_tasks(
    p_task_uuids uuid[], p_template_uuids uuid[], p_correlation_ids uuid[], p_parent_correlation_ids uuid[],
    p_priorities integer[], p_grows boolean[], p_identities bytea[], p_namespaces text[], p_names text[],
    p_versions text[], p_initiators text[], p_source_systems text[], p_reasons text[], p_tags text[], p_contexts text[],
    p_sinks integer[], p_choices text[], p_step_uuids uuid[], p_step_tasks uuid[], p_step_names text[],
    p_step_parents integer[], p_step_sinks boolean[], p_step_guarded boolean[], p_step_retryable boolean[],
    p_step_max_attempts integer[], p_step_inputs text[], p_edge_parents uuid[], p_edge_children uuid[],
    out duplicates uuid[], out created_at timestamptz, out namespaces text[], out messages jsonb[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_refused record;
    v_created uuid[];
    v_left_out boolean;
begin
    created_at := v_now;
    -- In the order of their identities, so that two callers with the same ones do not wait for each other.
    with created as (
        insert into tasker.tasks (
            task_uuid, template_uuid, correlation_id, parent_correlation_id, created_at, updated_at, completed_at,
            state, sinks_left, priority, grows, identity, namespace, name, version, initiator, source_system, reason,
            tags, context
        )
        select task_uuid, template_uuid, correlation_id, parent_correlation_id, v_now, v_now,
            case when sinks = 0 then v_now end,
            case when sinks = 0 then 'complete' else 'steps_in_process' end::tasker.task_state, sinks, priority, grows,
            identity, namespace, name, version, initiator, source_system, reason, tags::json, context::json
        from unnest(
            p_task_uuids, p_template_uuids, p_correlation_ids, p_parent_correlation_ids, p_priorities, p_grows,
            p_identities, p_namespaces, p_names, p_versions, p_initiators, p_source_systems, p_reasons, p_tags,
            p_contexts, p_sinks, p_choices
        ) with ordinality given (
            task_uuid, template_uuid, correlation_id, parent_correlation_id, priority, grows, identity, namespace,
            name, version, initiator, source_system, reason, tags, context, sinks, choice, place
        )
        where tasker.may_be_created(template_uuid, namespace, name, version, choice)
        order by identity, place
        on conflict (identity) where identity is not null do nothing
        returning task_uuid, state
    ), logged as (
        insert into tasker.transitions (task_uuid, from_state, to_state)
        select task_uuid, 'pending', state from created
    )
    select array_agg(task_uuid) into v_created from created;

    v_left_out := coalesce(cardinality(v_created), 0) < cardinality(p_task_uuids);
    if v_left_out then
        select given.*, tasker.may_be_created(given.template_uuid, given.namespace, null, null, null) as is_registered
        into v_refused
        from unnest(p_template_uuids, p_namespaces, p_names, p_versions, p_choices)
            given (template_uuid, namespace, name, version, choice)
        where not tasker.may_be_created(given.template_uuid, given.namespace, given.name, given.version, given.choice)
        order by is_registered
        limit 1;
        if found and not v_refused.is_registered then
            raise exception 'template % is not registered in the namespace its task names', v_refused.template_uuid
                using errcode = 'foreign_key_violation', hint = 'register the template first, with register_template';
        elsif found then
            raise exception 'another template took the place of %/%/%',
                v_refused.namespace, v_refused.name, v_refused.version
                using errcode = 'object_not_in_prerequisite_state', constraint = 'current_template',
                    hint = 'plan the task from the one that is current now';
        end if;
        select array_agg(known.task_uuid order by given.place) into duplicates
        from unnest(p_task_uuids, p_identities) with ordinality given (task_uuid, identity, place)
        -- A task that was created by an earlier call of the same caller, whose answer was lost, duplicates itself.
        left join tasker.tasks known on known.identity = given.identity
            and (known.task_uuid <> given.task_uuid or not known.task_uuid = any (coalesce(v_created, '{}')));
        if cardinality(array_remove(duplicates, null)) + coalesce(cardinality(v_created), 0) < cardinality(p_task_uuids)
        then
            raise exception 'a task was purged while its duplicate was created' using errcode = 'serialization_failure';
        end if;
        if v_created is null then
            return;
        end if;
    end if;

    with new_steps as (
        insert into tasker.steps (
            step_uuid, task_uuid, created_at, updated_at, state, pending_parents, max_attempts, is_sink, guarded,
            retryable, name, inputs
        )
        select step_uuid, task_uuid, v_now, v_now,
            case when parents = 0 then 'enqueued' else 'pending' end::tasker.step_state, parents, max_attempts, sink,
            guarded, retryable, name, inputs::json
        from unnest(
            p_step_uuids, p_step_tasks, p_step_names, p_step_parents, p_step_sinks, p_step_guarded, p_step_retryable,
            p_step_max_attempts, p_step_inputs
        ) given (step_uuid, task_uuid, name, parents, sink, guarded, retryable, max_attempts, inputs)
        where not v_left_out or task_uuid = any (v_created)
        returning step_uuid, task_uuid, state
    ), new_edges as (
        insert into tasker.edges (parent_uuid, child_uuid)
        select parent_uuid, child_uuid from unnest(p_edge_parents, p_edge_children) given (parent_uuid, child_uuid)
        where not v_left_out or child_uuid in (select step_uuid from new_steps)
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, from_state, to_state)
        select task_uuid, step_uuid, 'pending', 'enqueued' from new_steps where state = 'enqueued'
    )
    select array_agg(t.namespace order by t.namespace, s.step_uuid),
        array_agg(tasker.step_message(t.task_uuid, s.step_uuid, t.correlation_id, t.priority)
            order by t.namespace, s.step_uuid)
    into namespaces, messages
    from new_steps s
    cross join lateral (
        select namespace, task_uuid, correlation_id, priority from tasker.tasks where task_uuid = s.task_uuid offset 0
    ) t
    where s.state = 'enqueued';
end
$$;
