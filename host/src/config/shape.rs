//! The keys a file may have and the bounds of their values, in the order of the model.
//!
//! Nothing is required: a layer says only what it changes, and the base says everything.

use super::{DatabaseUrl, limits::LIMITS, web::WEB};
use crate::document::{
    Field,
    Shape::{self, Boolean, Closed, Integer, List, Number, Table, TableOf, Text},
    TextRule,
};
use crate::grants::ALLOWED;

const HOUR_SECONDS: i64 = 60 * 60;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
const DAY_MINUTES: i64 = 24 * 60;

pub(super) const PATH: Shape = Text(TextRule::length(1, 4096));

/// A whole file.
pub(super) const CONFIG: Shape = Table(&[
    Field::optional("common", COMMON),
    Field::optional("orchestration", ORCHESTRATION),
    Field::optional("worker", WORKER),
]);

const COMMON: Shape = Table(&[
    Field::optional(
        "database",
        Table(&[
            Field::optional("url", Text(DATABASE_URL)),
            Field::optional("postgres_bin", PATH),
            Field::optional(
                "pool",
                Table(&[
                    // Fewer than four, and the sweep, the completions and a command would wait for each other.
                    Field::optional("max_connections", Integer(4, 1000)),
                ]),
            ),
        ]),
    ),
    Field::optional(
        "queues",
        Table(&[
            // Leases are renewed at a third of their length, and a busy database may take a second for it.
            Field::optional("default_visibility_timeout_seconds", Integer(3, DAY_SECONDS)),
            Field::optional("pgmq", Table(&[Field::optional("poll_interval_ms", Integer(10, 60_000))])),
        ]),
    ),
    Field::optional("execution", Table(&[Field::optional("environment", Text(TextRule::length(1, 64)))])),
    Field::optional(
        "backoff",
        Table(&[
            Field::optional("jitter_enabled", Boolean),
            Field::optional("jitter_max_percentage", Number(0.0, 1.0)),
            Field::optional("max_backoff_seconds", Integer(0, 7 * DAY_SECONDS)),
        ]),
    ),
    Field::optional("task_templates", Table(&[Field::optional("search_paths", List(&PATH))])),
]);

const ORCHESTRATION: Shape = Table(&[
    Field::optional("shutdown_timeout_ms", Integer(0, HOUR_SECONDS * 1000)),
    Field::optional("sweep_interval_ms", Integer(10, HOUR_SECONDS * 1000)),
    Field::optional("max_lapses", Integer(1, 1000)),
    Field::optional(
        "decision_points",
        Table(&[
            Field::optional("max_steps_per_decision", Integer(1, 10_000)),
            Field::optional("max_decision_depth", Integer(1, 1000)),
        ]),
    ),
    // More than this at once would make a commit that everybody waits for.
    Field::optional("batch_processing", Table(&[Field::optional("max_workers", Integer(1, 100_000))])),
    Field::optional("dlq", Table(&[Field::optional("staleness_detection", STALENESS_DETECTION)])),
    Field::optional("web", WEB),
    Field::optional(
        "retention",
        Table(&[
            Field::optional("finished_tasks_days", RETENTION_DAYS),
            Field::optional("archives_days", RETENTION_DAYS),
            Field::optional("domain_events_days", RETENTION_DAYS),
            Field::optional("interval_minutes", Integer(1, 7 * DAY_MINUTES)),
            Field::optional("batch_size", Integer(1, 10_000)),
        ]),
    ),
]);

/// A hundred years are for ever.
const RETENTION_DAYS: Shape = Integer(1, 36_500);

const STALENESS_DETECTION: Shape = Table(&[
    Field::optional("enabled", Boolean),
    Field::optional("detection_interval_seconds", Integer(1, DAY_SECONDS)),
    Field::optional("batch_size", Integer(1, 10_000)),
    Field::optional("dry_run", Boolean),
    // The bounds are those of a template's `lifecycle`.
    Field::optional(
        "thresholds",
        Table(&[
            Field::optional("waiting_for_dependencies_minutes", Integer(1, 7 * DAY_MINUTES)),
            Field::optional("waiting_for_retry_minutes", Integer(1, 7 * DAY_MINUTES)),
            Field::optional("steps_in_process_minutes", Integer(1, 7 * DAY_MINUTES)),
            Field::optional("task_max_lifetime_hours", Integer(1, 30 * 24)),
        ]),
    ),
]);

const WORKER: Shape = Table(&[
    Field::optional("worker_id", Text(TextRule::length(1, 255))),
    Field::optional("processes", Integer(1, 1_024)),
    Field::optional("component_path", List(&PATH)),
    Field::optional(
        "mpsc_channels",
        Table(&[
            Field::optional(
                "handler_dispatch",
                Table(&[
                    Field::optional("dispatch_buffer", Integer(1, 100_000)),
                    Field::optional("completion_buffer", Integer(1, 100_000)),
                    // More than 16,000 reservations of address space do not fit.
                    Field::optional("max_concurrent_handlers", Integer(1, 10_000)),
                    Field::optional("max_share_per_namespace", Number(0.01, 1.0)),
                    Field::optional("handler_timeout_ms", Integer(1, 7 * DAY_SECONDS * 1000)),
                ]),
            ),
            Field::optional(
                "in_process_events",
                Table(&[Field::optional("broadcast_buffer_size", Integer(1, 1_000_000))]),
            ),
        ]),
    ),
    Field::optional(
        "sandbox",
        Table(&[
            Field::optional("limits", LIMITS),
            Field::optional("max_limits", LIMITS),
            Field::optional("cache_dir", PATH),
        ]),
    ),
    Field::optional(
        "http",
        Table(&[
            Field::optional("connect_timeout_ms", Integer(1, HOUR_SECONDS * 1000)),
            Field::optional("response_timeout_ms", Integer(1, 7 * DAY_SECONDS * 1000)),
            Field::optional("idle_timeout_ms", Integer(0, HOUR_SECONDS * 1000)),
            Field::optional("ca_files", List(&PATH)),
        ]),
    ),
    Field::optional("namespaces", TableOf(&NAMESPACE)),
]);

/// The host's own, like the grants in it, so no key of it can be Tasker's.
const NAMESPACE: Shape = Closed(&[Field::optional("max_limits", LIMITS), Field::optional("grants", ALLOWED)]);

const DATABASE_URL: TextRule = TextRule {
    secret: true,
    ..TextRule::matching(4096, "a URL such as postgres://user:password@host:5432/database", DatabaseUrl::is_valid)
};
