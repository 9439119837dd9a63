-- Keys of the REST API. A key is an identifier and a secret; the secret is random, so one round of SHA-256 keeps it as
-- safe as a slow hash would, and costs a request nothing.

create table tasker.api_keys (
    key_uuid uuid primary key,
    name text not null check (length(name) between 1 and 255),
    hash bytea not null check (octet_length(hash) = 32),
    permissions text[] not null check (cardinality(permissions) > 0),
    -- Null is every namespace.
    namespaces text[],
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    revoked_by text
);
