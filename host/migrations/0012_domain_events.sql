-- Domain events: messages that leave with the result that brought them about. Each namespace whose templates declare
-- events has two queues of PGMQ, `{namespace}_domain_events` for whoever consumes them, and
-- `{namespace}_domain_events_dlq` for events that could not be told: their publisher failed, or what it said is not what
-- was declared. As with steps, the queues' tables are addressed directly, one statement for all messages of a queue.

create function tasker.event_queue(p_namespace text, p_dead boolean) returns text
language sql immutable strict parallel safe as $$
    select p_namespace || case when p_dead then '_domain_events_dlq' else '_domain_events' end
$$;

-- Makes a namespace's event queues where they are missing. PGMQ allows 47 characters for a queue's name, and
-- `_domain_events_dlq` takes 18 of them.
create function tasker.create_event_queues(p_namespace text) returns void
language plpgsql as $$
declare
    v_queue text;
begin
    if length(p_namespace) > 29 then
        raise exception 'namespace % is too long for a queue of events', p_namespace
            using errcode = 'check_violation', constraint = 'event_queue_name';
    end if;
    perform tasker.lock_queues();
    foreach v_queue in array array[tasker.event_queue(p_namespace, false), tasker.event_queue(p_namespace, true)] loop
        if not exists (select from pgmq.meta where lower(queue_name) = lower(v_queue)) then
            perform pgmq.create(v_queue);
        end if;
    end loop;
end
$$;

-- Sends the events of many completions, each `{"durable": [...], "dead": [...]}`. A queue that somebody dropped is made
-- again: events must not keep results from being committed. Those of a namespace whose name is too long for a queue are
-- let go for the same reason.
create function tasker.send_events(p_namespaces text[], p_events text[]) returns void
language plpgsql as $$
declare
    v_batch record;
    v_table text;
begin
    -- Ordered by name, so that two senders meet the queues in one order.
    for v_batch in
        select given.namespace, kind.key = 'dead' as dead,
            array_agg(message.message order by given.place, message.place) as messages
        from unnest(p_namespaces, p_events) with ordinality given (namespace, events, place)
        cross join lateral jsonb_each(given.events::jsonb) kind
        cross join lateral jsonb_array_elements(kind.value) with ordinality message (message, place)
        where given.events is not null
        group by given.namespace, dead
        order by given.namespace, dead
    loop
        if length(v_batch.namespace) > 29 then
            raise warning 'namespace % is too long for a queue of events: its events are lost', v_batch.namespace;
            continue;
        end if;
        v_table := 'q_' || lower(tasker.event_queue(v_batch.namespace, v_batch.dead));
        if to_regclass(format('pgmq.%I', v_table)) is null then
            perform tasker.create_event_queues(v_batch.namespace);
        end if;
        execute format(
            'insert into pgmq.%I (vt, message) select clock_timestamp(), message from unnest($1) message', v_table
        ) using v_batch.messages;
    end loop;
end
$$;

-- The newest events of a namespace's queue, newest first. Nothing is taken or hidden.
create function tasker.peek_events(p_namespace text, p_dead boolean, p_limit integer)
returns table (message_id bigint, enqueued_at timestamptz, event jsonb)
language plpgsql stable as $$
declare
    v_table text := 'q_' || lower(tasker.event_queue(p_namespace, p_dead));
begin
    if to_regclass(format('pgmq.%I', v_table)) is not null then
        return query execute format(
            'select msg_id, enqueued_at, message from pgmq.%I order by msg_id desc limit $1', v_table
        ) using p_limit;
    end if;
end
$$;
