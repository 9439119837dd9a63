//! A process per core. Page faults and TLB shootdowns make two JavaScript instances in one address space slower than one;
//! two processes scale, and are a second wall around the guests.
//!
//! The first process prepares everything (schema, templates, compiled components), keeps the API and the upkeep, and
//! watches over workers that claim from the same queues, as hosts on other machines do. It speaks to them over their
//! standard input and output, one line each way:
//!
//! | to a worker | it does |
//! |---|---|
//! | `status` | answers with a [`Status`] in JSON |
//! | `wake`, names of namespaces | looks into their queues, or without a name into all: there is work |
//! | `run`, a step in JSON | runs it: it is claimed for this worker. Answers `full` where it has no room for more |
//! | `drain` | claims no more, and ends when what runs has ended |
//! | `abort` | puts back what still runs |
//! | the end of input | drains: the first process is gone |
//!
//! A worker that dies is started again, later each time it dies soon after; its leases lapse, and nothing else notices.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handover::{self, FULL, Handover};
use super::services::Status;
use super::upkeep::Upkeep;
use super::{Database, ServedHandler, Services, StartError, announce, prepare, services, upkeep_settings};
use crate::config::Config;
use crate::dispatch::{Neighbours, Wake, Work};
use crate::store::{ClaimedStep, CreationReport, NewTask, Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// What a worker says when it claims.
pub const READY: &str = "ready";

/// Pause before a worker is started again; it doubles with each death in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A worker that lived this long was sound: its death is the first in a row.
const SOUND: Duration = Duration::from_secs(30);
/// For a worker to tell how it is.
const PATIENCE: Duration = Duration::from_secs(1);
/// For a worker to end after it was told to abort: puts back, commits, closes.
const GRACE: Duration = Duration::from_secs(10);

/// How a worker process is started: the command without its pipes.
pub type Process = Arc<dyn Fn(usize) -> Command + Send + Sync>;

/// The name of a worker in leases, transitions and results.
#[must_use]
pub fn worker_id(host: &str, number: usize) -> String {
    format!("{host}-{number}")
}

/// Worker processes could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The host can't be prepared.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A worker ended before it claimed.
    #[error("worker process {number} ended before it was ready: {status}; the log says why")]
    Worker {
        /// Which.
        number: usize,
        /// How it ended.
        status: String,
    },
}

/// The first process of a host: API and upkeep, and the workers that run steps.
pub struct Front {
    database: Database,
    config: Arc<Config>,
    handlers: Arc<[ServedHandler]>,
    metrics: Metrics,
    upkeep: Upkeep,
    workers: Workers,
    /// They keep a worker each, and tell the neighbours.
    keepers: JoinSet<()>,
}

/// What can be asked of the workers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Workers {
    all: Arc<[Worker]>,
    /// The namespaces that they serve.
    served: Arc<[String]>,
    next: Arc<AtomicUsize>,
    neighbours: Neighbours,
    draining: CancellationToken,
    aborting: CancellationToken,
}

/// The ways to one worker.
struct Worker {
    asks: mpsc::Sender<oneshot::Sender<Status>>,
    wake: Wake,
    handover: Handover,
}

