//! Staleness: tasks in which nothing happens any more are found and given up, so that somebody looks into them.

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::{DeadLetterReason, Store, StoreError, TaskState};

/// How long a task may rest, in minutes; what its template's lifecycle says goes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StalenessThresholds {
    /// While all that is left waits for other steps.
    pub waiting_for_dependencies: u32,
    /// While a step waits for its retry.
    pub waiting_for_retry: u32,
    /// While a step is queued or runs. A step whose lease is renewed runs as long as it likes.
    pub steps_in_process: u32,
    /// From its creation to its end.
    pub lifetime: u32,
}

/// A task that came to a stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleTask {
    /// The task.
    pub task_uuid: Uuid,
    /// Its namespace.
    pub namespace: String,
    /// Its template.
    pub name: String,
    /// Its template's version.
    pub version: String,
    /// What it rested in.
    pub state: TaskState,
    /// Why it was given up.
    pub reason: DeadLetterReason,
    /// For how many minutes nothing happened in it, or how old it is, whichever was too long.
    pub minutes: i64,
    /// How many it was allowed.
    pub allowed_minutes: i64,
    /// Its dead letter; none if its template wants none, or it has one that nobody resolved.
    pub dlq_entry_uuid: Option<Uuid>,
    /// Whether it became an error.
    pub failed: bool,
}

/// A part of the active tasks that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalePage {
    /// The tasks that came to a stand.
    pub tasks: Vec<StaleTask>,
    /// Where to go on; none at the end.
    pub next: Option<Uuid>,
}

impl Store {
    /// Looks at up to `batch` active tasks after the one with key `after`, and gives up those that came to a stand; with
    /// `dry_run` it only tells. Safe to call from every host at once.
    ///
    /// # Errors
    /// The database fails; nothing was given up then.
    pub async fn detect_stale_tasks(
        &self,
        after: Option<Uuid>,
        batch: u32,
        thresholds: StalenessThresholds,
        dry_run: bool,
    ) -> Result<StalePage, StoreError> {
        let minutes = |minutes: u32| i32::try_from(minutes).unwrap_or(i32::MAX);
        let entries: Vec<Uuid> = (0..batch).map(|_| Uuid::now_v7()).collect();
        let (Json(tasks), next) =
            sqlx::query_as("select report, looked_to from tasker.detect_stale_tasks($1, $2, $3, $4, $5, $6, $7)")
                .bind(after)
                .bind(entries)
                .bind(dry_run)
                .bind(minutes(thresholds.waiting_for_dependencies))
                .bind(minutes(thresholds.waiting_for_retry))
                .bind(minutes(thresholds.steps_in_process))
                .bind(minutes(thresholds.lifetime))
                .fetch_one(&self.pool)
                .await?;
        Ok(StalePage { tasks, next })
    }
}
