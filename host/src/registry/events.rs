//! Which component publishes and who subscribes, by namespace: a namespace is a tenant, and events never leave it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Package, RegistryError};

/// What a component says of one of its publishers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherDescriptor {
    /// Key that templates use as `publisher`.
    pub name: String,
    /// Whether it wants to hear how its events fared.
    pub reports: bool,
}

/// What one subscriber of a component wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The subscriber, by the name its component knows it by.
    pub subscriber: String,
    /// Names of events; `*` stands for any characters.
    pub patterns: Vec<String>,
}

/// A publisher and the package that carries it.
#[derive(Debug)]
pub struct Publisher {
    /// What the component says of it.
    pub descriptor: PublisherDescriptor,
    /// The package that carries it.
    pub package: Arc<Package>,
}

/// A subscription and the package whose subscriber it is.
#[derive(Debug)]
pub struct Subscriber {
    /// What it wants to hear.
    pub subscription: Subscription,
    /// The package that carries it.
    pub package: Arc<Package>,
}

/// Every publisher and subscriber of every loaded component.
#[derive(Debug, Default)]
pub struct EventTable {
    publishers: BTreeMap<String, BTreeMap<String, Publisher>>,
    subscribers: BTreeMap<String, Vec<Subscriber>>,
}

impl EventTable {
    /// Whether these publishers can be added.
    ///
    /// # Errors
    ///
    /// [`RegistryError::DuplicatePublisher`], naming both files, when a name of the namespace is taken.
    pub fn check(&self, package: &Package, publishers: &[PublisherDescriptor]) -> Result<(), RegistryError> {
        for descriptor in publishers {
            if let Some(taken) = self.publisher(&package.namespace, &descriptor.name) {
                return Err(RegistryError::DuplicatePublisher {
                    namespace: package.namespace.clone(),
                    publisher: descriptor.name.clone(),
                    first: taken.package.path.clone(),
                    second: package.path.clone(),
                });
            }
        }
        Ok(())
    }

    /// Adds what a component described; nothing when one of its publishers can't be.
    ///
    /// # Errors
    ///
    /// As [`EventTable::check`].
    pub fn add(
        &mut self,
        package: &Arc<Package>,
        publishers: Vec<PublisherDescriptor>,
        subscriptions: Vec<Subscription>,
    ) -> Result<(), RegistryError> {
        self.check(package, &publishers)?;
        let known = self.publishers.entry(package.namespace.clone()).or_default();
        for descriptor in publishers {
            known.insert(descriptor.name.clone(), Publisher { descriptor, package: Arc::clone(package) });
        }
        let known = self.subscribers.entry(package.namespace.clone()).or_default();
        known.extend(
            subscriptions.into_iter().map(|subscription| Subscriber { subscription, package: Arc::clone(package) }),
        );
        Ok(())
    }

    /// The publisher of that name in a namespace.
    pub fn publisher(&self, namespace: &str, name: &str) -> Option<&Publisher> {
        self.publishers.get(namespace)?.get(name)
    }

    /// The names of a namespace's publishers, in their order.
    pub fn publisher_names(&self, namespace: &str) -> impl Iterator<Item = &str> {
        self.publishers.get(namespace).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The subscribers of a namespace, in the order their components were added.
    pub fn subscribers(&self, namespace: &str) -> &[Subscriber] {
        self.subscribers.get(namespace).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::handlers::tests::package;

    fn publisher(name: &str) -> PublisherDescriptor {
        PublisherDescriptor { name: name.into(), reports: false }
    }

    #[test]
    fn namespaces_may_use_the_same_publisher_and_do_not_see_each_others() {
        let mut table = EventTable::default();
        let subscription = Subscription { subscriber: "audit".into(), patterns: vec!["*".into()] };
        table.add(&package("a", "/a.wasm"), vec![publisher("Paid")], vec![subscription]).unwrap();
        table.add(&package("b", "/b.wasm"), vec![publisher("Paid")], vec![]).unwrap();

        assert_eq!(table.publisher("b", "Paid").unwrap().package.path.to_str(), Some("/b.wasm"));
        assert_eq!((table.subscribers("a").len(), table.subscribers("b").len()), (1, 0));
        assert!(table.publisher("c", "Paid").is_none());
    }

    #[test]
    fn a_duplicate_publisher_names_both_files_and_adds_nothing() {
        let mut table = EventTable::default();
        table.add(&package("a", "/one.wasm"), vec![publisher("Paid")], vec![]).unwrap();

        let second = vec![publisher("New"), publisher("Paid")];
        let error = table.add(&package("a", "/two.wasm"), second, vec![]).unwrap_err();

        assert_eq!(
            error.to_string(),
            "two components carry the publisher \"Paid\" of namespace \"a\": /one.wasm and /two.wasm; rename one of the \
             publishers, or take one component off the component path"
        );
        assert!(table.publisher("a", "New").is_none());
    }
}
