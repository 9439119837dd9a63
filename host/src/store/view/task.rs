//! A task with the counts of its steps.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::store::{ExecutionStatus, HealthStatus, NewTask, RecommendedAction, Store, StoreError, TaskState, states};

/// A task with the counts of its steps: each is pending, in progress, completed, failed or cancelled.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskView {
    /// Its key.
    pub task_uuid: Uuid,
    /// Its template's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its template's version.
    pub version: String,
    /// Its state, as far as its row tells it. One whose steps neither run nor are queued is seen as `waiting_for_retry` or
    /// `waiting_for_dependencies`.
    pub status: TaskState,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its row was last written.
    pub updated_at: DateTime<Utc>,
    /// When it came to its end: complete, cancelled, resolved, or an error.
    pub completed_at: Option<DateTime<Utc>>,
    /// Its input.
    #[schema(value_type = Object)]
    pub context: Box<RawValue>,
    /// Who asked for it.
    pub initiator: String,
    /// The system they asked through.
    pub source_system: String,
    /// Why.
    pub reason: String,
    /// -100 to 100.
    pub priority: i32,
    /// A JSON array of labels.
    #[schema(value_type = Vec<String>)]
    pub tags: Box<RawValue>,
    /// Joins the task to what happens elsewhere.
    pub correlation_id: Uuid,
    /// The correlation of what caused it.
    pub parent_correlation_id: Option<Uuid>,
    /// The template it was planned from.
    pub template_uuid: Uuid,
    /// All its steps.
    pub total_steps: i64,
    /// Those that wait, for others or for their retry.
    pub pending_steps: i64,
    /// Those in a queue or in a host.
    pub in_progress_steps: i64,
    /// Those complete or resolved.
    pub completed_steps: i64,
    /// Those that failed for good.
    pub failed_steps: i64,
    /// Those whose retry is due and not queued yet.
    pub ready_steps: i64,
    /// What is going on.
    pub execution_status: ExecutionStatus,
    /// What somebody who looks after it would do next.
    pub recommended_action: RecommendedAction,
    /// 0 to 100.
    pub completion_percentage: f64,
    /// How it is: recovering while a step waits for its retry, unknown without steps.
    pub health_status: HealthStatus,
}

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only of these namespaces.
    pub namespaces: Option<Vec<String>>,
    /// Only those with this [`TaskView::status`].
    pub status: Option<TaskState>,
    /// Only of this initiator.
    pub initiator: Option<String>,
    /// Only from this system.
    pub source_system: Option<String>,
    /// How many at most.
    pub limit: u32,
    /// How many to pass over.
    pub offset: u32,
}

impl Store {
    /// A task; none if there is no such task.
    ///
    /// # Errors
    /// The database fails.
    pub async fn task(&self, task_uuid: Uuid) -> Result<Option<TaskView>, StoreError> {
        let found = sqlx::query_as("select * from tasker.task_views($1, null, null, null, null, 1)").bind(task_uuid);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// How many tasks the filter lets through in all.
    ///
    /// # Errors
    /// The database fails.
    pub async fn count_tasks(&self, filter: &TaskFilter) -> Result<u64, StoreError> {
        let total: i64 = sqlx::query_scalar("select tasker.count_tasks($1, $2::text::tasker.task_state, $3, $4)")
            .bind(filter.namespaces.as_deref())
            .bind(filter.status.map(TaskState::as_str))
            .bind(filter.initiator.as_deref())
            .bind(filter.source_system.as_deref())
            .fetch_one(&self.pool)
            .await?;
        Ok(total.unsigned_abs())
    }

    /// Whether one of these namespaces, or any, has this task. It takes the same time whether it is another's or nobody's.
    ///
    /// # Errors
    /// The database fails.
    pub async fn has_task_in(&self, namespaces: Option<&[String]>, task: Uuid) -> Result<bool, StoreError> {
        let has = sqlx::query_scalar(
            "select exists (select from tasker.tasks where task_uuid = $2 and ($1::text[] is null or namespace = any ($1)))",
        );
        Ok(has.bind(namespaces).bind(task).fetch_one(&self.pool).await?)
    }
}

impl TaskView {
    /// A task that has just been created, as it is seen until somebody does something with it.
    #[must_use]
    pub fn created(task: &NewTask) -> Self {
        let at = task.created_at;
        let total = task.steps.len() as i64;
        let in_progress = task.steps.iter().filter(|step| step.parents.is_empty()).count() as i64;
        let counts = Counts { total, in_progress, ..Counts::default() };
        let status = if total == 0 { TaskState::Complete } else { TaskState::StepsInProcess };
        let (execution_status, recommended_action) = counts.execution(status);
        Self {
            task_uuid: task.task_uuid,
            name: task.name.clone(),
            namespace: task.namespace.clone(),
            version: task.version.clone(),
            status,
            created_at: at,
            updated_at: at,
            completed_at: (total == 0).then_some(at),
            context: task.context.clone(),
            initiator: task.initiator.clone(),
            source_system: task.source_system.clone(),
            reason: task.reason.clone(),
            priority: task.priority,
            tags: task.tags_json(),
            correlation_id: task.correlation_id,
            parent_correlation_id: task.parent_correlation_id,
            template_uuid: task.template_uuid,
            total_steps: total,
            pending_steps: total - in_progress,
            in_progress_steps: in_progress,
            completed_steps: 0,
            failed_steps: 0,
            ready_steps: 0,
            execution_status,
            recommended_action,
            completion_percentage: counts.percentage(status),
            health_status: counts.health(status),
        }
    }
}

impl<'r> FromRow<'r, PgRow> for TaskView {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let status = states::read(row.try_get("status")?)?;
        let counts = Counts {
            total: row.try_get("total_steps")?,
            in_progress: row.try_get("in_progress_steps")?,
            completed: row.try_get("completed_steps")?,
            failed: row.try_get("failed_steps")?,
            ready: row.try_get("ready_steps")?,
            retrying: row.try_get("retrying_steps")?,
        };
        let (execution_status, recommended_action) = counts.execution(status);
        Ok(Self {
            task_uuid: row.try_get("task_uuid")?,
            name: row.try_get("name")?,
            namespace: row.try_get("namespace")?,
            version: row.try_get("version")?,
            status,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            completed_at: row.try_get("completed_at")?,
            context: row.try_get("context")?,
            initiator: row.try_get("initiator")?,
            source_system: row.try_get("source_system")?,
            reason: row.try_get("reason")?,
            priority: row.try_get("priority")?,
            tags: row.try_get("tags")?,
            correlation_id: row.try_get("correlation_id")?,
            parent_correlation_id: row.try_get("parent_correlation_id")?,
            template_uuid: row.try_get("template_uuid")?,
            total_steps: counts.total,
            pending_steps: row.try_get("pending_steps")?,
            in_progress_steps: counts.in_progress,
            completed_steps: counts.completed,
            failed_steps: counts.failed,
            ready_steps: counts.ready,
            execution_status,
            recommended_action,
            completion_percentage: counts.percentage(status),
            health_status: counts.health(status),
        })
    }
}

