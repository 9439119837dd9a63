//! The way of a step through the host: **claim → execute → complete**, one file each, over two bounded channels.
//!
//! ```text
//!   PostgreSQL ─► claim ──(claimed steps)──► execute ──(finished steps)──► complete ─► PostgreSQL
//!                   ▲                           ▲                             │
//!                   └──────── wake ─────────────┴── steps that go on at once ─┘
//! ```
//!
//! Nothing flows backwards but the wake-up, and the steps that a commit made ready while there was room for them: they
//! are claimed in that commit, and do not wait for it to begin (`onwards`). The first steps of a new task are claimed in the
//! commit that creates it (`eager`). Each stage holds back the one before it: a
//! full completion channel stops executors, running executors hold the slots, and the claim asks for no more steps than
//! there are free slots. So the host never owns work it can't run, and what it owns is bounded by `max_concurrent` however
//! deep the queues are. No namespace gets all the slots while others are served, so nobody's attempts, however long, keep
//! another's from starting.
//!
//! A host failure is not a step failure: a step that could not be run for the host's own reasons is put back and no
//! attempt is spent.

mod attempt;
mod backlog;
mod batches;
mod claim;
mod complete;
mod components;
mod due;
mod eager;
mod end;
mod execute;
mod foreseen;
mod growth;
mod in_flight;
mod leases;
mod neighbours;
mod onwards;
mod planned;
mod results;
mod slots;
mod templates;
mod wake;
mod whole;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use components::Components;
pub use eager::EagerStart;
pub use neighbours::Neighbours;
pub use wake::{Wake, Work};

use crate::client::Client;
use crate::config::LimitPolicy;
use crate::events::Events;
use crate::orchestration::grow::GrowthLimits;
use crate::orchestration::retry::BackoffDefaults;
use crate::sandbox::Sandbox;
use crate::store::{Store, TaskChange};
use crate::telemetry::metrics::Metrics;
use backlog::Backlog;
use due::DueTimer;
use foreseen::Distrust;
use in_flight::InFlight;
use slots::Slots;
use templates::Templates;

/// Changes of tasks that a slow receiver may lag behind by.
const CHANGES: usize = 4096;

/// How the dispatch core behaves. Every value comes from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of this host in leases, transitions and results.
    pub worker_id: String,
    /// Steps that run at the same time, and so slots.
    pub max_concurrent: usize,
    /// The part of the slots that one namespace may hold, of those that the others leave: above 0, and 1 for all.
    pub max_share: f64,
    /// Claimed steps that may wait for their executor.
    pub dispatch_buffer: usize,
    /// Finished steps that may wait for their commit.
    pub completion_buffer: usize,
    /// How long a claimed step stays invisible to other hosts unless renewed.
    pub lease: Duration,
    /// Longest pause between two looks at the queues when nothing wakes the host.
    pub poll_interval: Duration,
    /// Longest pause between two looks for steps whose backoff has passed.
    pub sweep_interval: Duration,
    /// How long a drain waits for running steps before it puts them back.
    pub drain_timeout: Duration,
    /// Limits of attempts: defaults, and ceilings by namespace.
    pub limits: LimitPolicy,
    /// What applies where a template leaves its backoff open.
    pub backoff: BackoffDefaults,
    /// The environment whose overrides of a template apply.
    pub environment: String,
    /// How often a step's lease may lapse in a row before it counts as what brings its hosts down.
    pub max_lapses: i32,
    /// What a decision or a batch may add to its task.
    pub growth: GrowthLimits,
}

/// What every stage shares.
struct Shared {
    settings: Settings,
    store: Store,
    /// The connections of the two stages that are always asking.
    claims: Store,
    completions: Store,
    /// That over which whole tasks are completed.
    planned: Store,
    sandbox: Sandbox,
    components: Arc<Components>,
    events: Events,
    client: Client,
    templates: Templates,
    in_flight: InFlight,
    /// Notified when an attempt waits for a commit that may have been put off.
    commit_wanted: Arc<Notify>,
    due: DueTimer,
    neighbours: Neighbours,
    slots: Arc<Slots>,
    backlog: Backlog,
    distrust: Distrust,
    wake: Wake,
    metrics: Metrics,
    changes: broadcast::Sender<TaskChange>,
    /// Set when the host should stop claiming.
    draining: CancellationToken,
    /// Set when running steps must be put back.
    aborting: CancellationToken,
    /// Set when the last completion is committed: the timers may stop.
    finished: CancellationToken,
}

impl Shared {
    /// Whether there is a component for a namespace.
    fn serves(&self, namespace: &str) -> bool {
        self.components.table().namespaces().any(|served| served == namespace)
    }

    /// There is work in the queues: for this host and, where it has no room or does not serve all of it, for the others.
    fn work_is_there(&self, work: Work) {
        if self.slots.free() == 0 || !work.is_only_of(|namespace| self.serves(namespace)) {
            self.neighbours.tell();
        }
        self.wake.wake(work);
    }
}

/// The running dispatch core.
pub struct Dispatch {
    shared: Arc<Shared>,
    eager_start: EagerStart,
    stages: JoinSet<()>,
    timers: JoinSet<()>,
}

/// Tells running attempts that their task was cancelled.
#[derive(Clone)]
pub struct Cancellations(Arc<Shared>);

impl Cancellations {
    /// The task was cancelled: its handlers see that they should wind down. What they bring is refused in any case, and
    /// those that go on are stopped when their lease is renewed.
    pub fn cancelled(&self, task: Uuid) {
        self.0.in_flight.wind_down(task);
    }
}

