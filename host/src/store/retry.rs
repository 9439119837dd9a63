//! Steps that wait for their retry: parked in their row, brought back to the queue when they are due.

use std::time::Duration;

use super::{Store, StoreError};

/// What [`Store::enqueue_due`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How many steps were queued.
    pub enqueued: u32,
    /// When the next one is due, from now; none if no step waits.
    pub next_in: Option<Duration>,
}

impl Store {
    /// Queues the steps whose retry is due, the longest due first, up to `limit` of them. Safe to call from every host
    /// at once. With more due than `limit`, `next_in` is zero.
    ///
    /// # Errors
    /// The database fails.
    pub async fn enqueue_due(&self, limit: u32) -> Result<Due, StoreError> {
        let (enqueued, next_in_ms): (i32, Option<i64>) =
            sqlx::query_as("select enqueued, next_in_ms from tasker.enqueue_due($1)")
                .bind(i32::try_from(limit).unwrap_or(i32::MAX))
                .fetch_one(&self.pool)
                .await?;
        let next_in = next_in_ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        Ok(Due { enqueued: enqueued.unsigned_abs(), next_in })
    }
}
