//! Domain events: what a workflow tells the rest of a business about its steps.
//!
//! Handlers do not publish, but for those that were granted it and do so at once ([`Events::direct`]). A template declares events, and when an attempt has ended, each declaration whose condition
//! fits becomes an event:
//!
//! ```text
//!                     publisher component ─► payload ─► schema ─┬─ durable, broadcast ─► Completion.events ─► PGMQ
//!  ended attempt ─►   (or the step's result)                    ├─ fast, broadcast ────► after the commit ─► subscribers
//!                                                               └─ no payload, no fit ─► dead events ───────► PGMQ
//! ```
//!
//! * *Nothing here changes how a step ends.* A publisher that crashes and a payload that does not fit make a dead event,
//!   kept with its error, and a warning.
//! * *Durable events leave in the commit that ends the attempt*: none is lost, and none is sent for a result that was
//!   not accepted. What happens in the process happens after that commit, at most once, and is dropped when nobody keeps
//!   up ([`EventStats`] counts).
//! * *A namespace is a tenant*: publishers and subscribers are looked up in the namespace of the step and in no other.

mod bus;
mod components;
mod condition;
mod declarations;
mod direct;
mod envelope;
mod outbox;
mod pattern;
mod publish;
mod step_event;
#[cfg(test)]
mod tests;

pub use bus::EventStats;
pub use components::EventComponents;
pub use declarations::Declarations;
pub use envelope::{DomainEvent, EventMetadata};
pub use outbox::{Announced, Outbox};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::sandbox::Sandbox;
use crate::store::{ClaimedStep, Completion};
use bus::Bus;
use publish::Publishing;

/// How events are published and delivered.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Events that may wait for delivery in this process; further ones are dropped and counted. At least 1.
    pub buffer: usize,
    /// Subscribers that run at once; each takes a slot of the sandbox. At least 1.
    pub concurrency: usize,
}

/// Publishes the events of ended attempts and delivers them in this process. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Shared>);

struct Shared {
    publishing: Publishing,
    bus: Bus,
}

impl Events {
    /// Starts the delivery. Must be called within a tokio runtime.
    pub fn start(settings: Settings, sandbox: Sandbox, components: Arc<EventComponents>) -> Self {
        let bus = Bus::start(&settings, sandbox.clone(), Arc::clone(&components));
        let publishing = Publishing { sandbox, components };
        Self(Arc::new(Shared { publishing, bus }))
    }

    /// Turns what `step`'s template declared into the events of its ended attempt. Runs publishers, so it needs a free
    /// slot of the sandbox: the one the attempt has just left. `completion` is as it will be committed.
    pub async fn announce(&self, step: &ClaimedStep, declared: &Declarations, completion: &Completion) -> Announced {
        self.0.publishing.announce(step, declared, completion).await
    }

    /// To be called once the completion that an outbox belongs to is committed. Never waits: what finds no room is
    /// dropped and counted.
    pub fn committed(&self, outbox: Outbox) {
        self.0.bus.deliver(outbox);
    }

    /// Fast and broadcast events of every namespace from now on, for programs that embed the host. A receiver that falls
    /// behind misses some and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<DomainEvent>> {
        self.0.bus.subscribe()
    }

    /// What was delivered in this process so far.
    pub fn stats(&self) -> EventStats {
        self.0.bus.stats()
    }

    /// Takes no more events, delivers those that wait, and drops what is left after `timeout`.
    pub async fn drain(&self, timeout: Duration) {
        self.0.bus.drain(timeout).await;
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
