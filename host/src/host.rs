//! A whole host: database, components, templates and the dispatch core, started in that order and stopped in the
//! reverse one. The command line is one user of it; a program that embeds the engine is another.

pub mod by_hand;
mod components;
pub mod creation;
pub mod current_templates;
mod first_steps;
mod handover;
mod processes;
mod services;
mod settings;
pub mod trial;
mod upkeep;

pub use components::{LeftOut, LoadError, Loaded, Refused, grant, load_components};
pub use handover::FULL;
pub use processes::{Front, Process, ProcessError, READY, worker_id};
pub use services::{ServedHandler, Services, Status};
pub use settings::{growth_limits, sandbox_settings, thresholds};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Config, LimitPolicy};
use crate::dispatch::{Cancellations, Components, Dispatch, Drained, Wake, Work};
use crate::events::Events;
use crate::registry::RegistryError;
use crate::sandbox::{Sandbox, SandboxError};
use crate::store::managed::{self, ManagedError, ManagedServer};
use crate::store::{CreationReport, NewTask, NewTemplate, Store, StoreError};
use crate::telemetry::metrics::{Metrics, Now};
use crate::template::{self, LoadedTemplate, Template};
use creation::Creation;
use first_steps::FirstSteps;
use settings::{dispatch_settings, event_settings, upkeep_settings};
use upkeep::Upkeep;

/// Connections of a command that asks a few questions and ends.
pub const FEW_CONNECTIONS: u32 = 2;

/// Pause before a lost listener is opened again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

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
    /// The private server's database was made by another build of this program.
    #[error(
        "the private database in {} was made by another build of this program: use that build, or move the folder away to \
         begin with an empty one",
        folder.display()
    )]
    PrivateOfOtherBuild {
        /// Where it is.
        folder: PathBuf,
    },
    /// The engine can't be built on this machine.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A template, or what a component asks for, could not be written as JSON.
    #[error("a template or component can't be recorded: {0}")]
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
                let private = database.server.as_ref().map(|server| server.dir().to_owned());
                database.close().await;
                Err(match (error, private) {
                    (StoreError::OtherBuild { .. }, Some(folder)) => StartError::PrivateOfOtherBuild { folder },
                    (error, _) => error.into(),
                })
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
    listener: JoinHandle<()>,
    database: Database,
    creation: Creation,
    config: Arc<Config>,
    handlers: Arc<[ServedHandler]>,
    metrics: Metrics,
    /// None in a worker process: its host's first process does it.
    upkeep: Option<Upkeep>,
}

