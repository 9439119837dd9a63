//! Brings back what waited. A step in backoff is parked outside the queue; this timer knows when the earliest is due, so
//! a backoff of 50 ms is not rounded up to the sweep interval. The sweep finds those that other hosts parked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Shared;
use super::wake::Work;

/// Most steps one look brings back.
const BATCH: u32 = 500;

/// When the earliest parked step that this host knows of is due.
#[derive(Default)]
pub(super) struct DueTimer {
    earliest: std::sync::Mutex<Option<Instant>>,
    sooner: Notify,
}

impl DueTimer {
    /// A step was parked and is due after `delay`.
    pub(super) fn expect(&self, delay: Duration) {
        let due = Instant::now() + delay;
        let mut earliest = self.earliest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if earliest.is_none_or(|known| due < known) {
            *earliest = Some(due);
            self.sooner.notify_one();
        }
    }

    fn next(&self) -> Option<Instant> {
        *self.earliest.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn forget(&self) {
        self.earliest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}

pub(super) async fn run(shared: Arc<Shared>) {
    let mut sweep = Instant::now();
    loop {
        let at = shared.due.next().map_or(sweep, |due| due.min(sweep));
        tokio::select! {
            () = shared.finished.cancelled() => return,
            () = shared.due.sooner.notified() => continue,
            () = tokio::time::sleep_until(at) => {}
        }
        shared.due.forget();
        sweep = Instant::now() + shared.settings.sweep_interval;
        match shared.store.enqueue_due(BATCH).await {
            Ok(due) => {
                if due.enqueued > 0 {
                    shared.wake.wake(Work::Anywhere);
                }
                if let Some(next_in) = due.next_in {
                    shared.due.expect(next_in);
                }
            }
            Err(error) => tracing::error!(%error, "can't look for steps that are due: trying again at the next sweep"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_step_that_is_due_sooner_moves_the_timer() {
        let timer = DueTimer::default();
        timer.expect(Duration::from_secs(10));
        let first = timer.next();
        timer.sooner.notified().await;
        timer.expect(Duration::from_secs(20));
        assert_eq!(timer.next(), first);
        timer.expect(Duration::from_secs(1));
        assert!(timer.next() < first);
        timer.sooner.notified().await;
        timer.forget();
        assert_eq!(timer.next(), None);
    }
}
