//! `run`: a host, until a signal ends it.

mod worker;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, Global};
use crate::api;
use crate::config::Config;
use crate::host::{Front, Host, Services};
use crate::sandbox::tls_client;
use crate::store::StoreError;
use worker::Place;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Components: a .wasm file or a directory; may be repeated [default: the configured path]
    #[arg(long = "components", value_name = "PATH")]
    components: Vec<PathBuf>,
    /// Task templates: a directory; may be repeated [default: the configured path]
    #[arg(long = "templates", value_name = "PATH")]
    templates: Vec<PathBuf>,
    /// Processes that run steps; with 1, this process does [default: the configured number, or the cores]
    #[arg(long, value_name = "N")]
    processes: Option<NonZeroUsize>,
    /// Which worker process this is, and of how many. Started by the first process, not by hand
    #[arg(long, hide = true, value_name = "N/M")]
    worker_process: Option<Place>,
}

/// A host that runs.
enum Running {
    /// In this process.
    Whole(Box<Host>),
    /// In this process and its workers.
    Front(Box<Front>),
}

impl RunArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let mut config = global.config()?;
        raise_file_limit();
        if !self.components.is_empty() {
            config.worker.component_path = self.components;
        }
        if !self.templates.is_empty() {
            config.common.task_templates.search_paths = self.templates;
        }
        if let Some(place) = self.worker_process {
            return worker::run(config, place).await;
        }
        config.worker.processes = self.processes.or(config.worker.processes).or_else(|| available_parallelism().ok());
        // Before anything is started: a signal that comes early must not leave a private server behind.
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::cannot_start)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::cannot_start)?;
        let mut next = async || {
            tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" }
        };

        // Before the host is started: an address that is taken is found out at once.
        let listening = config.orchestration.web.enabled.then(|| api::Listening::open(&config.orchestration.web));
        let listening = listening.transpose().map_err(Failure::cannot_start)?;
        let host = tokio::select! {
            started = Running::start(&config) => started?,
            name = next() => {
                tracing::info!(signal = name, "stopped before the host was ready");
                return Ok(Exit::Done);
            }
        };
        let server = match open_api(listening, &config, &host).await {
            Ok(server) => server,
            Err(error) => {
                host.drain().await;
                return Err(error);
            }
        };
        tracing::info!("ready: claiming steps");
        let name = next().await;
        tracing::info!(signal = name, "draining: no new steps; a second signal puts running steps back at once");

        let abort = host.aborter();
        let drain = host.drain();
        tokio::pin!(drain);
        let put_back = loop {
            tokio::select! {
                put_back = &mut drain => break put_back,
                _ = next() => abort.cancel(),
            }
        };
        if let Some(server) = server {
            server.stop(config.orchestration.shutdown_timeout).await;
        }
        tracing::info!(put_back, "stopped");
        Ok(Exit::Done)
    }
}

impl Running {
    async fn start(config: &Config) -> Result<Self, Failure> {
        let processes = config.worker.processes.map_or(1, NonZeroUsize::get);
        if processes == 1 {
            return Ok(Self::Whole(Box::new(Host::start(config).await.map_err(Failure::cannot_start)?)));
        }
        let process = worker::process(config, processes).map_err(Failure::cannot_start)?;
        let front = Front::start(config, processes, process).await.map_err(Failure::cannot_start)?;
        Ok(Self::Front(Box::new(front)))
    }

    async fn services(&self) -> Result<Services, StoreError> {
        match self {
            Self::Whole(host) => host.services().await,
            Self::Front(front) => front.services().await,
        }
    }

    fn aborter(&self) -> CancellationToken {
        match self {
            Self::Whole(host) => host.aborter(),
            Self::Front(front) => front.aborter(),
        }
    }

    /// Drains it; gives how many steps were put back in this process.
    async fn drain(self) -> usize {
        match self {
            Self::Whole(host) => host.drain().await.put_back,
            Self::Front(front) => {
                front.drain().await;
                0
            }
        }
    }
}

async fn open_api(
    listening: Option<api::Listening>,
    config: &Config,
    host: &Running,
) -> Result<Option<api::Server>, Failure> {
    let Some(listening) = listening else { return Ok(None) };
    let web = &config.orchestration.web;
    let tls = tls_client(&config.worker.http.ca_files).map_err(Failure::cannot_start)?;
    let services = host.services().await.map_err(Failure::cannot_start)?;
    let server = api::Server::start(listening, tls, services).await.map_err(Failure::cannot_start)?;
    tracing::info!(address = %server.address(), tls = web.tls.is_some(), guarded = web.auth.enabled, "the API is open");
    Ok(Some(server))
}

/// Every attempt may have dozens of files and connections open, and shells start programs with a soft limit of 1,024, made
/// for programs that `select`. Where it cannot be raised, it stays.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!(soft, hard, %error, "the limit of open files stays");
    }
}
