//! The YAML schema as a table, in the order of the model.

use crate::config::limits::LIMITS;
use crate::document::{
    Field,
    Shape::{self, Any, Boolean, Integer, List, OneOf, Table, TableOf, Text},
    TextRule,
};

/// Longer waits and attempts than a week are a mistake in the unit; it is also the longest time a task may have steps in
/// process.
const WEEK_SECONDS: i64 = 7 * 24 * 60 * 60;
const WEEK_MINUTES: i64 = WEEK_SECONDS / 60;

const TEXT: Shape = Shape::TEXT;
const NAME: Shape = Text(TextRule::length(1, 255));
const NAMES: Shape = List(&NAME);
const TEXTS: Shape = List(&TEXT);

/// The whole document.
pub(super) const TEMPLATE: Shape = Table(&[
    Field::required("name", NAME),
    Field::required("namespace_name", Text(TextRule::matching(255, "letters, digits and `_`", is_queue_part))),
    Field::required("version", Text(TextRule::matching(50, "a version such as 1.0.0", is_version))),
    Field::optional("description", TEXT),
    Field::optional("metadata", METADATA),
    Field::optional("system_dependencies", SYSTEM_DEPENDENCIES),
    Field::optional("domain_events", List(&DOMAIN_EVENT)),
    Field::optional("input_schema", Any),
    Field::optional("identity_strategy", OneOf(&["strict", "caller_provided", "always_unique"])),
    Field::optional("steps", List(&STEP)),
    Field::optional("environments", TableOf(&ENVIRONMENT)),
    Field::optional("lifecycle", LIFECYCLE),
]);

const METADATA: Shape = Table(&[
    Field::optional("author", TEXT),
    Field::optional("tags", TEXTS),
    Field::optional("documentation_url", TEXT),
    Field::optional("created_at", TEXT),
    Field::optional("updated_at", TEXT),
]);

const SYSTEM_DEPENDENCIES: Shape = Table(&[Field::optional("primary", NAME), Field::optional("secondary", NAMES)]);

const DOMAIN_EVENT: Shape =
    Table(&[Field::required("name", NAME), Field::optional("description", TEXT), Field::optional("schema", Any)]);

const STEP: Shape = Table(&[
    Field::required("name", NAME),
    Field::optional("description", TEXT),
    Field::required("handler", HANDLER),
    Field::optional("type", OneOf(&["standard", "decision", "deferred_convergence", "batchable", "batch_worker"]))
        .or("step_type"),
    Field::optional("dependencies", NAMES).or("depends_on"),
    Field::optional("system_dependency", TEXT),
    Field::optional("retry", RETRY),
    Field::optional("timeout_seconds", Integer(1, WEEK_SECONDS)),
    Field::optional("limits", LIMITS),
    Field::optional("publishes_events", List(&EVENT)),
    Field::optional("batch_config", BATCH_CONFIG),
    Field::optional("result_schema", Any),
    Field::optional("composition", Any),
]);

const HANDLER: Shape = Table(&[
    Field::required("callable", Text(TextRule::length(1, 500))),
    Field::optional("method", NAME),
    Field::optional("resolver", NAME),
    Field::optional("initialization", TableOf(&Any)),
]);

const RETRY: Shape = Table(&[
    Field::optional("retryable", Boolean),
    Field::optional("max_attempts", Integer(1, 100)),
    Field::optional("backoff", OneOf(&["none", "linear", "exponential", "fibonacci"])),
    Field::optional("backoff_base_ms", Integer(0, WEEK_SECONDS * 1000)),
    Field::optional("max_backoff_ms", Integer(0, WEEK_SECONDS * 1000)),
]);

const EVENT: Shape = Table(&[
    Field::required(
        "name",
        Text(TextRule::matching(255, "a dotted name of `a-z0-9_.`, such as order.paid", is_event_name)),
    ),
    Field::required("description", TEXT),
    Field::optional("condition", OneOf(&["success", "failure", "retryable_failure", "permanent_failure", "always"])),
    Field::required("schema", Any),
    Field::optional("delivery_mode", OneOf(&["durable", "fast", "broadcast"])),
    Field::optional("publisher", NAME),
]);

const BATCH_CONFIG: Shape = Table(&[
    Field::required("batch_size", Integer(1, 100_000)),
    Field::required("parallelism", Integer(1, 1_000)),
    Field::required("cursor_field", NAME),
    Field::required("worker_template", NAME),
    Field::required("failure_strategy", OneOf(&["continue_on_failure", "fail_fast", "isolate"])),
]);

const ENVIRONMENT: Shape = Table(&[Field::optional(
    "steps",
    List(&Table(&[
        Field::required("name", NAME),
        Field::optional("handler", Table(&[Field::optional("initialization", TableOf(&Any))])),
        Field::optional("timeout_seconds", Integer(1, WEEK_SECONDS)),
        Field::optional("limits", LIMITS),
        Field::optional("retry", RETRY),
    ])),
)]);

const LIFECYCLE: Shape = Table(&[
    Field::optional("max_duration_minutes", Integer(1, 43_200)),
    Field::optional("max_waiting_for_dependencies_minutes", Integer(1, WEEK_MINUTES)),
    Field::optional("max_waiting_for_retry_minutes", Integer(1, WEEK_MINUTES)),
    Field::optional("max_steps_in_process_minutes", Integer(1, WEEK_MINUTES)),
    Field::optional("staleness_action", OneOf(&["dlq", "error", "none"])),
    Field::optional("auto_fail_on_timeout", Boolean),
    Field::optional("auto_dlq_on_timeout", Boolean),
]);

fn is_queue_part(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Three numbers with dots, then what semantic versioning allows after them.
fn is_version(text: &str) -> bool {
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
    numbers.len() == 3 && numbers.iter().all(number) && rest.len() != 1 && rest.chars().all(allowed)
}

/// Whether a text may be the name of an event: dotted, of `a-z0-9_.`.
pub fn is_event_name(text: &str) -> bool {
    text.contains('.') && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.'))
}
