//! The publishers and subscribers this host can run: the registry's table, each bound to its prepared component.

use std::collections::HashMap;
use std::sync::Arc;

use crate::registry::{Digest, EventTable, Package, PublisherDescriptor, RegistryError, Subscriber, Subscription};
use crate::sandbox::Prepared;
use crate::template::StepDefinition;

/// The publisher that sends what the step brought. No component need carry it.
pub(super) const DEFAULT: &str = "default";

/// Publishers and subscribers by namespace, with the code that runs them.
#[derive(Default)]
pub struct EventComponents {
    table: EventTable,
    /// By namespace too: two tenants may bring the same file and be granted different things.
    prepared: HashMap<(String, Digest), Arc<Prepared>>,
}

impl EventComponents {
    /// Adds what a component carries besides handlers; nothing when one of its publishers is already taken.
    ///
    /// # Errors
    ///
    /// [`RegistryError::DuplicatePublisher`].
    pub fn add(
        &mut self,
        package: &Arc<Package>,
        publishers: Vec<PublisherDescriptor>,
        subscriptions: Vec<Subscription>,
        prepared: Arc<Prepared>,
    ) -> Result<(), RegistryError> {
        self.table.add(package, publishers, subscriptions)?;
        self.prepared.insert((package.namespace.clone(), package.digest), prepared);
        Ok(())
    }

    /// The publishers and subscribers, for listing and checking.
    pub fn table(&self) -> &EventTable {
        &self.table
    }

    /// The publishers that a step's declarations name and no component of its namespace carries.
    pub fn missing<'a>(&'a self, namespace: &'a str, step: &'a StepDefinition) -> impl Iterator<Item = &'a str> {
        let named = step.publishes_events.iter().filter_map(|event| event.publisher.as_deref());
        named.filter(move |name| *name != DEFAULT && self.table.publisher(namespace, name).is_none())
    }

    /// The publisher of that name in a namespace, and whether it wants to hear how its events fared.
    pub(super) fn publisher(&self, namespace: &str, name: &str) -> Option<(&Arc<Prepared>, bool)> {
        let publisher = self.table.publisher(namespace, name)?;
        Some((&self.prepared[&(namespace.to_owned(), publisher.package.digest)], publisher.descriptor.reports))
    }

    /// The subscribers of a namespace.
    pub(super) fn subscribers(&self, namespace: &str) -> impl Iterator<Item = (&Subscriber, &Arc<Prepared>)> {
        let subscribers = self.table.subscribers(namespace).iter();
        subscribers.map(|subscriber| {
            let package = &subscriber.package;
            (subscriber, &self.prepared[&(package.namespace.clone(), package.digest)])
        })
    }
}

impl std::fmt::Debug for EventComponents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventComponents").field("table", &self.table).finish_non_exhaustive()
    }
}
