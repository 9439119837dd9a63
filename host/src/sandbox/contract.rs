//! What goes into an attempt and what comes out of it, in the words of `wit/types.wit`, without a generated type.

use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bindings::tasker::handler::types;
use super::checkpoint::CheckpointSink;
use super::client::ClientHandle;
use super::direct_events::DirectEventHandle;
use super::limits::{Limits, Usage};
use super::output_commit::OutputCommit;
use super::records::LogRecords;
use crate::store::Checkpoint;

/// How the template addresses the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerRef {
    /// Lookup key understood by the guest's resolver chain.
    pub callable: String,
    /// Entry point on the handler; `None` means `call`.
    pub method: Option<String>,
    /// Name of the one resolver to use; `None` means the whole chain.
    pub resolver: Option<String>,
}

/// What a handler may know about the step it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepContext {
    /// Task the step belongs to.
    pub task_uuid: Uuid,
    /// The step.
    pub step_uuid: Uuid,
    /// Correlation of the task.
    pub correlation_id: Uuid,
    /// Which handler to run.
    pub handler: HandlerRef,
    /// Attempts spent before this one: 0 on the first run.
    pub attempts: u32,
    /// Attempts the template allows.
    pub max_attempts: u32,
    /// The step event, the text of a JSON object.
    pub event: String,
}

/// One attempt to make.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What the handler may know; also names the attempt in every log record.
    pub context: StepContext,
    /// What the attempt may use.
    pub limits: Limits,
    /// What `execution.cancellation-requested` shows. It only asks: to stop an attempt at once, drop its future.
    pub cancellation: CancellationToken,
    /// What has to be durable before others may see anything of the attempt.
    pub output: OutputCommit,
    /// Where `execution.save-checkpoint` stores; without one it answers an error.
    pub checkpoints: Option<CheckpointSink>,
    /// Who answers the orchestration client; without one, or without the grant, its calls answer an error.
    pub client: Option<ClientHandle>,
    /// Who sends what the handler publishes by itself; without one, or without the grant, publishing answers an error.
    pub events: Option<DirectEventHandle>,
}

impl Invocation {
    /// One that has nobody to store its progress, to orchestrate or to publish for it, that nobody asks to stop, and that
    /// waits for nothing.
    pub fn new(context: StepContext, limits: Limits) -> Self {
        let cancellation = CancellationToken::new();
        let output = OutputCommit::done();
        Self { context, limits, cancellation, output, checkpoints: None, client: None, events: None }
    }
}

/// An attempt that ran, however it ended.
#[derive(Debug)]
pub struct AttemptReport {
    /// The handler's verdict, or why there is none.
    pub outcome: Result<StepOutcome, super::AttemptError>,
    /// What the attempt used; measured for failed attempts too.
    pub usage: Usage,
    /// The end of its log.
    pub log: LogRecords,
}

/// The handler's own verdict.
#[derive(Debug)]
pub enum StepOutcome {
    /// The step is done.
    Success(Success),
    /// The handler says that it failed.
    Failure(Failure),
    /// The step is not done: it runs on from here. The parts are JSON that `jsonb` can hold.
    Checkpoint(Checkpoint),
}

/// A result to store.
#[derive(Debug)]
pub struct Success {
    /// The step's result: any JSON that `jsonb` can hold.
    pub result: Box<RawValue>,
    /// Execution metadata: a JSON object that `jsonb` can hold.
    pub metadata: Box<RawValue>,
}

/// A failure in the handler's words.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// Class of the failure.
    pub error_type: ErrorType,
    /// Application-specific code.
    pub error_code: Option<String>,
    /// The handler's verdict; the template's retry policy has the last word.
    pub retryable: bool,
    /// Execution metadata: a JSON object that `jsonb` can hold.
    pub metadata: Box<RawValue>,
    /// Stack frames, innermost first, in source lines where the component has a source map.
    pub backtrace: Vec<String>,
}

/// Class of a failure: five names every Tasker worker shares, and any further one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorType {
    /// `permanent_error`
    Permanent,
    /// `retryable_error`
    Retryable,
    /// `validation_error`
    Validation,
    /// `timeout`
    Timeout,
    /// `handler_error`
    Handler,
    /// A name of the handler's own.
    Other(String),
}

impl ErrorType {
    /// The name as it is stored.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Permanent => "permanent_error",
            Self::Retryable => "retryable_error",
            Self::Validation => "validation_error",
            Self::Timeout => "timeout",
            Self::Handler => "handler_error",
            Self::Other(name) => name,
        }
    }
}

/// The call never reached a handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// No resolver knew the callable.
    #[error("the component has no handler for the callable {0:?}; `handler inspect` lists those it has")]
    HandlerNotFound(String),
    /// The template named a resolver that does not exist.
    #[error("the component has no resolver {0:?}; correct or remove `resolver` in the template")]
    ResolverNotFound(String),
    /// The handler has no such entry point.
    #[error("the handler {handler:?} has no method {method:?}; correct or remove `method` in the template")]
    MethodNotFound {
        /// The handler.
        handler: String,
        /// The entry point the template names.
        method: String,
    },
    /// Construction of the handler failed.
    #[error("the handler could not be constructed: {0}")]
    HandlerInitFailed(String),
    /// The step context could not be decoded.
    #[error("the guest SDK could not read the step context: {0}; rebuild the component with this host's SDK")]
    InvalidContext(String),
}

impl StepContext {
    /// The context as the guest gets it. `time_budget_ms` is the attempt's whole deadline, instantiation included.
    pub(super) fn into_wit(self, time_budget_ms: u32) -> types::StepContext {
        types::StepContext {
            task_uuid: self.task_uuid.to_string(),
            step_uuid: self.step_uuid.to_string(),
            correlation_id: self.correlation_id.to_string(),
            handler: types::HandlerRef {
                callable: self.handler.callable,
                method: self.handler.method,
                resolver: self.handler.resolver,
            },
            attempts: self.attempts,
            max_attempts: self.max_attempts,
            time_budget_ms,
            event: self.event,
        }
    }
}

impl From<types::ErrorType> for ErrorType {
    fn from(error_type: types::ErrorType) -> Self {
        match error_type {
            types::ErrorType::PermanentError => Self::Permanent,
            types::ErrorType::RetryableError => Self::Retryable,
            types::ErrorType::ValidationError => Self::Validation,
            types::ErrorType::Timeout => Self::Timeout,
            types::ErrorType::HandlerError => Self::Handler,
            types::ErrorType::Other(name) => Self::Other(name),
        }
    }
}

impl From<types::DispatchError> for DispatchError {
    fn from(error: types::DispatchError) -> Self {
        match error {
            types::DispatchError::HandlerNotFound(callable) => Self::HandlerNotFound(callable),
            types::DispatchError::ResolverNotFound(resolver) => Self::ResolverNotFound(resolver),
            types::DispatchError::MethodNotFound((handler, method)) => Self::MethodNotFound { handler, method },
            types::DispatchError::HandlerInitFailed(detail) => Self::HandlerInitFailed(detail),
            types::DispatchError::InvalidContext(detail) => Self::InvalidContext(detail),
        }
    }
}
