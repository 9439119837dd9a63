//! What a person does to a task or step, and why it may be refused.
//!
//! Every action is one transaction and leaves its actor and reason on each transition it makes. A refusal changes nothing
//! and says what the state is and what it allows. Two transactions in each other's way are not the person's affair: the
//! one that PostgreSQL gives up is begun again.

use std::fmt;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Growth, StepState, Store, StoreError, TaskState, states};

/// How often an action that met a deadlock is begun.
const TRIES: u32 = 5;

/// Who does something by hand, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The person.
    pub actor: String,
    /// Their reason.
    pub reason: String,
}

/// What an action brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operated {
    /// The task's state now.
    pub task_state: TaskState,
    /// How many steps were queued.
    pub enqueued: u32,
}

/// What was to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// End a task.
    CancelTask,
    /// Let a task go on that failures stopped or that was given up.
    ResetTask,
    /// Take a task for done.
    ResolveTask,
    /// Try a failed step again.
    RetryStep,
    /// Take a step for done, without a result.
    ResolveStep,
    /// Give a step the result it should have brought.
    CompleteStep,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CancelTask => "cancel the task",
            Self::ResetTask => "reset the task",
            Self::ResolveTask => "resolve the task",
            Self::RetryStep => "retry the step",
            Self::ResolveStep => "resolve the step",
            Self::CompleteStep => "complete the step",
        })
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// No such task.
    #[error("there is no task {task}; `task list` shows those there are")]
    UnknownTask {
        /// The key that was given.
        task: Uuid,
    },
    /// No such step.
    #[error("there is no step {step}; `task show` lists the steps of a task")]
    UnknownStep {
        /// The key that was given.
        step: Uuid,
    },
    /// No such namespace.
    #[error("there is no namespace {namespace:?}; {}", known_namespaces(known))]
    UnknownNamespace {
        /// The name that was given.
        namespace: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// No such dead letter.
    #[error("there is no dead letter {entry}; `dead-letter list` shows those there are")]
    UnknownDeadLetter {
        /// The key that was given.
        entry: Uuid,
    },
    /// The task's state forbids it.
    #[error("can't {action}: it is {state}; {}", of_task(*state))]
    TaskState {
        /// What was to be done.
        action: Action,
        /// The state the task is in.
        state: TaskState,
    },
    /// The state of the step's task forbids it.
    #[error("can't {action}: its task is {state}; {}", of_task(*state))]
    StateOfItsTask {
        /// What was to be done.
        action: Action,
        /// The state the task is in.
        state: TaskState,
    },
    /// The step's state forbids it.
    #[error("can't {action}: it is {state}; {}", of_step(*state))]
    StepState {
        /// What was to be done.
        action: Action,
        /// The state the step is in.
        state: StepState,
    },
    /// The batch of a failed worker goes on without it, and has.
    #[error(
        "can't retry the step: its batch goes on without those that fail, and {child:?}, which waits for the batch, has begun; \
         create a task of its own for what is missing"
    )]
    ChildBegan {
        /// A step that waits for the batch.
        child: String,
    },
    /// The task has grown since the growth was planned.
    #[error("the task has grown since this was planned; plan it again")]
    Outgrown,
    /// The dead letter was resolved before.
    #[error("the dead letter {entry} is {status} already; only its notes and metadata can change")]
    Resolved {
        /// The entry.
        entry: Uuid,
        /// How it was resolved.
        status: super::Resolution,
    },
    /// Who or why is missing.
    #[error("nobody said {what}; every action by hand is kept with who did it and why")]
    NotSaid {
        /// `who` or `why`.
        what: &'static str,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OperateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

fn of_task(state: TaskState) -> &'static str {
    match state {
        TaskState::Complete | TaskState::Cancelled | TaskState::ResolvedManually => {
            "it is over, and nothing changes it any more"
        }
        TaskState::Error => "it can be reset, so that it goes on, or resolved",
        TaskState::BlockedByFailures => "it can be reset, so that it goes on, resolved or cancelled",
        _ => "it goes on by itself, and can be resolved or cancelled",
    }
}

fn of_step(state: StepState) -> &'static str {
    match state {
        StepState::Complete | StepState::Cancelled | StepState::ResolvedManually => {
            "it is over, and nothing changes it any more"
        }
        StepState::Error => "it can be retried, resolved or completed",
        _ => "it goes on by itself, and can be resolved or completed",
    }
}

fn known_namespaces(known: &[String]) -> String {
    if known.is_empty() { "none is registered yet".into() } else { format!("there are: {}", known.join(", ")) }
}

impl Operator {
    /// What is missing of it.
    pub(super) fn check(&self) -> Result<(), OperateError> {
        for (text, what) in [(&self.actor, "who"), (&self.reason, "why")] {
            if text.trim().is_empty() {
                return Err(OperateError::NotSaid { what });
            }
        }
        Ok(())
    }
}

