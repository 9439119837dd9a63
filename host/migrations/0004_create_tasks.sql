-- Creates planned tasks, their steps and edges, all in one commit. The host has counted parents and sinks. A task whose
-- identity another one has already is left out with all its steps; `duplicates` says for each task given which one that is,
-- null for those that were created. Of two such tasks in one call the first is created.
--
-- `messages` are those of the steps that may run, and `namespaces` whose they are. The caller gives them, and sends in the same
-- statement what is answered: the same, unless tasks are left out.
--
-- `choice` says which of a name's templates a task was planned from: the newest of its version ('version') or of all
-- ('newest'), which it must still be; null where any will do. `sinks` are its steps without successors; `parents` of a step
-- are how many it waits for. `created_at` is of the host's clock, as the keys are: it tells handlers before they are asked
-- for here when their task was made.
--
-- A host that has room for first steps has them claimed here, in the commit that creates them: neither it nor another host has
-- to look for them. `room` says of a step that `p_host` takes it, where its namespace is neither paused nor bounded. The
-- messages of these come in `taken` and are sent hidden. The tasks are of one namespace then.
--
-- A task may bring its steps in its own row (`planned_steps`), and none in `p_steps`, which is null where all tasks do: one all
-- of whose first steps the host takes, or one that has a single first step, which waits in its queue. How the latter began is
-- written here, for those who follow changes.
--
-- What this takes the server for one task is hardly the rows, but that each statement begins: a twelfth for each table that
-- it writes, as much for six aggregates. So there are few of either, and why a task was not created is asked when one was
-- not.
create type tasker.new_task as (
    task_uuid uuid, template_uuid uuid, choice text, correlation_id uuid, parent_correlation_id uuid, sinks integer,
    priority integer, grows boolean, identity bytea, namespace text, name text, version text, initiator text,
    source_system text, reason text, created_at timestamptz, tags text, context text, planned_steps tasker.new_step[],
    planned_edges tasker.new_edge[]
);

-- Says why a task was not created that duplicates none.
create function tasker.refuse_task(p_task tasker.new_task) returns void
language plpgsql as $$
begin
    if not exists (
        select from tasker.templates where template_uuid = p_task.template_uuid and namespace = p_task.namespace
    ) then
        raise exception 'template % is not registered in the namespace its task names', p_task.template_uuid
            using errcode = 'foreign_key_violation', hint = 'register the template first, with register_template';
    elsif p_task.choice is not null then
        raise exception 'another template took the place of %/%/%', p_task.namespace, p_task.name, p_task.version
            using errcode = 'object_not_in_prerequisite_state', constraint = 'current_template',
                hint = 'plan the task from the one that is current now';
    end if;
    raise exception 'a task was purged while its duplicate was created' using errcode = 'serialization_failure';
end
$$;

