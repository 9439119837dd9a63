-- Tasks that came to a stand: found by age, given up with a reason, kept for somebody to look into. An entry is a note
-- of an investigation, not a queue: recovering is an operator's action on the task or its steps.

-- Since when a namespace is claimed from again: what waited while it was paused has not waited in vain.
alter table tasker.namespaces add column resumed_at timestamptz;

create table tasker.dead_letters (
    dlq_entry_uuid uuid primary key,
    task_uuid uuid not null,
    original_state text not null,
    dlq_reason text not null check (dlq_reason in (
        'staleness_timeout', 'max_retries_exceeded', 'dependency_cycle_detected', 'worker_unavailable', 'manual_dlq'
    )),
    dlq_timestamp timestamptz not null,
    resolution_status text not null default 'pending' check (
        resolution_status in ('pending', 'manually_resolved', 'permanently_failed', 'cancelled')
    ),
    resolution_notes text,
    resolution_timestamp timestamptz,
    resolved_by text,
    task_snapshot json not null,
    metadata json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check ((resolution_status = 'pending') = (resolution_timestamp is null))
);

create unique index dead_letters_pending on tasker.dead_letters (task_uuid) where resolution_status = 'pending';
create index dead_letters_of_task on tasker.dead_letters (task_uuid);
create index dead_letters_by_status on tasker.dead_letters (resolution_status, dlq_timestamp);

-- A task as it stood, without what its rows keep anyway: context and results.
create function tasker.task_snapshot(p_task uuid) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
begin
    return (
        select json_build_object(
            'task_uuid', t.task_uuid, 'namespace', t.namespace, 'name', t.name, 'version', t.version, 'state', t.state,
            'priority', t.priority, 'initiator', t.initiator, 'correlation_id', t.correlation_id,
            'created_at', t.created_at, 'updated_at', t.updated_at,
            'steps', (
                select coalesce(json_agg(json_build_object(
                    'step_uuid', s.step_uuid, 'name', s.name, 'state', s.state, 'attempts', s.attempts,
                    'max_attempts', s.max_attempts, 'lapses', s.lapses, 'pending_parents', s.pending_parents,
                    'run_after', s.run_after, 'claimed_by', s.claimed_by, 'updated_at', s.updated_at, 'error', s.error
                ) order by s.step_uuid), '[]')
                from tasker.steps_of(t.task_uuid) s
            )
        )
        from tasker.tasks t where t.task_uuid = p_task
    );
end
$$;

-- Which of some tasks' steps have a message: `leased` is hidden (somebody runs it and renews its lease), `waiting` is
-- readable. `busy` says that somebody holds a lease on any step of the namespace. One read of the queue, however many
-- tasks are asked about.
create function tasker.messages_of(
    p_namespace text, p_tasks uuid[], out leased uuid[], out waiting uuid[], out busy boolean
)
language plpgsql
set jit = off
as $$
begin
    execute format(
        'select coalesce(array_agg(task_uuid) filter (where vt > clock_timestamp()), ''{}''),
            coalesce(array_agg(task_uuid) filter (where vt <= clock_timestamp()), ''{}''),
            exists (select from pgmq.%1$I where vt > clock_timestamp())
        from (
            select vt, (message ->> ''task_uuid'')::uuid as task_uuid from pgmq.%1$I
            where message ->> ''task_uuid'' = any ($1)
        ) message',
        tasker.queue_table(p_namespace)
    ) into leased, waiting, busy using p_tasks::text[];
end
$$;

-- A task that would be given up, before its queue was looked at.
create type tasker.stale_look as (
    task_uuid uuid, namespace text, situation tasker.task_state, since timestamptz, created_at timestamptz,
    allowed_minutes integer, expired boolean, dlq boolean, fail boolean
);

