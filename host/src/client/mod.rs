//! The orchestrator for handlers: what `wit/client.wit` asks, answered from the store, for one namespace.
//!
//! * *A namespace is a tenant.* The namespace is that of the calling step, never one that a guest names. Where a guest names
//!   one, it has to be its own; and of what belongs to another nobody can tell that it is there.
//! * *Answers are the views that the command line prints*, one serialization for all who read.
//! * *What a guest reads names nothing of the host*: the database's own words go to the log.

mod submit;

use std::fmt;
use std::sync::Arc;

use chrono::Utc;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::sandbox::{ClientCall, ClientError, ClientHandle, StepOfTask, TaskQuery};
use crate::store::{OperateError, Operator, Store, StoreError, TaskFilter, TaskState, TaskView, Within};

/// Tasks of one page, unless the guest says how many.
const PAGE: u32 = 50;
/// The most it may say.
const MAX_PAGE: u32 = 100;
/// The most tasks that may be passed over. Each is counted through by the database.
const MAX_OFFSET: u32 = 1_000;
/// Characters of a guest's text that an error repeats.
const REPEATED: usize = 100;

/// Answers handlers. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    store: Store,
    /// The environment whose overrides of a template apply.
    environment: Arc<str>,
    /// Called with its namespace when a task was created.
    created: Arc<dyn Fn(&str) + Send + Sync>,
}

/// The step on whose behalf a handler asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its namespace, and so the only one it sees.
    pub namespace: String,
    /// Its handler.
    pub callable: String,
    /// Correlation of its task.
    pub correlation_id: Uuid,
}

impl Caller {
    /// The name under which what it does is kept.
    fn actor(&self) -> String {
        format!("handler:{}", self.callable)
    }

    /// Refuses another namespace, whether there is such a one or not.
    fn check_namespace(&self, named: Option<&str>) -> Result<(), ClientError> {
        match named {
            Some(named) if named != self.namespace => Err(ClientError::permanent(format!(
                "a handler of namespace {:?} can't reach tasks of namespace {:?}: leave `namespace` out",
                self.namespace,
                repeated(named)
            ))),
            _ => Ok(()),
        }
    }
}

impl Client {
    /// Answers from `store`; calls `created` with its namespace whenever a task was created.
    pub fn new(store: Store, environment: &str, created: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { store, environment: environment.into(), created: Arc::new(created) }
    }

    /// What one attempt asks through.
    pub fn handle(&self, caller: Caller) -> ClientHandle {
        let (client, caller) = (self.clone(), Arc::new(caller));
        ClientHandle::new(move |call, answer_bytes| {
            let (client, caller) = (client.clone(), Arc::clone(&caller));
            let store = client.store.clone();
            async move { store.for_guest(async move { client.answer(&caller, call, answer_bytes).await }).await }
        })
    }

    async fn answer(&self, caller: &Caller, call: ClientCall, bytes: usize) -> Result<String, ClientError> {
        let namespace = caller.namespace.as_str();
        let only = Some(std::slice::from_ref(&caller.namespace));
        match call {
            ClientCall::SubmitTask(submission) => self.submit(caller, *submission, bytes).await,
            ClientCall::GetTask(task) => self.task(namespace, task, bytes).await,
            ClientCall::ListTasks(query) => self.tasks(caller, &query, bytes).await,
            ClientCall::CancelTask(task) => self.cancel(caller, task, bytes).await,
            ClientCall::ListTaskSteps(task) => {
                let steps = self.store.steps_within(only, task, None, bytes).await.map_err(unanswered)?;
                written(&found(steps, || no_task(task), bytes)?)
            }
            ClientCall::GetStep(StepOfTask { task, step }) => {
                let steps = self.store.steps_within(only, task, Some(step), bytes).await.map_err(unanswered)?;
                let steps = found(steps, || no_step(task, step), bytes)?;
                written(steps.first().ok_or_else(|| no_step(task, step))?)
            }
            ClientCall::GetStepAuditHistory(StepOfTask { task, step }) => {
                let changes = self.store.step_transitions_within(namespace, task, step).await.map_err(unanswered)?;
                written(&found(changes, || no_step(task, step), bytes)?)
            }
            ClientCall::HealthCheck => {
                self.store.ping().await.map_err(unanswered)?;
                written(&json!({"healthy": true, "status": "healthy", "timestamp": Utc::now()}))
            }
        }
    }

    async fn task(&self, namespace: &str, task: Uuid, bytes: usize) -> Result<String, ClientError> {
        let view = self.store.task_within(namespace, task, bytes).await.map_err(unanswered)?;
        written(&found(view, || no_task(task), bytes)?)
    }