/// An answer of one of the functions.
#[derive(sqlx::FromRow)]
struct Answer {
    refused: Option<String>,
    actual: Option<String>,
    #[sqlx(default)]
    cancelled: Option<i32>,
    #[sqlx(default)]
    enqueued: Option<i32>,
    #[sqlx(default)]
    task_state: Option<String>,
}

/// What an action was about.
#[derive(Clone, Copy)]
enum Subject {
    Task(Uuid),
    Step(Uuid),
}

impl Answer {
    fn check(&self, subject: Subject, action: Action) -> Result<(), OperateError> {
        let actual = self.actual.as_deref().unwrap_or_default();
        Err(match (self.refused.as_deref(), subject) {
            (None, _) => return Ok(()),
            (Some("task"), Subject::Task(_)) => OperateError::TaskState { action, state: states::read(actual)? },
            (Some("task"), Subject::Step(_)) => OperateError::StateOfItsTask { action, state: states::read(actual)? },
            (Some("step"), _) => OperateError::StepState { action, state: states::read(actual)? },
            (Some("child"), _) => OperateError::ChildBegan { child: actual.to_owned() },
            (Some("outgrown"), _) => OperateError::Outgrown,
            (Some(_), Subject::Task(task)) => OperateError::UnknownTask { task },
            (Some(_), Subject::Step(step)) => OperateError::UnknownStep { step },
        })
    }

    fn operated(self, subject: Subject, action: Action) -> Result<Operated, OperateError> {
        self.check(subject, action)?;
        Ok(Operated {
            task_state: states::read(self.task_state.as_deref().unwrap_or_default())?,
            enqueued: self.enqueued.unwrap_or_default().unsigned_abs(),
        })
    }
}

impl Store {
    /// Ends a task: it and its unfinished steps become `cancelled`. Attempts under way hear of it, and what they bring is
    /// refused. Answers how many steps were ended.
    ///
    /// # Errors
    /// There is no such task, it is over or in `error`, who or why is missing, or the database fails.
    pub async fn cancel_task(&self, task: Uuid, by: &Operator) -> Result<u32, OperateError> {
        self.end_task(task, TaskState::Cancelled, Action::CancelTask, by).await
    }

    /// Takes a task for done, whatever it lacks: it becomes `resolved_manually`, its unfinished steps `cancelled`. Answers
    /// how many steps were ended.
    ///
    /// # Errors
    /// There is no such task, it is over, who or why is missing, or the database fails.
    pub async fn resolve_task_manually(&self, task: Uuid, by: &Operator) -> Result<u32, OperateError> {
        self.end_task(task, TaskState::ResolvedManually, Action::ResolveTask, by).await
    }

    async fn end_task(&self, task: Uuid, state: TaskState, action: Action, by: &Operator) -> Result<u32, OperateError> {
        by.check()?;
        let answer: Answer = again(|| {
            sqlx::query_as("select * from tasker.end_task($1, $2::text::tasker.task_state, $3, $4)")
                .bind(task)
                .bind(state.as_str())
                .bind(&by.actor)
                .bind(&by.reason)
                .fetch_one(&self.pool)
        })
        .await?;
        answer.check(Subject::Task(task), action)?;
        Ok(answer.cancelled.unwrap_or_default().unsigned_abs())
    }

    /// Lets a task in `blocked_by_failures` or `error` go on: the failed steps that hold it are made new, and steps whose
    /// messages were cleared away meanwhile are queued again.
    ///
    /// # Errors
    /// There is no such task, it is in another state, who or why is missing, or the database fails.
    pub async fn reset_task(&self, task: Uuid, by: &Operator) -> Result<Operated, OperateError> {
        by.check()?;
        let answer: Answer = again(|| {
            sqlx::query_as("select * from tasker.reset_task($1, $2, $3)")
                .bind(task)
                .bind(&by.actor)
                .bind(&by.reason)
                .fetch_one(&self.pool)
        })
        .await?;
        answer.operated(Subject::Task(task), Action::ResetTask)
    }

    /// Tries a step in `error` again, with all its attempts before it and its checkpoint kept. Its task goes on if no
    /// other failure holds it.
    ///
    /// # Errors
    /// The task has no such step, it is in another state, its task is over, its batch has gone on without it, who or why is
    /// missing, or the database fails.
    pub async fn reset_step_for_retry(&self, task: Uuid, step: Uuid, by: &Operator) -> Result<Operated, OperateError> {
        by.check()?;
        let answer: Answer = again(|| {
            sqlx::query_as("select * from tasker.reset_step_for_retry($1, $2, $3, $4)")
                .bind(task)
                .bind(step)
                .bind(&by.actor)
                .bind(&by.reason)
                .fetch_one(&self.pool)
        })
        .await?;
        answer.operated(Subject::Step(step), Action::RetryStep)
    }

