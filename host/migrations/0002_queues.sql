-- The way into PGMQ. Each namespace has one queue, `worker_{namespace}_queue`; a message is three UUIDs, and the task's
-- priority where it has one; everything else stays in the tables. The queue's table is addressed directly, because the
-- calls of PGMQ's own API plan a statement for each message where one for each batch is enough. Only columns that every
-- PGMQ 1.x has are used.
--
-- A function that is told the queue's name plans its statement each time it runs, and that takes three times as long as the
-- statement does. So what the steps of one namespace need of their queue on the common way (a message is sent, read, replaced,
-- deleted) stands in the statements of the host, which names the queue in their text and has them planned once for a
-- connection: see `host/src/store/queues.rs`. The functions here are for the rest, and for the queues of several namespaces.

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
-- one priority the oldest. PGMQ's own index of the times until which messages are hidden goes: no claim reads it, and with
-- it each claim and each renewal of a lease would write all indexes of the queue anew, because the time is what they
-- change. Without it they write none, as long as a page has room for the changed row (a tenth of the server's time for a
-- step). It is there while a namespace has a bound: see limit_namespace.
create function tasker.create_namespace(p_namespace text) returns void
language plpgsql as $$
declare
    v_table text := tasker.queue_table(p_namespace);
begin
    perform tasker.lock_queues();
    insert into tasker.namespaces (name) values (p_namespace) on conflict (name) do nothing;
    if not exists (select from pgmq.meta where lower(queue_name) = lower(tasker.queue_name(p_namespace))) then
        perform pgmq.create(tasker.queue_name(p_namespace));
        execute format('drop index if exists pgmq.%I', v_table || '_vt_idx');
        execute format('alter table pgmq.%I set (fillfactor = 50)', v_table);
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

-- What the message of a step says.
create function tasker.step_message(p_task uuid, p_step uuid, p_correlation uuid, p_priority integer) returns jsonb
language sql stable parallel safe as $$
    select jsonb_build_object('task_uuid', p_task, 'step_uuid', p_step, 'correlation_id', p_correlation)
        || case when p_priority = 0 then '{}' else jsonb_build_object('priority', p_priority) end
$$;

-- The last place up to which the namespaces are the same as at this one. They are in order.
create function tasker.end_of_run(p_namespaces text[], p_place integer) returns integer
language plpgsql immutable parallel safe as $$
begin
    if p_namespaces[cardinality(p_namespaces)] = p_namespaces[p_place] then
        return cardinality(p_namespaces);
    end if;
    while p_namespaces[p_place + 1] = p_namespaces[p_place] loop
        p_place := p_place + 1;
    end loop;
    return p_place;
end
$$;

-- Puts messages into the queues of their namespaces, to be read at once. `p_namespaces` is in order, so that two senders
-- meet the queues in one.
create function tasker.send_messages(p_namespaces text[], p_messages jsonb[]) returns void
language plpgsql as $$
declare
    v_first integer := 1;
    v_last integer;
begin
    while v_first <= cardinality(p_namespaces) loop
        v_last := tasker.end_of_run(p_namespaces, v_first);
        execute format(
            'insert into pgmq.%I (vt, message) select clock_timestamp(), unnest($1)',
            tasker.queue_table(p_namespaces[v_first])
        ) using p_messages[v_first:v_last];
        v_first := v_last + 1;
    end loop;
end
$$;

-- Puts one message for each step into the queue of its task's namespace. The steps are already in state 'enqueued'.
create function tasker.send_steps(p_steps uuid[], p_tasks uuid[]) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_namespaces text[];
    v_messages jsonb[];
begin
    select array_agg(t.namespace order by t.namespace, ready.place),
        array_agg(tasker.step_message(t.task_uuid, ready.step_uuid, t.correlation_id, t.priority)
            order by t.namespace, ready.place)
    into v_namespaces, v_messages
    from unnest(p_steps, p_tasks) with ordinality ready (step_uuid, task_uuid, place)
    cross join lateral (
        select namespace, task_uuid, correlation_id, priority from tasker.tasks where task_uuid = ready.task_uuid offset 0
    ) t;
    perform tasker.send_messages(v_namespaces, v_messages);
