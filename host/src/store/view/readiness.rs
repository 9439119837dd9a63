//! How far a step is, without what it brought: what a client that waits for a task asks again and again.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::store::{NewStep, NewTask, StepState, Store, StoreError, states};

/// How far a step is. Times are in UTC and do not say so, as Tasker's do.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepReadiness {
    /// The step.
    pub workflow_step_uuid: Uuid,
    /// Its task.
    pub task_uuid: Uuid,
    /// The same for every step of this name.
    pub named_step_uuid: Uuid,
    /// Its name.
    pub name: String,
    /// Its state.
    pub current_state: StepState,
    /// Whether all it waits for is done.
    pub dependencies_satisfied: bool,
    /// Whether another attempt is allowed.
    pub retry_eligible: bool,
    /// Whether its retry is due and not queued yet.
    pub ready_for_execution: bool,
    /// When an attempt last failed.
    #[schema(value_type = Option<String>)]
    pub last_failure_at: Option<NaiveDateTime>,
    /// When it is tried again, while it waits for that.
    #[schema(value_type = Option<String>)]
    pub next_retry_at: Option<NaiveDateTime>,
    /// How many steps it waits for.
    pub total_parents: i64,
    /// How many of them are done.
    pub completed_parents: i64,
    /// Attempts finished, and the one under way.
    pub attempts: i32,
    /// How many it may take.
    pub max_attempts: i32,
    /// Always none: a wait that a handler asks for is in `next_retry_at`.
    pub backoff_request_seconds: Option<i32>,
    /// When it was last claimed.
    #[schema(value_type = Option<String>)]
    pub last_attempted_at: Option<NaiveDateTime>,
}

impl Store {
    /// How far the steps of a task are, in the order of its template; none if there is no such task.
    ///
    /// # Errors
    /// The database fails.
    pub async fn step_readiness(&self, task: Uuid) -> Result<Vec<StepReadiness>, StoreError> {
        let steps = sqlx::query_as("select * from tasker.step_readiness($1)").bind(task);
        Ok(steps.fetch_all(&self.pool).await?)
    }
}

impl StepReadiness {
    /// The steps of a task that has just been created, as they are until somebody does something with it.
    #[must_use]
    pub fn created(task: &NewTask) -> Vec<Self> {
        let created = |step: &NewStep| {
            let parents = step.awaited().len() as i64;
            Self {
                workflow_step_uuid: step.step_uuid,
                task_uuid: task.task_uuid,
                named_step_uuid: named(&step.name),
                name: step.name.clone(),
                current_state: if parents == 0 { StepState::Enqueued } else { StepState::Pending },
                dependencies_satisfied: parents == 0,
                retry_eligible: true,
                ready_for_execution: false,
                last_failure_at: None,
                next_retry_at: None,
                total_parents: parents,
                completed_parents: 0,
                attempts: 0,
                max_attempts: step.max_attempts,
                backoff_request_seconds: None,
                last_attempted_at: None,
            }
        };
        let mut steps: Vec<_> = task.steps.iter().map(created).collect();
        steps.sort_by_key(|step| step.workflow_step_uuid);
        steps
    }
}

/// The key of all steps of a name.
fn named(step: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, step.as_bytes())
}

impl<'r> FromRow<'r, PgRow> for StepReadiness {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let naive = |column| row.try_get::<Option<DateTime<Utc>>, _>(column).map(|at| at.map(|at| at.naive_utc()));
        let name: String = row.try_get("name")?;
        let (pending_parents, total_parents) =
            (i64::from(row.try_get::<i32, _>("pending_parents")?), row.try_get("parents")?);
        let (attempts, max_attempts) = (row.try_get("attempts")?, row.try_get("max_attempts")?);
        Ok(Self {
            workflow_step_uuid: row.try_get("step_uuid")?,
            task_uuid: row.try_get("task_uuid")?,
            named_step_uuid: named(&name),
            name,
            current_state: states::read(row.try_get("current_state")?)?,
            dependencies_satisfied: pending_parents == 0,
            retry_eligible: attempts == 0 || (row.try_get("retryable")? && attempts < max_attempts),
            ready_for_execution: row.try_get("due")?,
            last_failure_at: naive("last_failure_at")?,
            next_retry_at: naive("run_after")?,
            total_parents,
            completed_parents: (total_parents - pending_parents).max(0),
            attempts,
            max_attempts,
            backoff_request_seconds: None,
            last_attempted_at: naive("claimed_at")?,
        })
    }
}
