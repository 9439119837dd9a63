//! What an API does with a host: its database, its settings, what it serves and how busy it is. A command that works on
//! the database without a host has the same, without what only a running host knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Host;
use super::creation::Creation;
use super::current_templates::CurrentTemplates;
use super::first_steps::{FirstSteps, tell_hosts};
use super::processes::Workers;
use crate::config::Config;
use crate::config::limits::LimitSet;
use crate::dispatch::{Components, Observer, Work};
use crate::events::{EventStats, Events};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// How long a statement may go on after its request was given up: the request is answered first, and then the connection
/// is free again.
const GIVEN_UP: Duration = Duration::from_secs(1);

/// What an API works with. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Connections.
    pub store: Store,
    /// Where tasks are created.
    pub creation: Creation,
    /// What they are planned from.
    pub templates: CurrentTemplates,
    /// The settings.
    pub config: Arc<Config>,
    /// The handlers that run here.
    pub handlers: Arc<[ServedHandler]>,
    /// What is counted.
    pub metrics: Metrics,
    /// Since when.
    pub started: Instant,
    /// The running host; none for a command.
    pub running: Option<Running>,
}

/// What only a running host knows.
#[derive(Clone)]
pub struct Running {
    source: Source,
    draining: CancellationToken,
}

/// Where its steps run.
#[derive(Clone)]
enum Source {
    /// In this process.
    Here { observer: Observer, events: Events, metrics: Metrics },
    /// In others.
    Workers(Workers),
}

/// How busy a host is, or one of its processes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Status {
    /// Steps that are claimed and not committed.
    pub in_flight: usize,
    /// Steps that may run at once.
    pub slots: usize,
    /// How many more could begin now.
    pub free_slots: usize,
    /// Domain events in the process.
    pub events: EventStats,
    /// Domain events that were sent to queues.
    pub durable_events: u64,
    /// Domain events that could not be told.
    pub dead_events: u64,
    /// What is counted, in the text format of OpenMetrics, by the number of the worker process.
    pub metrics: Vec<(usize, String)>,
}

impl Status {
    /// That of a running core.
    pub(super) fn of(observer: &Observer, events: &Events, metrics: &Metrics) -> Self {
        let (slots, free_slots) = observer.slots();
        let (durable_events, dead_events) = metrics.events();
        Self {
            in_flight: observer.in_flight(),
            slots,
            free_slots,
            events: events.stats(),
            durable_events,
            dead_events,
            metrics: Vec::new(),
        }
    }

    /// That of several together.
    fn together(statuses: Vec<(usize, Self)>) -> Self {
        statuses.into_iter().fold(Self::default(), |mut sum, (number, one)| {
            sum.in_flight += one.in_flight;
            sum.slots += one.slots;
            sum.free_slots += one.free_slots;
            sum.events += one.events;
            sum.durable_events += one.durable_events;
            sum.dead_events += one.dead_events;
            sum.metrics.extend(one.metrics.into_iter().map(|(_, text)| (number, text)));
            sum
        })
    }
}

impl Running {
    /// How busy the host is.
    pub async fn status(&self) -> Status {
        match &self.source {
            Source::Here { observer, events, metrics } => Status::of(observer, events, metrics),
            Source::Workers(workers) => Status::together(workers.statuses().await),
        }
    }
}

/// A handler that runs here.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ServedHandler {
    /// Namespace whose steps it serves.
    pub namespace: String,
    /// Key that templates use as `callable`.
    pub callable: String,
    /// Its version.
    pub version: String,
    /// Free-form labels.
    pub capabilities: Vec<String>,
    /// Entry points usable as `method`.
    pub methods: Vec<String>,
    /// The package that carries it.
    pub component: String,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// The limits its author asks for.
    #[schema(value_type = Object)]
    pub limits: LimitSet,
}

/// The handlers of components, by namespace and callable.
pub(super) fn served(components: &Components) -> Arc<[ServedHandler]> {
    let served = components.table().iter().map(|handler| ServedHandler {
        namespace: handler.namespace().to_owned(),
        callable: handler.callable().to_owned(),
        version: handler.descriptor.version.clone(),
        capabilities: handler.descriptor.capabilities.clone(),
        methods: handler.descriptor.methods.clone(),
        component: handler.package.name.clone(),
        digest: handler.package.digest.to_string(),
        limits: handler.limits(),
    });
    served.collect()
}

fn templates(store: &Store, config: &Config) -> CurrentTemplates {
    CurrentTemplates::new(store.clone(), config.common.execution.environment.clone())
}

impl Services {
    /// Those of a running host.
    pub(super) async fn beside(host: &Host) -> Result<Self, StoreError> {
        let web = &host.config.orchestration.web;
        let store = host.store().apart(web.max_connections, web.request_timeout + GIVEN_UP).await?;
        Ok(Self {
            templates: templates(&store, &host.config),
            creation: Creation::beside(store.clone(), FirstSteps::Here(host.dispatch.eager_start())),
            store,
            config: Arc::clone(&host.config),
            handlers: Arc::clone(&host.handlers),
            metrics: host.metrics.clone(),
            started: Instant::now(),
            running: Some(Running {
                source: Source::Here {
                    observer: host.dispatch.observer(),
                    events: host.events().clone(),
                    metrics: host.metrics.clone(),
                },
                draining: host.dispatch.draining(),
            }),
        })
    }

    /// Those of a host whose steps run in other processes.
    pub(super) async fn before(
        store: &Store,
        config: &Arc<Config>,
        handlers: &Arc<[ServedHandler]>,
        metrics: &Metrics,
        workers: Workers,
    ) -> Result<Self, StoreError> {
        let web = &config.orchestration.web;
        let store = store.apart(web.max_connections, web.request_timeout + GIVEN_UP).await?;
        Ok(Self {
            templates: templates(&store, config),
            creation: Creation::beside(store.clone(), FirstSteps::Workers(workers.clone())),
            store,
            config: Arc::clone(config),
            handlers: Arc::clone(handlers),
            metrics: metrics.clone(),
            started: Instant::now(),
            running: Some(Running { draining: workers.draining(), source: Source::Workers(workers) }),
        })
    }

    /// How busy the host is; nothing for a command.
    pub async fn status(&self) -> Status {
        match &self.running {
            Some(running) => running.status().await,
            None => Status::default(),
        }
    }

    /// Those of a command that works on the database itself.
    pub fn of_command(store: Store, config: Arc<Config>) -> Self {
        let (handlers, metrics) = (Arc::default(), Metrics::default());
        let (templates, creation) = (templates(&store, &config), Creation::start(store.clone()));
        Self { store, templates, creation, config, handlers, metrics, started: Instant::now(), running: None }
    }

    /// Says that there is work in the queues: to this host, and to the others what it does not do itself.
    pub async fn work_is_there(&self, work: Work) {
        match self.running.as_ref().map(|running| &running.source) {
            Some(Source::Here { observer, .. }) => observer.work_is_there(work),
            Some(Source::Workers(workers)) => workers.work_is_there(work),
            None => tell_hosts(&self.store).await,
        }
    }

    /// Whether the host has been told to stop.
    pub fn is_draining(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.draining.is_cancelled())
    }

    /// Returns when the host is told to stop.
    pub async fn draining(&self) {
        match &self.running {
            Some(running) => running.draining.cancelled().await,
            None => std::future::pending().await,
        }
    }
}
