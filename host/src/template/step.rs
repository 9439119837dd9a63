//! A step as data: what runs, after what, how often, and what it announces.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::config::limits::{Limit, LimitSet};

/// One step of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepDefinition {
    /// Unique in its template.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: Option<String>,
    /// What runs.
    pub handler: Handler,
    /// How it takes part in the workflow.
    #[serde(rename = "type", alias = "step_type", default)]
    pub step_type: StepType,
    /// The steps that must be complete before it starts.
    #[serde(alias = "depends_on", default)]
    pub dependencies: Vec<String>,
    /// The system it talks to.
    #[serde(default)]
    pub system_dependency: Option<String>,
    /// What happens after a failed attempt.
    #[serde(default)]
    pub retry: Retry,
    /// Wall-clock limit of one attempt; `None` leaves it to the settings.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// What one attempt may use, over what its handler asks for and under the ceiling of the namespace. The host's own key,
    /// which Tasker does not have; written only where something is said, and without `timeout_ms` where `timeout_seconds`
    /// is set. A limit of a later version is refused when it is read back, because it would not be kept.
    #[serde(default, skip_serializing_if = "LimitSet::is_empty")]
    pub limits: LimitSet,
    /// The events published when it ends.
    #[serde(default)]
    pub publishes_events: Vec<EventDeclaration>,
    /// How its work is cut into batches; required for `batch_worker`.
    #[serde(default)]
    pub batch_config: Option<BatchConfig>,
    /// JSON Schema that its result must fit.
    #[serde(default)]
    pub result_schema: Option<Json>,
    /// Kept for tools that compose handlers.
    #[serde(default)]
    pub composition: Option<Json>,
}

impl StepDefinition {
    /// Every limit the template sets, `timeout_seconds` among them.
    pub fn all_limits(&self) -> LimitSet {
        let mut limits = self.limits;
        if let Some(seconds) = self.timeout_seconds {
            limits.set(Limit::TimeoutMs, Some(seconds.saturating_mul(1_000)));
        }
        limits
    }

    /// Lays the time and the limits of an override over its own. Whichever way the override writes the time, it replaces the
    /// step's.
    pub(super) fn override_limits(&mut self, timeout_seconds: Option<u64>, limits: &LimitSet) {
        if timeout_seconds.is_some() {
            self.timeout_seconds = timeout_seconds;
            self.limits.set(Limit::TimeoutMs, None);
        }
        if limits.get(Limit::TimeoutMs).is_some() {
            self.timeout_seconds = None;
        }
        self.limits = limits.or(&self.limits);
    }
}

/// What runs a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handler {
    /// The name the handler is registered by.
    pub callable: String,
    /// The method that is called, when it is not `call`.
    #[serde(default)]
    pub method: Option<String>,
    /// The one resolver that may find it; `None` tries all.
    #[serde(default)]
    pub resolver: Option<String>,
    /// What the handler sees as its configuration and as the step's inputs.
    #[serde(default)]
    pub initialization: Map<String, Json>,
}

impl Handler {
    /// The method that is called.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("call")
    }
}

/// How a step takes part in the workflow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepType {
    /// Runs once its dependencies are complete.
    #[default]
    Standard,
    /// Chooses which of its dependants come into being.
    Decision,
    /// Waits for those of its dependencies that came into being.
    DeferredConvergence,
    /// Cuts its work into batches.
    Batchable,
    /// The pattern of the steps that work on a batch.
    BatchWorker,
}

impl StepType {
    /// The word in YAML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Decision => "decision",
            Self::DeferredConvergence => "deferred_convergence",
            Self::Batchable => "batchable",
            Self::BatchWorker => "batch_worker",
        }
    }
}

/// What happens after a failed attempt.
///
/// Without a `retry` object both waits are set (1 s and 30 s); an object that leaves them out says nothing about them.
/// Tasker has this difference, and stored templates depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Whether a failed attempt may be followed by another.
    #[serde(default = "Retry::default_retryable")]
    pub retryable: bool,
    /// Attempts in all, the first included: 1 to 100.
    #[serde(default = "Retry::default_max_attempts")]
    pub max_attempts: u32,
    /// How the wait grows from attempt to attempt.
    #[serde(default)]
    pub backoff: Backoff,
    /// The first wait in milliseconds.
    #[serde(default)]
    pub backoff_base_ms: Option<u64>,
    /// The longest wait in milliseconds.
    #[serde(default)]
    pub max_backoff_ms: Option<u64>,
}

impl Retry {
    fn default_retryable() -> bool {
        true
    }

    fn default_max_attempts() -> u32 {
        3
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retryable: Self::default_retryable(),
            max_attempts: Self::default_max_attempts(),
            backoff: Backoff::default(),
            backoff_base_ms: Some(1_000),
            max_backoff_ms: Some(30_000),
        }
    }
}

/// How the wait between attempts grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// No wait.
    None,
    /// The base, twice the base, three times the base.
    Linear,
    /// Doubles each time.
    #[default]
    Exponential,
    /// The base times 1, 1, 2, 3, 5.
    Fibonacci,
}

impl Backoff {
    /// The word in YAML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Linear => "linear",
            Self::Exponential => "exponential",
            Self::Fibonacci => "fibonacci",
        }
    }
}

/// An event that is published when a step ends in a certain way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventDeclaration {
    /// Dotted, of `a-z0-9_.`, such as `order.paid`.
    pub name: String,
    /// What it tells.
    pub description: String,
    /// When it is published.
    #[serde(default)]
    pub condition: EventCondition,
    /// JSON Schema of its payload.
    pub schema: Json,
    /// How it is delivered.
    #[serde(default)]
    pub delivery_mode: DeliveryMode,
    /// The publisher that builds its payload; `None` sends the step's result.
    #[serde(default)]
    pub publisher: Option<String>,
}

/// The ends of a step that publish an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventCondition {
    /// It succeeded.
    #[default]
    Success,
    /// It failed, for good or not.
    Failure,
    /// It failed and may be tried again.
    RetryableFailure,
    /// It failed for good.
    PermanentFailure,
    /// It ended.
    Always,
}

/// How an event is delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Through a queue.
    #[default]
    Durable,
    /// Inside the process.
    Fast,
    /// Both.
    Broadcast,
}

/// How a batchable step's work is cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchConfig {
    /// Items in a batch: 1 to 100,000.
    pub batch_size: u32,
    /// Batches worked on at once: 1 to 1,000.
    pub parallelism: u32,
    /// The field that the cursor follows.
    pub cursor_field: String,
    /// The step that is the pattern of the workers.
    pub worker_template: String,
    /// What a failed batch means for the others.
    pub failure_strategy: FailureStrategy,
}

/// What a batch worker that failed for good means for the others and for what waits for the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureStrategy {
    /// It counts as finished: the others go on, and so does what waits for the batch, without it.
    ContinueOnFailure,
    /// No further worker starts; those that run finish.
    FailFast,
    /// The others go on; what waits for the batch waits until somebody mends the failed one.
    Isolate,
}

impl FailureStrategy {
    /// The word in YAML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContinueOnFailure => "continue_on_failure",
            Self::FailFast => "fail_fast",
            Self::Isolate => "isolate",
        }
    }
}