    async fn tasks(&self, caller: &Caller, query: &TaskQuery, bytes: usize) -> Result<String, ClientError> {
        caller.check_namespace(query.namespace.as_deref())?;
        let limit = bounded("limit", query.limit, PAGE, 1, MAX_PAGE)?;
        let offset = bounded("offset", query.offset, 0, 0, MAX_OFFSET)?;
        let status = query.status.as_deref().map(status).transpose()?;
        // One more than is shown tells whether there are more.
        let namespaces = Some(vec![caller.namespace.clone()]);
        let filter = TaskFilter { namespaces, status, limit: limit + 1, offset, ..TaskFilter::default() };
        let tasks = self.store.tasks_within(&filter, bytes).await.map_err(unanswered)?;
        let mut tasks = found(tasks, || ClientError::permanent("there are no tasks"), bytes)?;
        let has_next = tasks.len() > limit as usize;
        tasks.truncate(limit as usize);
        let pagination = Pagination { page: offset / limit + 1, per_page: limit, has_next, has_previous: offset > 0 };
        written(&TaskPage { tasks, pagination })
    }

    async fn cancel(&self, caller: &Caller, task: Uuid, bytes: usize) -> Result<String, ClientError> {
        // A task's namespace never changes, so what is looked at here holds for what is done next.
        if !self.store.has_task_in(Some(std::slice::from_ref(&caller.namespace)), task).await.map_err(unanswered)? {
            return Err(no_task(task));
        }
        let by = Operator { actor: caller.actor(), reason: "a handler asked for it".to_owned() };
        match self.store.cancel_task(task, &by).await {
            Ok(_) => self.task(&caller.namespace, task, bytes).await,
            Err(OperateError::UnknownTask { task }) => Err(no_task(task)),
            Err(OperateError::Store(error)) => Err(unanswered(error)),
            Err(refused) => Err(ClientError::permanent(refused.to_string())),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("environment", &self.environment).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct TaskPage {
    tasks: Vec<TaskView>,
    pagination: Pagination,
}

/// How many there are in all is not among it: counting them would let one handler make the database read its whole
/// namespace.
#[derive(Serialize)]
struct Pagination {
    page: u32,
    per_page: u32,
    has_next: bool,
    has_previous: bool,
}

fn bounded(what: &str, given: Option<u32>, default: u32, least: u32, most: u32) -> Result<u32, ClientError> {
    match given {
        None => Ok(default),
        Some(given) if (least..=most).contains(&given) => Ok(given),
        Some(given) => {
            Err(ClientError::permanent(format!("`{what}` is {given}; give it a number from {least} to {most}")))
        }
    }
}

fn status(given: &str) -> Result<TaskState, ClientError> {
    let unknown = || {
        ClientError::permanent(format!(
            "`status` is {:?}, which no task has: give it one such as complete or blocked_by_failures",
            repeated(given)
        ))
    };
    given.parse().map_err(|_| unknown())
}

fn found<T>(within: Within<T>, unknown: impl FnOnce() -> ClientError, bound: usize) -> Result<T, ClientError> {
    match within {
        Within::Found(found) => Ok(found),
        Within::Unknown => Err(unknown()),
        Within::TooLarge { bytes } => Err(ClientError::permanent(format!(
            "the answer has more than {bytes} bytes, and may have {bound}: ask for fewer tasks or for one step at once, or \
             raise `result_bytes`"
        ))),
    }
}

fn no_task(task: Uuid) -> ClientError {
    ClientError::permanent(format!("there is no task {task}"))
}

fn no_step(task: Uuid, step: Uuid) -> ClientError {
    ClientError::permanent(format!("there is no step {step} in a task {task}"))
}

/// What a guest reads of a failure of the database.
fn unanswered(error: StoreError) -> ClientError {
    if error.is_transient() {
        tracing::warn!(%error, "a handler's call of the orchestrator can't be answered now");
        ClientError::recoverable("the orchestrator can't be reached just now: try again")
    } else {
        tracing::error!(%error, "a handler's call of the orchestrator can't be answered");
        ClientError::permanent("the orchestrator could not answer; the host's log says why")
    }
}

fn written(answer: &impl Serialize) -> Result<String, ClientError> {
    serde_json::to_string(answer).map_err(|error| {
        tracing::error!(%error, "an answer to a handler can't be written");
        ClientError::permanent("the orchestrator could not answer; the host's log says why")
    })
}

/// A guest's text, short enough to be repeated.
fn repeated(text: &str) -> String {
    text.chars().take(REPEATED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_reads_whether_to_try_again_and_nothing_of_the_database() {
        let away = StoreError::Unreachable { target: "ada@db.internal:5432/work".into(), reason: "refused".into() };
        let away = unanswered(away);
        assert!(away.recoverable && away.message.ends_with("try again"), "{away:?}");
        let old = unanswered(StoreError::NotMigrated { reason: "relation \"tasker.tasks\" does not exist".into() });
        assert!(!old.recoverable, "{old:?}");
        for error in [away, old] {
            assert!(!error.message.contains("db.internal") && !error.message.contains("tasker."), "{error:?}");
        }
    }

    #[test]
    fn what_a_list_may_have_is_bounded_and_said() {
        assert_eq!(bounded("limit", None, PAGE, 1, MAX_PAGE), Ok(50));
        assert_eq!(bounded("limit", Some(100), PAGE, 1, MAX_PAGE), Ok(100));
        for wrong in [0, 101, u32::MAX] {
            let error = bounded("limit", Some(wrong), PAGE, 1, MAX_PAGE).unwrap_err();
            assert_eq!(error.message, format!("`limit` is {wrong}; give it a number from 1 to 100"));
        }
    }
}
