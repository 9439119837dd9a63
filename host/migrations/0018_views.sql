-- What clients see of tasks and steps. The counts are made when they are read: no row carries them.

-- The steps of a task, also of one whose steps stand in its row. A host that found the task in a queue has begun with it before
-- that is seen here, a short while at most.
create function tasker.steps_of(p_task uuid) returns setof tasker.steps
language sql stable
as $$
    select * from tasker.steps where task_uuid = p_task
    union all
    select (it).step_uuid, p_task, null, created_at, created_at, case when begun then created_at end,
        null, case when begun then 'in_progress' when (it).parents = 0 then 'enqueued' else 'pending' end::tasker.step_state,
        (it).parents, begun::integer, (it).max_attempts, begun::integer, 0, null, (it).is_sink, (it).guarded, (it).retryable,
        (it).name, null, case when begun then planned_by end, (it).inputs::json, null, null, null, null, null
    from (
        select created_at, planned_by, it, (it).parents = 0 and planned_by is not null as begun
        from (select created_at, planned_by, unnest(planned_steps) as it from tasker.tasks where task_uuid = p_task) each
    ) planned
$$;

-- The steps of the same task that a step waits for.
create function tasker.parents_of(p_task uuid, p_step uuid) returns table (step_uuid uuid, name text)
language sql stable
as $$
    select parent.step_uuid, parent.name
    from tasker.edges e join tasker.steps parent on parent.step_uuid = e.parent_uuid
    where e.child_uuid = p_step
    union all
    select parent.step_uuid, parent.name
    from tasker.tasks t, unnest(t.planned_edges) e, unnest(t.planned_steps) parent
    where t.task_uuid = p_task and e.child_uuid = p_step and parent.step_uuid = e.parent_uuid
$$;

