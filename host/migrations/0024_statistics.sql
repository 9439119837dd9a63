-- How workflows perform and what they use. Periods are those in which tasks were created: keys are UUIDv7, so a period is
-- a range of the primary key, and nothing older is read.

-- Tasks and steps of these namespaces (null: of all) by state: `{"pending": 2, ...}`.
create function tasker.state_counts(p_namespaces text[], out tasks json, out steps json)
language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$
begin
    select coalesce(json_object_agg(state, n), '{}') into tasks from (
        select t.state, count(*) as n from tasker.tasks t
        where p_namespaces is null or t.namespace = any (p_namespaces)
        group by t.state
    ) counted;
    if p_namespaces is null then
        select coalesce(json_object_agg(state, n), '{}') into steps from (
            select s.state, count(*) as n from (
                select each.state from tasker.steps each
                union all
                select own.state from tasker.tasks t cross join lateral tasker.steps_of(t.task_uuid) own
                where t.planned_steps is not null
            ) s
            group by s.state
        ) counted;
    else
        select coalesce(json_object_agg(state, n), '{}') into steps from (
            select s.state, count(*) as n
            from tasker.tasks t cross join lateral tasker.steps_of(t.task_uuid) s
            where t.namespace = any (p_namespaces)
            group by s.state
        ) counted;
    end if;
end
$$;

