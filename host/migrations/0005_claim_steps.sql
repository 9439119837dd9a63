-- Claiming: messages that are visible are read and hidden for the length of the lease, their steps are marked in progress, and
-- what the execution of each needs is gathered (take_steps), all in one statement. A claim from one queue reads it by a
-- statement of the host; one from several has read_queues do it.
--
-- * A task whose steps stand in its row is claimed by reading its message, and nothing else is written: the message says whether
--   it was read before, and then somebody else may have begun with the task.
-- * The commit does not wait for the disk. A claim lost in a crash leaves its message in the queue, to be read again; a
--   completion is durable, and the log is flushed in order, so no completion outlives its claim.
-- * The limit is shared between the namespaces in a random order, then what is left goes to those that have more.
-- * No lock is waited for. A step that somebody holds at this moment is left alone, and its message read again a second
--   later, if it is still there.
-- * Within a namespace urgent tasks come first. One read in five goes by age alone, so that nothing waits for ever behind
--   a stream of urgent work.
-- * Nothing is read for a paused namespace, and no more than fits for one with a bound on its steps in progress. Claims
--   for such a namespace go one at a time: the row's lock is what keeps two hosts from filling the same places.
-- * A message whose step is in progress has outlived its lease. It is claimed again with a new fence; the attempt is
--   the same one, because the first never reached a verdict.
-- * Messages without a step that may run are cleared away: deleted when the step is done or its task rests, archived when
--   it is unknown.
--
-- The messages are gathered into arrays first: joined directly, the planner takes the queue for a thousand rows and
-- scans all of tasker.steps. A plan is made once for a connection and kept, perhaps since the tables were empty, when to
-- read all of them is cheap. So these functions forbid plans that do (whole scans, hash and merge joins, rows set aside for
-- a loop), and join to what may grow from rows that are there, by its key: `key = any (array[row.key])`, or in a lateral
-- query with `offset 0`. With a plain `key = row.key` the planner would still read all of an index, because its order is
-- of use to a join or to `order by`; for the same reason rows that are locked are ordered by the given keys and not by
-- their own.

-- The step that a message names, or the task, if it names any. To match a pattern takes the server as long as the rest of a claim,
-- so it is asked whether it could read the text, from PostgreSQL 16 on.
do $$
begin
    execute format(
        'create function tasker.step_of(p_text text) returns uuid
        language sql stable parallel safe as $f$ select case when %s then p_text::uuid end $f$',
        case when current_setting('server_version_num')::integer >= 160000 then 'pg_input_is_valid(p_text, ''uuid'')'
            else 'p_text ~ ''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$''' end
    );
end
$$;

-- A message that was read. What it does not name is null. `is_new` says that it never was read before.
create type tasker.read_message as (
    namespace text, message bigint, step_uuid uuid, task_uuid uuid, is_new boolean
);

-- The readable part of one queue. The host's own statement for one queue is this one; here it is planned each time.
create function tasker.read_messages(p_namespace text, p_limit integer, p_lease interval) returns tasker.read_message[]
language plpgsql
set enable_sort = off
as $$
declare
    v_read tasker.read_message[];
begin
    execute format(
        'with taken as (
            update pgmq.%1$I set vt = clock_timestamp() + $2, read_ct = read_ct + 1
            where ctid = any (array(
                select ctid from pgmq.%1$I where vt <= clock_timestamp() order by %2$s limit $1
                for update skip locked
            ))
            returning msg_id, read_ct, message
        )
        select array_agg(row (
            %3$L, msg_id, tasker.step_of(message ->> ''step_uuid''), tasker.step_of(message ->> ''task_uuid''), read_ct = 1
        )::tasker.read_message order by msg_id) from taken',
        tasker.queue_table(p_namespace),
        case when random() < 0.8 then 'coalesce((message ->> ''priority'')::integer, 0) desc, ' else '' end || 'msg_id',
        p_namespace
    ) into v_read using p_limit, p_lease;
    return v_read;
end
$$;

-- How many messages of a namespace may be read, at most `p_limit`: none where it is paused or unknown, and where its steps
-- in progress are bounded as many as there is room for, none while another claim is counting. Every claim asks this first, so
-- it is here that its commit is told not to wait for the disk: the lock of a message that somebody else has taken meanwhile
-- is enough to make it one.
create function tasker.room_for(p_namespace text, p_limit integer) returns integer
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
declare
    -- An assignment, because "perform" would be a statement with a plan of its own.
    v_commit text := set_config('synchronous_commit', 'off', true);
    v_bound integer;
    v_taken integer;
