//! A worker process: runs steps for the host whose first process started it, and speaks with that over its standard input
//! and output.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::super::{Exit, Failure};
use crate::config::Config;
use crate::dispatch::EagerStart;
use crate::host::{FULL, Host, Process, READY, worker_id};

/// Connections that a worker needs at least: claim, completion, renewal, and one for what comes between.
const FEWEST_CONNECTIONS: u32 = 4;

/// Which worker of how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    number: NonZeroUsize,
    count: NonZeroUsize,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text
            .split_once('/')
            .and_then(|(number, count)| Some(Self { number: number.parse().ok()?, count: count.parse().ok()? }));
        place.ok_or_else(|| "expected two numbers, such as 1/4".to_owned())
    }
}

/// How this program is started as a worker of a host with this configuration: with the same arguments.
pub(super) fn process(config: &Config, count: usize) -> std::io::Result<Process> {
    let program = std::env::current_exe()?;
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let host = config.worker.worker_id.clone();
    Ok(Arc::new(move |number| {
        let mut command = Command::new(&program);
        command.args(&arguments).arg(format!("--worker-process={number}/{count}"));
        command.env("TASKER_WORKER_ID", worker_id(&host, number));
        command
    }))
}

/// Runs steps until the first process says otherwise, or is gone.
pub(super) async fn run(mut config: Config, place: Place) -> Result<Exit, Failure> {
    drop_privileges();
    share(&mut config, place.count);
    // Whoever signals the whole group means the first process; it tells its workers what to do.
    let _ignored = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let host = Host::start_worker(&config).await.map_err(Failure::cannot_start)?;
    say(READY)?;
    let eager_start = host.dispatch().eager_start();

    let mut told = listen()?;
    while let Some(line) = told.recv().await {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("status", "") => say(&serde_json::to_string(&host.status()?)?)?,
            ("run", step) => run_step(&eager_start, step).await?,
            ("wake", names) => host.work_is_there(names.into()),
            ("drain", "") => break,
            _ => tracing::warn!(worker = place.number, line, "the first process said something unknown"),
        }
    }
    let abort = host.aborter();
    let drain = host.drain();
    tokio::pin!(drain);
    let drained = loop {
        tokio::select! {
            drained = &mut drain => break drained,
            Some(line) = told.recv() => match line.split_once(' ') {
                Some(("run", step)) => run_step(&eager_start, step).await?,
                _ => if line == "abort" { abort.cancel() },
            },
        }
    };
    tracing::info!(worker = place.number, put_back = drained.put_back, "a worker process has stopped");
    Ok(Exit::Done)
}

/// Runs a step that was claimed for this process, or puts it back.
async fn run_step(eager_start: &EagerStart, step: &str) -> Result<(), Failure> {
    let more = match serde_json::from_str(step) {
        Ok(step) => eager_start.run(step).await,
        Err(error) => {
            tracing::warn!(%error, "the first process said something unknown of a step");
            true
        }
    };
    if more { Ok(()) } else { say(FULL) }
}

/// What the first process says, line by line, until it is gone. On a thread of its own, which nobody waits for when the
/// process ends: a read can't be given up.
fn listen() -> std::io::Result<mpsc::UnboundedReceiver<String>> {
    let (heard, told) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("told".to_owned()).spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if heard.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(told)
}

/// What a host is given is divided among its workers.
fn share(config: &mut Config, count: NonZeroUsize) {
    let count = u32::try_from(count.get()).unwrap_or(u32::MAX);
    config.worker.processes = NonZeroUsize::new(count as usize);
    let dispatch = &mut config.worker.mpsc_channels.handler_dispatch;
    dispatch.max_concurrent_handlers = dispatch.max_concurrent_handlers.div_ceil(count);
    let pool = &mut config.common.database.pool;
    pool.max_connections = pool.max_connections.div_ceil(count).max(FEWEST_CONNECTIONS);
}

/// A worker needs no rights but those it has, and leaves no image of its guests' memory behind when it dies.
fn drop_privileges() {
    use nix::sys::resource::{Resource, setrlimit};
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        tracing::warn!(%error, "the worker could gain privileges: the kernel does not forbid it");
    }
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!(%error, "the worker could leave a core file");
    }
}

fn say(line: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush())?;
    Ok(())
}
