//! `tasker:handler/events`: events that leave at once, for components that were granted it.
//!
//! What is wrong with an event is an error that the handler reads; that it publishes too many ends the attempt.

use crate::sandbox::accept::{self, shown};
use crate::sandbox::attempt::Attempt;
use crate::sandbox::bindings::tasker::handler::events::{self, Delivery, OutgoingEvent, PublishError};
use crate::sandbox::direct_events::{DirectEvent, DirectEventError, DirectEventHandle};
use crate::sandbox::failure::Exceeded;
use crate::sandbox::limits::Limits;
use crate::template::{DeliveryMode, is_event_name};

/// Characters of an event's name and of a key.
const CHARACTERS: usize = 255;
/// Bytes of an error message that a guest reads.
const MESSAGE: usize = 8 << 10;
/// Bytes of a guest's text that an error repeats.
const REPEATED: usize = 100;

/// What one attempt may publish, and has published.
#[derive(Debug)]
pub(in crate::sandbox) struct EventsState {
    granted: bool,
    published: u32,
    limit: u32,
    /// Bytes of a payload, and of the metadata.
    bytes: usize,
    /// Who sends; nobody while the component describes itself or handles an event.
    pub(in crate::sandbox) handle: Option<DirectEventHandle>,
}

impl EventsState {
    pub(in crate::sandbox) fn new(granted: bool, limits: &Limits) -> Self {
        Self { granted, published: 0, limit: limits.events, bytes: limits.result_bytes, handle: None }
    }
}

impl events::Host for Attempt {
    async fn publish(&mut self, event: OutgoingEvent) -> Result<String, PublishError> {
        self.host_calls += 1;
        let state = &mut self.direct_events;
        state.published += 1;
        if state.published > state.limit {
            let (limit, used) = (u64::from(state.limit), u64::from(state.published));
            return self.violations.end(Exceeded::Events, limit, used).await;
        }
        if !state.granted {
            return Err(PublishError::NotGranted);
        }
        let Some(handle) = &state.handle else {
            return Err(PublishError::Invalid("events can be published only while a step runs".to_owned()));
        };
        let event = accept(event, state.bytes).map_err(|message| PublishError::Invalid(shown(&message, MESSAGE)))?;
        self.output.wait().await;
        handle.send(event).await.map(|id| id.to_string()).map_err(|error| match error {
            DirectEventError::Invalid(message) => PublishError::Invalid(shown(&message, MESSAGE)),
            DirectEventError::Unavailable(message) => PublishError::Unavailable(shown(&message, MESSAGE)),
        })
    }
}

/// Takes an event that can be sent.
fn accept(event: OutgoingEvent, bytes: usize) -> Result<DirectEvent, String> {
    let OutgoingEvent { name, payload, metadata, delivery, idempotency_key } = event;
    if name.chars().count() > CHARACTERS || !is_event_name(&name) {
        return Err(format!(
            "an event needs a dotted name of `a-z0-9_.` with at most {CHARACTERS} characters, such as order.paid, not {:?}",
            shown(&name, REPEATED)
        ));
    }
    if let Some(key) = &idempotency_key
        && (!(1..=CHARACTERS).contains(&key.chars().count()) || key.contains('\0'))
    {
        return Err(format!("the idempotency key must have 1 to {CHARACTERS} characters and no NUL among them"));
    }
    Ok(DirectEvent {
        name,
        payload: accept::json("payload", payload, bytes).map_err(|error| error.to_string())?,
        metadata: accept::object("metadata", metadata, bytes).map_err(|error| error.to_string())?,
        delivery: match delivery {
            Delivery::Durable => DeliveryMode::Durable,
            Delivery::Fast => DeliveryMode::Fast,
            Delivery::Broadcast => DeliveryMode::Broadcast,
        },
        idempotency_key,
    })
}
