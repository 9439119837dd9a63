//! Purging: what has been finished for long enough goes, in commits so small that nobody waits for them.

use std::time::Duration;

use uuid::Uuid;

use super::{Store, StoreError};

/// A part of the old tasks that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgedTasks {
    /// How many went.
    pub purged: u32,
    /// Where to go on; none at the end.
    pub next: Option<Uuid>,
}

/// What one look at the messages brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgedMessages {
    /// How many went.
    pub purged: u64,
    /// Whether there may be more.
    pub more: bool,
}

impl Store {
    /// Takes away tasks that finished longer ago than `retention`, with everything that belongs to them. Looks at up to
    /// `batch` tasks after the one with key `after`. A task with an unresolved dead letter stays. Safe to call from every
    /// host at once.
    ///
    /// # Errors
    /// The database fails; nothing was taken then.
    pub async fn purge_tasks(
        &self,
        retention: Duration,
        after: Option<Uuid>,
        batch: u32,
    ) -> Result<PurgedTasks, StoreError> {
        let (purged, next): (i32, Option<Uuid>) = sqlx::query_as(
            "select purged, looked_to from tasker.purge_tasks(clock_timestamp() - make_interval(secs => $1), $2, $3)",
        )
        .bind(retention.as_secs_f64())
        .bind(after)
        .bind(i32::try_from(batch).unwrap_or(i32::MAX))
        .fetch_one(&self.pool)
        .await?;
        Ok(PurgedTasks { purged: purged.unsigned_abs(), next })
    }

    /// Takes away messages that were archived longer ago than `archives`, and domain events, waiting or archived, older
    /// than `events`: up to `batch` from each queue and archive.
    ///
    /// # Errors
    /// The database fails; nothing was taken then.
    pub async fn purge_messages(
        &self,
        archives: Duration,
        events: Duration,
        batch: u32,
    ) -> Result<PurgedMessages, StoreError> {
        let (purged, more): (i64, bool) = sqlx::query_as(
            "select purged, more from tasker.purge_messages(
                clock_timestamp() - make_interval(secs => $1), clock_timestamp() - make_interval(secs => $2), $3
            )",
        )
        .bind(archives.as_secs_f64())
        .bind(events.as_secs_f64())
        .bind(i32::try_from(batch).unwrap_or(i32::MAX))
        .fetch_one(&self.pool)
        .await?;
        Ok(PurgedMessages { purged: purged.unsigned_abs(), more })
    }
}