create function tasker.create_tasks(
    p_tasks tasker.new_task[], p_steps tasker.new_step[], p_edges tasker.new_edge[], p_host text, inout namespaces text[],
    inout messages jsonb[], inout taken jsonb[], out duplicates uuid[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
#variable_conflict use_column
declare
    v_created uuid[];
    v_left_out boolean;
    v_refused integer;
    v_open boolean;
    v_waiting boolean;
begin
    -- 1. The tasks, in the order of their identities, so that two callers with the same ones do not wait for each other.
    with created as (
        insert into tasker.tasks (
            task_uuid, template_uuid, correlation_id, parent_correlation_id, created_at, updated_at, completed_at,
            state, sinks_left, priority, grows, identity, namespace, name, version, initiator, source_system, reason,
            planned_by, tags, context, planned_steps, planned_edges
        )
        select (it).task_uuid, (it).template_uuid, (it).correlation_id, (it).parent_correlation_id,
            (it).created_at, (it).created_at, case when (it).sinks = 0 then (it).created_at end,
            case when (it).sinks = 0 then 'complete' else 'steps_in_process' end::tasker.task_state, (it).sinks,
            (it).priority, (it).grows, (it).identity, (it).namespace, (it).name, (it).version, (it).initiator,
            (it).source_system, (it).reason, case when ((it).planned_steps[1]).room then p_host end, (it).tags::json,
            (it).context::json, (it).planned_steps, (it).planned_edges
        from (select unnest(p_tasks) as it, generate_subscripts(p_tasks, 1) as place) given
        cross join lateral (
            select registered_at from tasker.templates
            where template_uuid = (given.it).template_uuid and namespace = (given.it).namespace
        ) own
        where (it).choice is null or not exists (
            select from tasker.templates later
            where later.namespace = (given.it).namespace and later.name = (given.it).name
                and later.registered_at > own.registered_at
                and ((given.it).choice = 'newest' or later.version = (given.it).version)
        )
        order by (it).identity, place
        on conflict (identity) where identity is not null do nothing
        returning task_uuid, planned_steps is not null and planned_by is null as waiting
    )
    select array_agg(task_uuid), bool_or(waiting), p_host is not null and exists (
        select from tasker.namespaces
        where name = p_tasks[1].namespace and paused_at is null and max_concurrent is null
    )
    into v_created, v_waiting, v_open from created;

    v_left_out := coalesce(cardinality(v_created), 0) < cardinality(p_tasks);
    if v_left_out then
        v_created := coalesce(v_created, '{}');
        select array_agg(known.task_uuid order by place),
            min(place) filter (where known.task_uuid is null and given.task_uuid <> all (v_created))
        into duplicates, v_refused
        from (select (unnest(p_tasks)).*, generate_subscripts(p_tasks, 1) as place) given
        -- A task that was created by an earlier call of the same caller, whose answer was lost, duplicates itself.
        left join tasker.tasks known on known.identity = given.identity
            and (known.task_uuid <> given.task_uuid or known.task_uuid <> all (v_created));
        if v_refused is not null then
            perform tasker.refuse_task(p_tasks[v_refused]);
        end if;
        select array_agg(namespace order by place), array_agg(message order by place) into namespaces, messages
        from unnest(namespaces, messages) with ordinality given (namespace, message, place)
        where (message ->> 'task_uuid')::uuid = any (v_created);
        taken := array(select message from unnest(taken) message where (message ->> 'task_uuid')::uuid = any (v_created));
    end if;
    if cardinality(taken) > 0 and not v_open then
        namespaces := namespaces || array_fill(p_tasks[1].namespace, array[cardinality(taken)]);
        messages := messages || taken;
        taken := null;
        perform tasker.write_planned(v_created, false);
    end if;
    if v_waiting then
        insert into tasker.transitions (task_uuid, whole, step_uuid, from_state, to_state)
        select (it).task_uuid, true, ((it).planned_steps[1]).step_uuid, 'pending', 'enqueued'
        from (select unnest(p_tasks) as it) given
        where not ((it).planned_steps[1]).room and (not v_left_out or (it).task_uuid = any (v_created));
    end if;
    if p_steps is null then
        return;
    end if;

    -- 2. Their steps, and how both began.
    with new_steps as (
        insert into tasker.steps (
            step_uuid, task_uuid, created_at, updated_at, claimed_at, state, pending_parents, attempts, max_attempts, claims,
            is_sink, guarded, retryable, name, claimed_by, inputs
        )
        select step_uuid, task_uuid, created_at, created_at, case when room and v_open then clock_timestamp() end,
            case when room and v_open then 'in_progress' when parents = 0 then 'enqueued' else 'pending'
                end::tasker.step_state,
            parents, (room and v_open)::integer, max_attempts, (room and v_open)::integer, is_sink, guarded, retryable, name,
            case when room and v_open then p_host end, inputs::json
        from unnest(p_steps)
        where not v_left_out or task_uuid = any (v_created)
        returning step_uuid, task_uuid, state
    )
    insert into tasker.transitions (task_uuid, step_uuid, attempt, from_state, to_state)
    select (it).task_uuid, null::uuid, null::integer, 'pending',
        case when (it).sinks = 0 then 'complete' else 'steps_in_process' end
    from (select unnest(p_tasks) as it) given
    where (it).planned_steps is null and (not v_left_out or (it).task_uuid = any (v_created))
    union all
    select task_uuid, step_uuid, null, 'pending', 'enqueued' from new_steps where state <> 'pending'
    union all
    select task_uuid, step_uuid, 1, 'enqueued', 'in_progress' from new_steps where state = 'in_progress';

    if cardinality(p_edges) > 0 then
        insert into tasker.edges (parent_uuid, child_uuid)
        select parent_uuid, child_uuid from unnest(p_edges)
        where not v_left_out or child_uuid in (select step_uuid from unnest(p_steps) where task_uuid = any (v_created));
    end if;
end
$$;