begin
    select max_concurrent into v_bound from tasker.namespaces where name = p_namespace and paused_at is null;
    if not found then
        return 0;
    end if;
    if v_bound is null then
        return p_limit;
    end if;
    perform from tasker.namespaces where name = p_namespace for update skip locked;
    if not found then
        return 0;
    end if;
    execute format('select count(*) from pgmq.%I where vt > clock_timestamp()', tasker.queue_table(p_namespace))
    into v_taken;
    return greatest(0, least(p_limit, v_bound - v_taken));
end
$$;

-- What becomes of read messages whose steps were not claimed. Those whose step can not be run go. A step that somebody
-- holds is looked at again soon: a completion takes its message along, but an operator or a growth only passes by, and
-- the step must not wait for a lease that nobody has. One that stands in its task's row still is read again at once.
create function tasker.clear_messages(
    p_namespaces text[], p_messages bigint[], p_steps uuid[], p_tasks uuid[], p_claimed uuid[]
) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_batch record;
begin
    for v_batch in
        select given.namespace, array_agg(given.message) filter (where may_run) as held,
            array_agg(given.message) filter (where not may_run) as done,
            array_agg(given.message) filter (where may_run is null and is_planned) as planned,
            array_agg(given.message) filter (where may_run is null and not is_planned) as unknown
        from unnest(p_namespaces, p_messages, p_steps, p_tasks) given (namespace, message, step_uuid, task_uuid)
        cross join lateral (
            select exists (
                select from tasker.tasks t where t.task_uuid = given.task_uuid and t.planned_steps is not null
            ) as is_planned
        ) task
        left join lateral (
            select s.state in ('enqueued', 'in_progress')
                and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually') as may_run
            from tasker.steps s join tasker.tasks t on t.task_uuid = any (array[s.task_uuid])
            where s.step_uuid = given.step_uuid
        ) step on true
        where given.step_uuid is null or given.step_uuid <> all (p_claimed)
        group by given.namespace
        order by given.namespace
    loop
        if v_batch.held is not null then
            perform tasker.hide_messages(v_batch.namespace, v_batch.held, '1 second');
        end if;
        if v_batch.done is not null then
            perform tasker.delete_messages(
                array_fill(v_batch.namespace, array[cardinality(v_batch.done)]), v_batch.done
            );
        end if;
        if v_batch.planned is not null then
            perform tasker.hide_messages(v_batch.namespace, v_batch.planned, '0 seconds');
        end if;
        if v_batch.unknown is not null then
            perform pgmq.archive(tasker.queue_name(v_batch.namespace), v_batch.unknown);
        end if;
    end loop;
end
$$;

create type tasker.claimed_step as (
    namespace text, message_id bigint, task_uuid uuid, step_uuid uuid, template_uuid uuid, correlation_id uuid,
    name text, template_step text, attempts integer, max_attempts integer, claim integer, lapses integer,
    retryable boolean, guarded boolean, inputs json, checkpoint json, created_at timestamptz,
    task_name text, task_version text, task_context json, task_tags json, task_priority integer, task_initiator text,
    task_source_system text, task_reason text, task_created_at timestamptz, parent_correlation_id uuid,
    result_names text[], result_steps uuid[], results json[], planned integer, claimed_by text
);

