//! Domain events in their queues. They come there with the completions that brought them about
//! ([`super::Completion::events`]); here they are looked at.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::FromRow;

use super::{Store, StoreError};

/// An event in a queue.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct QueuedEvent {
    /// Its number in the queue.
    pub message_id: i64,
    /// When the result that brought it about was committed.
    pub enqueued_at: DateTime<Utc>,
    /// The message, a JSON object: `event_id`, `event_name`, `event_version`, `payload`, `metadata`, and `error` when it is
    /// a dead one. Its keys are in PostgreSQL's order.
    pub event: Box<RawValue>,
}

impl Store {
    /// Makes a namespace's event queues where they are missing. To be called for every template that declares events.
    ///
    /// # Errors
    /// The namespace's name is too long for them, or the database fails.
    pub async fn create_event_queues(&self, namespace: &str) -> Result<(), StoreError> {
        let created = sqlx::query("select tasker.create_event_queues($1)").bind(namespace).execute(&self.pool).await;
        created.map(|_| ()).map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
            Some("event_queue_name") => StoreError::EventNamespace { namespace: namespace.to_owned() },
            _ => error.into(),
        })
    }

    /// The newest durable events of a namespace, newest first, at most `limit`. Consumers are not disturbed.
    ///
    /// # Errors
    /// The database fails.
    pub async fn domain_events(&self, namespace: &str, limit: u32) -> Result<Vec<QueuedEvent>, StoreError> {
        self.peek(namespace, false, limit).await
    }

    /// The newest events of a namespace that could not be told, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn dead_events(&self, namespace: &str, limit: u32) -> Result<Vec<QueuedEvent>, StoreError> {
        self.peek(namespace, true, limit).await
    }

    async fn peek(&self, namespace: &str, dead: bool, limit: u32) -> Result<Vec<QueuedEvent>, StoreError> {
        let events = sqlx::query_as("select * from tasker.peek_events($1, $2, $3)");
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        Ok(events.bind(namespace).bind(dead).bind(limit).fetch_all(&self.pool).await?)
    }
}