impl Host {
    /// Opens the database, loads components, registers templates, and starts claiming.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing keeps running then.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let (sandbox, loaded, database) = prepare(config, config.common.database.pool.max_connections).await?;
        match announce(config, &loaded, &database.store).await {
            Ok(()) => {
                let upkeep = Upkeep::start(database.store.clone(), upkeep_settings(config));
                Ok(Self::claim(config, sandbox, loaded, database, Some(upkeep)))
            }
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    /// As [`Host::start`], for a process of a host that another one has prepared: it only runs steps.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing keeps running then.
    pub async fn start_worker(config: &Config) -> Result<Self, StartError> {
        let sandbox = Sandbox::new(&sandbox_settings(config))?;
        let loaded = load_components(&sandbox, &config.worker).await?;
        let database = Database::connect(config, config.common.database.pool.max_connections).await?;
        Ok(Self::claim(config, sandbox, loaded, database, None))
    }

    fn claim(config: &Config, sandbox: Sandbox, loaded: Loaded, database: Database, upkeep: Option<Upkeep>) -> Self {
        let store = &database.store;
        let handlers = services::served(&loaded.components);
        let Loaded { components, events, .. } = loaded;
        let (wake, metrics) = (Wake::default(), Metrics::default());
        let events = Events::start(event_settings(config), sandbox.clone(), Arc::new(events));
        let settings = dispatch_settings(config);
        let dispatch =
            Dispatch::start(settings, store.clone(), sandbox, components, events, wake.clone(), metrics.clone());
        let listener = tokio::spawn(listen(store.clone(), wake, dispatch.cancellations()));
        let creation = Creation::beside(store.clone(), FirstSteps::Here(dispatch.eager_start()));
        let config = Arc::new(config.clone());
        Self { dispatch, listener, database, creation, config, handlers, metrics, upkeep }
    }

    /// The host's connections.
    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// Creates tasks in one commit, and begins with what there is room for. Other hosts are told of what this one leaves.
    /// A task that comes alone may share its commit with others that do.
    ///
    /// # Errors
    ///
    /// The database refused; nothing was created then.
    pub async fn create_tasks(&self, tasks: &[NewTask]) -> Result<CreationReport, Arc<StoreError>> {
        match tasks {
            [task] => Ok(self.creation.create(task.clone()).await?.1),
            tasks => Ok(self.creation.create_together(tasks).await?),
        }
    }

    /// Somebody has put work into the queues.
    pub fn work_is_there(&self, work: Work) {
        self.dispatch.observer().work_is_there(work);
    }

    /// What an API needs of this host, over connections of its own: a burst of requests must not keep the claims and
    /// completions of steps waiting.
    ///
    /// # Errors
    ///
    /// The server has no more connections to give.
    pub async fn services(&self) -> Result<Services, StoreError> {
        Services::beside(self).await
    }

    /// How busy it is, with what it counted.
    ///
    /// # Errors
    ///
    /// A label could not be written.
    pub fn status(&self) -> Result<Status, std::fmt::Error> {
        let status = Status::of(&self.dispatch.observer(), self.events(), &self.metrics);
        let now = Now { namespaces: &[], in_flight: status.in_flight, connections: self.store().connections() };
        Ok(Status { metrics: vec![(0, self.metrics.text(now)?)], ..status })
    }

    /// The dispatch core.
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Setting it makes a drain that is under way put running steps back at once.
    pub fn aborter(&self) -> CancellationToken {
        self.dispatch.aborter()
    }

    /// The domain events of the steps that run here.
    pub fn events(&self) -> &Events {
        self.dispatch.events()
    }

    /// Drains the dispatch core, then the events its steps left, then closes the database.
    pub async fn drain(self) -> Drained {
        let events = self.events().clone();
        let drained = self.dispatch.drain().await;
        if let Some(upkeep) = self.upkeep {
            upkeep.stop().await;
        }
        events.drain(self.config.orchestration.shutdown_timeout).await;
        self.listener.abort();
        drop(self.creation);
        self.database.close().await;
        drained
    }
}

/// A sandbox with its components, and the database with its schema.
async fn prepare(config: &Config, connections: u32) -> Result<(Sandbox, Loaded, Database), StartError> {
    let sandbox = Sandbox::new(&sandbox_settings(config))?;
    tracing::info!(sandbox = %sandbox.facts(), "sandbox ready");
    let loaded = load_components(&sandbox, &config.worker).await?;
    let opened = Database::open(config, connections).await;
    let database = opened.inspect_err(|_| loaded.report(&[]))?;
    tracing::info!(database = database.store.target(), "database ready");
    Ok((sandbox, loaded, database))
}

/// Tells the database what is served, and the log what is not.
async fn announce(config: &Config, loaded: &Loaded, store: &Store) -> Result<(), StartError> {
    loaded.report(&store.record_components(&loaded.found()?).await?);
    register_templates(store, config, loaded).await?;
    create_event_queues(store, &loaded.components).await?;
    Ok(())
}

/// Wakes the claim when another process says that it created work, and passes on which tasks were cancelled. A lost
/// connection is not an error: the poll goes on, and the listener comes back.
async fn listen(store: Store, wake: Wake, cancellations: Cancellations) {
    loop {
        match store.wake_listener().await {
            Ok(mut listener) => {
                while let Ok(heard) = listener.hear().await {
                    heard.cancelled.into_iter().for_each(|task| cancellations.cancelled(task));
                    if heard.work {
                        wake.wake(Work::Anywhere);
                    }
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
    if template.steps.iter().any(|step| !step.publishes_events.is_empty()) {
        store.create_event_queues(&template.namespace_name).await?;
    }
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
async fn register_templates(store: &Store, config: &Config, loaded: &Loaded) -> Result<(), StartError> {
    let limits = config.worker.limit_policy();
    for folder in &config.common.task_templates.search_paths {
        let scan = template::scan(folder);
        for error in &scan.errors {
            tracing::error!("this template is left out:\n{error}");
        }
        for template in &scan.templates {
            for warning in &template.warnings {
                tracing::warn!("{warning}");
            }
            match register_template(store, template).await {
                // A tenant's name stops nobody else's work.
                Err(StartError::Store(error @ StoreError::EventNamespace { .. })) => {
                    tracing::error!(%error, template = template.template.name, "this template is left out");
                    continue;
                }
                registered => registered?,
            };
            let template = &template.template;
            warn_of_lowered(&template.for_environment(&config.common.execution.environment), &limits);
            for step in &template.steps {
                if let Err(missing) = loaded.components.table().find(&template.namespace_name, &step.handler.callable) {
                    tracing::warn!(template = template.name, step = step.name, "{missing}");
                }
                for publisher in loaded.events.missing(&template.namespace_name, step) {
                    tracing::warn!(
                        template = template.name,
                        step = step.name,
                        "no component here carries the publisher {publisher:?}: if none does where the step runs, its \
                         events are kept as dead ones"
                    );
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

/// Makes the queues of the namespaces whose handlers publish by themselves.
async fn create_event_queues(store: &Store, components: &Components) -> Result<(), StoreError> {
    for namespace in components.publishing_namespaces() {
        match store.create_event_queues(namespace).await {
            // A tenant's name stops nobody else's work; its handlers read why when they publish.
            Err(error @ StoreError::EventNamespace { .. }) => tracing::error!(%error, "no durable events"),
            created => created?,
        }
    }
    Ok(())
}

fn warn_of_lowered(template: &Template, policy: &LimitPolicy) {
    for step in &template.steps {
        for lowered in policy.lowered(&template.namespace_name, &step.all_limits()) {
            let (template, step) = (&template.name, &step.name);
            tracing::warn!(template, step, "a step's limit is above its namespace's ceiling: {lowered}");
        }
    }
}