#[derive(Default)]
struct Counts {
    total: i64,
    in_progress: i64,
    completed: i64,
    failed: i64,
    ready: i64,
    retrying: i64,
}

impl Counts {
    /// What is going on, and what to do about it; the first that fits. Failures that a batch goes on without leave its
    /// task complete.
    fn execution(&self, status: TaskState) -> (ExecutionStatus, RecommendedAction) {
        if status == TaskState::Complete {
            (ExecutionStatus::AllComplete, RecommendedAction::FinalizeTask)
        } else if self.failed > 0 {
            (ExecutionStatus::BlockedByFailures, RecommendedAction::HandleFailures)
        } else if self.ready > 0 {
            (ExecutionStatus::HasReadySteps, RecommendedAction::ExecuteReadySteps)
        } else if self.in_progress > 0 {
            (ExecutionStatus::Processing, RecommendedAction::WaitForCompletion)
        } else if self.completed == self.total && self.total > 0 {
            (ExecutionStatus::AllComplete, RecommendedAction::FinalizeTask)
        } else {
            (ExecutionStatus::WaitingForDependencies, RecommendedAction::WaitForDependencies)
        }
    }

    fn health(&self, status: TaskState) -> HealthStatus {
        match self {
            Self { total: 0, .. } => HealthStatus::Unknown,
            _ if status == TaskState::Complete => HealthStatus::Healthy,
            Self { failed: 1.., .. } => HealthStatus::Blocked,
            Self { retrying: 1.., .. } => HealthStatus::Recovering,
            _ => HealthStatus::Healthy,
        }
    }

    fn percentage(&self, status: TaskState) -> f64 {
        match (self.total, status) {
            (_, TaskState::Complete) => 100.0,
            (0, _) => 0.0,
            (total, _) => (self.completed as f64 / total as f64 * 10_000.0).round() / 100.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outranks_everything_that_still_runs() {
        let counts = Counts { total: 4, in_progress: 1, completed: 2, failed: 1, ..Counts::default() };
        assert_eq!(counts.execution(TaskState::StepsInProcess).0, ExecutionStatus::BlockedByFailures);
        assert_eq!(counts.health(TaskState::StepsInProcess), HealthStatus::Blocked);
        assert_eq!(counts.percentage(TaskState::StepsInProcess), 50.0);
    }

    #[test]
    fn a_step_that_waits_for_its_retry_makes_a_task_recovering() {
        let counts = Counts { total: 2, completed: 1, retrying: 1, ..Counts::default() };
        assert_eq!(counts.execution(TaskState::StepsInProcess).0, ExecutionStatus::WaitingForDependencies);
        assert_eq!(counts.health(TaskState::StepsInProcess), HealthStatus::Recovering);
    }

    #[test]
    fn a_task_that_is_complete_in_spite_of_a_failure_is_well() {
        let counts = Counts { total: 3, completed: 2, failed: 1, ..Counts::default() };
        assert_eq!(counts.execution(TaskState::Complete).0, ExecutionStatus::AllComplete);
        assert_eq!(
            (counts.health(TaskState::Complete), counts.percentage(TaskState::Complete)),
            (HealthStatus::Healthy, 100.0)
        );
    }

    #[test]
    fn a_task_without_steps_is_all_complete() {
        let counts = Counts::default();
        assert_eq!(counts.execution(TaskState::Complete).0, ExecutionStatus::AllComplete);
        assert_eq!(counts.percentage(TaskState::Complete), 100.0);
    }
}
