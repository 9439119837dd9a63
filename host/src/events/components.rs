//! The publishers and subscribers this host can run: the registry's table, each bound to its prepared component.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::registry::{EventTable, Package, PublisherDescriptor, RegistryError, Subscriber, Subscription};
use crate::sandbox::{Limits, Prepared};
use crate::template::StepDefinition;

/// The publisher that sends what the step brought. No component need carry it.
pub(super) const DEFAULT: &str = "default";

/// Publishers and subscribers by namespace, with the code that runs them.
#[derive(Default)]
pub struct EventComponents {
    table: EventTable,
    /// By the package's file, not its digest: two tenants may have the same component, each with grants of its own.
    bound: HashMap<PathBuf, Bound>,
}

/// A component, and what one call of its publishers and subscribers may use.
pub(super) struct Bound {
    pub(super) prepared: Arc<Prepared>,
    pub(super) limits: Limits,
}

impl EventComponents {
    /// Adds what a component carries besides handlers; nothing when one of its publishers is already taken. `limits` are
    /// those of one call. Their deadline should be short: publishers run before the step's result is committed.
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
        limits: Limits,
    ) -> Result<(), RegistryError> {
        self.table.add(package, publishers, subscriptions)?;
        self.bound.insert(package.path.clone(), Bound { prepared, limits });
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
    pub(super) fn publisher(&self, namespace: &str, name: &str) -> Option<(&Bound, bool)> {
        let publisher = self.table.publisher(namespace, name)?;
        Some((&self.bound[&publisher.package.path], publisher.descriptor.reports))
    }

    /// The subscribers of a namespace.
    pub(super) fn subscribers(&self, namespace: &str) -> impl Iterator<Item = (&Subscriber, &Bound)> {
        let subscribers = self.table.subscribers(namespace).iter();
        subscribers.map(|subscriber| (subscriber, &self.bound[&subscriber.package.path]))
    }
}

impl std::fmt::Debug for EventComponents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventComponents").field("table", &self.table).finish_non_exhaustive()
    }
}
