-- The state of every task and step.
--
-- Every name is qualified, so nothing depends on search_path. The rows are written by the functions of the later files
-- and by nothing else, which is why the hot tables carry no foreign keys: each check would take a KEY SHARE lock on one
-- template or namespace row from every host at once. Keys are UUIDv7 made by the host, so they grow with time and a
-- listing by key is a listing by age.
--
-- Payloads (context, inputs, results) are `json`, not `jsonb`: no SQL looks inside them, they come back byte for byte,
-- they are parsed once, and `json` holds what a guest may return and `jsonb` refuses (`\u0000`, lone surrogates).

create type tasker.task_state as enum (
    'pending', 'initializing', 'enqueuing_steps', 'steps_in_process', 'evaluating_results', 'waiting_for_dependencies',
    'waiting_for_retry', 'blocked_by_failures', 'complete', 'error', 'cancelled', 'resolved_manually'
);

create type tasker.step_state as enum (
    'pending', 'enqueued', 'in_progress', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration',
    'waiting_for_retry', 'complete', 'error', 'cancelled', 'resolved_manually'
);

-- Bounds of numbers that every step changes stand in their types: the server keeps those in memory, and reads the check of
-- a column from its text whenever a statement begins that writes the table (a twelfth of what the creation of a task takes
-- it, a fortieth of a commit that goes on).
create domain tasker.natural as integer check (value >= 0);
create domain tasker.priority as integer check (value between -100 and 100);

-- PGMQ allows 47 characters for a queue's name, and `worker_..._queue` takes 13 of them.
--
-- A paused namespace is claimed from by nobody; what runs goes on. `max_concurrent` bounds its steps in progress, on
-- all hosts together.
create table tasker.namespaces (
    name text primary key check (name ~ '^[A-Za-z0-9_]{1,34}$'),
    created_at timestamptz not null default clock_timestamp(),
    paused_at timestamptz,
    paused_by text,
    pause_reason text,
    max_concurrent integer check (max_concurrent > 0)
);

-- PGMQ folds queue names to lower case: two namespaces that differ only by case would share one queue.
create unique index namespaces_queue on tasker.namespaces (lower(name));

-- One row for each content ever registered; tasks point at the exact row they were planned from. The row of a name and
-- version that was registered last is the current one, so only `registered_at` ever changes.
create table tasker.templates (
    template_uuid uuid primary key,
    namespace text not null references tasker.namespaces (name),
    name text not null,
    version text not null,
    digest text not null,
    description text,
    configuration jsonb not null,
    registered_at timestamptz not null default clock_timestamp(),
    unique (namespace, name, version, digest)
);

-- A step as it is planned: `parents` is how many it waits for, `room` says that the host that creates its task begins with it.
create type tasker.new_step as (
    step_uuid uuid, task_uuid uuid, parents integer, max_attempts integer, is_sink boolean, guarded boolean,
    retryable boolean, room boolean, created_at timestamptz, name text, inputs text
);

create type tasker.new_edge as (parent_uuid uuid, child_uuid uuid);

-- `sinks_left` counts the steps without successors that are not done. The row is written when the task's own state
-- changes or such a step finishes, never for the steps between.
--
-- A task that `grows` has steps that decide over others (decisions, batchable steps). Whoever finishes one of its steps
-- or adds some holds its row's lock first, so that a new step sees which of its parents are done. `growths` counts the
-- additions: one that was planned on an older count is planned again.
--
-- `identity` is what makes the task a duplicate of another; null where every request is a new task.
--
-- A task of few steps has them in its row at first, in the order of their keys, until something happens to one of them: most are
-- complete by then, and their steps are written once, as they ended. `planned_by` is the host that began with them as it created
-- the task; where there is none, the first step waits in its queue. See write_planned.
create table tasker.tasks (
    task_uuid uuid primary key,
    template_uuid uuid not null,
    correlation_id uuid not null,
    parent_correlation_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    completed_at timestamptz,
    state tasker.task_state not null,
    sinks_left tasker.natural not null,
    growths integer not null default 0,
    priority tasker.priority not null,
    grows boolean not null,
    identity bytea,
    namespace text not null,
    name text not null,
    version text not null,
    initiator text not null,
    source_system text not null,
    reason text not null,
    planned_by text,
    tags json not null,
    context json not null,
    planned_steps tasker.new_step[],
    planned_edges tasker.new_edge[]
) with (fillfactor = 85);

create unique index tasks_identity on tasker.tasks (identity) where identity is not null;
create index tasks_by_namespace on tasker.tasks (namespace, task_uuid);
create index tasks_not_complete on tasker.tasks (state, task_uuid) where state <> 'complete';

