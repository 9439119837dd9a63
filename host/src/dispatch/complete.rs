//! The completion channel: the ends of many steps in one durable commit.
//!
//! The first end in an empty channel does not wait for company; those that arrive while it is being committed leave
//! together in the next commit. So an idle host answers at the speed of one commit, and a busy one pays for one commit
//! a batch. Only ends of namespaces whose steps wait for slots anyway wait for each other.
//!
//! What may run next is claimed in the same commit (`onwards`), so a chain of steps costs a commit for each and no claim.
//! While a commit is made, what follows the ends that arrive begins already, as far as it is known: of a chain of short
//! steps several have ended by the time the next commit is made, and it claims and ends them all. The same while a task is
//! created: one that is short ends as a whole (`planned`). Nothing of a step is seen outside before it is claimed, so this is
//! the same history in fewer commits.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{self, select_all};
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use super::Shared;
use super::backlog;
use super::batches::Batches;
use super::claim::Claimed;
use super::end::{End, Ended, Finished};
use super::foreseen::Foreseen;
use super::onwards::Onwards;
use super::planned::{Standing, Turn};
use super::results::Results;
use super::wake::Work;
use super::whole::Whole;
use crate::events::Outbox;
use crate::store::{Acceptance, CompletionReport, Lease, StoreError};

/// Most ends in one commit. Beyond this, latency and cache misses cost more than the shared commit saves.
const BATCH: usize = 100;
/// Most ends that are taken in while others are committed, but for those that wait for more of their tasks: what follows each may
/// begin. A commit of a busy host takes as long as a hundred steps.
const AHEAD: usize = 4 * BATCH;

/// Pauses between tries while the database is away. Past the last one the pause stays the same: what this host holds is
/// kept until it is committed, or until the lease has lapsed and the commit is refused.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

pub(super) async fn run(shared: Arc<Shared>, finished: mpsc::Receiver<Finished>, claimed: mpsc::WeakSender<Claimed>) {
    // Opens the connection before the first end has to wait for that.
    if let Err(error) = shared.completions.ping().await {
        tracing::warn!(%error, "can't open the connection that results are committed over: trying again with the first");
    }
    let room = || Onwards::new(&shared, &claimed);
    let mut channel = Channel {
        shared: &shared,
        finished,
        ends: Vec::with_capacity(BATCH),
        waiting: 0,
        ahead: None,
        results: Results::default(),
        batches: Batches::default(),
    };
    while channel.has_ends().await {
        channel.wait_for_company(room).await;
        channel.drop_failed();
        let mut onwards = channel.ahead.take().unwrap_or_else(room);
        channel.begin_after_ends(&mut onwards).await;
        let Round { whole, attempts, put_back, rest } = channel.round(&onwards);
        if whole.is_empty() && attempts.is_empty() {
            channel.ahead = Some(onwards);
            if put_back.is_empty() {
                channel.wait_for_more(rest).await;
            }
        } else {
            let tasks: HashSet<_> = whole.iter().map(|finished| finished.end.lease().task_uuid).collect();
            let whole = Whole::new(whole, onwards.split_off_tasks(&tasks));
            let leases: Vec<_> = attempts.iter().map(|attempt| attempt.completion.lease.clone()).collect();
            channel.ahead = onwards.split_off(&leases, room);
            for completion in attempts.iter().map(|attempt| &attempt.completion) {
                channel.batches.learn(completion);
            }
            let commits = future::join(whole.commit(&shared), commit(&shared, attempts, onwards, &claimed));
            let (written, settled) = channel.look_ahead(commits, room).await;
            settled.into_iter().for_each(|task| channel.forget(task));
            leases.iter().for_each(|lease| shared.in_flight.remove(lease));
            match written {
                Some((ends, foreseen)) => channel.take_back(ends, foreseen, room),
                None => tasks.into_iter().for_each(|task| channel.forget(task)),
            }
        }
        if !put_back.is_empty() {
            release(&shared, &put_back).await;
            put_back.iter().for_each(|lease| shared.in_flight.remove(lease));
        }
    }
}

/// The ends that arrive, and what follows them.
struct Channel<'a> {
    shared: &'a Shared,
    finished: mpsc::Receiver<Finished>,
    ends: Vec<Finished>,
    /// How many of the ends have come before the last commit, and wait for others of their tasks.
    waiting: usize,
    /// What has begun after ends that are not committed yet. None where there are none.
    ahead: Option<Onwards<'a>>,
    results: Results,
    batches: Batches,
}

/// What is done at once.
#[derive(Default)]
struct Round {
    /// All ends of planned tasks.
    whole: Vec<Finished>,
    /// In the order of their turns.
    attempts: Vec<Ended>,
    put_back: Vec<Lease>,
    /// How long what is left may wait for more ends.
    rest: Option<Duration>,
}

impl<'a> Channel<'a> {
    /// Waits for one. None come any more where the answer is false.
    async fn has_ends(&mut self) -> bool {
        if self.ends.is_empty() {
            self.ahead = None;
            self.finished.recv_many(&mut self.ends, BATCH).await;
        }
        !self.ends.is_empty()
    }