    /// Takes an unfinished step for done, without a result: it becomes `resolved_manually`, and what depends on it goes
    /// on. A late result of an attempt under way is refused.
    ///
    /// # Errors
    /// The task has no such step, it or its task is over, who or why is missing, or the database fails.
    pub async fn resolve_step_manually(&self, task: Uuid, step: Uuid, by: &Operator) -> Result<Operated, OperateError> {
        self.end_step((task, step), Action::ResolveStep, (None, None, None), by).await
    }

    /// Completes an unfinished step with the result it should have brought, any JSON value; `metadata` is a JSON object.
    /// `growth` is what the task gains when the step is one that decides. A late result of an attempt under way is refused.
    ///
    /// # Errors
    /// The task has no such step, it or its task is over, the task has grown since the growth was planned, who or why is
    /// missing, or the database fails or cannot take the result.
    pub async fn complete_step_manually(
        &self,
        task: Uuid,
        step: Uuid,
        result: &RawValue,
        metadata: Option<&RawValue>,
        growth: Option<&Growth>,
        by: &Operator,
    ) -> Result<Operated, OperateError> {
        let given = (Some(result.get()), metadata.map(RawValue::get), growth.map(Growth::to_json));
        self.end_step((task, step), Action::CompleteStep, given, by).await
    }

    async fn end_step(
        &self,
        (task, step): (Uuid, Uuid),
        action: Action,
        (result, metadata, growth): (Option<&str>, Option<&str>, Option<String>),
        by: &Operator,
    ) -> Result<Operated, OperateError> {
        by.check()?;
        let state = if action == Action::CompleteStep { StepState::Complete } else { StepState::ResolvedManually };
        let answer: Answer = again(|| {
            sqlx::query_as("select * from tasker.end_step($1, $2, $3::text::tasker.step_state, $4, $5, $6, $7, $8)")
                .bind(task)
                .bind(step)
                .bind(state.as_str())
                .bind(result)
                .bind(metadata)
                .bind(&growth)
                .bind(&by.actor)
                .bind(&by.reason)
                .fetch_one(&self.pool)
        })
        .await?;
        answer.operated(Subject::Step(step), action)
    }
}

/// Begins a transaction again that was given up because another one and it waited for each other.
async fn again<Row, Call: Future<Output = Result<Row, sqlx::Error>>>(
    call: impl Fn() -> Call,
) -> Result<Row, StoreError> {
    for _ in 1..TRIES {
        match call().await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40P01") => {
                tracing::debug!("an action by hand met a deadlock: beginning it again");
            }
            done => return Ok(done?),
        }
    }
    Ok(call().await?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use snapbox::{Assert, Data};

    use super::super::Resolution;
    use super::*;

    #[test]
    fn every_refusal_says_what_is_and_what_can_be_done() {
        let key = Uuid::from_u128(7);
        let mut refusals = vec![
            OperateError::UnknownTask { task: key },
            OperateError::UnknownStep { step: key },
            OperateError::UnknownNamespace { namespace: "bakry".into(), known: vec!["bakery".into(), "smithy".into()] },
            OperateError::UnknownNamespace { namespace: "bakry".into(), known: vec![] },
            OperateError::UnknownDeadLetter { entry: key },
            OperateError::ChildBegan { child: "collect".into() },
            OperateError::Outgrown,
            OperateError::Resolved { entry: key, status: Resolution::ManuallyResolved },
            OperateError::NotSaid { what: "who" },
            OperateError::NotSaid { what: "why" },
        ];
        use TaskState::*;
        for state in [StepsInProcess, BlockedByFailures, Error, Complete] {
            refusals.push(OperateError::TaskState { action: Action::ResetTask, state });
        }
        refusals.push(OperateError::TaskState { action: Action::CancelTask, state: Error });
        refusals.push(OperateError::TaskState { action: Action::ResolveTask, state: Cancelled });
        refusals.push(OperateError::StateOfItsTask { action: Action::CompleteStep, state: ResolvedManually });
        for state in [StepState::InProgress, StepState::Complete] {
            refusals.push(OperateError::StepState { action: Action::RetryStep, state });
        }
        refusals.push(OperateError::StepState { action: Action::ResolveStep, state: StepState::Cancelled });

        let said: String = refusals.iter().map(|refusal| format!("{refusal}\n")).collect();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/refusals.txt");
        let expected = Data::read_from(&golden, Some(snapbox::data::DataFormat::Text)).raw();
        Assert::new().action_env("SNAPSHOTS").eq(Data::text(said).raw(), expected);
    }
}
