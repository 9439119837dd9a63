//! `run`: a host, until a signal ends it.

use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure, Global};
use crate::api;
use crate::config::Config;
use crate::host::Host;
use crate::sandbox::tls_client;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Components: a .wasm file or a directory; may be repeated [default: the configured path]
    #[arg(long = "components", value_name = "PATH")]
    components: Vec<PathBuf>,
    /// Task templates: a directory; may be repeated [default: the configured path]
    #[arg(long = "templates", value_name = "PATH")]
    templates: Vec<PathBuf>,
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
            started = Host::start(&config) => started.map_err(Failure::cannot_start)?,
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
        let drained = loop {
            tokio::select! {
                drained = &mut drain => break drained,
                _ = next() => abort.cancel(),
            }
        };
        if let Some(server) = server {
            server.stop(config.orchestration.shutdown_timeout).await;
        }
        tracing::info!(put_back = drained.put_back, "stopped");
        Ok(Exit::Done)
    }
}

async fn open_api(
    listening: Option<api::Listening>,
    config: &Config,
    host: &Host,
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
