//! Events that a handler publishes by itself, past the rule that a template declares them.
//!
//! They have the envelope of declared ones, so that a consumer reads both alike. What is not known while the step runs is
//! `null`: how it ended. A handler may publish many, and each message carries its step, so of that only small parts are
//! taken.

use std::sync::Arc;

use chrono::Utc;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::envelope::{self, DomainEvent, EventMetadata};
use super::outbox::{Delivery, Outbox};
use super::step_event::step_event;
use super::{Declarations, Events};
use crate::sandbox::{DirectEvent, DirectEventError, DirectEventHandle};
use crate::store::{ClaimedStep, DirectlyPublished, NewDirectEvent, Store, StoreError};
use crate::template::DeliveryMode;

/// Bytes of one part of a step event that go into the message of a direct event.
const MAX_PART: usize = 64 << 10;

/// What the events of one attempt have in common.
struct Publisher {
    store: Store,
    events: Events,
    step: ClaimedStep,
    step_definition: Box<RawValue>,
    name: String,
}

impl Events {
    /// What one attempt of `step` publishes through. `declared` is what the step's template declares; `callable` names its
    /// handler.
    pub fn direct(
        &self,
        store: &Store,
        step: &ClaimedStep,
        declared: &Declarations,
        callable: &str,
    ) -> DirectEventHandle {
        let publisher = Arc::new(Publisher {
            store: store.clone(),
            events: self.clone(),
            step: step.clone(),
            step_definition: declared.step_definition.clone(),
            name: format!("handler:{callable}"),
        });
        DirectEventHandle::new(move |event| {
            let publisher = Arc::clone(&publisher);
            let store = publisher.store.clone();
            async move { store.for_guest(async move { publisher.publish(event).await }).await }
        })
    }
}

impl Publisher {
    async fn publish(&self, event: DirectEvent) -> Result<Uuid, DirectEventError> {
        let DirectEvent { delivery, idempotency_key, .. } = &event;
        let (delivery, key) = (*delivery, idempotency_key.clone());
        let event = self.event(event);
        let event_id = event.event_id;
        let message = (delivery != DeliveryMode::Fast).then(|| self.message(&event)).transpose();
        let message = message.map_err(|error| {
            tracing::error!(%error, event = event.event_name, "can't be written");
            DirectEventError::Invalid("the event can't be written as a message".to_owned())
        })?;
        if key.is_some() || message.is_some() {
            let new = NewDirectEvent { event_id, idempotency_key: key.as_deref(), message: message.as_deref() };
            match self.store.publish_event(&self.step.lease, &new).await.map_err(unsent)? {
                DirectlyPublished::Sent => {}
                DirectlyPublished::Before(event_id) => return Ok(event_id),
                DirectlyPublished::NotOurs => {
                    return Err(DirectEventError::Unavailable(
                        "the step is no longer this attempt's: stop, what it brings is refused".to_owned(),
                    ));
                }
            }
        }
        if delivery != DeliveryMode::Durable {
            self.events.committed(Outbox(vec![Delivery::Event(Arc::new(event))]));
        }
        Ok(event_id)
    }

    fn event(&self, event: DirectEvent) -> DomainEvent {
        let mut metadata = EventMetadata::of(&self.step, Utc::now(), &self.name);
        metadata.custom = (event.metadata.get() != "{}").then_some(event.metadata);
        DomainEvent {
            event_id: Uuid::now_v7(),
            event_name: event.name,
            payload: event.payload,
            metadata,
            execution_result: RawValue::NULL.to_owned(),
        }
    }

    fn message(&self, event: &DomainEvent) -> Result<Box<RawValue>, serde_json::Error> {
        let step_event = step_event(&self.step, &self.step_definition, MAX_PART)?;
        envelope::message(event, &envelope::Step { event: &step_event, result: None }, None)
    }
}

/// What a guest reads of a failure of the database.
fn unsent(error: StoreError) -> DirectEventError {
    match error {
        StoreError::EventNamespace { .. } => DirectEventError::Invalid(error.to_string()),
        error if error.is_transient() => {
            tracing::warn!(%error, "a handler's event can't be sent now");
            DirectEventError::Unavailable("the queue of events can't be reached just now: try again".to_owned())
        }
        error => {
            tracing::error!(%error, "a handler's event can't be sent");
            DirectEventError::Unavailable("the event could not be sent; the host's log says why".to_owned())
        }
    }
}