    /// For how many more there is room: for none where some were taken back that were not committed together. Those that wait take
    /// none, there are no more of them than tasks with a slot have steps.
    fn places(&self) -> usize {
        (AHEAD + self.waiting).saturating_sub(self.ends.len())
    }

    async fn begin_after_ends(&mut self, onwards: &mut Onwards<'_>) {
        let attempts = self.ends.iter_mut().filter_map(|finished| finished.end.attempt());
        onwards.begin(attempts, &mut self.results, &mut self.batches).await;
    }

    async fn begin_ahead(&mut self, room: impl Fn() -> Onwards<'a>) {
        let mut ahead = self.ahead.take().unwrap_or_else(room);
        self.begin_after_ends(&mut ahead).await;
        self.ahead = Some(ahead);
    }

    /// Drops the ends of steps whose claim came to nothing, with all that followed them: the steps are not this host's, or will
    /// be by another claim.
    fn drop_failed(&mut self) {
        let failed = |finished: &Finished| finished.output.has_failed();
        let tasks: Vec<_> = self.ends.iter().filter(|end| failed(end)).map(|end| end.end.lease().task_uuid).collect();
        tasks.into_iter().for_each(|task| self.forget(task));
        self.ends.retain(|finished| !failed(finished));
        self.waiting = self.waiting.min(self.ends.len());
    }

    /// Drops what follows the ends of a task.
    fn forget(&mut self, task: Uuid) {
        self.results.forget(task);
        self.batches.forget(task);
        if let Some(ahead) = &mut self.ahead {
            ahead.forget(task);
        }
    }

    /// Takes more ends as long as all of them belong to namespaces with a backlog, and others are still to come.
    async fn wait_for_company(&mut self, room: impl Fn() -> Onwards<'a>) {
        let shared = self.shared;
        let enough = shared.slots.all().min(BATCH);
        let deadline = Instant::now() + backlog::COMMIT;
        while self.ends.len() < self.waiting + enough.min(shared.in_flight.len().saturating_sub(self.waiting))
            && self.ends.iter().all(|finished| shared.backlog.holds(&finished.end.lease().namespace))
            && !shared.draining.is_cancelled()
        {
            self.begin_ahead(&room).await;
            let places = self.places();
            match tokio::time::timeout_at(deadline, self.finished.recv_many(&mut self.ends, places)).await {
                Ok(came) if came > 0 => {}
                _ => return,
            }
        }
    }

    /// Takes what can be done now: the ends of steps that are claimed, and of those that `onwards` will have claimed with
    /// them.
    fn round(&mut self, onwards: &Onwards<'_>) -> Round {
        let standing = Standing::of(self.shared, &self.ends, onwards);
        let mut round = Round { rest: standing.rest(), ..Round::default() };
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for finished in std::mem::take(&mut self.ends) {
            match standing.turn(finished.end.lease().task_uuid) {
                Turn::Wait => self.ends.push(finished),
                Turn::Whole => round.whole.push(finished),
                Turn::Now if now.len() < BATCH => now.push(finished),
                Turn::Now => later.push(finished),
            }
        }
        let together = may_end_unclaimed(&now);
        for Finished { end, output } in now {
            let turn =
                if output.is_done() { Some(0) } else { onwards.turn(end.lease().step_uuid).filter(|_| together) };
            match (turn, end) {
                (Some(turn), End::Attempt(ended)) => round.attempts.push(Ended { turn, ..*ended }),
                (Some(0), End::PutBack(lease)) => round.put_back.push(lease),
                (Some(0), End::Lost(lease)) => self.shared.in_flight.remove(&lease),
                (_, end) => self.ends.push(Finished { end, output }),
            }
        }
        round.attempts.sort_by_key(|attempt| attempt.turn);
        self.waiting = self.ends.len();
        self.ends.append(&mut later);
        round
    }

    /// Begins with what follows the ends that arrive until something is over.
    async fn look_ahead<T>(&mut self, until: impl Future<Output = T>, room: impl Fn() -> Onwards<'a>) -> T {
        let mut until = pin!(until);
        let mut is_open = true;
        loop {
            let places = self.places();
            tokio::select! {
                over = &mut until => return over,
                came = self.finished.recv_many(&mut self.ends, places), if is_open && places > 0 => {
                    is_open = came > 0;
                    self.begin_ahead(&room).await;
                }
            }
        }
    }

    /// Returns when another end is there, when a task is created, or not, whose first steps have ended already, or when ends
    /// that wait for others should not any longer.
    async fn wait_for_more(&mut self, rest: Option<Duration>) {
        let rests_on_creation = |finished: &&Finished| {
            let foreseen = self.ahead.as_ref().is_some_and(|ahead| ahead.has(finished.end.lease().step_uuid));
            !foreseen && !finished.output.is_done()
        };
        let creations = self.ends.iter().filter(rests_on_creation).map(|finished| finished.output.clone());
        let mut decided: Vec<_> = creations.map(|output| async move { output.decided().await }.boxed()).collect();
        if decided.is_empty() && rest.is_none() {
            // What nobody decides about came to nothing.
            self.ahead = None;
            return;
        }
        decided.extend(rest.map(|rest| tokio::time::sleep(rest).boxed()));
        let places = self.places();
        let mut over = select_all(decided);
        tokio::select! {
            _ = &mut over => {}
            () = self.shared.commit_wanted.notified(), if rest.is_some() => {}
            came = self.finished.recv_many(&mut self.ends, places), if places > 0 => if came == 0 {
                over.await;
            }
        }
    }