impl Front {
    /// Prepares everything, starts `count` workers, and waits until all claim.
    ///
    /// # Errors
    ///
    /// [`ProcessError`]; nothing keeps running then.
    pub async fn start(config: &Config, count: usize, process: Process) -> Result<Self, ProcessError> {
        let web = &config.orchestration.web;
        let (_sandbox, loaded, database) = prepare(config, web.max_connections).await?;
        let handlers = services::served(&loaded.components);
        if let Err(error) = announce(config, &loaded, &database.store).await {
            database.close().await;
            return Err(error.into());
        }
        drop(loaded);
        let (draining, aborting) = (CancellationToken::new(), CancellationToken::new());
        let mut keepers = JoinSet::new();
        let slots = config.worker.mpsc_channels.handler_dispatch.max_concurrent_handlers as usize / count;
        let (mut all, mut states) = (Vec::new(), Vec::new());
        for number in 1..=count {
            let (asked, answers) = mpsc::channel(16);
            let (state, seen) = watch::channel(State::Starting);
            let wake = Wake::default();
            let name = worker_id(&config.worker.worker_id, number);
            // Half of its slots are for what it claims itself.
            let (handover, steps) = Handover::new(name, config.common.queues.lease, slots.div_ceil(2));
            all.push(Worker { asks: asked, wake: wake.clone(), handover: handover.clone() });
            states.push(seen);
            let keeper = Keeper {
                number,
                process: Arc::clone(&process),
                asks: answers,
                wake,
                handover,
                steps,
                state,
                draining: draining.clone(),
                aborting: aborting.clone(),
            };
            keepers.spawn(keeper.keep());
        }
        let mut served: Vec<_> = handlers.iter().map(|handler| handler.namespace.clone()).collect();
        served.dedup();
        let neighbours = Neighbours::default();
        keepers.spawn({
            let (neighbours, store, draining) = (neighbours.clone(), database.store.clone(), draining.clone());
            async move { neighbours.run(&store, &draining).await }
        });
        let (all, served) = (all.into(), served.into());
        let workers = Workers { all, served, next: Arc::default(), neighbours, draining, aborting };
        let upkeep = Upkeep::start(database.store.clone(), upkeep_settings(config));
        let config = Arc::new(config.clone());
        let front = Self { database, config, handlers, metrics: Metrics::default(), upkeep, workers, keepers };
        for (number, mut state) in (1..).zip(states) {
            // The keeper holds the other end as long as it keeps.
            let settled = state.wait_for(|state| !matches!(state, State::Starting)).await.map(|state| state.clone());
            if let Ok(State::Failed(status)) = settled {
                front.drain().await;
                return Err(ProcessError::Worker { number, status });
            }
        }
        Ok(front)
    }

    /// What an API needs of this host.
    ///
    /// # Errors
    ///
    /// The server has no more connections to give.
    pub async fn services(&self) -> Result<Services, StoreError> {
        Services::before(&self.database.store, &self.config, &self.handlers, &self.metrics, self.workers.clone()).await
    }

    /// The connections of the first process.
    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// Setting it makes a drain that is under way put running steps back at once.
    pub fn aborter(&self) -> CancellationToken {
        self.workers.aborting.clone()
    }

    /// Drains the workers together, then closes the database.
    pub async fn drain(mut self) {
        self.workers.draining.cancel();
        while let Some(ended) = self.keepers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "who watches a worker process ended abnormally");
            }
        }
        self.upkeep.stop().await;
        self.database.close().await;
    }
}

impl Workers {
    pub(super) fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// There is work. Of what they serve the workers are told in turns, and one that has no room tells all hosts; of all else
    /// those are told at once, and so the workers.
    pub(super) fn work_is_there(&self, work: Work) {
        self.work_is_there_for(self.next(), work);
    }

    fn work_is_there_for(&self, worker: Option<&Worker>, work: Work) {
        match worker {
            Some(worker) if work.is_only_of(|namespace| self.serve(namespace)) => worker.wake.wake(work),
            _ => self.neighbours.tell(),
        }
    }

    /// Creates tasks in one commit, and claims for the worker whose turn it is what that has room for.
    pub(super) async fn create(&self, store: &Store, tasks: &[NewTask]) -> Result<CreationReport, StoreError> {
        let worker = self.next();
        let is_served = NewTask::common_namespace(tasks).is_some_and(|namespace| self.serve(namespace));
        let handed_over = match worker.filter(|_| is_served && !self.draining.is_cancelled()) {
            Some(worker) => worker.handover.create(store, tasks).await,
            None => None,
        };
        let report = match handed_over {
            Some(created) => created?,
            None => store.create_tasks(tasks).await?,
        };
        if report.enqueued > 0 {
            self.work_is_there_for(worker, Work::of(tasks.iter().map(|task| task.namespace.as_str())));
        }
        Ok(report)
    }

    fn serve(&self, namespace: &str) -> bool {
        self.served.iter().any(|name| name == namespace)
    }

    fn next(&self) -> Option<&Worker> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.all.get(turn % self.all.len().max(1))
    }

    /// How each worker is, by its number; one that is just being started again is left out.
    pub(super) async fn statuses(&self) -> Vec<(usize, Status)> {
        let asked = self.all.iter().map(async |worker| {
            let (answer, answered) = oneshot::channel();
            worker.asks.send(answer).await.ok()?;
            tokio::time::timeout(PATIENCE, answered).await.ok()?.ok()
        });
        let statuses = futures::future::join_all(asked).await;
        (1..).zip(statuses).filter_map(|(number, status)| Some((number, status?))).collect()
    }
}

