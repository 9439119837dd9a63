-- The way into PGMQ. Each namespace has one queue, `worker_{namespace}_queue`; a message is three UUIDs, and the task's
-- priority where it has one; everything else stays in the tables. The queue's table is addressed directly, because the calls of PGMQ's own API plan a
-- statement for each message where one for each batch is enough. Only columns that every PGMQ 1.x has are used.

create function tasker.queue_name(p_namespace text) returns text
language sql immutable strict parallel safe as $$ select 'worker_' || p_namespace || '_queue' $$;

create function tasker.queue_table(p_namespace text) returns text
language sql immutable strict parallel safe as $$ select 'q_worker_' || lower(p_namespace) || '_queue' $$;

-- Until this transaction ends, nobody else makes a namespace or a queue. Hosts that start together make the same ones, and
-- neither "on conflict" holds against the other unique index of a row nor "if not exists" against somebody who is just
-- about to commit.
create function tasker.lock_queues() returns void
language sql as $$ select pg_advisory_xact_lock(hashtextextended('tasker.queues', 0)) $$;

-- Makes a namespace and its queue on first sight, with the index by which a claim reads: urgent messages first, and of
-- one priority the oldest.
create function tasker.create_namespace(p_namespace text) returns void
language plpgsql as $$
declare
    v_table text := tasker.queue_table(p_namespace);
begin
    perform tasker.lock_queues();
    insert into tasker.namespaces (name) values (p_namespace) on conflict (name) do nothing;
    if not exists (select from pgmq.meta where lower(queue_name) = lower(tasker.queue_name(p_namespace))) then
        perform pgmq.create(tasker.queue_name(p_namespace));
    end if;
    -- Looked for first: "if not exists" would lock the queue even where the index is there.
    if to_regclass(format('pgmq.%I', v_table || '_priority')) is null then
        execute format(
            'create index %I on pgmq.%I ((coalesce((message ->> ''priority'')::integer, 0)) desc, msg_id)',
            v_table || '_priority', v_table
        );
    end if;
end
$$;

-- Puts one message for each step into the queue of its task's namespace, hidden for so long from now, and answers which
-- message is whose. The steps are already in state 'enqueued', or 'in_progress' where their messages are hidden.
create function tasker.send_steps(
    p_steps uuid[], p_tasks uuid[], p_hidden interval default '0',
    out namespaces text[], out messages bigint[], out steps uuid[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set jit = off
as $$
declare
    v_batch record;
    v_sent record;
begin
    -- Ordered by name, so that two senders meet the queues in one order.
    for v_batch in
        select t.namespace, array_agg(jsonb_build_object(
            'task_uuid', t.task_uuid, 'step_uuid', ready.step_uuid, 'correlation_id', t.correlation_id
        ) || case when t.priority = 0 then '{}' else jsonb_build_object('priority', t.priority) end
        order by ready.place) as messages
        from unnest(p_steps, p_tasks) with ordinality ready (step_uuid, task_uuid, place)
        join tasker.tasks t on t.task_uuid = ready.task_uuid
        group by t.namespace
        order by t.namespace
    loop
        execute format(
            'with sent as (
                insert into pgmq.%I (vt, message) select clock_timestamp() + $2, message from unnest($1) message
                returning msg_id, message ->> ''step_uuid'' as step_uuid
            )
            select array_agg(msg_id) as messages, array_agg(step_uuid::uuid) as steps from sent',
            tasker.queue_table(v_batch.namespace)
        ) into v_sent using v_batch.messages, p_hidden;
        namespaces := namespaces || array_fill(v_batch.namespace, array[cardinality(v_sent.messages)]);
        messages := messages || v_sent.messages;
        steps := steps || v_sent.steps;
    end loop;
end
$$;

-- Takes messages out of one queue. Their order does not matter: who waits for a message here holds the lock of its
-- step, and those who lock messages without it (claims, renewals) wait for nobody.
create function tasker.delete_messages(p_namespace text, p_messages bigint[]) returns void
language plpgsql as $$
begin
    execute format('delete from pgmq.%I where msg_id = any ($1)', tasker.queue_table(p_namespace)) using p_messages;
end
$$;

-- Hides the messages of one queue for this long from now.
create function tasker.hide_messages(p_namespace text, p_messages bigint[], p_for interval) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
begin
    execute format(
        'update pgmq.%I set vt = clock_timestamp() + $2 where msg_id = any ($1)', tasker.queue_table(p_namespace)
    ) using p_messages, p_for;
end
$$;
