//! What the author of a package asks for: `[grants]` in `tasker.toml`, `grants` in the manifest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::UrlPattern;

/// Everything a package asks for; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asks {
    /// Where its requests go.
    pub http: Vec<HttpAsk>,
    /// Directories it reads or writes.
    pub mounts: Vec<MountAsk>,
    /// Names of environment values.
    pub env: Vec<String>,
    /// Names of secrets.
    pub secrets: Vec<String>,
    /// Whether it creates and looks at tasks of its namespace.
    pub client: bool,
    /// Whether it publishes domain events by itself.
    pub events: bool,
}

impl Asks {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is asked here and not covered by what was asked `before`.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Self {
        let http = |ask: &&HttpAsk| {
            !before.http.iter().any(|known| {
                let methods = known.methods.is_empty()
                    || (!ask.methods.is_empty() && ask.methods.iter().all(|method| known.methods.contains(method)));
                methods && known.url.covers(&ask.url)
            })
        };
        let mount =
            |ask: &&MountAsk| !before.mounts.iter().any(|known| known.path == ask.path && known.access >= ask.access);
        let new =
            |names: &[String], known: &[String]| names.iter().filter(|name| !known.contains(name)).cloned().collect();
        Self {
            http: self.http.iter().filter(http).cloned().collect(),
            mounts: self.mounts.iter().filter(mount).cloned().collect(),
            env: new(&self.env, &before.env),
            secrets: new(&self.secrets, &before.secrets),
            client: self.client && !before.client,
            events: self.events && !before.events,
        }
    }
}

/// Requests a package makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpAsk {
    /// Where they go.
    pub url: UrlPattern,
    /// Upper-case methods; none means every method.
    #[serde(default)]
    pub methods: Vec<String>,
}

/// A directory a package sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountAsk {
    /// Where it is in the guest: absolute, such as `/data`.
    pub path: String,
    /// What it does with the files.
    #[serde(default)]
    pub access: Access,
}

/// What may be done with files. A greater access includes the smaller one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Look.
    #[default]
    ReadOnly,
    /// Look, create, change and remove.
    ReadWrite,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
        })
    }
}
