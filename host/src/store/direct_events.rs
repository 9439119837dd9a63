//! Events that a running step publishes by itself. One with a key leaves once, however often its step is tried.

use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Lease, Store, StoreError};

/// An event to publish.
#[derive(Debug)]
pub struct NewDirectEvent<'a> {
    /// Its key, a UUIDv7.
    pub event_id: Uuid,
    /// The same key of the same step means the same event.
    pub idempotency_key: Option<&'a str>,
    /// The message for the namespace's queue; none for an event that stays in the process.
    pub message: Option<&'a RawValue>,
}

/// What became of a direct event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectlyPublished {
    /// Its message is in the queue, and on disk.
    Sent,
    /// The step has published it before, under this id. Nothing was sent.
    Before(Uuid),
    /// The lease is lost. Nothing was sent.
    NotOurs,
}

impl Store {
    /// Publishes an event of a claimed step at once, whatever becomes of the step.
    ///
    /// # Errors
    /// The namespace's name is too long for a queue of events, or the database fails or cannot take the message.
    pub async fn publish_event(
        &self,
        lease: &Lease,
        event: &NewDirectEvent<'_>,
    ) -> Result<DirectlyPublished, StoreError> {
        let published = self.try_to_publish_event(lease, event).await?;
        if published != DirectlyPublished::NotOurs || lease.planned.is_none() {
            return Ok(published);
        }
        self.write_planned_of(std::slice::from_ref(lease)).await?;
        self.try_to_publish_event(lease, event).await
    }

    /// The same of a step that is written.
    async fn try_to_publish_event(
        &self,
        lease: &Lease,
        event: &NewDirectEvent<'_>,
    ) -> Result<DirectlyPublished, StoreError> {
        let published = sqlx::query_as("select ours, event_id from tasker.publish_event($1, $2, $3, $4, $5, $6)")
            .bind(&lease.namespace)
            .bind(lease.step_uuid)
            .bind(lease.claim)
            .bind(event.event_id)
            .bind(event.idempotency_key)
            .bind(event.message.map(RawValue::get))
            .fetch_one(&self.pool)
            .await;
        let (ours, event_id): (bool, Option<Uuid>) =
            published.map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
                Some("event_queue_name") => StoreError::EventNamespace { namespace: lease.namespace.clone() },
                _ => error.into(),
            })?;
        Ok(match event_id {
            _ if !ours => DirectlyPublished::NotOurs,
            Some(before) if before != event.event_id => DirectlyPublished::Before(before),
            _ => DirectlyPublished::Sent,
        })
    }
}