-- Everything that the execution of claimed steps needs, with the results of all that were complete before each. Volatile, so
-- that it sees what the statement that calls it has claimed; strict, so that it is not called for none.
--
-- The planner takes a recursion for ten times what it begins with, ten times over, and would clear a megabyte for that
-- on each call.
create function tasker.claimed_steps(p_messages bigint[], p_steps uuid[])
returns setof tasker.claimed_step
language plpgsql strict
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off set recursive_worktable_factor = 1
as $$
begin
    return query
    -- Each step itself, at first, so that it is there if nothing was before it.
    with recursive line (place, step_uuid) as (
        select place, step_uuid from unnest(p_steps) with ordinality given (step_uuid, place)
        union
        select line.place, e.parent_uuid from line
        cross join lateral (select parent_uuid from tasker.edges where child_uuid = line.step_uuid offset 0) e
    ), brought as (
        select line.place, array_agg(a.name) filter (where a.name is not null) as names,
            array_agg(a.step_uuid) filter (where a.name is not null) as steps,
            -- A worker sees its batchable step's result without the cursors of the others.
            array_agg(case when a.brief is not null and a.step_uuid = (
                select worker.batch_uuid from tasker.steps worker where worker.step_uuid = p_steps[line.place]
            ) then a.brief else a.result end) filter (where a.name is not null) as results
        from line
        left join tasker.steps a on a.step_uuid = any (array[line.step_uuid]) and a.step_uuid <> p_steps[line.place]
            and a.state in ('complete', 'resolved_manually')
        group by line.place
    )
    select t.namespace, p_messages[brought.place], s.task_uuid, s.step_uuid, t.template_uuid,
        t.correlation_id, s.name, s.template_step, s.attempts::integer, s.max_attempts, s.claims, s.lapses, s.retryable,
        s.guarded, s.inputs, s.checkpoint, s.created_at, t.name, t.version, t.context, t.tags,
        t.priority::integer, t.initiator, t.source_system, t.reason, t.created_at, t.parent_correlation_id,
        brought.names, brought.steps, brought.results, null::integer, s.claimed_by
    from brought
    join tasker.steps s on s.step_uuid = any (array[p_steps[brought.place]])
    join tasker.tasks t on t.task_uuid = any (array[s.task_uuid])
    order by brought.place;
end
$$;

-- The namespaces in whose queues something is to be read. A statement for each would be planned each time, and take
-- longer than the claim of a step; this one looks into all of them.
create function tasker.namespaces_with_work(p_namespaces text[]) returns text[]
language plpgsql
set enable_seqscan = off set jit = off
as $$
declare
    v_looks text;
    v_found text[] := '{}';
begin
    select string_agg(format(
        'case when exists (select from pgmq.%I where vt <= $1) then %L end', tasker.queue_table(n.name), n.name
    ), ', ')
    into v_looks from tasker.namespaces n where n.name = any (p_namespaces) and n.paused_at is null;
    if v_looks is not null then
        execute 'select array_remove(array[' || v_looks || '], null)' into v_found using clock_timestamp();
    end if;
    return v_found;
end
$$;

-- Claims what was read, for this host. Tasks whose steps stand in their rows come with how many these are (`planned`), if nobody
-- has read their messages before; else the host that began with them is gone, and the steps are written. Who holds such a task at
-- this moment is not waited for.
--
-- Of the others the steps are marked in progress, and those for which that could be are answered. They are found again by the
-- place of the row that was locked; one that changed since the statement began is not seen there, and is left alone like one that
-- somebody holds.
create function tasker.take_steps(p_read tasker.read_message[], p_host text)
returns setof tasker.claimed_step
language plpgsql strict
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
#variable_conflict use_column
declare
    v_whole integer;
    v_namespaces text[];
    v_messages bigint[];
    v_steps uuid[];
    v_tasks uuid[];
    v_planned uuid[];
    v_claimed uuid[];
