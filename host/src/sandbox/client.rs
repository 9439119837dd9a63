//! The orchestration client as the sandbox sees it: what a handler asks, checked, and who answers.
//!
//! The sandbox knows nothing of tasks. It sees to it that only a granted component asks, that it asks no more often than it
//! may, and that no answer is larger than what a guest may hand over in one call itself.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::value::RawValue;
use uuid::Uuid;

/// What a handler asks of the orchestrator.
#[derive(Debug, Clone)]
pub enum ClientCall {
    /// Create a task.
    SubmitTask(Box<TaskSubmission>),
    /// Show a task.
    GetTask(Uuid),
    /// List tasks.
    ListTasks(TaskQuery),
    /// End a task.
    CancelTask(Uuid),
    /// List the steps of a task.
    ListTaskSteps(Uuid),
    /// Show a step.
    GetStep(StepOfTask),
    /// List the changes of a step.
    GetStepAuditHistory(StepOfTask),
    /// Say whether the orchestrator answers.
    HealthCheck,
}

/// A step and the task it is said to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepOfTask {
    /// The task.
    pub task: Uuid,
    /// The step.
    pub step: Uuid,
}

/// A task that a handler wants; the orchestrator chooses what is `None`.
#[derive(Debug, Clone)]
pub struct TaskSubmission {
    /// Name of the template.
    pub name: String,
    /// The namespace the handler thinks it is in.
    pub namespace: Option<String>,
    /// Version of the template.
    pub version: Option<String>,
    /// Input of the task: a JSON object.
    pub context: Box<RawValue>,
    /// Who asks.
    pub initiator: Option<String>,
    /// System the request comes from.
    pub source_system: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// -100 to 100.
    pub priority: Option<i32>,
    /// Joins the task to what happens elsewhere.
    pub correlation_id: Option<Uuid>,
    /// The correlation of what causes it.
    pub parent_correlation_id: Option<Uuid>,
    /// The same key means the same task.
    pub idempotency_key: Option<String>,
}

/// Which tasks a handler wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskQuery {
    /// How many at most.
    pub limit: Option<u32>,
    /// How many to pass over.
    pub offset: Option<u32>,
    /// The namespace the handler thinks it is in.
    pub namespace: Option<String>,
    /// Only those with this status.
    pub status: Option<String>,
}

/// Why the orchestrator did not do what it was asked. The handler reads it, so it names nothing of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClientError {
    /// What is wrong, and what to do.
    pub message: String,
    /// Whether the same call may succeed later.
    pub recoverable: bool,
}

impl ClientError {
    /// Asking again brings the same.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), recoverable: false }
    }

    /// Asking again may help.
    pub fn recoverable(message: impl Into<String>) -> Self {
        Self { message: message.into(), recoverable: true }
    }
}

type Answer = Result<String, ClientError>;
type Ask = dyn Fn(ClientCall, usize) -> BoxFuture<'static, Answer> + Send + Sync;

/// Answers what the handler of one attempt asks. Cheap to clone.
#[derive(Clone)]
pub struct ClientHandle(Arc<Ask>);

impl ClientHandle {
    /// A handle whose answers are JSON text of `ask`, which is given the call and how many bytes the answer may have.
    pub fn new<Asking>(ask: impl Fn(ClientCall, usize) -> Asking + Send + Sync + 'static) -> Self
    where
        Asking: Future<Output = Answer> + Send + 'static,
    {
        Self(Arc::new(move |call, answer_bytes| Box::pin(ask(call, answer_bytes))))
    }

    pub(super) async fn ask(&self, call: ClientCall, answer_bytes: usize) -> Answer {
        (self.0)(call, answer_bytes).await
    }
}

impl fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientHandle")
    }
}
