//! Progress of a step that runs on: what a guest hands over, checked, and where it goes while the call goes on.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::accept;
use super::bindings::tasker::handler::types::CheckpointYield;
use super::failure::{AttemptError, Exceeded};
use crate::store::Checkpoint;

/// Takes progress that can be stored; each part may have `limit` bytes.
pub(super) fn accept(progress: CheckpointYield, limit: usize) -> Result<Checkpoint, AttemptError> {
    let items_processed = progress.items_processed;
    if i64::try_from(items_processed).is_err() {
        let detail = format!("counts {items_processed} items processed, more than a database counts");
        return Err(AttemptError::InvalidResult { what: "checkpoint", detail });
    }
    let parts = [Some(&progress.cursor), progress.accumulated_results.as_ref()];
    if let Some(part) = parts.into_iter().flatten().find(|part| part.len() > limit) {
        let (limit, used) = (limit as u64, part.len() as u64);
        return Err(AttemptError::LimitExceeded { exceeded: Exceeded::CheckpointBytes, limit, used });
    }
    let accumulated = progress.accumulated_results.map(|text| accept::object("accumulated results", text, limit));
    Ok(Checkpoint {
        cursor: accept::json("cursor", progress.cursor, limit)?,
        items_processed,
        accumulated_results: accumulated.transpose()?,
    })
}

type Save = dyn Fn(Checkpoint) -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// Stores the progress that a running call hands over. Cheap to clone.
#[derive(Clone)]
pub struct CheckpointSink(Arc<Save>);

impl CheckpointSink {
    /// A sink that stores with `save`, whose error the guest gets to read.
    pub fn new<Saving>(save: impl Fn(Checkpoint) -> Saving + Send + Sync + 'static) -> Self
    where
        Saving: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self(Arc::new(move |checkpoint| Box::pin(save(checkpoint))))
    }

    pub(super) async fn save(&self, checkpoint: Checkpoint) -> Result<(), String> {
        (self.0)(checkpoint).await
    }
}

impl fmt::Debug for CheckpointSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckpointSink")
    }
}