-- Tasks created since then, how they ended, and how long they and the attempts of their steps took.
create function tasker.performance(
    p_namespaces text[], p_since timestamptz, out total bigint, out active bigint, out completed bigint, out failed bigint,
    out task_seconds double precision, out attempts bigint, out attempt_seconds double precision
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$
begin
    select count(*), count(*) filter (where t.completed_at is null and t.state <> 'blocked_by_failures'),
        count(*) filter (where t.state in ('complete', 'resolved_manually')),
        count(*) filter (where t.state in ('blocked_by_failures', 'error')),
        coalesce(avg(extract(epoch from t.completed_at - t.created_at)) filter (where t.state = 'complete'), 0)
    into total, active, completed, failed, task_seconds
    from tasker.tasks t
    where t.task_uuid >= tasker.uuid_at(p_since) and (p_namespaces is null or t.namespace = any (p_namespaces));

    select count(*), coalesce(avg(a.total_us) / 1e6, 0) into attempts, attempt_seconds
    from tasker.tasks t
    join tasker.steps s on s.task_uuid = t.task_uuid
    join tasker.attempts a on a.step_uuid = s.step_uuid
    where t.task_uuid >= tasker.uuid_at(p_since) and (p_namespaces is null or t.namespace = any (p_namespaces));
end
$$;

-- The steps of templates whose attempts take longest, on average, of tasks created since then.
create function tasker.slow_steps(p_namespaces text[], p_since timestamptz, p_limit integer, p_min_executions integer)
returns table (
    namespace_name text, task_name text, version text, step_name text, average_duration_seconds double precision,
    max_duration_seconds double precision, execution_count bigint, error_count bigint, error_rate double precision,
    last_executed_at timestamptz
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$
begin
    return query
    select t.namespace, t.name, t.version, coalesce(s.template_step, s.name), (avg(a.total_us) / 1e6)::double precision,
        (max(a.total_us) / 1e6)::double precision, count(*), count(*) filter (where a.error_type is not null),
        (count(*) filter (where a.error_type is not null))::double precision / count(*), max(a.finished_at)
    from tasker.tasks t
    join tasker.steps s on s.task_uuid = t.task_uuid
    join tasker.attempts a on a.step_uuid = s.step_uuid
    where t.task_uuid >= tasker.uuid_at(p_since) and (p_namespaces is null or t.namespace = any (p_namespaces))
    group by t.namespace, t.name, t.version, coalesce(s.template_step, s.name)
    having count(*) >= p_min_executions
    order by avg(a.total_us) desc, 1, 2, 3, 4
    limit p_limit;
end
$$;

-- The templates whose tasks take longest, on average, of tasks created since then that are over.
create function tasker.slow_tasks(p_namespaces text[], p_since timestamptz, p_limit integer, p_min_executions integer)
returns table (
    namespace_name text, task_name text, version text, average_duration_seconds double precision,
    max_duration_seconds double precision, execution_count bigint, average_step_count double precision,
    error_count bigint, error_rate double precision, last_executed_at timestamptz
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$
begin
    return query
    select t.namespace, t.name, t.version, avg(extract(epoch from t.updated_at - t.created_at))::double precision,
        max(extract(epoch from t.updated_at - t.created_at))::double precision, count(*),
        avg(steps.number)::double precision, count(*) filter (where t.state in ('blocked_by_failures', 'error')),
        (count(*) filter (where t.state in ('blocked_by_failures', 'error')))::double precision / count(*),
        max(t.updated_at)
    from tasker.tasks t
    cross join lateral (select count(*) as number from tasker.steps s where s.task_uuid = t.task_uuid) steps
    where t.task_uuid >= tasker.uuid_at(p_since) and (p_namespaces is null or t.namespace = any (p_namespaces))
        and t.state in ('complete', 'resolved_manually', 'blocked_by_failures', 'error')
    group by t.namespace, t.name, t.version
    having count(*) >= p_min_executions
    order by 4 desc, 1, 2, 3
    limit p_limit;
end
$$;

-- What the attempts of each step of each template used, of tasks created between the two.
create function tasker.usage(p_namespaces text[], p_since timestamptz, p_before timestamptz)
returns table (
    namespace text, name text, version text, step text, tasks bigint, attempts bigint, failures bigint, fuel bigint,
    guest_us bigint, total_us bigint, host_calls bigint, peak_memory_bytes bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$
begin
    return query
    select t.namespace, t.name, t.version, coalesce(s.template_step, s.name), count(distinct t.task_uuid), count(*),
        count(*) filter (where a.error_type is not null), least(sum(a.fuel), 9223372036854775807)::bigint,
        least(sum(a.guest_us), 9223372036854775807)::bigint, least(sum(a.total_us), 9223372036854775807)::bigint,
        least(sum(a.host_calls), 9223372036854775807)::bigint, max(a.peak_memory_bytes)
    from tasker.tasks t
    join tasker.steps s on s.task_uuid = t.task_uuid
    join tasker.attempts a on a.step_uuid = s.step_uuid
    where t.task_uuid >= tasker.uuid_at(p_since) and t.task_uuid < tasker.uuid_at(p_before)
        and (p_namespaces is null or t.namespace = any (p_namespaces))
    group by t.namespace, t.name, t.version, coalesce(s.template_step, s.name)
    order by 1, 2, 3, 4;
end
$$;

-- Active tasks, by how near they are to being given up as stale: the same situations and allowances as
-- `detect_stale_tasks`, without a look into the queues.
create function tasker.staleness(
    p_namespaces text[], p_waiting_for_dependencies_minutes integer, p_waiting_for_retry_minutes integer,
    p_steps_in_process_minutes integer, p_limit integer
) returns table (
    task_uuid uuid, namespace_name text, task_name text, current_state text, time_in_state_minutes integer,
    task_age_minutes integer, staleness_threshold_minutes integer, priority integer
)
language plpgsql stable
set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
    return query
    select t.task_uuid, t.namespace, t.name, situation.state,
        floor(extract(epoch from clock_timestamp() - greatest(t.updated_at, n.resumed_at, steps.changed_at)) / 60)::integer,
        floor(extract(epoch from clock_timestamp() - t.created_at) / 60)::integer, allowed.minutes, t.priority::integer
    from tasker.tasks t
    join tasker.namespaces n on n.name = t.namespace
    join tasker.templates template on template.template_uuid = t.template_uuid
    cross join lateral (
        select max(s.updated_at) as changed_at,
            count(*) filter (where s.state not in (
                'pending', 'waiting_for_retry', 'complete', 'error', 'cancelled', 'resolved_manually'
            )) as active,
            count(*) filter (where s.state = 'waiting_for_retry') as retrying
        from tasker.steps_of(t.task_uuid) s
    ) steps
    cross join lateral (
        select case when steps.active > 0 then 'steps_in_process'
            when steps.retrying > 0 then 'waiting_for_retry'
            else 'waiting_for_dependencies'
        end as state
    ) situation
    cross join lateral (
        select coalesce(
            (template.configuration -> 'lifecycle' ->> ('max_' || situation.state || '_minutes'))::integer,
            case situation.state when 'waiting_for_dependencies' then p_waiting_for_dependencies_minutes
                when 'waiting_for_retry' then p_waiting_for_retry_minutes
                else p_steps_in_process_minutes
            end
        ) as minutes
    ) allowed
    where t.state = 'steps_in_process' and (p_namespaces is null or t.namespace = any (p_namespaces))
    order by extract(epoch from clock_timestamp() - greatest(t.updated_at, n.resumed_at, steps.changed_at))
        / (60 * greatest(allowed.minutes, 1)) desc, t.task_uuid
    limit p_limit;
end
$$;