-- Looks at active tasks after the one with key `p_after` (null: from the beginning), in the order of their keys, and gives
-- up those that came to a stand. It looks at as many as `p_entries` has keys for their entries. `p_dry_run` gives up
-- nothing and only tells.
--
-- A task has come to a stand when nothing happened in it, or to its namespace, for as long as its situation allows: no
-- state of it or its steps changed, no checkpoint was made. Its situation is what it would rest in: steps_in_process
-- while a step is queued or runs, waiting_for_retry while one waits for that, else waiting_for_dependencies. It is also
-- over its time when it is older than its lifetime. The minutes are the template's lifecycle, where that says any, and
-- else the caller's. But:
-- * a step under a live lease runs, however long; only the lifetime counts for its task
-- * a step whose message waits in a queue that hosts are working on waits its turn
-- * nothing is the matter with the tasks of a paused namespace
--
-- What happens to it is the template's `staleness_action`: dlq (an entry, and the task goes to `error`), error, or none;
-- `auto_dlq_on_timeout` and `auto_fail_on_timeout` overrule it. Steps that run finish; none is started any more.
--
-- Answers `report`: [{"task_uuid", "namespace", "name", "version", "state", "reason", "minutes", "allowed_minutes",
-- "dlq_entry_uuid", "failed"}], and the key `looked_to` to go on after: null at the end. Any number of hosts may look at
-- once: a task that another one has locked is left to it.
create function tasker.detect_stale_tasks(
    p_after uuid, p_entries uuid[], p_dry_run boolean, p_waiting_for_dependencies_minutes integer,
    p_waiting_for_retry_minutes integer, p_steps_in_process_minutes integer, p_lifetime_minutes integer,
    out report json, out looked_to uuid
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_limit integer := cardinality(p_entries);
    v_look tasker.stale_look[];
    v_namespace record;
    v_messages record;
    v_failed uuid[];
    v_leased uuid[] := '{}';
    v_waiting uuid[] := '{}';
    v_busy text[] := '{}';
begin
    report := '[]';
    -- The index holds what is not complete, by state.
    with active as (
        select page.* from (
            (
                select t.task_uuid from tasker.tasks t
                where t.state = 'steps_in_process' and (p_after is null or t.task_uuid > p_after)
                order by t.task_uuid limit v_limit
            ) union all (
                select t.task_uuid from tasker.tasks t
                where t.state = 'blocked_by_failures' and (p_after is null or t.task_uuid > p_after)
                order by t.task_uuid limit v_limit
            )
        ) page
        order by page.task_uuid
        limit v_limit
    ), old as (
        select t.* from active join tasker.tasks t on t.task_uuid = active.task_uuid
        join tasker.namespaces n on n.name = t.namespace
        -- The shortest time that a template can allow.
        where t.created_at < v_now - interval '1 minute' and n.paused_at is null
    ), lifecycles as materialized (
        select template.template_uuid, template.configuration -> 'lifecycle' as lifecycle
        from tasker.templates template
        where template.template_uuid in (select old.template_uuid from old)
    ), situations as (
        select old.task_uuid, old.namespace, old.state, old.created_at, lifecycle,
            greatest(old.updated_at, n.resumed_at, steps.changed_at) as since,
            case when old.state <> 'steps_in_process' then old.state
                when steps.active > 0 then 'steps_in_process'
                when steps.retrying > 0 then 'waiting_for_retry'
                else 'waiting_for_dependencies'
            end::tasker.task_state as situation
        from old
        join tasker.namespaces n on n.name = old.namespace
        join lifecycles on lifecycles.template_uuid = old.template_uuid
        cross join lateral (
            select max(s.updated_at) as changed_at,
                count(*) filter (where s.state not in (
                    'pending', 'waiting_for_retry', 'complete', 'error', 'cancelled', 'resolved_manually'
                )) as active,
                count(*) filter (where s.state = 'waiting_for_retry') as retrying
            from tasker.steps_of(old.task_uuid) s
        ) steps
    ), allowances as (
        select situations.*,
            coalesce((lifecycle ->> 'max_duration_minutes')::integer, p_lifetime_minutes) as lifetime,
            case situation
                when 'waiting_for_dependencies' then coalesce(
                    (lifecycle ->> 'max_waiting_for_dependencies_minutes')::integer, p_waiting_for_dependencies_minutes
                )
                when 'waiting_for_retry' then coalesce(
                    (lifecycle ->> 'max_waiting_for_retry_minutes')::integer, p_waiting_for_retry_minutes
                )
                when 'steps_in_process' then coalesce(
                    (lifecycle ->> 'max_steps_in_process_minutes')::integer, p_steps_in_process_minutes
                )
            end as rest
        from situations
    ), verdicts as (
        select allowances.*,
            v_now - created_at > make_interval(mins => lifetime) as expired,
            coalesce(v_now - since > make_interval(mins => rest), false) as resting,
            coalesce((lifecycle ->> 'auto_dlq_on_timeout')::boolean,
                coalesce(lifecycle ->> 'staleness_action', 'dlq') = 'dlq') as dlq,
            coalesce((lifecycle ->> 'auto_fail_on_timeout')::boolean,
                coalesce(lifecycle ->> 'staleness_action', 'dlq') <> 'none') as fail
        from allowances
    )
    select array_agg(row (
            task_uuid, namespace, situation, since, created_at, case when expired then lifetime else rest end, expired,
            dlq, fail
        )::tasker.stale_look order by task_uuid) filter (where (expired or resting) and (dlq or fail)),
        (select max(last.task_uuid::text)::uuid from active last having count(*) = v_limit)
    into v_look, looked_to
    from verdicts;

    -- What the queues say of them. A task that is asked about is one that would be given up, so there are few.
    for v_namespace in
        select each.namespace, array_agg(each.task_uuid) as tasks from unnest(v_look) each group by each.namespace
    loop
        v_messages := tasker.messages_of(v_namespace.namespace, v_namespace.tasks);
        v_leased := v_leased || v_messages.leased;
        v_waiting := v_waiting || v_messages.waiting;
        if v_messages.busy then
            v_busy := v_busy || v_namespace.namespace;
        end if;
    end loop;

    with stale as (
        select each.*, case
            when each.task_uuid = any (v_waiting) and each.task_uuid <> all (v_leased) then 'worker_unavailable'
            else 'staleness_timeout'
        end as reason
        from unnest(v_look) each
        where (
            each.expired or (
                each.task_uuid <> all (v_leased)
                and not (each.task_uuid = any (v_waiting) and each.namespace = any (v_busy))
            )
        ) and (
            -- One that goes on in spite of its entry gets no other before something happened in it.
            each.fail or not exists (
                select from tasker.dead_letters known
                where known.task_uuid = each.task_uuid
                    and (known.resolution_status = 'pending' or known.dlq_timestamp > each.since)
            )
        )
    ), held as (
        select t.task_uuid, t.state from tasker.tasks t
        where t.task_uuid in (select stale.task_uuid from stale) and t.state in ('steps_in_process', 'blocked_by_failures')
        order by t.task_uuid
        for update skip locked
    ), given_up as (
        select stale.*, t.name, t.version, held.state,
            case when stale.dlq then p_entries[row_number() over (order by stale.task_uuid)] end as entry
        from stale join held on held.task_uuid = stale.task_uuid join tasker.tasks t on t.task_uuid = stale.task_uuid
    ), kept as (
        insert into tasker.dead_letters (
            dlq_entry_uuid, task_uuid, original_state, dlq_reason, dlq_timestamp, task_snapshot, metadata, created_at,
            updated_at
        )
        select entry, task_uuid, situation, reason, v_now, tasker.task_snapshot(task_uuid),
            json_build_object('since', since, 'allowed_minutes', allowed_minutes, 'over_lifetime', expired), v_now, v_now
        from given_up
        where entry is not null and not p_dry_run
        on conflict (task_uuid) where resolution_status = 'pending' do nothing
        returning dlq_entry_uuid
    ), failed as (
        update tasker.tasks t set state = 'error', updated_at = v_now, completed_at = v_now
        from given_up
        where t.task_uuid = given_up.task_uuid and given_up.fail and not p_dry_run
        returning t.task_uuid
    ), logged as (
        insert into tasker.transitions (task_uuid, at, from_state, to_state, reason)
        select given_up.task_uuid, v_now, given_up.state, 'error', given_up.reason
        from given_up join failed on failed.task_uuid = given_up.task_uuid
    )
    select coalesce(json_agg(json_build_object(
        'task_uuid', task_uuid, 'namespace', namespace, 'name', name, 'version', version, 'state', situation,
        'reason', reason,
        'minutes', floor(extract(epoch from v_now - case when expired then created_at else since end) / 60)::bigint,
        'allowed_minutes', allowed_minutes,
        'dlq_entry_uuid', (select kept.dlq_entry_uuid from kept where kept.dlq_entry_uuid = entry), 'failed', fail
    ) order by task_uuid), '[]'), array_agg(task_uuid) filter (where fail and not p_dry_run)
    into report, v_failed from given_up;
    perform tasker.write_planned(v_failed, null);
end
$$;

-- What to look into first: a reason that points beyond its own task weighs more, and so does each minute of waiting.
create view tasker.investigation_queue as
select d.dlq_entry_uuid, d.task_uuid, d.original_state, d.dlq_reason, d.dlq_timestamp, waits.minutes as minutes_in_dlq,
    t.namespace as namespace_name, t.name as task_name, t.state::text as current_state,
    floor(extract(epoch from clock_timestamp() - t.updated_at) / 60)::integer as time_in_state_minutes,
    case d.dlq_reason
        when 'dependency_cycle_detected' then 1000
        when 'worker_unavailable' then 500
        when 'max_retries_exceeded' then 300
        when 'staleness_timeout' then 100
        else 50
    end + waits.minutes as priority_score
from tasker.dead_letters d
join tasker.tasks t on t.task_uuid = d.task_uuid
cross join lateral (
    select (extract(epoch from clock_timestamp() - d.dlq_timestamp) / 60)::double precision as minutes
) waits
where d.resolution_status = 'pending';
