-- Brings steps whose retry is due back to their queues, up to `p_limit` of them. Answers how many, and in how many
-- milliseconds the next one is due (null: none waits). The commit does not wait for the disk: lost in a crash, the steps
-- wait as before and are due.
create function tasker.enqueue_due(p_limit integer, out enqueued integer, out next_in_ms bigint)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    -- A variable, because a condition on clock_timestamp() itself can not use the index.
    v_now timestamptz := clock_timestamp();
    v_next timestamptz;
    v_steps uuid[];
    v_tasks uuid[];
begin
    perform set_config('synchronous_commit', 'off', true);
    with due as (
        select s.step_uuid from tasker.steps s
        where s.run_after <= v_now and s.state = 'waiting_for_retry'
        order by s.run_after
        limit p_limit
        for update skip locked
    ), ready as (
        update tasker.steps s set state = 'enqueued', run_after = null, updated_at = v_now
        from due where s.step_uuid = any (array[due.step_uuid])
        returning s.step_uuid, s.task_uuid
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, at, from_state, to_state)
        select task_uuid, step_uuid, v_now, 'waiting_for_retry', 'enqueued' from ready
    )
    select array_agg(step_uuid order by step_uuid), array_agg(task_uuid order by step_uuid) into v_steps, v_tasks
    from ready;

    enqueued := coalesce(cardinality(v_steps), 0);
    if enqueued > 0 then
        perform tasker.send_steps(v_steps, v_tasks);
    end if;
    select s.run_after into v_next from tasker.steps s where s.run_after is not null order by s.run_after limit 1;
    -- With nothing waiting it stays null, which greatest() alone would make zero.
    if v_next is not null then
        next_in_ms := greatest(0, ceil(extract(epoch from v_next - clock_timestamp()) * 1000))::bigint;
    end if;
end
$$;
