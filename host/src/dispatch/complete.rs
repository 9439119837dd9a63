//! The completion channel: the ends of many steps in one durable commit.
//!
//! The first end in an empty channel does not wait for company; those that arrive while it is being committed leave
//! together in the next commit. So an idle host answers at the speed of one commit, and a busy one pays for one commit
//! a batch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Shared;
use super::growth::Deciding;
use crate::events::Outbox;
use crate::store::{Acceptance, Completion, CompletionReport, Lease, StoreError};

/// Most ends in one commit. Beyond this, latency and cache misses cost more than the shared commit saves.
const BATCH: usize = 100;

/// Pauses between tries while the database is away. Past the last one the pause stays the same: what this host holds is
/// kept until it is committed, or until the lease has lapsed and the commit is refused.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

/// How a claimed step ended on this host.
pub(super) enum Finished {
    /// The attempt has a verdict to commit.
    Attempt(Box<Ended>),
    /// The host could not run it: another attempt starts as if this one had not been.
    PutBack(Lease),
    /// Another host owns the step by now: there is nothing to say.
    Lost(Lease),
}

/// An attempt that has a verdict.
pub(super) struct Ended {
    pub(super) completion: Completion,
    /// The events that follow the commit.
    pub(super) outbox: Outbox,
    /// What its growth was planned from, if it decides over its task.
    pub(super) deciding: Option<Deciding>,
}

impl Finished {
    pub(super) fn put_back(step: &Lease, reason: &str) -> Self {
        tracing::warn!(reason, "putting the step back; no attempt is spent");
        Self::PutBack(step.clone())
    }
}

pub(super) async fn run(shared: Arc<Shared>, mut finished: mpsc::Receiver<Finished>) {
    let mut ends = Vec::with_capacity(BATCH);
    while finished.recv_many(&mut ends, BATCH).await > 0 {
        let (mut attempts, mut put_back) = (Vec::new(), Vec::new());
        for end in ends.drain(..) {
            match end {
                Finished::Attempt(attempt) => attempts.push(*attempt),
                Finished::PutBack(lease) => put_back.push(lease),
                Finished::Lost(lease) => shared.in_flight.remove(&lease),
            }
        }
        if !attempts.is_empty() {
            let leases: Vec<_> = attempts.iter().map(|attempt| attempt.completion.lease.clone()).collect();
            commit(&shared, attempts).await;
            leases.iter().for_each(|lease| shared.in_flight.remove(lease));
        }
        if !put_back.is_empty() {
            release(&shared, &put_back).await;
            put_back.iter().for_each(|lease| shared.in_flight.remove(lease));
        }
    }
}

/// Commits attempts, those again whose tasks grew meanwhile, until each is accepted or refused.
async fn commit(shared: &Shared, mut attempts: Vec<Ended>) {
    let mut pauses = pauses();
    loop {
        let (completions, following): (Vec<_>, Vec<_>) =
            attempts.into_iter().map(|attempt| (attempt.completion, (attempt.outbox, attempt.deciding))).unzip();
        let sent = Instant::now();
        let committed = shared.store.complete_steps(&completions).await;
        let together = completions.into_iter().zip(following).map(|(completion, (outbox, deciding))| Ended {
            completion,
            outbox,
            deciding,
        });
        let error = match committed {
            Ok(report) => {
                announce(shared, &report, sent.elapsed());
                attempts = Vec::new();
                for (attempt, acceptance) in together.zip(&report.accepted) {
                    match acceptance {
                        Acceptance::Accepted => {
                            shared.metrics.attempt(&attempt.completion);
                            shared.events.committed(attempt.outbox);
                        }
                        Acceptance::Outgrown => attempts.push(attempt),
                        Acceptance::Refused => {}
                    }
                }
                if attempts.is_empty() {
                    return;
                }
                match plan_again(shared, &mut attempts).await {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Err(error) => {
                attempts = together.collect();
                error
            }
        };
        if shared.aborting.is_cancelled() {
            tracing::error!(
                %error,
                results = attempts.len(),
                "can't commit results before the host stops: their steps run again when the leases have lapsed"
            );
            return;
        }
        tracing::error!(%error, results = attempts.len(), "can't commit results: trying again");
        tokio::time::sleep(pauses.next().unwrap_or_default()).await;
    }
}

/// Plans what attempts add to their tasks on what the tasks have now. One that can't be carried out any more fails, and
/// announces nothing.
async fn plan_again(shared: &Shared, attempts: &mut [Ended]) -> Result<(), StoreError> {
    for attempt in attempts {
        if let Some(deciding) = &attempt.deciding {
            attempt.completion = deciding.plan(shared, attempt.completion.clone()).await?;
            if attempt.completion.growth.is_none() {
                attempt.outbox = Outbox::default();
            }
        }
    }
    Ok(())
}

/// Tells who waits for it what a commit brought.
fn announce(shared: &Shared, report: &CompletionReport, took: Duration) {
    if report.refused() > 0 {
        shared.in_flight.count_refused(report.refused());
        shared.metrics.refused(report.refused());
        tracing::warn!(
            refused = report.refused(),
            "late results were refused: their leases had lapsed and other attempts own the steps, or their tasks were \
             cancelled"
        );
    }
    for change in &report.tasks {
        // An error only says that nobody listens.
        let _ = shared.changes.send(*change);
    }
    if report.enqueued > 0 {
        shared.wake.wake();
        if report.enqueued as usize > shared.slots.free() {
            shared.neighbours.tell();
        }
    }
    if let Some(retry_in) = report.next_retry {
        // The wait has begun in the database, before the commit reached the disk.
        shared.due.expect(retry_in.saturating_sub(took));
    }
}

/// Puts steps back. One try is enough: if it fails they come back when their leases lapse.
async fn release(shared: &Shared, leases: &[Lease]) {
    match shared.store.release_steps(leases).await {
        Ok(_) => {
            shared.in_flight.count_put_back(leases.len());
            shared.metrics.put_back(leases.len());
        }
        Err(error) => tracing::error!(%error, steps = leases.len(), "can't put steps back: they run again later"),
    }
}

fn pauses() -> impl Iterator<Item = Duration> {
    PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1]))
}
