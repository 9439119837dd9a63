//! The settings as data. `config/tasker/base/*.toml` says of each what it is for and why it is what it is.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer};

use super::{DatabaseUrl, limits::LimitSet, web::Web};
use crate::grants::Allowed;

/// Every setting of the host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Config {
    /// Which environment the settings are for.
    #[serde(skip)]
    pub environment: Environment,
    /// What every part shares.
    pub common: Common,
    /// Creating tasks, evaluating results, sweeping.
    pub orchestration: Orchestration,
    /// Claiming steps and running handlers.
    pub worker: Worker,
}

/// The environments that settings and templates tell apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Environment {
    /// Automated tests.
    Test,
    /// A person's machine.
    #[default]
    Development,
    /// Everything that matters.
    Production,
}

impl Environment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Test, Self::Development, Self::Production];

    /// The word in `TASKER_ENV`, in folder names and in templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// `common`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Common {
    /// `common.database`.
    pub database: Database,
    /// `common.queues`.
    pub queues: Queues,
    /// `common.execution`.
    pub execution: Execution,
    /// `common.backoff`.
    pub backoff: Backoff,
    /// `common.task_templates`.
    pub task_templates: TaskTemplates,
}

/// `common.database`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Database {
    /// The server; `None` means a private one.
    #[serde(default)]
    pub url: Option<DatabaseUrl>,
    /// The private server's programs; `None` means the usual places.
    #[serde(default)]
    pub postgres_bin: Option<PathBuf>,
    /// `common.database.pool`.
    pub pool: Pool,
}

/// `common.database.pool`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pool {
    /// Connections of a host.
    pub max_connections: u32,
}

/// `common.queues`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Queues {
    /// The lease of a claimed step.
    #[serde(rename = "default_visibility_timeout_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    /// `common.queues.pgmq`.
    pub pgmq: Pgmq,
}

/// `common.queues.pgmq`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pgmq {
    /// Time between looks at the queues.
    #[serde(rename = "poll_interval_ms", deserialize_with = "millis")]
    pub poll_interval: Duration,
}

/// `common.execution`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Execution {
    /// Which `environments:` of templates apply: the word of [`Environment`] unless a file says another one.
    pub environment: String,
}

/// `common.backoff`: what applies to every wait before a retry, whatever its template says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Backoff {
    /// Whether waits are spread.
    pub jitter_enabled: bool,
    /// Largest change of a wait, as a fraction of it: 0 to 1.
    pub jitter_max_percentage: f64,
    /// The longest wait.
    #[serde(rename = "max_backoff_seconds", deserialize_with = "seconds")]
    pub max_backoff: Duration,
}

/// `common.task_templates`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TaskTemplates {
    /// Folders of templates.
    pub search_paths: Vec<PathBuf>,
}

/// `orchestration`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Orchestration {
    /// How long a stopping host waits for running attempts.
    #[serde(rename = "shutdown_timeout_ms", deserialize_with = "millis")]
    pub shutdown_timeout: Duration,
    /// Time between sweeps.
    #[serde(rename = "sweep_interval_ms", deserialize_with = "millis")]
    pub sweep_interval: Duration,
    /// Leases of a step that may run out before it is failed instead of run again.
    pub max_lapses: u32,
    /// `orchestration.decision_points`.
    pub decision_points: DecisionPoints,
    /// `orchestration.batch_processing`.
    pub batch_processing: BatchProcessing,
    /// `orchestration.dlq`.
    pub dlq: Dlq,
    /// `orchestration.retention`.
    pub retention: Retention,
    /// `orchestration.web`.
    pub web: Web,
}

/// `orchestration.decision_points`: what one decision may bring about.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DecisionPoints {
    /// Steps that one decision may name.
    pub max_steps_per_decision: u32,
    /// Decisions that may follow from each other.
    pub max_decision_depth: u32,
}

/// `orchestration.batch_processing`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BatchProcessing {
    /// Workers that one batch may have.
    pub max_workers: u32,
}

/// `orchestration.dlq`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Dlq {
    /// `orchestration.dlq.staleness_detection`.
    pub staleness_detection: StalenessDetection,
}

/// `orchestration.dlq.staleness_detection`: giving up tasks that came to a stand.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StalenessDetection {
    /// Whether it is done at all.
    pub enabled: bool,
    /// Time between looks.
    #[serde(rename = "detection_interval_seconds", deserialize_with = "seconds")]
    pub interval: Duration,
    /// Active tasks looked at in one transaction.
    pub batch_size: u32,
    /// Whether it only tells.
    pub dry_run: bool,
    /// `orchestration.dlq.staleness_detection.thresholds`.
    pub thresholds: Thresholds,
}

