//! Events that a handler publishes by itself, as the sandbox sees them: what it hands over, checked, and who sends it.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::template::DeliveryMode;

/// An event that can be sent.
#[derive(Debug, Clone)]
pub struct DirectEvent {
    /// A dotted name, such as `order.paid`.
    pub name: String,
    /// Any JSON that `jsonb` can hold.
    pub payload: Box<RawValue>,
    /// A JSON object that `jsonb` can hold.
    pub metadata: Box<RawValue>,
    /// Where it goes.
    pub delivery: DeliveryMode,
    /// The same key of the same step means the same event.
    pub idempotency_key: Option<String>,
}

/// Why an event was not sent. The handler reads it, so it names nothing of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectEventError {
    /// Trying again brings the same.
    #[error("{0}")]
    Invalid(String),
    /// Trying again may help.
    #[error("{0}")]
    Unavailable(String),
}

type Sent = Result<Uuid, DirectEventError>;
type Publish = dyn Fn(DirectEvent) -> BoxFuture<'static, Sent> + Send + Sync;

/// Sends what the handler of one attempt publishes, and answers the event's id. Cheap to clone.
#[derive(Clone)]
pub struct DirectEventHandle(Arc<Publish>);

impl DirectEventHandle {
    /// A handle that sends with `send`.
    pub fn new<Sending>(send: impl Fn(DirectEvent) -> Sending + Send + Sync + 'static) -> Self
    where
        Sending: Future<Output = Sent> + Send + 'static,
    {
        Self(Arc::new(move |event| Box::pin(send(event))))
    }

    pub(super) async fn send(&self, event: DirectEvent) -> Sent {
        (self.0)(event).await
    }
}

impl fmt::Debug for DirectEventHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectEventHandle")
    }
}
