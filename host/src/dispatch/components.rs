//! The handlers this host can run: the registry's table, each handler bound to its prepared component.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use crate::registry::{Handler, HandlerDescriptor, HandlerTable, Package, RegistryError};
use crate::sandbox::Prepared;

/// Handlers by namespace and callable, with the code that runs them.
#[derive(Default)]
pub struct Components {
    table: HandlerTable,
    /// By the package's file, not its digest: two tenants may have the same component, each with grants of its own.
    prepared: HashMap<PathBuf, Arc<Prepared>>,
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
        self.prepared.insert(package.path.clone(), prepared);
        Ok(())
    }

    /// The handlers, for listing.
    pub fn table(&self) -> &HandlerTable {
        &self.table
    }

    /// The component a package became, when it was added.
    pub fn prepared(&self, package: &Package) -> Option<&Arc<Prepared>> {
        self.prepared.get(&package.path)
    }

    /// Finds what a step is to call.
    pub(super) fn find(&self, namespace: &str, callable: &str) -> Result<&Arc<Prepared>, RegistryError> {
        self.table.find(namespace, callable).map(|handler| &self.prepared[&handler.package.path])
    }

    /// The namespaces whose components were granted to publish events by themselves.
    pub fn publishing_namespaces(&self) -> BTreeSet<&str> {
        let publishes = |handler: &&Arc<Handler>| self.prepared[&handler.package.path].granted().events;
        self.table.iter().filter(publishes).map(|handler| handler.namespace()).collect()
    }
}