/// `orchestration.dlq.staleness_detection.thresholds`: what applies where a template's lifecycle says nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Thresholds {
    /// Minutes in which all that is left waits for other steps.
    pub waiting_for_dependencies_minutes: u32,
    /// Minutes in which all that goes on waits for a retry.
    pub waiting_for_retry_minutes: u32,
    /// Minutes in which nothing happens though steps are queued or run.
    pub steps_in_process_minutes: u32,
    /// Hours from a task's creation to its end.
    pub task_max_lifetime_hours: u32,
}

/// `orchestration.retention`: how long what is over is kept.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Retention {
    /// Tasks, from their end.
    #[serde(rename = "finished_tasks_days", deserialize_with = "days")]
    pub finished_tasks: Duration,
    /// Messages of the work queues, from when they were archived.
    #[serde(rename = "archives_days", deserialize_with = "days")]
    pub archives: Duration,
    /// Domain events, from when they were published.
    #[serde(rename = "domain_events_days", deserialize_with = "days")]
    pub domain_events: Duration,
    /// Time between purges.
    #[serde(rename = "interval_minutes", deserialize_with = "minutes")]
    pub interval: Duration,
    /// Tasks, and messages of each queue, in one transaction.
    pub batch_size: u32,
}

/// `worker`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Worker {
    /// This host's name in results and logs.
    pub worker_id: String,
    /// Processes that run steps; none for as many as there are cores.
    #[serde(default)]
    pub processes: Option<NonZeroUsize>,
    /// Files and folders of components.
    pub component_path: Vec<PathBuf>,
    /// `worker.mpsc_channels`.
    pub mpsc_channels: MpscChannels,
    /// `worker.sandbox`.
    pub sandbox: Sandbox,
    /// `worker.http`.
    pub http: Http,
    /// `worker.namespaces`, by name; `*` is all of them.
    #[serde(default)]
    pub namespaces: BTreeMap<String, Namespace>,
}

/// `worker.mpsc_channels`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MpscChannels {
    /// `worker.mpsc_channels.handler_dispatch`.
    pub handler_dispatch: HandlerDispatch,
    /// `worker.mpsc_channels.in_process_events`.
    pub in_process_events: InProcessEvents,
}

/// `worker.mpsc_channels.handler_dispatch`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct HandlerDispatch {
    /// Claimed steps that may wait for a slot.
    pub dispatch_buffer: usize,
    /// Finished attempts that may wait for their commit.
    pub completion_buffer: usize,
    /// Attempts that run at once.
    pub max_concurrent_handlers: u32,
    /// The part of them that one namespace may hold, of those that the others leave.
    pub max_share_per_namespace: f64,
    /// Wall-clock limit of an attempt whose step sets none.
    #[serde(rename = "handler_timeout_ms", deserialize_with = "millis")]
    pub handler_timeout: Duration,
}

/// `worker.mpsc_channels.in_process_events`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct InProcessEvents {
    /// Events that may wait for the slowest subscriber.
    pub broadcast_buffer_size: usize,
}

/// `worker.sandbox`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sandbox {
    /// What an attempt may use that nobody asked more for, without the time, which is
    /// [`HandlerDispatch::handler_timeout`]; see [`Worker::limit_policy`].
    pub limits: LimitSet,
    /// What no attempt gets more than.
    pub max_limits: LimitSet,
    /// Folder of compiled components.
    pub cache_dir: PathBuf,
}

/// `worker.http`: how handlers' requests leave the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Http {
    /// Time to resolve a name and to connect, TLS included.
    #[serde(rename = "connect_timeout_ms", deserialize_with = "millis")]
    pub connect_timeout: Duration,
    /// Time from a request to the head of its response.
    #[serde(rename = "response_timeout_ms", deserialize_with = "millis")]
    pub response_timeout: Duration,
    /// Longest time in which nothing of a response arrives.
    #[serde(rename = "idle_timeout_ms", deserialize_with = "millis")]
    pub idle_timeout: Duration,
    /// PEM files of certificates that are trusted beside those of the system.
    pub ca_files: Vec<PathBuf>,
}

/// `worker.namespaces.<name>`: what differs for one tenant.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// Ceilings that go before the general ones.
    pub max_limits: LimitSet,
    /// What its packages may reach if they ask for it.
    pub grants: Allowed,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}

fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(|minutes| Duration::from_secs(60 * minutes))
}

fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(|days| Duration::from_secs(86_400 * days))
}

pub(super) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}
