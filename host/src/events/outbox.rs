//! What an ended attempt announces, between the publishers and the commit.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::envelope::DomainEvent;
use crate::sandbox::{EventCall, Prepared, Publication, PublishRequest};

/// The events of one ended attempt.
#[derive(Debug, Default)]
pub struct Announced {
    /// For [`crate::store::Completion::events`]: what leaves with the commit.
    pub stored: Option<Box<RawValue>>,
    /// What follows the commit.
    pub outbox: Outbox,
}

/// What is to be done in this process once the attempt's completion is committed, and not before: a completion that is
/// refused announces nothing.
#[derive(Debug, Default)]
pub struct Outbox(pub(super) Vec<Delivery>);

/// One thing to be done.
#[derive(Debug)]
pub(super) enum Delivery {
    /// To hand an event to its subscribers.
    Event(Arc<DomainEvent>),
    /// To tell a publisher how its event fared.
    Report(Box<Report>),
}

/// What a publisher is told.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) publisher: Arc<Prepared>,
    pub(super) call: EventCall,
    pub(super) request: PublishRequest,
    pub(super) publication: Publication,
    /// Why the event did not leave; none when it did.
    pub(super) failure: Option<String>,
}

impl Outbox {
    /// Whether nothing follows the commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
