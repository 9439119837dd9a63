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
