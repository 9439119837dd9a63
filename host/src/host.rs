//! A whole host: database, components, templates and the dispatch core, started in that order and stopped in the
//! reverse one. The command line is one user of it; a program that embeds the engine is another.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Config;
use crate::dispatch::{self, Components, Dispatch, Drained, Wake};
use crate::orchestration::retry::BackoffDefaults;
use crate::registry::{self, Package, RegistryError};
use crate::sandbox::{ComponentError, Limits, Sandbox, SandboxError, SandboxSettings};
use crate::store::managed::{self, ManagedError, ManagedServer};
use crate::store::{NewTask, NewTemplate, Store, StoreError};
use crate::template::{self, LoadedTemplate};

/// Connections of a command that asks a few questions and ends.
pub const FEW_CONNECTIONS: u32 = 2;

/// Pause before a lost listener is opened again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Base delay of a retry when its template sets none: the contract's default for `backoff_base_ms`.
const BACKOFF_BASE: Duration = Duration::from_secs(1);

/// The database of the private server that hosts use.
const DATABASE: &str = "tasker";

/// The host's database: the server that was named, or a private one that is started, shared and stopped with its users.
pub struct Database {
    /// The connections.
    pub store: Store,
    server: Option<ManagedServer>,
}

/// Why a host can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The private server can't be used.
    #[error(transparent)]
    Managed(#[from] ManagedError),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine can't be built on this machine.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A template could not be written as JSON.
    #[error("the template can't be stored: {0}")]
    Template(#[from] serde_json::Error),
    /// The component path can't be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Database {
    /// Connects to the configured server, or to the private one when none is configured, and brings the schema up to
    /// date.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing keeps running then.
    pub async fn open(config: &Config, connections: u32) -> Result<Self, StartError> {
        let database = Self::connect(config, connections).await?;
        match database.store.migrate().await {
            Ok(_) => Ok(database),
            Err(error) => {
                database.close().await;
                Err(error.into())
            }
        }
    }

    /// As [`Database::open`], without touching the schema.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing keeps running then.
    pub async fn connect(config: &Config, connections: u32) -> Result<Self, StartError> {
        let settings = &config.common.database;
        let (url, server) = match &settings.url {
            Some(url) => (url.expose().to_owned(), None),
            None => {
                let options =
                    managed::Options { binaries: settings.postgres_bin.clone(), ..managed::Options::default() };
                let server = ManagedServer::start(options).await?;
                server.create_database(DATABASE).await?;
                (server.url(DATABASE), Some(server))
            }
        };
        let store = Store::connect(&url, connections).await?;
        Ok(Self { store, server })
    }

    /// Closes the connections and leaves the private server, which stops when nobody else uses it.
    pub async fn close(self) {
        self.store.close().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

/// A running host.
pub struct Host {
    dispatch: Dispatch,
    wake: Wake,
    listener: JoinHandle<()>,
    database: Database,
}

impl Host {
    /// Opens the database, loads components, registers templates, and starts claiming.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing keeps running then.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let sandbox = Sandbox::new(&sandbox_settings(config))?;
        tracing::info!(sandbox = %sandbox.facts(), "sandbox ready");
        let components = load_components(&sandbox, &config.worker.component_path).await?.components;
        let database = Database::open(config, config.common.database.pool.max_connections).await?;
        tracing::info!(database = database.store.target(), "database ready");
        match Self::start_with(config, sandbox, components, &database).await {
            Ok((dispatch, wake, listener)) => Ok(Self { dispatch, wake, listener, database }),
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    async fn start_with(
        config: &Config,
        sandbox: Sandbox,
        components: Components,
        database: &Database,
    ) -> Result<(Dispatch, Wake, JoinHandle<()>), StartError> {
        let store = &database.store;
        register_templates(store, &config.common.task_templates.search_paths, &components).await?;
        let wake = Wake::default();
        let listener = tokio::spawn(listen(store.clone(), wake.clone()));
        let dispatch = Dispatch::start(dispatch_settings(config), store.clone(), sandbox, components, wake.clone());
        Ok((dispatch, wake, listener))
    }

    /// The host's connections.
    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// Creates tasks in one commit and wakes this host. Other hosts find what this one leaves at their next poll.
    ///
    /// # Errors
    ///
    /// The database refused; nothing was created then.
    pub async fn create_tasks(&self, tasks: &[NewTask]) -> Result<(), StoreError> {
        self.store().create_tasks(tasks).await?;
        self.wake.wake();
        Ok(())
    }

    /// The dispatch core.
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Setting it makes a drain that is under way put running steps back at once.
    pub fn aborter(&self) -> CancellationToken {
        self.dispatch.aborter()
    }

    /// Drains the dispatch core, then closes the database.
    pub async fn drain(self) -> Drained {
        let drained = self.dispatch.drain().await;
        self.listener.abort();
        self.database.close().await;
        drained
    }
}

/// Wakes the claim when another process says that it created work. A lost connection is not an error: the poll goes on,
/// and the listener comes back.
async fn listen(store: Store, wake: Wake) {
    loop {
        match store.wake_listener().await {
            Ok(mut listener) => {
                while let Ok(()) = listener.woken().await {
                    wake.wake();
                }
                tracing::warn!("the connection that listens for new work was lost: polling until it is back");
            }
            Err(error) => tracing::warn!(%error, "can't listen for new work: polling"),
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}

/// Registers one template as the current one of its name and version; gives the identifier of its row.
///
/// # Errors
///
/// The database refused.
pub async fn register_template(store: &Store, loaded: &LoadedTemplate) -> Result<Uuid, StartError> {
    let template = &loaded.template;
    let registered = store
        .register_template(&NewTemplate {
            namespace: template.namespace_name.clone(),
            name: template.name.clone(),
            version: template.version.clone(),
            description: template.description.clone(),
            configuration_json: serde_json::to_string(template)?,
            digest: loaded.digest.clone(),
        })
        .await?;
    Ok(registered)
}

/// Registers every template below `folders`. One that is wrong is logged with all its problems and left out; one whose
/// handlers no component here serves is registered, because another host may serve them.
async fn register_templates(store: &Store, folders: &[PathBuf], components: &Components) -> Result<(), StartError> {
    for folder in folders {
        let scan = template::scan(folder);
        for error in &scan.errors {
            tracing::error!("this template is left out:\n{error}");
        }
        for loaded in &scan.templates {
            for warning in &loaded.warnings {
                tracing::warn!("{warning}");
            }
            register_template(store, loaded).await?;
            let template = &loaded.template;
            for step in &template.steps {
                if let Err(missing) = components.table().find(&template.namespace_name, &step.handler.callable) {
                    tracing::warn!(template = template.name, step = step.name, "{missing}");
                }
            }
            tracing::info!(
                namespace = template.namespace_name,
                template = template.name,
                version = template.version,
                steps = template.steps.len(),
                "template registered"
            );
        }
    }
    Ok(())
}

/// The part of the configuration that the sandbox needs.
pub fn sandbox_settings(config: &Config) -> SandboxSettings {
    SandboxSettings {
        cache_dir: config.worker.sandbox.cache_dir.clone(),
        // One more than there are slots: a component may be described while all of them are taken.
        max_concurrent: config.worker.mpsc_channels.handler_dispatch.max_concurrent_handlers.saturating_add(1),
        max_memory_bytes: memory_bytes(config),
    }
}

fn dispatch_settings(config: &Config) -> dispatch::Settings {
    let channels = &config.worker.mpsc_channels.handler_dispatch;
    let sandbox = &config.worker.sandbox;
    let backoff = &config.common.backoff;
    dispatch::Settings {
        worker_id: config.worker.worker_id.clone(),
        max_concurrent: channels.max_concurrent_handlers as usize,
        dispatch_buffer: channels.dispatch_buffer,
        completion_buffer: channels.completion_buffer,
        lease: config.common.queues.lease,
        poll_interval: config.common.queues.pgmq.poll_interval,
        sweep_interval: config.orchestration.sweep_interval,
        drain_timeout: config.orchestration.shutdown_timeout,
        limits: Limits {
            fuel: sandbox.fuel,
            memory_bytes: memory_bytes(config),
            deadline: channels.handler_timeout,
            result_bytes: sandbox.result_bytes,
            log_lines: sandbox.log_lines,
            log_bytes: sandbox.log_bytes,
        },
        backoff: BackoffDefaults {
            base: BACKOFF_BASE,
            cap: backoff.max_backoff,
            jitter: if backoff.jitter_enabled { backoff.jitter_max_percentage } else { 0.0 },
        },
    }
}

fn memory_bytes(config: &Config) -> usize {
    (config.worker.sandbox.memory_mb as usize) << 20
}

/// Components that were found on a path, ready to be called.
pub struct Loaded {
    /// The handlers and their code.
    pub components: Components,
    /// How many components could not be loaded; each has been logged.
    pub failed: usize,
}

/// Prepares every component on `path`. One that can't be used is logged and left out, so that one tenant's broken file
/// does not stop the steps of the others.
///
/// # Errors
///
/// The path can't be read, or two components claim the same handler.
pub async fn load_components(sandbox: &Sandbox, path: &[PathBuf]) -> Result<Loaded, StartError> {
    let mut loaded = Loaded { components: Components::default(), failed: 0 };
    for package in registry::scan(path)? {
        let package = Arc::new(package);
        if let Err(error) = load(sandbox, &package, &mut loaded.components).await {
            tracing::error!(component = %package.path.display(), %error, "this component is left out");
            loaded.failed += 1;
        }
    }
    Ok(loaded)
}

/// Why one component is left out.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

async fn load(sandbox: &Sandbox, package: &Arc<Package>, components: &mut Components) -> Result<(), LoadError> {
    let prepared = sandbox.prepare(package).await?;
    let described = sandbox.describe(&prepared).await?;
    let handlers = described.handlers.len();
    components.add(package, described.handlers, prepared)?;
    tracing::info!(component = package.name, namespace = package.namespace, handlers, "component loaded");
    Ok(())
}
