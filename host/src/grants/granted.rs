//! What a package gets: what it asks for and what its namespace is allowed, and nothing that only one of them names.

use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;

use super::{Access, Allowed, Asks, Destination, HttpAllowed, HttpAsk, SecretValue, UrlPattern};

/// The grants of one package. The default grants nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Granted {
    http_asked: Vec<HttpAsk>,
    http_allowed: Vec<HttpAllowed>,
    /// Directories, each at a path of its own.
    pub mounts: Vec<Mount>,
    /// Environment values: names and values.
    pub env: Vec<(String, String)>,
    /// Secrets.
    pub secrets: Vec<Secret>,
    /// Whether tasks of the namespace may be created and looked at.
    pub client: bool,
    /// Whether domain events may be published by the handlers themselves.
    pub events: bool,
}

/// A directory that is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is in the guest.
    pub path: String,
    /// Where it is in the host.
    pub directory: PathBuf,
    /// The lesser of what was asked and what is allowed.
    pub access: Access,
}

/// A secret that is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The environment variable that holds its placeholder.
    pub name: String,
    /// What is sent in place of the placeholder.
    pub value: SecretValue,
    /// The only places it is sent to.
    pub urls: Vec<UrlPattern>,
}

impl Granted {
    /// The intersection of what is asked and what is allowed.
    pub fn intersection(asks: &Asks, allowed: &Allowed) -> Self {
        let mount = |ask: &super::MountAsk| {
            let allowed = allowed.mounts.iter().find(|mount| mount.path == ask.path)?;
            Some(Mount {
                path: ask.path.clone(),
                directory: allowed.directory.clone(),
                access: ask.access.min(allowed.access),
            })
        };
        let secret = |name: &String| {
            let allowed = allowed.secrets.get(name)?;
            Some(Secret { name: name.clone(), value: allowed.value.clone(), urls: allowed.urls.clone() })
        };
        Self {
            http_asked: asks.http.clone(),
            http_allowed: allowed.http.clone(),
            mounts: asks.mounts.iter().filter_map(mount).collect(),
            env: asks
                .env
                .iter()
                .filter_map(|name| allowed.env.get_key_value(name).map(|(name, value)| (name.clone(), value.clone())))
                .collect(),
            secrets: asks.secrets.iter().filter_map(secret).collect(),
            client: asks.client && allowed.client,
            events: asks.events && allowed.events,
        }
    }

    /// Whether a request may be made: the networks beyond the public ones that it may reach, or `None` if not.
    pub fn http(&self, method: &str, destination: &Destination) -> Option<Vec<IpNet>> {
        let has = |methods: &[String]| methods.is_empty() || methods.iter().any(|known| known == method);
        let asked = self.http_asked.iter().any(|ask| ask.url.matches(destination) && has(&ask.methods));
        let mut allowed = self
            .http_allowed
            .iter()
            .filter(|allowed| allowed.url.matches(destination) && has(&allowed.methods))
            .peekable();
        (asked && allowed.peek().is_some())
            .then(|| allowed.flat_map(|allowed| allowed.networks.iter().copied()).collect())
    }

    /// What is allowed of the places that requests were asked to; a request must fit both.
    pub(super) fn http_allowed(&self) -> impl Iterator<Item = &HttpAllowed> {
        self.http_allowed.iter().filter(|allowed| self.http_asked.iter().any(|ask| ask.url.overlaps(&allowed.url)))
    }
}

/// Environment values are shown by their names: they may come from the host's own environment.
impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { http_asked, http_allowed, mounts, env, secrets, client, events } = self;
        let env: Vec<_> = env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Granted")
            .field("http_asked", http_asked)
            .field("http_allowed", http_allowed)
            .field("mounts", mounts)
            .field("env", &env)
            .field("secrets", secrets)
            .field("client", client)
            .field("events", events)
            .finish()
    }
}
