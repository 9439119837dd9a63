//! Delivery in this process: a bounded queue, and subscribers that take from it.
//!
//! Who publishes never waits. The queue is as long as it is configured, and what finds no room is dropped and counted,
//! because holding steps back for a slow listener would let one tenant's subscriber stop every tenant's work. Subscribers
//! run side by side, so an event is not before another for having been published earlier.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Semaphore, broadcast, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::components::EventComponents;
use super::envelope::{DomainEvent, guest_event};
use super::outbox::{Delivery, Outbox, Report};
use super::pattern::covers;
use crate::sandbox::{EventCall, Limits, Prepared, Sandbox};

/// What became of fast and broadcast events in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventStats {
    /// Events that were to be delivered, those dropped included.
    pub published: u64,
    /// Events that a subscriber took; one that two took counts twice.
    pub delivered: u64,
    /// Events that found no room in the queue, or were left in it by a drain.
    pub dropped: u64,
    /// Events that a subscriber refused or broke on.
    pub failed: u64,
}

impl AddAssign for EventStats {
    fn add_assign(&mut self, other: Self) {
        self.published += other.published;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.failed += other.failed;
    }
}

#[derive(Default)]
struct Counters {
    published: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

pub(super) struct Bus {
    queue: mpsc::Sender<Delivery>,
    heard: broadcast::Sender<Arc<DomainEvent>>,
    counters: Arc<Counters>,
    /// Whether the last event found no room: one warning for each time the queue fills.
    full: AtomicBool,
    draining: CancellationToken,
    delivering: Mutex<Option<JoinHandle<()>>>,
}

/// What the delivery needs.
struct Delivering {
    sandbox: Sandbox,
    components: Arc<EventComponents>,
    counters: Arc<Counters>,
    slots: Arc<Semaphore>,
    draining: CancellationToken,
}

impl Bus {
    pub(super) fn start(settings: &Settings, sandbox: Sandbox, components: Arc<EventComponents>) -> Self {
        let (queue, waiting) = mpsc::channel(settings.buffer.max(1));
        let counters = Arc::<Counters>::default();
        let draining = CancellationToken::new();
        let delivering = Delivering {
            sandbox,
            components,
            counters: Arc::clone(&counters),
            slots: Arc::new(Semaphore::new(settings.concurrency.max(1))),
            draining: draining.clone(),
        };
        Self {
            queue,
            heard: broadcast::Sender::new(settings.buffer.max(1)),
            counters,
            full: AtomicBool::new(false),
            draining,
            delivering: Mutex::new(Some(tokio::spawn(delivering.run(waiting)))),
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<DomainEvent>> {
        self.heard.subscribe()
    }

    pub(super) fn stats(&self) -> EventStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EventStats {
            published: read(&self.counters.published),
            delivered: read(&self.counters.delivered),
            dropped: read(&self.counters.dropped),
            failed: read(&self.counters.failed),
        }
    }

    pub(super) fn deliver(&self, outbox: Outbox) {
        for delivery in outbox.0 {
            if let Delivery::Event(event) = &delivery {
                count(&self.counters.published);
                // An error only says that nobody listens.
                let _ = self.heard.send(Arc::clone(event));
            }
            match self.queue.try_send(delivery) {
                Ok(()) => self.full.store(false, Ordering::Relaxed),
                Err(TrySendError::Full(delivery)) => {
                    if !self.full.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            capacity = self.queue.max_capacity(),
                            "the queue of events in this process is full: dropping events until subscribers catch up"
                        );
                    }
                    self.counters.drop_one(&delivery);
                }
                Err(TrySendError::Closed(delivery)) => self.counters.drop_one(&delivery),
            }
        }
    }

    pub(super) async fn drain(&self, timeout: Duration) {
        self.draining.cancel();
        let Some(mut delivering) = self.delivering.lock().await.take() else { return };
        if tokio::time::timeout(timeout, &mut delivering).await.is_err() {
            tracing::warn!(
                timeout_ms = timeout.as_millis() as u64,
                "subscribers did not finish: dropping their events"
            );
            delivering.abort();
            let _ = delivering.await;
        }
    }
}

impl Drop for Bus {
    /// A bus that is not drained stops with its last owner.
    fn drop(&mut self) {
        if let Some(delivering) = self.delivering.get_mut() {
            delivering.abort();
        }
    }
}

