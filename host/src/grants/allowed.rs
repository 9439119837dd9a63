//! What the operator allows the packages of a namespace: `worker.namespaces.<namespace>.grants` in the settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use super::{Access, UrlPattern};

/// Everything that is allowed to one namespace; by default nothing.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Allowed {
    /// Where requests may go.
    pub http: Vec<HttpAllowed>,
    /// Directories that may be seen.
    pub mounts: Vec<MountAllowed>,
    /// Environment values, by name. Never the host's own environment.
    pub env: BTreeMap<String, String>,
    /// Secrets, by name.
    pub secrets: BTreeMap<String, SecretAllowed>,
    /// Whether tasks of the namespace may be created and looked at.
    pub client: bool,
    /// Whether domain events may be published by the handlers themselves.
    pub events: bool,
}

impl Allowed {
    /// What a namespace is allowed by its own section and by that of all namespaces. Where both speak of the same path or
    /// name, its own section counts.
    #[must_use]
    pub fn and(&self, all: &Self) -> Self {
        let mounts = all.mounts.iter().filter(|mount| self.mounts.iter().all(|own| own.path != mount.path));
        let (mut env, mut secrets) = (all.env.clone(), all.secrets.clone());
        env.extend(self.env.clone());
        secrets.extend(self.secrets.clone());
        Self {
            http: self.http.iter().chain(&all.http).cloned().collect(),
            mounts: self.mounts.iter().chain(mounts).cloned().collect(),
            env,
            secrets,
            client: self.client || all.client,
            events: self.events || all.events,
        }
    }
}

/// Environment values are shown by their names: they may come from the host's own environment.
impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { http, mounts, env, secrets, client, events } = self;
        let env: Vec<_> = env.keys().collect();
        f.debug_struct("Allowed")
            .field("http", http)
            .field("mounts", mounts)
            .field("env", &env)
            .field("secrets", secrets)
            .field("client", client)
            .field("events", events)
            .finish()
    }
}

/// Requests that may be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HttpAllowed {
    /// Where they may go.
    pub url: UrlPattern,
    /// Upper-case methods; none means every method.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Networks that are reached though they are not public: loopback, private and the like. None by default.
    #[serde(default)]
    pub networks: Vec<IpNet>,
}

/// A directory of the host that may be seen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MountAllowed {
    /// Where it is in the guest: absolute, such as `/data`.
    pub path: String,
    /// Where it is in the host.
    pub directory: PathBuf,
    /// The greatest access.
    #[serde(default)]
    pub access: Access,
}

/// A secret and where it may go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecretAllowed {
    /// The secret itself, which no guest ever sees.
    pub value: SecretValue,
    /// The only places it is sent to.
    pub urls: Vec<UrlPattern>,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretValue(String);

impl SecretValue {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretValue {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
