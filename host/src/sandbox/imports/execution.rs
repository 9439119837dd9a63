//! `tasker:handler/execution`: how much longer the call may run.

use std::time::Instant;

use crate::sandbox::attempt::Attempt;
use crate::sandbox::bindings::tasker::handler::execution;

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
}