    /// Takes back ends that were not committed together.
    fn take_back(&mut self, ends: Vec<Finished>, foreseen: Foreseen<'a>, room: impl Fn() -> Onwards<'a>) {
        self.ends.extend(ends);
        self.ahead.get_or_insert_with(room).take_back(foreseen);
    }
}

/// Whether those of these ends may be committed whose steps are not claimed yet.
fn may_end_unclaimed(ends: &[Finished]) -> bool {
    let may = |finished: &Finished| match &finished.end {
        End::Attempt(ended) => ended.completion.growth.is_none(),
        End::PutBack(_) | End::Lost(_) => true,
    };
    ends.iter().all(may) && ends.windows(2).all(|two| two[0].end.lease().namespace == two[1].end.lease().namespace)
}

/// Commits attempts, those again whose tasks grew meanwhile, until each is accepted or refused. Answers the tasks of which
/// nothing more is foreseen by what was known of them: those that came to rest, and those that went another way.
async fn commit(
    shared: &Shared,
    mut attempts: Vec<Ended>,
    onwards: Onwards<'_>,
    claimed: &mpsc::WeakSender<Claimed>,
) -> Vec<Uuid> {
    let mut settled = Vec::new();
    if attempts.is_empty() {
        return settled;
    }
    let mut pauses = pauses();
    let mut given = Some(onwards);
    loop {
        let mut onwards = given.take().unwrap_or_else(|| Onwards::new(shared, claimed));
        let go_on = onwards.go_on(&attempts);
        let completions: Vec<_> = attempts.iter().map(|attempt| &attempt.completion).collect();
        // Of a backlog that grows there is nothing to tell.
        let namespaces = completions.iter().map(|completion| completion.lease.namespace.as_str());
        let news = Work::of(namespaces.filter(|namespace| !shared.backlog.holds(namespace)));
        let sent = Instant::now();
        let error = match shared.completions.complete_and_go_on(&completions, &go_on, &mut onwards).await {
            Ok(report) => {
                let outcomes: Vec<_> = attempts.into_iter().zip(report.accepted.iter().copied()).collect();
                let (left, unexpected) = onwards.committed(&outcomes);
                settled.extend(unexpected);
                if !left.is_empty() {
                    release(shared, &left).await;
                }
                announce(shared, &report, news, sent.elapsed());
                attempts = Vec::new();
                settled.extend(report.tasks.iter().map(|change| change.task_uuid));
                let mut refused = 0;
                for (attempt, acceptance) in outcomes {
                    match acceptance {
                        Acceptance::Accepted => {
                            shared.metrics.attempt(&attempt.completion);
                            shared.events.committed(attempt.outbox);
                        }
                        Acceptance::Outgrown => {
                            settled.push(attempt.completion.lease.task_uuid);
                            attempts.push(attempt);
                        }
                        // One that was to be claimed first and could not be was never this host's.
                        Acceptance::Refused => {
                            settled.push(attempt.completion.lease.task_uuid);
                            refused += usize::from(attempt.turn == 0);
                        }
                    }
                }
                tell_refused(shared, refused);
                if attempts.is_empty() {
                    return settled;
                }
                match plan_again(shared, &mut attempts).await {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Err(error) => {
                drop(onwards);
                let unclaimed = attempts.extract_if(.., |attempt| attempt.turn > 0);
                settled.extend(unclaimed.map(|attempt| attempt.completion.lease.task_uuid));
                error
            }
        };
        if !try_again(shared, &error, attempts.len(), pauses.next().unwrap_or_default()).await {
            return settled;
        }
    }
}

/// Says that results could not be committed. Answers after a pause, and that they may be once more, unless the host stops.
pub(super) async fn try_again(shared: &Shared, error: &StoreError, results: usize, pause: Duration) -> bool {
    if shared.aborting.is_cancelled() {
        tracing::error!(
            %error,
            results,
            "can't commit results before the host stops: their steps run again when the leases have lapsed"
        );
        return false;
    }
    tracing::error!(%error, results, "can't commit results: trying again");
    tokio::time::sleep(pause).await;
    true
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

fn tell_refused(shared: &Shared, refused: usize) {
    if refused > 0 {
        shared.in_flight.count_refused(refused);
        shared.metrics.refused(refused);
        tracing::warn!(
            refused,
            "late results were refused: their leases had lapsed and other attempts own the steps, or their tasks were \
             cancelled"
        );
    }
}

/// Tells who waits for it what a commit brought.
fn announce(shared: &Shared, report: &CompletionReport, news: Work, took: Duration) {
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

pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1]))
}
