//! A task with the counts of its steps.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::store::{Store, StoreError, TaskState, states};

/// A task with the counts of its steps: each is pending, in progress, completed, failed or cancelled.
#[derive(Debug, Clone, Serialize)]
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
    /// What is going on: `blocked_by_failures`, `has_ready_steps`, `processing`, `all_complete`,
    /// `waiting_for_dependencies`.
    pub execution_status: &'static str,
    /// What somebody who looks after it would do next.
    pub recommended_action: &'static str,
    /// 0 to 100.
    pub completion_percentage: f64,
    /// `blocked`, `recovering` (a step waits for its retry), `healthy`, `unknown` (it has no steps).
    pub health_status: &'static str,
}

/// Which tasks to list.
#[derive(Debug, Clone)]
pub struct TaskFilter {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only those with this [`TaskView::status`].
    pub status: Option<TaskState>,
    /// How many at most.
    pub limit: u32,
}

impl Store {
    /// A task; none if there is no such task.
    ///
    /// # Errors
    /// The database fails.
    pub async fn task(&self, task_uuid: Uuid) -> Result<Option<TaskView>, StoreError> {
        let found = sqlx::query_as("select * from tasker.task_views($1, null, null, 1)").bind(task_uuid);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// The newest tasks that the filter lets through, newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list_tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskView>, StoreError> {
        let found = sqlx::query_as("select * from tasker.task_views(null, $1, $2::text::tasker.task_state, $3)")
            .bind(filter.namespace.as_deref())
            .bind(filter.status.map(TaskState::as_str))
            .bind(i64::from(filter.limit));
        Ok(found.fetch_all(&self.pool).await?)
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
    fn execution(&self, status: TaskState) -> (&'static str, &'static str) {
        if status == TaskState::Complete {
            ("all_complete", "finalize_task")
        } else if self.failed > 0 {
            ("blocked_by_failures", "handle_failures")
        } else if self.ready > 0 {
            ("has_ready_steps", "execute_ready_steps")
        } else if self.in_progress > 0 {
            ("processing", "wait_for_completion")
        } else if self.completed == self.total && self.total > 0 {
            ("all_complete", "finalize_task")
        } else {
            ("waiting_for_dependencies", "wait_for_dependencies")
        }
    }

    fn health(&self, status: TaskState) -> &'static str {
        match self {
            Self { total: 0, .. } => "unknown",
            _ if status == TaskState::Complete => "healthy",
            Self { failed: 1.., .. } => "blocked",
            Self { retrying: 1.., .. } => "recovering",
            _ => "healthy",
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
        assert_eq!(counts.execution(TaskState::StepsInProcess).0, "blocked_by_failures");
        assert_eq!(counts.health(TaskState::StepsInProcess), "blocked");
        assert_eq!(counts.percentage(TaskState::StepsInProcess), 50.0);
    }

    #[test]
    fn a_step_that_waits_for_its_retry_makes_a_task_recovering() {
        let counts = Counts { total: 2, completed: 1, retrying: 1, ..Counts::default() };
        assert_eq!(counts.execution(TaskState::StepsInProcess).0, "waiting_for_dependencies");
        assert_eq!(counts.health(TaskState::StepsInProcess), "recovering");
    }

    #[test]
    fn a_task_that_is_complete_in_spite_of_a_failure_is_well() {
        let counts = Counts { total: 3, completed: 2, failed: 1, ..Counts::default() };
        assert_eq!(counts.execution(TaskState::Complete).0, "all_complete");
        assert_eq!((counts.health(TaskState::Complete), counts.percentage(TaskState::Complete)), ("healthy", 100.0));
    }

    #[test]
    fn a_task_without_steps_is_all_complete() {
        let counts = Counts::default();
        assert_eq!(counts.execution(TaskState::Complete).0, "all_complete");
        assert_eq!(counts.percentage(TaskState::Complete), 100.0);
    }
}
