//! Calls of a component's publishers and subscribers: what a declared event says, and who hears it.
//!
//! They run as handlers do, each in a store of its own under limits, and fail in the same ways. What is different is what
//! a failure means: nothing for the step, so the caller decides over events only.

use serde_json::value::RawValue;
use uuid::Uuid;

use super::accept;
use super::attempt::Attempt;
use super::bindings::exports::tasker::handler::publishers as wit;
use super::component::Prepared;
use super::failure::{AttemptError, HostFailure};
use super::imports::log::Identity;
use super::invoke::run;
use super::limits::Limits;

/// Bytes of a guest's error message that are kept.
const MESSAGE: usize = 8 << 10;

/// For which step a publisher or subscriber is called, and what the call may use.
#[derive(Debug, Clone)]
pub struct EventCall {
    /// The task whose step announced the event.
    pub task_uuid: Uuid,
    /// The step.
    pub step_uuid: Uuid,
    /// Correlation of the task.
    pub correlation_id: Uuid,
    /// What the call may use.
    pub limits: Limits,
}

/// What a publisher is asked.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// The publisher, by the name it lists.
    pub publisher: String,
    /// The text of a JSON object: `declaration`, `stepResult` and `stepContext`, as `wit/publishers.wit` describes them.
    pub context: String,
}

/// What an event says, in the words of its publisher.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Any JSON that `jsonb` can hold.
    pub payload: Box<RawValue>,
    /// A JSON object that `jsonb` can hold.
    pub metadata: Box<RawValue>,
}

/// A publisher or subscriber did not do what it was called for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventCallError {
    /// Its own words.
    #[error("{0}")]
    Refused(String),
    /// The component does not export the interface.
    #[error("the component does not export `{0}`")]
    NotExported(&'static str),
    /// It broke a limit or crashed.
    #[error("{}", .0.cause())]
    Attempt(#[from] AttemptError),
    /// The host could not run it.
    #[error(transparent)]
    Host(#[from] HostFailure),
}

impl EventCall {
    fn attempt(&self, prepared: &Prepared, name: &str) -> Attempt {
        let identity = Identity {
            task_uuid: self.task_uuid,
            step_uuid: self.step_uuid,
            correlation_id: self.correlation_id,
            handler: name.to_owned(),
            attempt: 0,
        };
        Attempt::new(identity, &self.limits, prepared)
    }
}

/// Asks a publisher what to send; `None` when it decides against it.
pub(super) async fn prepare(
    prepared: &Prepared,
    call: &EventCall,
    request: &PublishRequest,
) -> Result<Option<Publication>, EventCallError> {
    let publishers = prepared.publishers.as_ref().ok_or(EventCallError::NotExported("publishers"))?;
    let attempt = call.attempt(prepared, &request.publisher);
    let request = request.to_wit();
    let ran = run(
        prepared,
        &call.limits,
        attempt,
        |store, instance| publishers.load(store, instance),
        async |guest, store| guest.call_prepare(store, &request).await,
    );
    match ran.await?.outcome? {
        Ok(wit::PublishDecision::Publish(publication)) => {
            let limit = call.limits.result_bytes;
            Ok(Some(Publication {
                payload: accept::json("payload", publication.payload, limit)?,
                metadata: accept::object("metadata", publication.metadata, limit)?,
            }))
        }
        Ok(wit::PublishDecision::Skip) => Ok(None),
        Err(message) => Err(refused(&message)),
    }
}

/// Tells a publisher how its event fared.
pub(super) async fn published(
    prepared: &Prepared,
    call: &EventCall,
    request: &PublishRequest,
    publication: &Publication,
    failure: Option<&str>,
) -> Result<(), EventCallError> {
    let publishers = prepared.publishers.as_ref().ok_or(EventCallError::NotExported("publishers"))?;
    let attempt = call.attempt(prepared, &request.publisher);
    let request = request.to_wit();
    let publication = wit::Publication {
        payload: publication.payload.get().to_owned(),
        metadata: publication.metadata.get().to_owned(),
    };
    let ran = run(
        prepared,
        &call.limits,
        attempt,
        |store, instance| publishers.load(store, instance),
        async |guest, store| guest.call_published(store, &request, &publication, failure).await,
    );
    Ok(ran.await?.outcome?)
}

/// Delivers an event, the text of a JSON object, to a subscriber.
pub(super) async fn on_event(
    prepared: &Prepared,
    call: &EventCall,
    subscriber: &str,
    event: String,
) -> Result<(), EventCallError> {
    let subscribers = prepared.subscribers.as_ref().ok_or(EventCallError::NotExported("subscribers"))?;
    let attempt = call.attempt(prepared, subscriber);
    let name = subscriber.to_owned();
    let ran = run(
        prepared,
        &call.limits,
        attempt,
        |store, instance| subscribers.load(store, instance),
        async |guest, store| guest.call_on_event(store, &name, &event).await,
    );
    ran.await?.outcome?.map_err(|message| refused(&message))
}

fn refused(message: &str) -> EventCallError {
    EventCallError::Refused(accept::shown(message, MESSAGE))
}

impl PublishRequest {
    fn to_wit(&self) -> wit::PublishRequest {
        wit::PublishRequest { publisher: self.publisher.clone(), context: self.context.clone() }
    }
}
