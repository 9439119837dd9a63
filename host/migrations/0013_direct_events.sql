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
