//! What an API does with a host: its database, its settings, what it serves and how busy it is. A command that works on
//! the database without a host has the same, without what only a running host knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Host;
use crate::config::Config;
use crate::config::limits::LimitSet;
use crate::dispatch::{Components, Observer, Wake};
use crate::events::Events;
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
    /// How busy it is.
    pub observer: Observer,
    /// The events of its steps.
    pub events: Events,
    wake: Wake,
    draining: CancellationToken,
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

impl Services {
    /// Those of a running host.
    pub(super) async fn beside(host: &Host) -> Result<Self, StoreError> {
        let web = &host.config.orchestration.web;
        Ok(Self {
            store: host.store().apart(web.max_connections, web.request_timeout + GIVEN_UP).await?,
            config: Arc::clone(&host.config),
            handlers: Arc::clone(&host.handlers),
            metrics: host.metrics.clone(),
            started: Instant::now(),
            running: Some(Running {
                observer: host.dispatch.observer(),
                events: host.events().clone(),
                wake: host.wake.clone(),
                draining: host.dispatch.draining(),
            }),
        })
    }

    /// Those of a command that works on the database itself.
    pub fn of_command(store: Store, config: Arc<Config>) -> Self {
        let (handlers, metrics) = (Arc::default(), Metrics::default());
        Self { store, config, handlers, metrics, started: Instant::now(), running: None }
    }

    /// Says that there is work in the queues: to this host, or else to the others.
    pub async fn work_is_there(&self) {
        match &self.running {
            Some(running) => running.wake.wake(),
            // They look by themselves before long.
            None => {
                drop(self.store.notify_work().await.inspect_err(|error| tracing::debug!(%error, "nobody was told")))
            }
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