/// Tells how busy a dispatch core is. Cheap to clone.
#[derive(Clone)]
pub struct Observer(Arc<Shared>);

impl Observer {
    /// Steps that are claimed and not committed.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.len()
    }

    /// Steps that may run at once, and how many more could begin now.
    pub fn slots(&self) -> (usize, usize) {
        (self.0.settings.max_concurrent, self.0.slots.free())
    }

    /// There is work in the queues: for this host, and for others what it has no room for or does not serve.
    pub fn work_is_there(&self, work: Work) {
        self.0.work_is_there(work);
    }
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Steps that did not finish in time and were put back.
    pub put_back: usize,
    /// Results that were refused in the host's life, because their leases had been lost.
    pub refused: usize,
}

impl Dispatch {
    /// Starts claiming for every namespace that `components` serve.
    pub fn start(
        settings: Settings,
        store: Store,
        sandbox: Sandbox,
        components: Components,
        events: Events,
        wake: Wake,
        metrics: Metrics,
    ) -> Self {
        let (claimed_tx, claimed_rx) = mpsc::channel(settings.dispatch_buffer.max(1));
        let (finished_tx, finished_rx) = mpsc::channel(settings.completion_buffer.max(1));
        let components = Arc::new(components);
        let neighbours = Neighbours::default();
        let client = Client::new(store.clone(), &settings.environment, {
            let (wake, neighbours) = (wake.clone(), neighbours.clone());
            move |namespace: &str| {
                wake.wake(Work::of([namespace]));
                neighbours.tell();
            }
        });
        // Nobody has to leave room for others where there are none.
        let max_share = if components.table().namespaces().count() > 1 { settings.max_share } else { 1.0 };
        let shared = Arc::new(Shared {
            slots: Arc::new(Slots::new(settings.max_concurrent.max(1), max_share, wake.clone())),
            backlog: Backlog::default(),
            distrust: Distrust::default(),
            templates: Templates::new(store.clone(), &settings, components.clone()),
            in_flight: InFlight::default(),
            commit_wanted: Arc::default(),
            due: DueTimer::default(),
            neighbours,
            draining: CancellationToken::new(),
            aborting: CancellationToken::new(),
            finished: CancellationToken::new(),
            changes: broadcast::Sender::new(CHANGES),
            claims: store.alone(),
            completions: store.alone(),
            planned: store.alone(),
            settings,
            store,
            sandbox,
            components,
            events,
            client,
            wake,
            metrics,
        });
        let onwards = claimed_tx.downgrade();
        let eager_start = EagerStart::new(shared.clone(), onwards.clone());
        let mut stages = JoinSet::new();
        stages.spawn(sound(claim::run(shared.clone(), claimed_tx)));
        stages.spawn(sound(execute::run(shared.clone(), claimed_rx, finished_tx)));
        stages.spawn(sound(complete::run(shared.clone(), finished_rx, onwards)));
        let mut timers = JoinSet::new();
        timers.spawn(sound(leases::run(shared.clone())));
        timers.spawn(sound(planned::run(shared.clone())));
        timers.spawn(sound(due::run(shared.clone())));
        timers.spawn(sound({
            let shared = shared.clone();
            async move { shared.neighbours.run(&shared.store, &shared.finished).await }
        }));
        Self { shared, eager_start, stages, timers }
    }

    /// Changes of tasks that this host's commits brought about, as they happen. A receiver that falls behind misses some
    /// and is told so; the database is what counts.
    pub fn task_changes(&self) -> broadcast::Receiver<TaskChange> {
        self.shared.changes.subscribe()
    }

    /// Stops in order: no more claims, let running steps finish or put them back after the drain timeout, commit what
    /// finished, stop the timers. Returns when all of it is done; a step is either committed or claimable again.
    pub async fn drain(mut self) -> Drained {
        self.shared.draining.cancel();
        let deadline = tokio::time::sleep(self.shared.settings.drain_timeout);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                ended = self.stages.join_next() => if ended.is_none() { break },
                () = &mut deadline, if !self.shared.aborting.is_cancelled() => {
                    tracing::warn!(
                        running = self.shared.in_flight.len(),
                        timeout_ms = self.shared.settings.drain_timeout.as_millis() as u64,
                        "the drain timeout has passed: putting running steps back"
                    );
                    self.shared.aborting.cancel();
                }
            }
        }
        self.shared.finished.cancel();
        while self.timers.join_next().await.is_some() {}
        self.shared.claims.close().await;
        self.shared.completions.close().await;
        self.shared.planned.close().await;
        Drained { put_back: self.shared.in_flight.put_back(), refused: self.shared.in_flight.refused() }
    }

    /// Where the events of its steps go.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// Where to say that tasks were cancelled.
    pub fn cancellations(&self) -> Cancellations {
        Cancellations(self.shared.clone())
    }

    /// Where to ask how busy it is.
    pub fn observer(&self) -> Observer {
        Observer(self.shared.clone())
    }

    /// Set once the core has been told to drain.
    pub fn draining(&self) -> CancellationToken {
        self.shared.draining.clone()
    }

    /// Makes a drain that is under way put running steps back now. Used for a second signal.
    pub fn aborter(&self) -> CancellationToken {
        self.shared.aborting.clone()
    }
}

/// A host that lost a stage would look well and do nothing: it is better dead. Its steps run again when their leases have
/// lapsed.
async fn sound(stage: impl Future<Output = ()>) {
    if AssertUnwindSafe(stage).catch_unwind().await.is_err() {
        tracing::error!("a stage of the dispatch panicked: this process ends");
        std::process::abort();
    }
}
