//! Claiming: taking steps from the queues, with everything their execution needs, in one round trip.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{Lease, Store, StoreError};

/// What a host asks for.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Whose steps it can run. Namespaces that nobody registered yet have none.
    pub namespaces: Vec<String>,
    /// How many steps of each at most, in the same order; empty for as many as there may be of all.
    pub places: Vec<u32>,
    /// How many steps at most: the slots it has free.
    pub limit: u32,
    /// Its name, for people.
    pub host: String,
    /// For how long the steps are its own unless renewed.
    pub lease: Duration,
}

/// A step that is ours to run.
#[derive(Debug, Clone)]
pub struct ClaimedStep {
    /// What its completion must show.
    pub lease: Lease,
    /// Its task.
    pub task_uuid: Uuid,
    /// The template the task was planned from.
    pub template_uuid: Uuid,
    /// Joins the task to what happens elsewhere.
    pub correlation_id: Uuid,
    /// The step's name.
    pub name: String,
    /// The step of the template it was made from; none where that is its name.
    pub template_step: Option<String>,
    /// Which attempt this is: 1 for the first.
    pub attempts: i32,
    /// How many it may take.
    pub max_attempts: i32,
    /// How often its lease ran out since it last reached a verdict or a checkpoint.
    pub lapses: i32,
    /// Whether a retryable failure is tried again.
    pub retryable: bool,
    /// The `task` of the step event, a JSON object in camel case: `taskUuid`, `name`, `namespace`, `version`, `context`,
    /// `correlationId`, `priority`, `initiator`, `sourceSystem`, `reason`, `tags`, `createdAt`.
    pub task: Box<RawValue>,
    /// The step's inputs, a JSON object.
    pub inputs: Box<RawValue>,
    /// How far it came: `{cursor, items_processed, timestamp, accumulated_results}`.
    pub checkpoint: Option<Box<RawValue>>,
    /// The results of all its ancestors, a JSON object: `{name: {stepUuid, success, status, result}}`.
    pub dependency_results: Box<RawValue>,
    /// When it came into the queue.
    pub enqueued_at: DateTime<Utc>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl ClaimedStep {
    /// The step of the template it was made from.
    #[must_use]
    pub fn template_step(&self) -> &str {
        self.template_step.as_deref().unwrap_or(&self.name)
    }
}

impl Store {
    /// Claims up to `limit` steps, and of each namespace no more than it has places for, shared fairly between the
    /// namespaces, oldest first within each. A step whose lease ran out is claimed again: the same attempt under a new
    /// fence.
    ///
    /// # Errors
    /// The database fails. Steps it claimed before the answer was lost come back when their lease runs out.
    pub async fn claim_steps(&self, request: &ClaimRequest) -> Result<Vec<ClaimedStep>, StoreError> {
        let places = request.places.iter().map(|places| i32::try_from(*places).unwrap_or(i32::MAX));
        let places = Some(places.collect::<Vec<_>>()).filter(|places| !places.is_empty());
        let claimed = sqlx::query_as("select * from tasker.claim_steps($1, $2, $3, $4, $5)")
            .bind(&request.namespaces)
            .bind(i32::try_from(request.limit).unwrap_or(i32::MAX))
            .bind(&request.host)
            .bind(request.lease.as_secs_f64())
            .bind(places);
        Ok(claimed.fetch_all(&self.pool).await?)
    }
}

impl<'r> FromRow<'r, PgRow> for ClaimedStep {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            lease: Lease {
                namespace: row.try_get("namespace")?,
                message_id: row.try_get("message_id")?,
                step_uuid: row.try_get("step_uuid")?,
                claim: row.try_get("claim")?,
            },
            task_uuid: row.try_get("task_uuid")?,
            template_uuid: row.try_get("template_uuid")?,
            correlation_id: row.try_get("correlation_id")?,
            name: row.try_get("name")?,
            template_step: row.try_get("template_step")?,
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            lapses: row.try_get("lapses")?,
            retryable: row.try_get("retryable")?,
            task: row.try_get("task")?,
            inputs: row.try_get("inputs")?,
            checkpoint: row.try_get("checkpoint")?,
            dependency_results: row.try_get("dependency_results")?,
            enqueued_at: row.try_get("enqueued_at")?,
            created_at: row.try_get("created_at")?,
        })
    }
}
