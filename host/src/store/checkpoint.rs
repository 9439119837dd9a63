//! Progress of steps that run on.

use serde_json::value::RawValue;
use sqlx::types::Json;

use super::{Lease, Store, StoreError};

/// How far a step came.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Where it resumes, any JSON value.
    pub cursor: Box<RawValue>,
    /// How many items it has processed in all.
    pub items_processed: u64,
    /// What it carries forward, a JSON object.
    pub accumulated_results: Option<Box<RawValue>>,
}

impl Store {
    /// Stores the progress of a claimed step; it is on disk when this returns. Gives the checkpoint as the next call sees
    /// it, `None` if the lease is lost: nothing was stored then.
    ///
    /// # Errors
    /// The database fails, or cannot take a value.
    pub async fn save_checkpoint(
        &self,
        lease: &Lease,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Box<RawValue>>, StoreError> {
        let saved = self.try_to_save_checkpoint(lease, checkpoint).await?;
        if saved.is_some() || lease.planned.is_none() {
            return Ok(saved);
        }
        self.write_planned_of(std::slice::from_ref(lease)).await?;
        self.try_to_save_checkpoint(lease, checkpoint).await
    }

    /// The same of a step that is written.
    async fn try_to_save_checkpoint(
        &self,
        lease: &Lease,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Box<RawValue>>, StoreError> {
        let saved =
            sqlx::query_scalar::<_, Option<Json<Box<RawValue>>>>("select tasker.save_checkpoint($1, $2, $3, $4, $5)")
                .bind(lease.step_uuid)
                .bind(lease.claim)
                .bind(checkpoint.cursor.get())
                .bind(i64::try_from(checkpoint.items_processed).unwrap_or(i64::MAX))
                .bind(checkpoint.accumulated_results.as_ref().map(|results| results.get()));
        Ok(saved.fetch_one(&self.pool).await?.map(|stored| stored.0))
    }
}
