//! A step with its parents and attempts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::StepExecutionResult;
use crate::store::{StepState, Store, StoreError, Usage, states};

/// A step with the latest of its attempts and the sum of them all.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepView {
    /// Its key.
    pub step_uuid: Uuid,
    /// Its task.
    pub task_uuid: Uuid,
    /// Its name.
    pub name: String,
    /// The step of the template it was made from; none where that is its name.
    pub template_step: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it became complete or was resolved.
    pub completed_at: Option<DateTime<Utc>>,
    /// What its latest attempt, or a person who completed it by hand, brought; none before that.
    pub results: Option<StepExecutionResult>,
    /// Its state.
    pub current_state: StepState,
    /// Whether all it waits for is done.
    pub dependencies_satisfied: bool,
    /// Whether another attempt is allowed.
    pub retry_eligible: bool,
    /// Whether its retry is due and not queued yet.
    pub ready_for_execution: bool,
    /// How many steps it waits for.
    pub total_parents: i64,
    /// How many of them are done.
    pub completed_parents: i64,
    /// Attempts finished, and the one under way.
    pub attempts: i32,
    /// How many it may take.
    pub max_attempts: i32,
    /// Leases that ran out since its last verdict or checkpoint.
    pub lapses: i32,
    /// How far it came, a JSON object: `cursor`, `items_processed`, `timestamp`, `accumulated_results`.
    #[schema(value_type = Option<Object>)]
    pub checkpoint: Option<Box<RawValue>>,
    /// Its newest hundred checkpoints, oldest first, a JSON array of `{cursor, items_processed, attempt, timestamp}`; none
    /// if it made none.
    #[schema(value_type = Option<Vec<Object>>)]
    pub checkpoint_history: Option<Box<RawValue>>,
    /// When an attempt last failed.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// When it is tried again, while it waits for that.
    pub next_retry_at: Option<DateTime<Utc>>,
    /// When it was last claimed.
    pub last_attempted_at: Option<DateTime<Utc>>,
    /// The host that claimed it last; none once it put the step back.
    pub claimed_by: Option<String>,
    /// The names of the steps it waits for.
    pub dependencies: Vec<String>,
    /// The latest finished attempt.
    pub last_attempt: Option<AttemptView>,
    /// All finished attempts together.
    pub attempt_totals: AttemptTotals,
}

/// One finished attempt.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptView {
    /// Which it was: 1 for the first.
    pub attempt: i32,
    /// The outcome's name.
    pub outcome: String,
    /// The failure's type.
    pub error_type: Option<String>,
    /// Where it ran.
    pub host: String,
    /// When its execution began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// What it used.
    #[serde(flatten)]
    pub usage: Usage,
}

/// What all finished attempts of a step used.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptTotals {
    /// How many there are.
    pub count: i64,
    /// Units of fuel.
    pub fuel: i64,
    /// Microseconds inside the guest.
    pub guest_us: i64,
    /// Microseconds from beginning to end.
    pub total_us: i64,
}

impl Store {
    /// The steps of a task in the order of its template; none if there is no such task.
    ///
    /// # Errors
    /// The database fails.
    pub async fn steps(&self, task_uuid: Uuid) -> Result<Vec<StepView>, StoreError> {
        let steps = sqlx::query_as("select * from tasker.step_views($1)").bind(task_uuid);
        Ok(steps.fetch_all(&self.pool).await?)
    }
}

impl<'r> FromRow<'r, PgRow> for StepView {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let state: StepState = states::read(row.try_get("current_state")?)?;
        let pending_parents = i64::from(row.try_get::<i32, _>("pending_parents")?);
        let updated_at = row.try_get("updated_at")?;
        let (attempts, max_attempts) = (row.try_get("attempts")?, row.try_get("max_attempts")?);
        let dependencies: Vec<String> = row.try_get("dependencies")?;
        let totals = AttemptTotals {
            count: row.try_get("finished")?,
            fuel: row.try_get("all_fuel")?,
            guest_us: row.try_get("all_guest_us")?,
            total_us: row.try_get("all_total_us")?,
        };
        let last_attempt = (totals.count > 0).then(|| AttemptView::from_row(row)).transpose()?;
        Ok(Self {
            step_uuid: row.try_get("step_uuid")?,
            task_uuid: row.try_get("task_uuid")?,
            name: row.try_get("name")?,
            template_step: row.try_get("template_step")?,
            created_at: row.try_get("created_at")?,
            updated_at,
            completed_at: state.satisfies_dependents().then_some(updated_at),
            results: StepExecutionResult::read(row, state, updated_at, last_attempt.as_ref())?,
            current_state: state,
            dependencies_satisfied: pending_parents == 0,
            retry_eligible: attempts == 0 || (row.try_get("retryable")? && attempts < max_attempts),
            ready_for_execution: row.try_get("due")?,
            total_parents: dependencies.len() as i64,
            // A worker beyond the window of its batch waits for a place beside its parents.
            completed_parents: (dependencies.len() as i64 - pending_parents).max(0),
            attempts,
            max_attempts,
            lapses: row.try_get("lapses")?,
            checkpoint: row.try_get("checkpoint")?,
            checkpoint_history: row.try_get("checkpoint_history")?,
            last_failure_at: row.try_get("last_failure_at")?,
            next_retry_at: row.try_get("run_after")?,
            last_attempted_at: row.try_get("claimed_at")?,
            claimed_by: row.try_get("claimed_by")?,
            dependencies,
            last_attempt,
            attempt_totals: totals,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for AttemptView {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let count = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
        Ok(Self {
            attempt: row.try_get("attempt")?,
            outcome: row.try_get("outcome")?,
            error_type: row.try_get("error_type")?,
            host: row.try_get("host")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            usage: Usage {
                fuel: count("fuel")?,
                peak_memory_bytes: count("peak_memory_bytes")?,
                instantiate_us: count("instantiate_us")?,
                guest_us: count("guest_us")?,
                total_us: count("total_us")?,
                host_calls: count("host_calls")?,
            },
        })
    }
}
