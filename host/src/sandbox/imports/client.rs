//! `tasker:handler/client`: the orchestrator, as far as its namespace goes, for components that were granted it.
//!
//! A component that imports this and was not granted it is refused when it is prepared; one that gets here all the same
//! reads an error. Calls are counted before anything is looked at, so that a loop of wrong calls ends as one of right
//! calls does. The wait for an answer counts against the deadline.

use uuid::Uuid;

use crate::sandbox::accept::{self, shown};
use crate::sandbox::attempt::Attempt;
use crate::sandbox::bindings::tasker::handler::client;
use crate::sandbox::client::{ClientCall, ClientError, ClientHandle, StepOfTask, TaskQuery, TaskSubmission};
use crate::sandbox::failure::{Exceeded, handover_bytes};
use crate::sandbox::limits::Limits;

/// Bytes of an error message that a guest reads.
const MESSAGE: usize = 8 << 10;
/// What a component reads that was not granted the client.
const NOT_GRANTED: &str =
    "this component was not granted `client`: it has to be asked for in tasker.toml and allowed by the operator";
/// Bytes of a guest's text that an error repeats.
const REPEATED: usize = 100;

/// What one attempt may ask, and has asked.
#[derive(Debug)]
pub(in crate::sandbox) struct ClientState {
    granted: bool,
    calls: u32,
    limit: u32,
    /// Bytes of a task's context.
    context_bytes: usize,
    /// Bytes of an answer.
    answer_bytes: usize,
    /// Who answers; nobody while the component describes itself or handles an event.
    pub(in crate::sandbox) handle: Option<ClientHandle>,
}

impl ClientState {
    pub(in crate::sandbox) fn new(granted: bool, limits: &Limits) -> Self {
        Self {
            granted,
            calls: 0,
            limit: limits.client_calls,
            context_bytes: limits.result_bytes,
            answer_bytes: handover_bytes(limits),
            handle: None,
        }
    }
}

type Answer = Result<String, client::ClientError>;

impl Attempt {
    /// Counts a call and asks what `make` makes of it.
    async fn ask(&mut self, make: impl FnOnce(&ClientState) -> Result<ClientCall, ClientError>) -> Answer {
        self.host_calls += 1;
        let state = &mut self.client;
        state.calls += 1;
        if state.calls > state.limit {
            let (limit, used) = (u64::from(state.limit), u64::from(state.calls));
            return self.violations.end(Exceeded::ClientCalls, limit, used).await;
        }
        let asked = match &state.handle {
            _ if !state.granted => Err(ClientError::permanent(NOT_GRANTED)),
            None => Err(ClientError::permanent("the client can be used only while a step runs")),
            Some(handle) => Ok(handle.clone()),
        };
        let answer = match asked.and_then(|handle| Ok((handle, make(state)?))) {
            Ok((handle, call)) => {
                self.output.wait().await;
                handle.ask(call, state.answer_bytes).await
            }
            Err(error) => Err(error),
        };
        let bound = state.answer_bytes;
        match answer {
            Ok(answer) if answer.len() > bound => Err(too_large(answer.len(), bound)),
            answer => answer,
        }
        .map_err(|error| client::ClientError {
            message: shown(&error.message, MESSAGE),
            recoverable: error.recoverable,
        })
    }
}

impl client::Host for Attempt {
    async fn submit_task(&mut self, request: client::TaskRequest) -> Answer {
        self.ask(|state| {
            let context = accept::object("context", request.context, state.context_bytes)
                .map_err(|error| ClientError::permanent(error.to_string()))?;
            Ok(ClientCall::SubmitTask(Box::new(TaskSubmission {
                context,
                name: request.name,
                namespace: request.namespace,
                version: request.version,
                initiator: request.initiator,
                source_system: request.source_system,
                reason: request.reason,
                tags: request.tags,
                priority: request.priority,
                correlation_id: request.correlation_id.map(|id| uuid("correlation-id", &id)).transpose()?,
                parent_correlation_id: request
                    .parent_correlation_id
                    .map(|id| uuid("parent-correlation-id", &id))
                    .transpose()?,
                idempotency_key: request.idempotency_key,
            })))
        })
        .await
    }

    async fn get_task(&mut self, task: String) -> Answer {
        self.ask(|_| Ok(ClientCall::GetTask(uuid("task", &task)?))).await
    }

    async fn list_tasks(&mut self, query: client::ListTasksQuery) -> Answer {
        let client::ListTasksQuery { limit, offset, namespace, status } = query;
        self.ask(|_| Ok(ClientCall::ListTasks(TaskQuery { limit, offset, namespace, status }))).await
    }

    async fn cancel_task(&mut self, task: String) -> Answer {
        self.ask(|_| Ok(ClientCall::CancelTask(uuid("task", &task)?))).await
    }

    async fn list_task_steps(&mut self, task: String) -> Answer {
        self.ask(|_| Ok(ClientCall::ListTaskSteps(uuid("task", &task)?))).await
    }

    async fn get_step(&mut self, task: String, step: String) -> Answer {
        self.ask(|_| Ok(ClientCall::GetStep(step_of(&task, &step)?))).await
    }

    async fn get_step_audit_history(&mut self, task: String, step: String) -> Answer {
        self.ask(|_| Ok(ClientCall::GetStepAuditHistory(step_of(&task, &step)?))).await
    }

    async fn health_check(&mut self) -> Answer {
        self.ask(|_| Ok(ClientCall::HealthCheck)).await
    }
}

fn too_large(bytes: usize, bound: usize) -> ClientError {
    ClientError::permanent(format!(
        "the answer has {bytes} bytes, more than the {bound} that one may have: ask for less at once, or raise `result_bytes`"
    ))
}

fn step_of(task: &str, step: &str) -> Result<StepOfTask, ClientError> {
    Ok(StepOfTask { task: uuid("task", task)?, step: uuid("step", step)? })
}

fn uuid(what: &str, text: &str) -> Result<Uuid, ClientError> {
    Uuid::try_parse(text).map_err(|_| {
        ClientError::permanent(format!(
            "`{what}` must be a UUID, not {:?}: pass one as it was given",
            shown(text, REPEATED)
        ))
    })
}
