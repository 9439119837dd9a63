-- Every namespace with what its queue holds: a message that is hidden is a step under lease, one that is not waits.
create function tasker.namespace_views() returns table (
    name text, created_at timestamptz, paused_at timestamptz, paused_by text, pause_reason text, max_concurrent integer,
    queued bigint, in_progress bigint
)
language plpgsql
set jit = off
as $$
#variable_conflict use_column
declare
    v_namespace tasker.namespaces;
begin
    for v_namespace in select * from tasker.namespaces n order by n.name loop
        return query execute format(
            'select $1, $2, $3, $4, $5, $6, count(*) filter (where vt <= clock_timestamp()),
                count(*) filter (where vt > clock_timestamp())
            from pgmq.%I',
            tasker.queue_table(v_namespace.name)
        ) using v_namespace.name, v_namespace.created_at, v_namespace.paused_at, v_namespace.paused_by,
            v_namespace.pause_reason, v_namespace.max_concurrent;
    end loop;
end
$$;

-- Bounds how many steps of a namespace run at once on all hosts together, or lifts the bound (null). Each claim from one
-- that has a bound counts the hidden messages of its queue, and that is what the index is for: without it the count would
-- read all that wait. False where there is no such namespace.
create function tasker.limit_namespace(p_namespace text, p_bound integer, p_actor text) returns boolean
language plpgsql as $$
declare
    v_table text := tasker.queue_table(p_namespace);
    v_index text := v_table || '_vt_idx';
begin
    update tasker.namespaces set max_concurrent = p_bound where name = p_namespace;
    if not found then
        return false;
    end if;
    insert into tasker.operator_actions (actor, action, kind, namespace, subject)
    values (
        p_actor, 'limit to ' || coalesce(p_bound::text, 'any number'), 'namespace', p_namespace, p_namespace
    );
    if p_bound is null then
        execute format('drop index if exists pgmq.%I', v_index);
    elsif to_regclass(format('pgmq.%I', v_index)) is null then
        execute format('create index %I on pgmq.%I (vt)', v_index, v_table);
    end if;
    return true;
end
$$;
