//! Which handler a template's callable names.
//!
//! The key is (namespace, callable): a namespace is a tenant, and two tenants may well call their handlers alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Package, RegistryError};
use crate::config::limits::LimitSet;

/// How many known handlers a failed lookup names.
const NEAREST: usize = 3;

/// What a component or its manifest says of one of its handlers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandlerDescriptor {
    /// Key that templates use as `callable`.
    pub name: String,
    /// Version of the handler.
    pub version: String,
    /// Free-form labels (`process`, `http`, `decision`, ...).
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Entry points usable as `method`, always including `call`.
    #[serde(default)]
    pub methods: Vec<String>,
    /// JSON Schema for the template's `handler.initialization`, when the handler states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
    /// What its author asks for. Only a manifest says it; see [`Handler::limits`].
    #[serde(default, skip_serializing_if = "LimitSet::is_empty")]
    pub limits: LimitSet,
}

/// A handler and the package that carries it.
#[derive(Debug)]
pub struct Handler {
    /// What the component says of it.
    pub descriptor: HandlerDescriptor,
    /// The package that carries it.
    pub package: Arc<Package>,
}

impl Handler {
    /// Namespace whose steps it serves.
    pub fn namespace(&self) -> &str {
        &self.package.namespace
    }

    /// Key that templates use.
    pub fn callable(&self) -> &str {
        &self.descriptor.name
    }

    /// The limits its author asks for: the handler's own over those of the package.
    pub fn limits(&self) -> LimitSet {
        self.package.limits_of(self.callable())
    }
}

/// Every handler of every loaded component.
#[derive(Debug, Default)]
pub struct HandlerTable {
    handlers: BTreeMap<String, BTreeMap<String, Arc<Handler>>>,
}

impl HandlerTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handlers a component described; nothing when one of them can't be.
    ///
    /// # Errors
    ///
    /// [`RegistryError::DuplicateHandler`], naming both files, when a callable of the namespace is taken.
    pub fn add(&mut self, package: &Arc<Package>, descriptors: Vec<HandlerDescriptor>) -> Result<(), RegistryError> {
        let callables = self.handlers.entry(package.namespace.clone()).or_default();
        let taken = descriptors.iter().find_map(|new| callables.get(&new.name));
        if let Some(taken) = taken {
            return Err(RegistryError::DuplicateHandler {
                namespace: package.namespace.clone(),
                callable: taken.descriptor.name.clone(),
                first: taken.package.path.clone(),
                second: package.path.clone(),
            });
        }
        for descriptor in descriptors {
            let name = descriptor.name.clone();
            callables.insert(name, Arc::new(Handler { descriptor, package: Arc::clone(package) }));
        }
        Ok(())
    }

    /// The handler that serves a callable of a namespace.
    ///
    /// # Errors
    ///
    /// [`RegistryError::HandlerNotFound`] with the nearest known handlers.
    pub fn find(&self, namespace: &str, callable: &str) -> Result<&Arc<Handler>, RegistryError> {
        self.handlers.get(namespace).and_then(|callables| callables.get(callable)).ok_or_else(|| {
            RegistryError::HandlerNotFound {
                namespace: namespace.to_owned(),
                callable: callable.to_owned(),
                nearest: self.nearest(namespace, callable),
            }
        })
    }

    /// Every handler, by namespace and callable.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Handler>> {
        self.handlers.values().flat_map(BTreeMap::values)
    }

    /// Namespaces with at least one handler.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.handlers.iter().filter(|(_, callables)| !callables.is_empty()).map(|(name, _)| name.as_str())
    }

    /// The most similar handlers of the namespace. Those of others are not named: the message is stored with the step, and
    /// one tenant must not learn what another runs.
    fn nearest(&self, namespace: &str, callable: &str) -> Vec<String> {
        let wanted = callable.to_lowercase();
        let known = self.handlers.get(namespace).into_iter().flat_map(BTreeMap::keys);
        let mut known: Vec<_> = known.map(|name| (strsim::levenshtein(&wanted, &name.to_lowercase()), name)).collect();
        known.sort();
        known.into_iter().take(NEAREST).map(|(_, name)| name.clone()).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::grants::Asks;
    use crate::registry::Digest;

    pub(in crate::registry) fn package(namespace: &str, file: &str) -> Arc<Package> {
        Arc::new(Package {
            name: "test".into(),
            namespace: namespace.into(),
            path: file.into(),
            digest: Digest::of(file.as_bytes()),
            manifest: None,
            source_map: None,
            settings: serde_json::Map::new(),
            asks: Asks::default(),
            limits: LimitSet::default(),
        })
    }

    fn handler(name: &str) -> HandlerDescriptor {
        HandlerDescriptor {
            name: name.into(),
            version: "1.0.0".into(),
            capabilities: vec![],
            methods: vec!["call".into()],
            config_schema: None,
            limits: LimitSet::default(),
        }
    }

    #[test]
    fn namespaces_may_use_the_same_callable() {
        let mut table = HandlerTable::new();
        table.add(&package("a", "/a.wasm"), vec![handler("Add")]).unwrap();
        table.add(&package("b", "/b.wasm"), vec![handler("Add")]).unwrap();

        assert_eq!(table.find("a", "Add").unwrap().package.path.to_str(), Some("/a.wasm"));
        assert_eq!(table.find("b", "Add").unwrap().package.path.to_str(), Some("/b.wasm"));
        assert_eq!(table.namespaces().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_duplicate_callable_names_both_files_and_adds_nothing() {
        let mut table = HandlerTable::new();
        table.add(&package("a", "/one.wasm"), vec![handler("Add")]).unwrap();

        let second = vec![handler("New"), handler("Add")];
        let error = table.add(&package("a", "/two.wasm"), second).unwrap_err().to_string();

        assert!(error.contains("/one.wasm and /two.wasm"), "{error}");
        assert!(table.find("a", "New").is_err(), "a component that is left out serves nothing");
    }

    #[test]
    fn a_failed_lookup_names_the_nearest_handlers_of_its_own_namespace() {
        let mut table = HandlerTable::new();
        table.add(&package("math", "/m.wasm"), vec![handler("AddHandler"), handler("MultiplyHandler")]).unwrap();
        table.add(&package("other", "/o.wasm"), vec![handler("addHandlr")]).unwrap();

        assert_eq!(
            table.find("math", "addHandlr").unwrap_err().to_string(),
            "no component serves the handler \"addHandlr\" of namespace \"math\"; the nearest it has are AddHandler, \
             MultiplyHandler"
        );
        assert_eq!(
            table.find("physics", "addHandlr").unwrap_err().to_string(),
            "no component serves the handler \"addHandlr\" of namespace \"physics\"; this host has no component for that \
             namespace: check the component path and build the packages"
        );
    }

    #[test]
    fn a_lookup_without_components_says_to_check_the_path() {
        let error = HandlerTable::new().find("math", "Add").unwrap_err().to_string();

        assert!(error.contains("check the component path"), "{error}");
    }
}
