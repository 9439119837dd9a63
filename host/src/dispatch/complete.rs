//! The completion channel: the ends of many steps in one durable commit.
//!
//! The first end in an empty channel does not wait for company; those that arrive while it is being committed leave
//! together in the next commit. So an idle host answers at the speed of one commit, and a busy one pays for one commit
//! a batch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Shared;
use crate::store::{ClaimedStep, Completion, Lease};

/// Most ends in one commit. Beyond this, latency and cache misses cost more than the shared commit saves.
const BATCH: usize = 100;

/// Pauses between tries while the database is away. Past the last one the pause stays the same: what this host holds is
/// kept until it is committed, or until the lease has lapsed and the commit is refused.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

/// How a claimed step ended on this host.
pub(super) enum Finished {
    /// The attempt has a verdict to commit.
    Attempt(Box<Completion>),
    /// The host could not run it: another attempt starts as if this one had not been.
    PutBack(Lease),
    /// Another host owns the step by now: there is nothing to say.
    Lost(Lease),
}

impl Finished {
    pub(super) fn put_back(step: &ClaimedStep, reason: &str) -> Self {
        tracing::warn!(reason, "putting the step back; no attempt is spent");
        Self::PutBack(step.lease.clone())
    }
}

pub(super) async fn run(shared: Arc<Shared>, mut finished: mpsc::Receiver<Finished>) {
    let mut ends = Vec::with_capacity(BATCH);
    while finished.recv_many(&mut ends, BATCH).await > 0 {
        let (mut completions, mut put_back) = (Vec::new(), Vec::new());
        for end in ends.drain(..) {
            match end {
                Finished::Attempt(completion) => completions.push(*completion),
                Finished::PutBack(lease) => put_back.push(lease),
                Finished::Lost(lease) => shared.in_flight.remove(&lease),
            }
        }
        if !completions.is_empty() {
            commit(&shared, &completions).await;
            completions.iter().for_each(|completion| shared.in_flight.remove(&completion.lease));
        }
        if !put_back.is_empty() {
            release(&shared, &put_back).await;
            put_back.iter().for_each(|lease| shared.in_flight.remove(lease));
        }
    }
}

async fn commit(shared: &Shared, completions: &[Completion]) {
    for pause in pauses() {
        match shared.store.complete_steps(completions).await {
            Ok(report) => {
                if report.refused() > 0 {
                    tracing::warn!(
                        refused = report.refused(),
                        "late results were refused: their leases had lapsed and other attempts own the steps"
                    );
                }
                for change in &report.tasks {
                    // An error only says that nobody listens.
                    let _ = shared.changes.send(*change);
                }
                if report.enqueued > 0 {
                    shared.wake.wake();
                }
                if let Some(retry_in) = report.next_retry {
                    shared.due.expect(retry_in);
                }
                return;
            }
            Err(error) if shared.aborting.is_cancelled() => {
                tracing::error!(
                    %error,
                    results = completions.len(),
                    "can't commit results before the host stops: their steps run again when the leases have lapsed"
                );
                return;
            }
            Err(error) => {
                tracing::error!(%error, results = completions.len(), "can't commit results: trying again");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Puts steps back. One try is enough: if it fails they come back when their leases lapse.
async fn release(shared: &Shared, leases: &[Lease]) {
    match shared.store.release_steps(leases).await {
        Ok(_) => shared.in_flight.count_put_back(leases.len()),
        Err(error) => tracing::error!(%error, steps = leases.len(), "can't put steps back: they run again later"),
    }
}

fn pauses() -> impl Iterator<Item = Duration> {
    PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1]))
}