begin
    return query
    select t.namespace, (read.it).message, t.task_uuid, (first).step_uuid, t.template_uuid, t.correlation_id, (first).name,
        null::text, 1, (first).max_attempts, 1, 0, (first).retryable, (first).guarded, (first).inputs::json, null::json,
        t.created_at, t.name, t.version, t.context, t.tags, t.priority::integer, t.initiator, t.source_system, t.reason,
        t.created_at, t.parent_correlation_id, null::text[], null::uuid[], null::json[], t.planned, p_host
    from (select unnest(p_read) as it) read
    cross join lateral (
        select *, planned_steps[1] as first, cardinality(planned_steps) as planned from tasker.tasks
        where task_uuid = (read.it).task_uuid and planned_steps is not null offset 0
    ) t
    where (read.it).is_new;
    get diagnostics v_whole = row_count;
    if v_whole = cardinality(p_read) then
        return;
    end if;

    select array_agg((it).namespace), array_agg((it).message), array_agg((it).step_uuid), array_agg((it).task_uuid),
        array_agg((it).task_uuid) filter (where is_planned)
    into v_namespaces, v_messages, v_steps, v_tasks, v_planned
    from (select unnest(p_read) as it) read
    cross join lateral (
        select exists (
            select from tasker.tasks where task_uuid = (it).task_uuid and planned_steps is not null
        ) as is_planned
    ) task
    where not ((it).is_new and is_planned);
    if v_planned is not null then
        perform tasker.write_planned(array(
            select task_uuid from tasker.tasks where task_uuid = any (v_planned) for update skip locked
        ), true);
    end if;
    with free as (
        select s.ctid as place, s.state from tasker.steps s
        cross join lateral (
            select from tasker.tasks t
            where t.task_uuid = s.task_uuid and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
            offset 0
        ) t
        where s.step_uuid = any (v_steps) and s.state in ('enqueued', 'in_progress')
        for update of s skip locked
    ), claimed as (
        update tasker.steps s
        set state = 'in_progress', attempts = s.attempts + (free.state = 'enqueued')::integer, claims = s.claims + 1,
            lapses = s.lapses + (free.state = 'in_progress')::integer,
            claimed_by = p_host, claimed_at = clock_timestamp(), updated_at = clock_timestamp()
        from free where s.ctid = free.place
        returning s.step_uuid, s.task_uuid, s.attempts, free.state as from_state
    ), logged as (
        insert into tasker.transitions (task_uuid, step_uuid, attempt, from_state, to_state, reason)
        select task_uuid, step_uuid, attempts, from_state, 'in_progress',
            case when from_state = 'in_progress' then 'its lease lapsed' end
        from claimed
    )
    select array_agg(step_uuid) into v_claimed from claimed;
    if coalesce(cardinality(v_claimed), 0) < cardinality(v_messages) then
        perform tasker.clear_messages(v_namespaces, v_messages, v_steps, v_tasks, coalesce(v_claimed, '{}'));
        select array_agg(read.message order by place), array_agg(read.step_uuid order by place)
        into v_messages, v_steps
        from unnest(v_messages, v_steps) with ordinality read (message, step_uuid, place)
        where read.step_uuid = any (v_claimed);
    end if;
    if v_steps is not null then
        return query select * from tasker.claimed_steps(v_messages, v_steps);
    end if;
end
$$;

-- Reads up to `p_limit` messages from the queues of several namespaces. `p_places` says of each namespace how many of its steps
-- are claimed at most; null: as many as `p_limit`.
create function tasker.read_queues(
    p_namespaces text[], p_limit integer, p_lease_seconds double precision, p_places integer[] default null
) returns tasker.read_message[]
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
declare
    v_lease interval := make_interval(secs => p_lease_seconds);
    v_open text[];
    v_places integer[];
    v_more text[] := '{}';
    v_more_places integer[] := '{}';
    v_namespace text;
    v_share integer;
    v_left integer := p_limit;
    v_found tasker.read_message[];
    v_read tasker.read_message[];
begin
    select array_agg(working.name order by random()) into v_open
    from unnest(tasker.namespaces_with_work(p_namespaces)) working (name);
    v_places := array(
        select p_places[array_position(p_namespaces, open.name)] from unnest(v_open) with ordinality open (name, place)
        order by open.place
    );
    -- Two rounds: a share for each namespace, then the rest for those that filled theirs.
    for v_round in 1..2 loop
        for v_place in 1..coalesce(cardinality(v_open), 0) loop
            exit when v_left <= 0;
            v_namespace := v_open[v_place];
            v_share := case v_round
                when 1 then ceil(v_left::numeric / (cardinality(v_open) - v_place + 1))::integer else v_left end;
            v_share := least(v_share, v_places[v_place]);
            v_share := tasker.room_for(v_namespace, v_share);
            continue when v_share = 0;
            v_found := tasker.read_messages(v_namespace, v_share, v_lease);
            continue when v_found is null;
            v_read := v_read || v_found;
            v_left := v_left - cardinality(v_found);
            if cardinality(v_found) = v_share then
                v_more := v_more || v_namespace;
                v_more_places := v_more_places || (v_places[v_place] - v_share);
            end if;
        end loop;
        exit when v_left <= 0 or cardinality(v_more) = 0;
        v_open := v_more;
        v_places := v_more_places;
    end loop;
    return v_read;
end
$$;
