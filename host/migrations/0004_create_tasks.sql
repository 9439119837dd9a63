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
-- `sinks` of a task are its steps without successors, `parents` of a step are how many it waits for.
create type tasker.new_task as (
    task_uuid uuid, template_uuid uuid, choice text, correlation_id uuid, parent_correlation_id uuid, sinks integer,
    priority integer, grows boolean, identity bytea, namespace text, name text, version text, initiator text,
    source_system text, reason text, tags text, context text
);

create type tasker.new_step as (
    step_uuid uuid, task_uuid uuid, parents integer, max_attempts integer, is_sink boolean, guarded boolean,
    retryable boolean, name text, inputs text
);

create type tasker.new_edge as (parent_uuid uuid, child_uuid uuid);

create function tasker.create_tasks(
    p_tasks tasker.new_task[], p_steps tasker.new_step[], p_edges tasker.new_edge[],
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
        from unnest(p_tasks) with ordinality
        where tasker.may_be_created(template_uuid, namespace, name, version, choice)
        order by identity, ordinality
        on conflict (identity) where identity is not null do nothing
        returning task_uuid, state
    ), logged as (
        insert into tasker.transitions (task_uuid, from_state, to_state)
        select task_uuid, 'pending', state from created
    )
    select array_agg(task_uuid) into v_created from created;

    v_left_out := coalesce(cardinality(v_created), 0) < cardinality(p_tasks);
    if v_left_out then
        select given.*, tasker.may_be_created(given.template_uuid, given.namespace, null, null, null) as is_registered
        into v_refused
        from unnest(p_tasks) given
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
        select array_agg(known.task_uuid order by given.ordinality) into duplicates
        from unnest(p_tasks) with ordinality given
        -- A task that was created by an earlier call of the same caller, whose answer was lost, duplicates itself.
        left join tasker.tasks known on known.identity = given.identity
            and (known.task_uuid <> given.task_uuid or not known.task_uuid = any (coalesce(v_created, '{}')));
        if cardinality(array_remove(duplicates, null)) + coalesce(cardinality(v_created), 0) < cardinality(p_tasks)
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
            case when parents = 0 then 'enqueued' else 'pending' end::tasker.step_state, parents, max_attempts, is_sink,
            guarded, retryable, name, inputs::json
        from unnest(p_steps)
        where not v_left_out or task_uuid = any (v_created)
        returning step_uuid, task_uuid, state
    ), new_edges as (
        insert into tasker.edges (parent_uuid, child_uuid)
        select parent_uuid, child_uuid from unnest(p_edges)
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
