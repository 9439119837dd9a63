//! What the operator allows the packages of a namespace: `worker.grants.<namespace>` in the settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use super::{Access, UrlPattern};

/// Everything that is allowed to one namespace; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
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
