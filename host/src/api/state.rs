//! What every operation needs.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::access::Access;
use super::health::Depth;
use crate::config::Web;
use crate::host::Services;
use crate::store::Store;

/// What every operation needs. Cheap to clone.
#[derive(Clone)]
pub(super) struct App(Arc<Shared>);

/// See [`App`].
pub(super) struct Shared {
    pub(super) access: Access,
    pub(super) store: Store,
    pub(super) services: Services,
    /// Room for bodies, in KiB.
    pub(super) room: Arc<Semaphore>,
    /// Streams of changes that may still be opened.
    pub(super) streams: Arc<Semaphore>,
    /// How much waits in the queues, as it was seen last.
    pub(super) depth: Depth,
}

impl App {
    pub(super) fn new(access: Access, services: Services) -> Self {
        let web = &services.config.orchestration.web;
        Self(Arc::new(Shared {
            access,
            store: services.store.clone(),
            room: Arc::new(Semaphore::new(web.max_bytes_in_flight.div_ceil(1 << 10))),
            streams: Arc::new(Semaphore::new(web.max_event_streams)),
            depth: Depth::default(),
            services,
        }))
    }

    /// The settings of the API.
    pub(super) fn web(&self) -> &Web {
        &self.services.config.orchestration.web
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