-- `pending_parents` is the step's readiness: zero means it may run. `attempts` counts finished attempts and the one in
-- flight. `claims` is the fence: each claim bumps it, and a completion must carry the number it was given. `lapses`
-- counts the leases that ran out since the last verdict: a step that brings down its hosts is not run for ever.
--
-- `guarded` steps are finished under the lock of their task's row: those without successors, and all of a task that
-- grows. `template_step` is the step of the template a batch worker was made from; null where it is the name itself.
-- `brief` is the result of a batchable step without its cursors, which is what its workers see of it: a thousand
-- workers that each got the cursors of all would make the batch quadratic.
create table tasker.steps (
    step_uuid uuid primary key,
    task_uuid uuid not null,
    batch_uuid uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    claimed_at timestamptz,
    run_after timestamptz,
    state tasker.step_state not null,
    pending_parents tasker.natural not null,
    attempts tasker.natural not null default 0,
    max_attempts integer not null,
    claims integer not null default 0,
    lapses integer not null default 0,
    batch_place integer,
    is_sink boolean not null,
    guarded boolean not null,
    retryable boolean not null,
    name text not null,
    template_step text,
    claimed_by text,
    inputs json not null,
    result json,
    metadata json,
    error json,
    checkpoint json,
    brief json,
    unique (task_uuid, name)
) with (fillfactor = 50);

-- The predicate names `run_after`, not `state`: a state in an index's predicate would make no change of state a HOT
-- update. `run_after` is set while a step waits for its retry and null otherwise.
create index steps_due on tasker.steps (run_after) where run_after is not null;

-- A batch worker waits for a place beside its parents: at most `parallelism` of a batch are released and not ended.
-- They are released in the order of their places.
create index steps_of_batch on tasker.steps (batch_uuid, batch_place) where batch_uuid is not null;

-- One row for each batchable step that made workers; its key is that step's. `failure_strategy` says what a worker that
-- failed for good means:
--   continue_on_failure  it counts as finished: the others go on, and so does what waits for the batch, without it
--   isolate              the others go on, what waits for the batch waits until somebody resolves or resets it
--   fail_fast            no further worker is released (`closed`); those that run finish
create table tasker.batches (
    batch_uuid uuid primary key,
    task_uuid uuid not null,
    workers integer not null,
    parallelism integer not null check (parallelism > 0),
    released integer not null,
    running integer not null,
    closed boolean not null default false,
    failure_strategy text not null check (failure_strategy in ('continue_on_failure', 'fail_fast', 'isolate'))
);

-- The history of a step's checkpoints; the last one stands whole in its row.
create table tasker.checkpoints (
    step_uuid uuid not null,
    sequence bigint generated always as identity,
    items_processed bigint not null,
    at timestamptz not null default clock_timestamp(),
    attempt integer not null,
    cursor json not null,
    primary key (step_uuid, sequence)
);

create table tasker.edges (
    parent_uuid uuid not null,
    child_uuid uuid not null,
    primary key (parent_uuid, child_uuid)
);

create index edges_to_parents on tasker.edges (child_uuid) include (parent_uuid);

-- One row for each finished attempt: its outcome, what it used, its error and the end of its log. `claim` is the key, because a step that is reset
-- counts its attempts from one again and its claims never.
create table tasker.attempts (
    step_uuid uuid not null,
    claim integer not null,
    attempt integer not null,
    host_calls bigint not null,
    fuel bigint not null,
    peak_memory_bytes bigint not null,
    instantiate_us bigint not null,
    guest_us bigint not null,
    total_us bigint not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    outcome text not null,
    error_type text,
    host text not null,
    error json,
    log json,
    primary key (step_uuid, claim)
);

-- Append-only; the purge of old tasks alone deletes. `actor` is the person who asked for the change, null for the system.
--
-- One row for each change from one resting state to another, of a step or (step_uuid null) of its task. States that are
-- entered and left inside one transaction are not recorded: a task goes pending -> steps_in_process when it is created,
-- its last result takes it steps_in_process -> complete, a step goes in_progress -> complete.
--
-- What a task of few steps went through in one transaction is one row (`whole`), the last change of it: that its first step was
-- enqueued as it was created, or that it is complete with all of its steps. Where it was created `from_state` says, pending then.
-- The changes before take the numbers before the row's own, which is why these are so far apart: 32 steps, the most of such a
-- task, have 97. They are all the same but for what the rows of the steps and of their attempts say, so nothing is written for
-- them: tasker.changes tells them.
create table tasker.transitions (
    task_uuid uuid not null,
    sequence bigint generated always as identity (start 128 increment 128),
    whole boolean not null default false,
    step_uuid uuid,
    at timestamptz not null default clock_timestamp(),
    attempt integer,
    from_state text not null,
    to_state text not null,
    reason text,
    actor text,
    -- The transaction that made it: who follows changes reads them in this order, up to the oldest transaction that is
    -- still open, and so misses none that is committed late.
    xid bigint not null default pg_current_xact_id()::text::bigint,
    primary key (task_uuid, sequence)
);
