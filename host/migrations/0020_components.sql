-- The component that each package of a namespace last ran as, so that a new build which asks for more than the last one is
-- seen, and shown with the difference.

create table tasker.components (
    namespace text not null,
    name text not null,
    -- SHA-256 of the file, hex.
    digest text not null,
    -- What the package asks to reach: `grants` of its manifest.
    asks jsonb not null,
    first_run_at timestamptz not null default clock_timestamp(),
    -- Since when it is this digest.
    changed_at timestamptz not null default clock_timestamp(),
    last_run_at timestamptz not null default clock_timestamp(),
    primary key (namespace, name)
);

comment on table tasker.components is 'The component that each package of a namespace last ran as.';

-- Records the components a host is about to run (`p_runs`) and answers what was there before of all that are named, so
-- that one that is refused can be compared with the build that ran. Hosts that start together agree on an order of locks.
-- Two components of one name are one package copied: the last digest counts.
create function tasker.record_components(
    p_namespaces text[], p_names text[], p_digests text[], p_asks text[], p_runs boolean[]
) returns table (namespace text, name text, digest text, asks jsonb, last_run_at timestamptz)
language sql as $$
    with given as (
        select distinct on (g.namespace, g.name) g.*
        from unnest(p_namespaces, p_names, p_digests, p_asks, p_runs) as g (namespace, name, digest, asks, runs)
        order by g.namespace, g.name, g.runs desc, g.digest desc
    ), recorded as (
        insert into tasker.components as c (namespace, name, digest, asks)
        select g.namespace, g.name, g.digest, g.asks::jsonb
        from given g where g.runs order by g.namespace, g.name
        on conflict on constraint components_pkey do update set
            digest = excluded.digest,
            asks = excluded.asks,
            changed_at = case when c.digest = excluded.digest then c.changed_at else excluded.changed_at end,
            last_run_at = excluded.last_run_at
    )
    -- Read as of before the statement above.
    select c.namespace, c.name, c.digest, c.asks, c.last_run_at
    from tasker.components c join given g on g.namespace = c.namespace and g.name = c.name
    order by c.namespace, c.name
$$;
