-- Events that a handler publishes by itself: they leave at once, whatever becomes of the step.

-- One row for each key a step has published under: the event it stands for, which a later attempt is answered and which is
-- not sent again. The rows go with their task.
create table tasker.direct_events (
    step_uuid uuid not null,
    event_id uuid not null,
    key text not null,
    primary key (step_uuid, key)
);

-- Publishes an event of a claimed step, through the queue where there is a message. `ours` says whether the claim is still
-- current; nothing is sent where it is not. `event_id` is another than the given one where the step has published under
-- this key before; nothing is sent then either. Two attempts of one step with one key wait for each other at the
-- table's index. The commit waits for the disk: what the guest does next relies on it.
create function tasker.publish_event(
    p_namespace text, p_step uuid, p_claim integer, p_event uuid, p_key text, p_message text,
    out ours boolean, out event_id uuid
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
begin
    select exists (
        select from tasker.steps s where s.step_uuid = p_step and s.claims = p_claim and s.state = 'in_progress'
    ) into ours;
    if not ours then
        return;
    end if;
    if p_message is not null and length(p_namespace) > 29 then
        raise exception 'namespace % is too long for a queue of events', p_namespace
            using errcode = 'check_violation', constraint = 'event_queue_name';
    end if;
    event_id := p_event;
    if p_key is not null then
        insert into tasker.direct_events (step_uuid, event_id, key) values (p_step, p_event, p_key)
        on conflict do nothing;
        if not found then
            select d.event_id into event_id from tasker.direct_events d where d.step_uuid = p_step and d.key = p_key;
            return;
        end if;
    end if;
    if p_message is not null then
        perform tasker.send_events(array[p_namespace], array['{"durable":[' || p_message || ']}']);
    end if;
end
$$;

-- As before (0016), and the keys of direct events go with their task.
create or replace function tasker.purge_tasks(
    p_before timestamptz, p_after uuid, p_limit integer, out purged integer, out looked_to uuid
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set jit = off
as $$
declare
    v_looked integer;
    v_tasks uuid[];
    v_held uuid[];
    v_steps uuid[];
begin
    -- At most twenty steps a task on average, and at least one task.
    select count(*), max(task_uuid::text)::uuid, array_agg(task_uuid) filter (where over)
    into v_looked, looked_to, v_tasks
    from (
        select page.task_uuid, page.over, sum(page.steps) over (order by page.task_uuid) - page.steps as before
        from (
            select t.task_uuid, over,
                case when over then (select count(*) from tasker.steps s where s.task_uuid = t.task_uuid) else 0 end as steps
            from (
                select each.* from tasker.tasks each
                where (p_after is null or each.task_uuid > p_after) and each.task_uuid < tasker.uuid_at(p_before)
                order by each.task_uuid
                limit p_limit
            ) t
            cross join lateral (
                select coalesce(t.completed_at < p_before, false) and not exists (
                    select from tasker.dead_letters d
                    where d.task_uuid = t.task_uuid and d.resolution_status = 'pending'
                ) as over
            ) verdict
        ) page
    ) counted
    where before < 20 * p_limit;
    purged := 0;
    if v_tasks is not null then
        select array_agg(held.task_uuid) into v_held from (
            select t.task_uuid from tasker.tasks t
            where t.task_uuid = any (v_tasks) and t.completed_at < p_before
            order by t.task_uuid
            for update skip locked
        ) held;
    end if;
    if v_held is not null then
        select coalesce(array_agg(s.step_uuid), '{}') into v_steps from tasker.steps s where s.task_uuid = any (v_held);
        perform set_config('tasker.purging', 'on', true);
        delete from tasker.transitions where task_uuid = any (v_held);
        perform set_config('tasker.purging', '', true);
        delete from tasker.checkpoints where step_uuid = any (v_steps);
        delete from tasker.attempts where step_uuid = any (v_steps);
        delete from tasker.edges where parent_uuid = any (v_steps);
        delete from tasker.batches where batch_uuid = any (v_steps);
        delete from tasker.direct_events where step_uuid = any (v_steps);
        delete from tasker.steps where step_uuid = any (v_steps);
        delete from tasker.dead_letters where task_uuid = any (v_held);
        delete from tasker.tasks where task_uuid = any (v_held);
        purged := cardinality(v_held);
    end if;
    if v_looked = 0 or v_looked < p_limit and not exists (
        select from tasker.tasks t where t.task_uuid > looked_to and t.task_uuid < tasker.uuid_at(p_before)
    ) then
        looked_to := null;
    end if;
end
$$;
