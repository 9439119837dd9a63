-- A lease is the time a claimed step's message stays hidden. Its holder renews it while the step runs, or gives the
-- step back. Neither waits for the disk: lost in a crash, the lease lapses, which is what it is for.

-- Renews the leases that are still held. Answers the steps whose claim is no longer current: their holder should stop.
-- A message that somebody has locked is being completed or claimed at this moment and is left alone.
create function tasker.renew_leases(
    p_steps uuid[], p_claims integer[], p_namespaces text[], p_messages bigint[], p_lease_seconds double precision
) returns setof uuid
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_batch record;
    v_held uuid[];
begin
    perform set_config('synchronous_commit', 'off', true);
    select array_agg(s.step_uuid) into v_held
    from unnest(p_steps, p_claims) given (step_uuid, claim)
    join tasker.steps s on s.step_uuid = any (array[given.step_uuid])
    where s.state = 'in_progress' and s.claims = given.claim;

    for v_batch in
        select namespace, array_agg(message) as messages
        from unnest(p_namespaces, p_messages, p_steps) given (namespace, message, step_uuid)
        where step_uuid = any (v_held)
        group by namespace
        order by namespace
    loop
        execute format(
            'update pgmq.%1$I set vt = clock_timestamp() + $2 where msg_id = any (array(
                select msg_id from pgmq.%1$I where msg_id = any ($1) for update skip locked
            ))',
            tasker.queue_table(v_batch.namespace)
        ) using v_batch.messages, make_interval(secs => p_lease_seconds);
    end loop;

    return query select step_uuid from unnest(p_steps) step_uuid where not step_uuid = any (coalesce(v_held, '{}'));
end
$$;

-- Puts claimed steps back: visible at once, the attempt not spent. Answers how many were still held.
create function tasker.release_steps(p_steps uuid[], p_claims integer[], p_namespaces text[], p_messages bigint[])
returns integer
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_batch record;
    v_released uuid[];
begin
    perform set_config('synchronous_commit', 'off', true);
    with given as (
        select * from unnest(p_steps, p_claims) g (step_uuid, claim)
    ), held as (
        select s.step_uuid from given join tasker.steps s on s.step_uuid = any (array[given.step_uuid])
        where s.state = 'in_progress' and s.claims = given.claim
        order by given.step_uuid
        for update of s
    ), released as (
        update tasker.steps s
        set state = 'enqueued', attempts = s.attempts - 1, claimed_by = null, updated_at = clock_timestamp()
        from held where s.step_uuid = any (array[held.step_uuid])
        returning s.step_uuid, s.task_uuid, s.attempts
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, attempt, from_state, to_state, reason)
        select task_uuid, step_uuid, attempts + 1, 'in_progress', 'enqueued', 'put back by its host' from released
    )
    select array_agg(step_uuid) into v_released from released;

    for v_batch in
        select namespace, array_agg(message) as messages
        from unnest(p_namespaces, p_messages, p_steps) given (namespace, message, step_uuid)
        where step_uuid = any (v_released)
        group by namespace
        order by namespace
    loop
        perform tasker.hide_messages(v_batch.namespace, v_batch.messages, '0 seconds');
    end loop;
    return coalesce(cardinality(v_released), 0);
end
$$;
