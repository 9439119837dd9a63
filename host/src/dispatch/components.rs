//! The handlers this host can run: the registry's table, each handler bound to its prepared component.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::registry::{Digest, HandlerDescriptor, HandlerTable, Package, RegistryError};
use crate::sandbox::Prepared;

/// Handlers by namespace and callable, with the code that runs them.
#[derive(Default)]
pub struct Components {
    table: HandlerTable,
    /// By namespace too: two tenants may bring the same file and be granted different things.
    prepared: HashMap<(String, Digest), Arc<Prepared>>,
}

impl Components {
    /// Adds a component and the handlers it describes. Nothing is added when one of them is already taken.
    pub fn add(
        &mut self,
        package: &Arc<Package>,
        descriptors: Vec<HandlerDescriptor>,
        prepared: Arc<Prepared>,
    ) -> Result<(), RegistryError> {
        self.table.add(package, descriptors)?;
        self.prepared.insert((package.namespace.clone(), package.digest), prepared);
        Ok(())
    }

    /// The handlers, for listing.
    pub fn table(&self) -> &HandlerTable {
        &self.table
    }

    /// Finds what a step is to call.
    pub(super) fn find(&self, namespace: &str, callable: &str) -> Result<&Arc<Prepared>, RegistryError> {
        let handler = self.table.find(namespace, callable)?;
        Ok(&self.prepared[&(namespace.to_owned(), handler.package.digest)])
    }

    /// The namespaces whose components were granted to publish events by themselves.
    pub fn publishing_namespaces(&self) -> BTreeSet<&str> {
        let publishing = self.prepared.iter().filter(|(_, prepared)| prepared.granted().events);
        publishing.map(|((namespace, _), _)| namespace.as_str()).collect()
    }
}
