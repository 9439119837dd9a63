//! What the operator lets the packages of a namespace have.
//!
//! The section `worker.namespaces.<name>` speaks of one namespace, `worker.namespaces."*"` of all, `worker.sandbox` of
//! what nothing else says. A ceiling of a namespace goes before the general one, lower or higher; grants add up.

use std::collections::BTreeMap;

use super::limits::{Limit, LimitSet, Lowered};
use super::{Namespace, Worker};
use crate::grants::Allowed;

/// The section that speaks of all namespaces.
pub const ALL_NAMESPACES: &str = "*";

/// The limits of attempts: defaults, and ceilings by namespace. The default has neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitPolicy {
    defaults: LimitSet,
    ceiling: LimitSet,
    ceilings: BTreeMap<String, LimitSet>,
}

impl LimitPolicy {
    /// What an attempt gets whose step, handler and package ask for `asked`.
    pub fn effective(&self, namespace: &str, asked: &LimitSet) -> LimitSet {
        asked.or(&self.defaults).at_most(self.ceiling(namespace))
    }

    /// What of `asked` a ceiling cuts. Defaults above a ceiling are cut too, but nobody asked for them.
    pub fn lowered(&self, namespace: &str, asked: &LimitSet) -> Vec<Lowered> {
        asked.beyond(self.ceiling(namespace))
    }

    /// The greatest value that any namespace may have.
    pub fn greatest(&self, limit: Limit) -> Option<u64> {
        self.ceilings.values().chain([&self.ceiling]).filter_map(|ceiling| ceiling.get(limit)).max()
    }

    fn ceiling(&self, namespace: &str) -> &LimitSet {
        self.ceilings.get(namespace).unwrap_or(&self.ceiling)
    }
}

impl Worker {
    /// The limits of attempts.
    pub fn limit_policy(&self) -> LimitPolicy {
        let of_all = self.namespaces.get(ALL_NAMESPACES).map(|all| all.max_limits).unwrap_or_default();
        let ceiling = of_all.or(&self.sandbox.max_limits);
        let timeout = self.mpsc_channels.handler_dispatch.handler_timeout.as_millis();
        let ceilings = self.namespaces.iter().map(|(name, own)| (name.clone(), own.max_limits.or(&ceiling)));
        LimitPolicy {
            defaults: self.sandbox.limits.with(Limit::TimeoutMs, u64::try_from(timeout).unwrap_or(u64::MAX)),
            ceilings: ceilings.collect(),
            ceiling,
        }
    }

    /// What a namespace is allowed, by its own section and that of all.
    pub fn allowed(&self, namespace: &str) -> Allowed {
        match self.namespaces.get(ALL_NAMESPACES) {
            Some(all) => self.allowed_by_its_own(namespace).and(&all.grants),
            None => self.allowed_by_its_own(namespace),
        }
    }

    /// What a namespace is allowed by its own section alone.
    pub fn allowed_by_its_own(&self, namespace: &str) -> Allowed {
        let own: Option<&Namespace> = self.namespaces.get(namespace);
        own.map(|own| own.grants.clone()).unwrap_or_default()
    }
}
