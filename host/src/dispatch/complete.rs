//! The completion channel: the ends of many steps in one durable commit.
//!
//! The first end in an empty channel does not wait for company; those that arrive while it is being committed leave
//! together in the next commit. So an idle host answers at the speed of one commit, and a busy one pays for one commit
//! a batch. Only ends of namespaces whose steps wait for slots anyway wait for each other.
//!
//! What may run next is claimed in the same commit, as far as there are slots: a chain of steps costs a commit for each
//! and no claim. That would pass over whatever waits in the queues, so it is not done for a namespace with a backlog. Such
//! a step begins before the commit is on disk, so that the wait for the disk is no part of a chain's time; nothing of it is
//! seen outside, and it does not end, before the commit has (`sandbox::OutputCommit`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Shared;
use super::backlog;
use super::claim::Claimed;
use super::growth::Deciding;
use super::slots::Slot;
use super::wake::Work;
use crate::events::Outbox;
use crate::sandbox::{CommitNotice, OutputCommit};
use crate::store::{Acceptance, ClaimedStep, Completion, CompletionReport, GoOn, Lease, StoreError, TakeOver};

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

/// Slots for what may run once others are complete, and where those go that get one. Their attempts begin while the commit
/// is on its way to the disk.
struct Onwards<'a> {
    shared: &'a Shared,
    slots: Vec<Slot>,
    /// Nobody where nothing goes on.
    claimed: Option<mpsc::Sender<Claimed>>,
    taken: Vec<Lease>,
    notice: CommitNotice,
    output: OutputCommit,
}

impl<'a> Onwards<'a> {
    /// Nothing goes on where other steps wait for slots, or while the host drains.
    fn new(shared: &'a Shared, attempts: &[Ended], claimed: &mpsc::WeakSender<Claimed>) -> Self {
        let claimed = claimed.upgrade().filter(|_| !shared.draining.is_cancelled());
        let of = |ended: &Ended| ended.completion.lease.namespace.clone();
        let all = attempts.iter().filter(|_| claimed.is_some()).map(of);
        let mut namespaces: Vec<String> = all.filter(|name| !shared.backlog.holds(name)).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let slots = namespaces.iter().flat_map(|name| shared.slots.take_ahead(name, BATCH)).collect();
        let (notice, output) = OutputCommit::under_way();
        Self { shared, slots, claimed, taken: Vec::new(), notice, output }
    }

    fn go_on(&self, lease: Duration) -> GoOn {
        let mut go_on = GoOn { lease, ..GoOn::default() };
        for slots in self.slots.chunk_by(|a, b| a.namespace() == b.namespace()) {
            go_on.namespaces.push(slots[0].namespace().to_owned());
            go_on.places.push(slots.len() as u32);
        }
        go_on
    }

    /// The steps are this host's.
    fn committed(self) {
        self.notice.durable();
    }

    /// They are not, as far as it knows: their attempts end, and nothing came of them.
    fn failed(self) {
        self.taken.iter().for_each(|lease| self.shared.in_flight.remove(lease));
    }
}

impl TakeOver for Onwards<'_> {
    async fn take(&mut self, step: ClaimedStep) {
        let place = self.slots.iter().position(|slot| slot.namespace() == step.lease.namespace);
        let (Some(place), Some(claimed)) = (place, &self.claimed) else { return };
        self.taken.push(step.lease.clone());
        let step = Claimed::new(self.shared, step, self.slots.swap_remove(place), self.output.clone());
        if claimed.send(step).await.is_err() {
            tracing::error!("nothing runs steps any more: the step runs again when its lease has lapsed");
        }
    }
}

/// Commits attempts, those again whose tasks grew meanwhile, until each is accepted or refused.
async fn commit(shared: &Shared, mut attempts: Vec<Ended>, claimed: &mpsc::WeakSender<Claimed>) {
    let mut pauses = pauses();
    loop {
        let mut onwards = Onwards::new(shared, &attempts, claimed);
        let go_on = onwards.go_on(shared.settings.lease);
        let (completions, following): (Vec<_>, Vec<_>) =
            attempts.into_iter().map(|attempt| (attempt.completion, (attempt.outbox, attempt.deciding))).unzip();
        // Of a backlog that grows there is nothing to tell.
        let namespaces = completions.iter().map(|completion| completion.lease.namespace.as_str());
        let news = Work::of(namespaces.filter(|namespace| !shared.backlog.holds(namespace)));
        let sent = Instant::now();
        let committed = shared.completions.complete_and_go_on(&completions, &go_on, &mut onwards).await;
        let together = completions.into_iter().zip(following).map(|(completion, (outbox, deciding))| Ended {
            completion,
            outbox,
            deciding,
        });
        let error = match committed {
            Ok(report) => {
                onwards.committed();
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
                onwards.failed();
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
