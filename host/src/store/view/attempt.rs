//! The attempts of a task's steps, each with its error and the end of its log.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::AttemptView;
use crate::store::{Store, StoreError};

/// A finished attempt with what it left behind.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptDetail {
    /// The step.
    pub step_uuid: Uuid,
    /// Its name.
    pub step: String,
    /// What it was and used.
    #[serde(flatten)]
    pub attempt: AttemptView,
    /// Why it failed, a JSON object: `message`, `error_type`, `error_code`, `retryable`, `backtrace`.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Box<RawValue>>,
    /// The end of its log, a JSON object: `{records: [{at, level, message, fields}], dropped}`; none if it wrote nothing.
    #[schema(value_type = Option<Object>)]
    pub log: Option<Box<RawValue>>,
}

/// Which attempts of a task to list.
#[derive(Debug, Clone, Default)]
pub struct AttemptFilter {
    /// Only of this step.
    pub step_uuid: Option<Uuid>,
    /// How many at most.
    pub limit: u32,
    /// How many to pass over.
    pub offset: u32,
}

impl Store {
    /// The attempts of a task in the order in which they began.
    ///
    /// # Errors
    /// The database fails.
    pub async fn attempts(&self, task: Uuid, filter: &AttemptFilter) -> Result<Vec<AttemptDetail>, StoreError> {
        let attempts = sqlx::query_as(
            "select a.*, s.name from tasker.steps s join tasker.attempts a on a.step_uuid = s.step_uuid
            where s.task_uuid = $1 and ($2::uuid is null or s.step_uuid = $2)
            order by a.started_at, a.step_uuid, a.claim limit $3 offset $4",
        )
        .bind(task)
        .bind(filter.step_uuid)
        .bind(i64::from(filter.limit))
        .bind(i64::from(filter.offset));
        Ok(attempts.fetch_all(&self.pool).await?)
    }
}

impl<'r> FromRow<'r, PgRow> for AttemptDetail {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            step_uuid: row.try_get("step_uuid")?,
            step: row.try_get("name")?,
            attempt: AttemptView::from_row(row)?,
            error: row.try_get("error")?,
            log: row.try_get("log")?,
        })
    }
}
