//! The completion channel: the ends of many steps in one durable commit.
//!
//! The first end in an empty channel does not wait for company; those that arrive while it is being committed leave
//! together in the next commit. So an idle host answers at the speed of one commit, and a busy one pays for one commit
//! a batch. Only ends of namespaces whose steps wait for slots anyway wait for each other.
//!
//! What may run next is claimed in the same commit (`onwards`), so a chain of steps costs a commit for each and no claim.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Shared;
use super::backlog;
use super::claim::Claimed;
use super::growth::Deciding;
use super::onwards::Onwards;
use super::templates::KnownTemplate;
use super::wake::Work;
use crate::events::Outbox;
use crate::orchestration::successors::is_light;
use crate::sandbox::OutputCommit;
use crate::store::{Acceptance, ClaimedStep, Completion, CompletionReport, Lease, StoreError};

/// Most ends in one commit. Beyond this, latency and cache misses cost more than the shared commit saves.
const BATCH: usize = 100;

/// Pauses between tries while the database is away. Past the last one the pause stays the same: what this host holds is
/// kept until it is committed, or until the lease has lapsed and the commit is refused.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

/// A claimed step that has ended on this host.
pub(super) struct Finished {
    pub(super) end: End,
    /// What its claim rests on: decided when the channel is looked into, because the commit before is.
    pub(super) output: OutputCommit,
}

/// How a claimed step ended.
pub(super) enum End {
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
    /// What the step's successors are foreseen from, if they can be.
    pub(super) origin: Option<Origin>,
    /// Whether no step of its task waits for it.
    pub(super) is_last: bool,
}

/// A step as it was claimed, and the template of its task.
pub(super) struct Origin {
    pub(super) step: ClaimedStep,
    pub(super) template: Arc<KnownTemplate>,
}

impl Origin {
    pub(super) fn of(step: ClaimedStep, template: Arc<KnownTemplate>) -> Option<Self> {
        let carries = step.task.get().len() + step.dependency_results.get().len();
        (template.successors.is_some() && is_light(carries)).then_some(Self { step, template })
    }
}

impl End {
    pub(super) fn put_back(step: &Lease, reason: &str) -> Self {
        tracing::warn!(reason, "putting the step back; no attempt is spent");
        Self::PutBack(step.clone())
    }

    fn namespace(&self) -> &str {
        match self {
            Self::Attempt(ended) => &ended.completion.lease.namespace,
            Self::PutBack(lease) | Self::Lost(lease) => &lease.namespace,
        }
    }
}

pub(super) async fn run(
    shared: Arc<Shared>,
    mut finished: mpsc::Receiver<Finished>,
    onwards: mpsc::WeakSender<Claimed>,
) {
    // Opens the connection before the first end has to wait for that.
    if let Err(error) = shared.completions.ping().await {
        tracing::warn!(%error, "can't open the connection that results are committed over: trying again with the first");
    }
    let mut ends = Vec::with_capacity(BATCH);
    while finished.recv_many(&mut ends, BATCH).await > 0 {
        wait_for_company(&shared, &mut finished, &mut ends).await;
        let (mut attempts, mut put_back) = (Vec::new(), Vec::new());
        // The claim of the others came to nothing: the steps are not this host's, or will be by another claim.
        for finished in ends.drain(..).filter(|finished| finished.output.is_done()) {
            match finished.end {
                End::Attempt(attempt) => attempts.push(*attempt),
                End::PutBack(lease) => put_back.push(lease),
                End::Lost(lease) => shared.in_flight.remove(&lease),
            }
        }
        if !attempts.is_empty() {
            let leases: Vec<_> = attempts.iter().map(|attempt| attempt.completion.lease.clone()).collect();
            commit(&shared, attempts, &onwards).await;
            leases.iter().for_each(|lease| shared.in_flight.remove(lease));
        }
        if !put_back.is_empty() {
            release(&shared, &put_back).await;
            put_back.iter().for_each(|lease| shared.in_flight.remove(lease));
        }
    }
}

/// Takes more ends as long as all of them belong to namespaces with a backlog, and others are still to come.
async fn wait_for_company(shared: &Shared, more: &mut mpsc::Receiver<Finished>, ends: &mut Vec<Finished>) {
    let enough = shared.slots.all().min(BATCH);
    let deadline = Instant::now() + backlog::COMMIT;
    while ends.len() < enough.min(shared.in_flight.len())
        && ends.iter().all(|finished| shared.backlog.holds(finished.end.namespace()))
        && !shared.draining.is_cancelled()
    {
        match tokio::time::timeout_at(deadline, more.recv_many(ends, BATCH - ends.len())).await {
            Ok(came) if came > 0 => {}
            _ => return,
        }
    }
}

/// Commits attempts, those again whose tasks grew meanwhile, until each is accepted or refused.
async fn commit(shared: &Shared, mut attempts: Vec<Ended>, claimed: &mpsc::WeakSender<Claimed>) {
    let mut pauses = pauses();
    let mut is_first = true;
    loop {
        let mut onwards = Onwards::after(shared, &attempts, claimed);
        if is_first {
            onwards.begin(&attempts).await;
        }
        is_first = false;
        let go_on = onwards.go_on();
        let (completions, following): (Vec<_>, Vec<_>) = attempts
            .into_iter()
            .map(|Ended { completion, outbox, deciding, origin, is_last }| {
                (completion, (outbox, deciding, origin, is_last))
            })
            .unzip();
        // Of a backlog that grows there is nothing to tell.
        let namespaces = completions.iter().map(|completion| completion.lease.namespace.as_str());
        let news = Work::of(namespaces.filter(|namespace| !shared.backlog.holds(namespace)));
        let sent = Instant::now();
        let committed = shared.completions.complete_and_go_on(&completions, &go_on, &mut onwards).await;
        let together =
            completions.into_iter().zip(following).map(|(completion, (outbox, deciding, origin, is_last))| Ended {
                completion,
                outbox,
                deciding,
                origin,
                is_last,
            });
        let error = match committed {
            Ok(report) => {
                let left = onwards.committed();
                if !left.is_empty() {
                    release(shared, &left).await;
                }
                attempts = Vec::new();
                announce(shared, &report, news, sent.elapsed());
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
                drop(onwards);
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
fn announce(shared: &Shared, report: &CompletionReport, news: Work, took: Duration) {
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
    if report.enqueued > 0 && !news.is_nowhere() {
        shared.wake.wake(news);
    }
    if report.enqueued as usize > shared.slots.free() {
        shared.neighbours.tell();
    }
    if let Some(retry_in) = report.next_retry {
        // The wait has begun in the database, before the commit reached the disk.
        shared.due.expect(retry_in.saturating_sub(took));
    }
}

/// Puts steps back. One try is enough: if it fails they come back when their leases lapse.
pub(super) async fn release(shared: &Shared, leases: &[Lease]) {
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
