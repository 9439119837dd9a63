//! What happened to a task, in order.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::super::{Store, StoreError};

/// One change of a task or of one of its steps.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow, utoipa::ToSchema)]
pub struct TransitionView {
    /// Its place in the order of all changes; grows.
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The step; none when the task itself changed.
    pub step: Option<String>,
    /// The step's attempt, where there was one.
    pub attempt: Option<i32>,
    /// The state it left.
    pub from_state: String,
    /// The state it came to.
    pub to_state: String,
    /// Why, where it was not the ordinary course.
    pub reason: Option<String>,
    /// The person who asked for it; none for the system.
    pub actor: Option<String>,
}

impl Store {
    /// The changes of a task after the one numbered `after`; 0 for all.
    ///
    /// # Errors
    /// The database fails.
    pub async fn transitions(&self, task_uuid: Uuid, after: i64) -> Result<Vec<TransitionView>, StoreError> {
        let changes = sqlx::query_as(
            "select t.sequence, t.at, s.name as step, t.attempt, t.from_state, t.to_state, t.reason, t.actor
            from tasker.changes t left join tasker.steps_of($1) s on s.step_uuid = t.step_uuid
            where t.task_uuid = $1 and t.sequence > $2
            order by t.sequence",
        )
        .bind(task_uuid)
        .bind(after);
        Ok(changes.fetch_all(&self.pool).await?)
    }
}