impl Counters {
    fn drop_one(&self, delivery: &Delivery) {
        match delivery {
            Delivery::Event(event) => {
                count(&self.dropped);
                tracing::debug!(event = event.event_name, event_id = %event.event_id, "dropped");
            }
            Delivery::Report(report) => {
                tracing::debug!(publisher = report.request.publisher, "a publisher is not told how its event fared");
            }
        }
    }
}

/// What is left when the delivery is stopped counts as dropped.
struct Waiting {
    queue: mpsc::Receiver<Delivery>,
    counters: Arc<Counters>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.close();
        while let Ok(delivery) = self.queue.try_recv() {
            self.counters.drop_one(&delivery);
        }
    }
}

impl Delivering {
    async fn run(self, queue: mpsc::Receiver<Delivery>) {
        let mut waiting = Waiting { queue, counters: Arc::clone(&self.counters) };
        let mut running = JoinSet::new();
        loop {
            let next = tokio::select! {
                biased;
                Some(ended) = running.join_next() => {
                    report_panic(ended);
                    continue;
                }
                next = waiting.queue.recv() => next,
                () = self.draining.cancelled(), if !waiting.queue.is_closed() => {
                    waiting.queue.close();
                    continue;
                }
            };
            match next {
                Some(Delivery::Event(event)) => self.deliver(&event, &mut running).await,
                Some(Delivery::Report(report)) => self.tell(report, &mut running).await,
                None => break,
            }
        }
        while let Some(ended) = running.join_next().await {
            report_panic(ended);
        }
    }

    /// Starts every subscriber whose patterns cover the event, as slots become free.
    async fn deliver(&self, event: &Arc<DomainEvent>, running: &mut JoinSet<()>) {
        let mut text = None;
        for (subscriber, bound) in self.components.subscribers(&event.metadata.namespace) {
            let subscription = &subscriber.subscription;
            if !subscription.patterns.iter().any(|pattern| covers(pattern, &event.event_name)) {
                continue;
            }
            if text.is_none() {
                text = guest_event(event)
                    .inspect_err(|error| tracing::error!(%error, event = event.event_name, "can't be written"))
                    .ok();
            }
            let Some(text) = text.clone() else { return };
            let delivery = OneDelivery {
                sandbox: self.sandbox.clone(),
                prepared: Arc::clone(&bound.prepared),
                call: call(event, bound.limits.clone()),
                subscriber: subscription.subscriber.clone(),
                event: Arc::clone(event),
                counters: Arc::clone(&self.counters),
            };
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            running.spawn(async move {
                delivery.run(text).await;
                drop(slot);
            });
        }
    }

    async fn tell(&self, report: Box<Report>, running: &mut JoinSet<()>) {
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
        let sandbox = self.sandbox.clone();
        running.spawn(async move {
            let Report { publisher, call, request, publication, failure } = &*report;
            if let Err(error) = sandbox.published(publisher, call, request, publication, failure.as_deref()).await {
                let publisher = &request.publisher;
                tracing::warn!(publisher, %error, "the publisher failed when it was told how its event fared");
            }
            drop(slot);
        });
    }
}

fn call(event: &DomainEvent, limits: Limits) -> EventCall {
    EventCall {
        task_uuid: event.metadata.task_uuid,
        step_uuid: event.metadata.step_uuid,
        correlation_id: event.metadata.correlation_id,
        limits,
    }
}

/// One event on its way to one subscriber.
struct OneDelivery {
    sandbox: Sandbox,
    prepared: Arc<Prepared>,
    call: EventCall,
    subscriber: String,
    event: Arc<DomainEvent>,
    counters: Arc<Counters>,
}

impl OneDelivery {
    async fn run(self, text: String) {
        match self.sandbox.on_event(&self.prepared, &self.call, &self.subscriber, text).await {
            Ok(()) => count(&self.counters.delivered),
            Err(error) => {
                count(&self.counters.failed);
                let (event, event_id) = (&self.event.event_name, self.event.event_id);
                tracing::warn!(event, %event_id, subscriber = self.subscriber, %error, "a subscriber failed");
            }
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the host panicked while it delivered an event");
    }
}