-- One task, or the newest of those that the filters let through; null lets everything through. Planned for each call,
-- because which index is right depends on which of the filters are set.
--
-- `status` is the state, but for a task whose steps neither run nor are queued: it reads waiting_for_retry when one of
-- them waits for that, and waiting_for_dependencies when all that is left waits for other steps. Such a rest is seen
-- here rather than written, so that a retry costs no write of its task's row.
create function tasker.task_views(
    p_task uuid, p_namespaces text[], p_status tasker.task_state, p_initiator text, p_source_system text, p_limit bigint
)
returns table (
    task_uuid uuid, template_uuid uuid, correlation_id uuid, parent_correlation_id uuid, created_at timestamptz,
    updated_at timestamptz, completed_at timestamptz, status text, priority integer, namespace text, name text,
    version text, initiator text, source_system text, reason text, tags json, context json, total_steps bigint,
    pending_steps bigint, in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint,
    retrying_steps bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set jit = off
as $$
declare
    -- The state that rows of this status have.
    v_state tasker.task_state := case when p_status in ('waiting_for_retry', 'waiting_for_dependencies')
        then 'steps_in_process' else p_status end;
begin
    return query
    select t.task_uuid, t.template_uuid, t.correlation_id, t.parent_correlation_id, t.created_at, t.updated_at,
        t.completed_at, seen.status::text, t.priority::integer, t.namespace, t.name, t.version, t.initiator,
        t.source_system, t.reason, t.tags, t.context, c.total, c.pending, c.in_progress, c.completed, c.failed, c.ready, c.retrying
    from tasker.tasks t
    cross join lateral (
        select count(*) as total,
            count(*) filter (where s.state in ('pending', 'waiting_for_retry')) as pending,
            count(*) filter (where s.state in (
                'enqueued', 'in_progress', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration'
            )) as in_progress,
            count(*) filter (where s.state in ('complete', 'resolved_manually')) as completed,
            count(*) filter (where s.state = 'error') as failed,
            count(*) filter (where s.state = 'waiting_for_retry' and s.run_after <= clock_timestamp()) as ready,
            count(*) filter (where s.state = 'waiting_for_retry') as retrying
        from tasker.steps_of(t.task_uuid) s
    ) c
    cross join lateral (
        select case
            when t.state <> 'steps_in_process' or c.in_progress > 0 then t.state
            when c.retrying > 0 then 'waiting_for_retry'
            when c.pending > 0 then 'waiting_for_dependencies'
            else t.state
        end as status
    ) seen
    where (p_task is null or t.task_uuid = p_task)
      and (p_namespaces is null or t.namespace = any (p_namespaces))
      and (p_initiator is null or t.initiator = p_initiator)
      and (p_source_system is null or t.source_system = p_source_system)
      and (p_status is null or (t.state = v_state and seen.status = p_status))
    order by t.task_uuid desc
    limit p_limit;
end
$$;

-- How many tasks the filters of `task_views` let through.
create function tasker.count_tasks(
    p_namespaces text[], p_status tasker.task_state, p_initiator text, p_source_system text
) returns bigint
language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$
begin
    -- What a state reads as depends on the steps, so those two are counted as they are seen.
    if p_status in ('steps_in_process', 'waiting_for_retry', 'waiting_for_dependencies') then
        return (
            select count(*)
            from tasker.task_views(null, p_namespaces, p_status, p_initiator, p_source_system, null)
        );
    end if;
    return (
        select count(*) from tasker.tasks t
        where (p_namespaces is null or t.namespace = any (p_namespaces))
          and (p_status is null or t.state = p_status)
          and (p_initiator is null or t.initiator = p_initiator)
          and (p_source_system is null or t.source_system = p_source_system)
    );
end
$$;

-- How far the steps of a task are, in the order of its template, without what they brought.
create function tasker.step_readiness(p_task uuid)
returns table (
    step_uuid uuid, task_uuid uuid, name text, current_state text, pending_parents integer, parents bigint,
    attempts integer, max_attempts integer, retryable boolean, due boolean, run_after timestamptz, claimed_at timestamptz,
    last_failure_at timestamptz
)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
begin
    return query
    select s.step_uuid, s.task_uuid, s.name, s.state::text, s.pending_parents::integer,
        (select count(*) from tasker.parents_of(p_task, s.step_uuid)), s.attempts::integer, s.max_attempts,
        s.retryable, coalesce(s.run_after <= clock_timestamp(), false), s.run_after, s.claimed_at,
        (
            select max(a.finished_at) from tasker.attempts a
            where a.step_uuid = s.step_uuid and a.error_type is not null
        )
    from tasker.steps_of(p_task) s
    order by s.step_uuid;
end
$$;

-- The steps of a task in the order of its template, each with its parents, its latest attempt and the sum of all. Of
-- the history of its checkpoints the newest hundred are shown: a step may have made any number.
create function tasker.step_views(p_task uuid)
returns table (
    step_uuid uuid, task_uuid uuid, created_at timestamptz, updated_at timestamptz, claimed_at timestamptz,
    run_after timestamptz, current_state text, pending_parents integer, attempts integer, max_attempts integer,
    lapses integer, retryable boolean, due boolean, name text, template_step text, claimed_by text, result json,
    metadata json, error json, checkpoint json, checkpoint_history json, dependencies text[], finished bigint,
    all_fuel bigint, all_guest_us bigint, all_total_us bigint, last_failure_at timestamptz, attempt integer, outcome text,
    error_type text, host text, started_at timestamptz, finished_at timestamptz, fuel bigint, peak_memory_bytes bigint,
    instantiate_us bigint, guest_us bigint, total_us bigint, host_calls bigint
)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
begin
    return query
    select s.step_uuid, s.task_uuid, s.created_at, s.updated_at, s.claimed_at, s.run_after, s.state::text,
        s.pending_parents::integer, s.attempts::integer, s.max_attempts, s.lapses, s.retryable,
        coalesce(s.run_after <= clock_timestamp(), false), s.name, s.template_step, s.claimed_by, s.result, s.metadata,
        s.error, s.checkpoint, history.made, coalesce(parents.names, '{}'), totals.finished, totals.fuel,
        totals.guest_us, totals.total_us, totals.last_failure_at, latest.attempt, latest.outcome, latest.error_type,
        latest.host, latest.started_at, latest.finished_at, latest.fuel, latest.peak_memory_bytes,
        latest.instantiate_us, latest.guest_us, latest.total_us, latest.host_calls
    from tasker.steps_of(p_task) s
    cross join lateral (
        select array_agg(parent.name order by parent.step_uuid) as names from tasker.parents_of(p_task, s.step_uuid) parent
    ) parents
    cross join lateral (
        select count(*) as finished, coalesce(sum(a.fuel), 0)::bigint as fuel,
            coalesce(sum(a.guest_us), 0)::bigint as guest_us, coalesce(sum(a.total_us), 0)::bigint as total_us,
            max(a.finished_at) filter (where a.error_type is not null) as last_failure_at
        from tasker.attempts a where a.step_uuid = s.step_uuid
    ) totals
    cross join lateral (
        select json_agg(json_build_object(
            'cursor', newest.cursor, 'items_processed', newest.items_processed, 'attempt', newest.attempt,
            'timestamp', newest.at
        ) order by newest.sequence) as made
        from (
            select c.* from tasker.checkpoints c
            where c.step_uuid = s.step_uuid
            order by c.sequence desc
            limit 100
        ) newest
    ) history
    left join lateral (
        select a.* from tasker.attempts a where a.step_uuid = s.step_uuid order by a.claim desc limit 1
    ) latest on true
    order by s.step_uuid;
end
$$;
