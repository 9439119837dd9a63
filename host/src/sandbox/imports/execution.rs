//! `tasker:handler/execution`: how much longer the call may run, and progress that outlives it.
//!
//! Storing progress waits for the database, and that time counts against the deadline: a guest that stores without end
//! is stopped as one that computes without end is. How often one call may store is bounded too, because each time leaves
//! a row. One that is larger than it may be ends the attempt, as one that is yielded does.

use std::time::Instant;

use crate::sandbox::attempt::Attempt;
use crate::sandbox::bindings::tasker::handler::execution;
use crate::sandbox::bindings::tasker::handler::types::CheckpointYield;
use crate::sandbox::checkpoint;
use crate::sandbox::failure::AttemptError;

/// Checkpoints one call may store.
const SAVES: u32 = 1_000;

impl execution::Host for Attempt {
    fn remaining_ms(&mut self) -> u32 {
        self.host_calls += 1;
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        u32::try_from(remaining.as_millis()).unwrap_or(u32::MAX)
    }

    fn cancellation_requested(&mut self) -> bool {
        self.host_calls += 1;
        self.cancellation.is_cancelled()
    }

    async fn save_checkpoint(&mut self, progress: CheckpointYield) -> Result<(), String> {
        self.host_calls += 1;
        let sink = self.checkpoints.clone().ok_or("progress can be stored only while a step runs")?;
        if self.saves == SAVES {
            return Err(format!("this call has stored progress {SAVES} times; store it less often"));
        }
        self.saves += 1;
        match checkpoint::accept(progress, self.checkpoint_bytes) {
            Ok(checkpoint) => {
                self.output.wait().await;
                sink.save(checkpoint).await
            }
            Err(error) => {
                if let AttemptError::LimitExceeded { exceeded, limit, used } = error {
                    self.violations.exceed(exceeded, limit, used);
                }
                Err(error.cause().to_string())
            }
        }
    }
}