end
$$;

-- Takes messages out of their queues; `p_namespaces` is in order. That of a queue's messages does not matter: who waits
-- for a message here holds the lock of its step, and those who lock messages without it (claims, renewals) wait for
-- nobody.
create function tasker.delete_messages(p_namespaces text[], p_messages bigint[]) returns void
language plpgsql as $$
declare
    v_first integer := 1;
    v_last integer;
begin
    while v_first <= cardinality(p_namespaces) loop
        v_last := tasker.end_of_run(p_namespaces, v_first);
        execute format('delete from pgmq.%I where msg_id = any ($1)', tasker.queue_table(p_namespaces[v_first]))
        using p_messages[v_first:v_last];
        v_first := v_last + 1;
    end loop;
end
$$;

-- Takes messages out of their queues and puts others in, hidden for so long from now; answers which message is whose. The
-- new ones, which are in the order of their namespaces, take the rows of the old ones as far as those go round: to change a
-- message is one statement, to delete it and to send another are two.
create function tasker.replace_messages(
    p_old_namespaces text[], p_old_messages bigint[], p_namespaces text[], p_messages jsonb[], p_hidden interval,
    out messages bigint[], out steps uuid[]
)
language plpgsql as $$
declare
    v_first integer := 1;
    v_last integer;
    v_new_first integer := 1;
    v_new_last integer;
    v_old bigint[];
    v_message bigint;
    v_step uuid;
begin
    messages := '{}';
    steps := '{}';
    select array_agg(namespace order by namespace), array_agg(message order by namespace)
    into p_old_namespaces, p_old_messages
    from unnest(p_old_namespaces, p_old_messages) old (namespace, message);
    while v_first <= cardinality(p_old_namespaces) loop
        v_last := tasker.end_of_run(p_old_namespaces, v_first);
        v_old := p_old_messages[v_first:v_last];
        if p_namespaces[v_new_first] = p_old_namespaces[v_first] then
            v_new_last := tasker.end_of_run(p_namespaces, v_new_first);
            for v_message, v_step in execute format(
                'update pgmq.%I set enqueued_at = clock_timestamp(), vt = clock_timestamp() + $3, read_ct = 0,
                    message = ($2)[array_position($1, msg_id)]
                where msg_id = any ($1)
                returning msg_id, (message ->> ''step_uuid'')::uuid',
                tasker.queue_table(p_namespaces[v_new_first])
            ) using v_old[1:v_new_last - v_new_first + 1], p_messages[v_new_first:v_new_last], p_hidden
            loop
                messages := messages || v_message;
                steps := steps || v_step;
            end loop;
            v_old := v_old[v_new_last - v_new_first + 2:];
            v_new_first := v_new_last + 1;
        end if;
        if cardinality(v_old) > 0 then
            perform tasker.delete_messages(array_fill(p_old_namespaces[v_first], array[cardinality(v_old)]), v_old);
        end if;
        v_first := v_last + 1;
    end loop;
    if cardinality(steps) = cardinality(p_messages) then
        return;
    end if;

    -- Those that there was no old one for, or one that is gone.
    select array_agg(given.namespace order by place), array_agg(given.message order by place)
    into p_namespaces, p_messages
    from unnest(p_namespaces, p_messages) with ordinality given (namespace, message, place)
    where (given.message ->> 'step_uuid')::uuid <> all (steps);
    v_first := 1;
    while v_first <= cardinality(p_namespaces) loop
        v_last := tasker.end_of_run(p_namespaces, v_first);
        for v_message, v_step in execute format(
            'insert into pgmq.%I (vt, message) select clock_timestamp() + $2, unnest($1)
            returning msg_id, (message ->> ''step_uuid'')::uuid',
            tasker.queue_table(p_namespaces[v_first])
        ) using p_messages[v_first:v_last], p_hidden
        loop
            messages := messages || v_message;
            steps := steps || v_step;
        end loop;
        v_first := v_last + 1;
    end loop;
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