/// How the start of a worker went.
#[derive(Debug, Clone)]
enum State {
    Starting,
    Claiming,
    /// It ended before it claimed for the first time.
    Failed(String),
}

/// Keeps one worker running.
struct Keeper {
    number: usize,
    process: Process,
    asks: mpsc::Receiver<oneshot::Sender<Status>>,
    wake: Wake,
    handover: Handover,
    /// Steps that are claimed for the worker.
    steps: mpsc::Receiver<ClaimedStep>,
    state: watch::Sender<State>,
    draining: CancellationToken,
    aborting: CancellationToken,
}

/// A worker that runs.
struct Running {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.draining.is_cancelled() {
            let began = Instant::now();
            let status = match self.start() {
                Ok(running) => self.run(running).await,
                Err(error) => Err(error),
            };
            self.handover.close();
            if self.draining.is_cancelled() {
                return;
            }
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            if matches!(*self.state.borrow(), State::Starting) {
                self.state.send_replace(State::Failed(status));
                return;
            }
            if began.elapsed() >= SOUND {
                pause = FIRST_PAUSE;
            }
            tracing::error!(
                worker = self.number,
                status,
                pause_ms = pause.as_millis() as u64,
                "a worker process has ended: its steps run again when their leases have lapsed; starting it again"
            );
            self.draining.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn start(&self) -> std::io::Result<Running> {
        let mut command = (self.process)(self.number);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let gone = || std::io::Error::other("it has no pipes");
        let (input, output) = (child.stdin.take().ok_or_else(gone)?, child.stdout.take().ok_or_else(gone)?);
        Ok(Running { child, input, output: BufReader::new(output).lines() })
    }

    /// Speaks with a worker until it ends.
    async fn run(&mut self, running: Running) -> std::io::Result<ExitStatus> {
        let Running { mut child, mut input, mut output } = running;
        let (mut told_to_drain, mut told_to_abort, mut silent) = (false, false, false);
        let mut waiting: Vec<oneshot::Sender<Status>> = Vec::new();
        let (draining, aborting) = (self.draining.clone(), self.aborting.clone());
        let mut deadline = None;
        loop {
            tokio::select! {
                status = child.wait() => return status,
                line = output.next_line(), if !silent => match line {
                    Ok(Some(line)) if line == READY => {
                        self.state.send_if_modified(|state| {
                            let first = matches!(state, State::Starting);
                            *state = State::Claiming;
                            first
                        });
                        self.handover.open();
                        tracing::info!(worker = self.number, pid = child.id().unwrap_or_default(), "a worker process claims steps");
                    }
                    Ok(Some(line)) if line == FULL => self.handover.full(),
                    Ok(Some(line)) => if let Ok(status) = serde_json::from_str::<Status>(&line) {
                        waiting.drain(..).for_each(|asked| drop(asked.send(status.clone())));
                    },
                    Ok(None) | Err(_) => silent = true,
                },
                Some(asked) = self.asks.recv() => {
                    waiting.retain(|asked| !asked.is_closed());
                    waiting.push(asked);
                    // A worker that is gone is noticed by its end.
                    let _ = input.write_all(b"status\n").await;
                }
                work = self.wake.said() => {
                    let _ = input.write_all(format!("wake {work}\n").as_bytes()).await;
                }
                Some(step) = self.steps.recv() => match handover::line(&step) {
                    Ok(line) => drop(input.write_all(line.as_bytes()).await),
                    Err(error) => tracing::error!(%error, "can't tell a worker of a step: it runs when its lease has lapsed"),
                },
                () = draining.cancelled(), if !told_to_drain => {
                    told_to_drain = true;
                    let _ = input.write_all(b"drain\n").await;
                }
                () = aborting.cancelled(), if !told_to_abort => {
                    told_to_abort = true;
                    deadline = Some(Instant::now() + GRACE);
                    let _ = input.write_all(b"abort\n").await;
                }
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    tracing::error!(worker = self.number, "a worker process does not end: killing it");
                    deadline = None;
                    child.start_kill()?;
                }
            }
        }
    }
}
