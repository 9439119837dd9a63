//! Looks after what is old: gives up tasks that came to a stand, and takes away what was finished long ago.
//!
//! Every host does both, and none is in the way of another: what one has locked the others pass over. The first look
//! comes after a whole interval, so that hosts that start after an outage have claimed what waited for them before
//! anybody calls it stale. Each look goes on page by page, one short transaction a page, and ends between two of them
//! when the host stops.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::store::{StaleTask, StalenessThresholds, Store, StoreError};

/// When tasks count as stale, and how they are looked for.
#[derive(Debug, Clone)]
pub struct Staleness {
    /// Time between looks.
    pub interval: Duration,
    /// Active tasks in one transaction.
    pub batch: u32,
    /// Whether it is only told.
    pub dry_run: bool,
    /// How long a task may rest.
    pub thresholds: StalenessThresholds,
}

/// How long what is over is kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Tasks, from their end.
    pub finished_tasks: Duration,
    /// Archived messages of the work queues.
    pub archives: Duration,
    /// Domain events.
    pub domain_events: Duration,
    /// Time between purges.
    pub interval: Duration,
    /// Tasks, and messages of each queue, in one transaction.
    pub batch: u32,
}

/// What is looked after, and how often.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When tasks that came to a stand are given up; none for never.
    pub staleness: Option<Staleness>,
    /// How long what is over is kept.
    pub retention: Retention,
}

/// Somebody who looks after what is old.
pub(super) struct Upkeep {
    stopped: CancellationToken,
    running: JoinHandle<()>,
}

struct Shared {
    store: Store,
    settings: Settings,
    stopped: CancellationToken,
}

impl Upkeep {
    pub(super) fn start(store: Store, settings: Settings) -> Self {
        let stopped = CancellationToken::new();
        let shared = Shared { store, settings, stopped: stopped.clone() };
        let running = tokio::spawn(async move {
            tokio::join!(look_for_stale_tasks(&shared), purge(&shared));
        });
        Self { stopped, running }
    }

    /// Ends it, between two transactions.
    pub(super) async fn stop(self) {
        self.stopped.cancel();
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the upkeep ended abnormally");
        }
    }
}

async fn look_for_stale_tasks(shared: &Shared) {
    let Some(staleness) = &shared.settings.staleness else {
        return;
    };
    while pause(shared, staleness.interval).await {
        if let Err(error) = detect(shared, staleness).await {
            tracing::error!(%error, "can't look for stale tasks: trying again at the next look");
        }
    }
}

async fn detect(shared: &Shared, staleness: &Staleness) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page =
            shared.store.detect_stale_tasks(after, staleness.batch, staleness.thresholds, staleness.dry_run).await?;
        page.tasks.iter().for_each(|task| tell(task, staleness.dry_run));
        after = page.next;
        if after.is_none() || shared.stopped.is_cancelled() {
            return Ok(());
        }
    }
}

fn tell(task: &StaleTask, dry_run: bool) {
    tracing::warn!(
        task = %task.task_uuid,
        namespace = task.namespace,
        name = task.name,
        state = %task.state,
        reason = %task.reason,
        minutes = task.minutes,
        allowed_minutes = task.allowed_minutes,
        dead_letter = task.dlq_entry_uuid.map(tracing::field::display),
        dry_run,
        "nothing happens in this task any more"
    );
}

async fn purge(shared: &Shared) {
    let retention = &shared.settings.retention;
    while pause(shared, retention.interval).await {
        match (purge_tasks(shared, retention).await, purge_messages(shared, retention).await) {
            (Ok(0), Ok(0)) => {}
            (Ok(tasks), Ok(messages)) => tracing::info!(tasks, messages, "purged what was old"),
            (tasks, messages) => {
                for error in tasks.err().into_iter().chain(messages.err()) {
                    tracing::error!(%error, "can't purge what is old: trying again at the next purge");
                }
            }
        }
    }
}

async fn purge_tasks(shared: &Shared, retention: &Retention) -> Result<u64, StoreError> {
    let (mut after, mut purged) = (None, 0);
    loop {
        let page = shared.store.purge_tasks(retention.finished_tasks, after, retention.batch).await?;
        purged += u64::from(page.purged);
        after = page.next;
        if after.is_none() || shared.stopped.is_cancelled() {
            return Ok(purged);
        }
    }
}

async fn purge_messages(shared: &Shared, retention: &Retention) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let page = shared.store.purge_messages(retention.archives, retention.domain_events, retention.batch).await?;
        purged += page.purged;
        if !page.more || shared.stopped.is_cancelled() {
            return Ok(purged);
        }
    }
}

/// Whether the host goes on after `length`.
async fn pause(shared: &Shared, length: Duration) -> bool {
    shared.stopped.run_until_cancelled(tokio::time::sleep(length)).await.is_some()
}
