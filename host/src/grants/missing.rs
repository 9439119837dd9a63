//! What is asked for and meets nothing that is allowed, and the lines that would allow it.
//!
//! A package gets the intersection of both sides, so only an ask that nothing overlaps is missing: asked
//! `https://*.example.com` and allowed `https://api.example.com` is a grant, and so is a mount that is asked for writing
//! and allowed for reading.

use std::fmt::Write as _;

use super::lines::{http_entry, key, list, quoted, table};
use super::{Allowed, Asks, HttpAsk, MountAsk};

/// The asks of a package that nothing overlaps; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    asks: Asks,
    /// Where secrets are likely to go: what the package asks for.
    urls: Vec<String>,
    /// The lists and tables the namespace's own section has already.
    present: Vec<&'static str>,
}

impl Missing {
    /// What of `asks` nothing of `allowed` overlaps; `own` is the part of it that the namespace's own section says.
    pub fn of(asks: &Asks, allowed: &Allowed, own: &Allowed) -> Option<Self> {
        let http = |ask: &&HttpAsk| {
            !allowed.http.iter().any(|allowed| {
                allowed.url.overlaps(&ask.url)
                    && (ask.methods.is_empty()
                        || allowed.methods.is_empty()
                        || ask.methods.iter().any(|method| allowed.methods.contains(method)))
            })
        };
        let mount = |ask: &&MountAsk| !allowed.mounts.iter().any(|allowed| allowed.path == ask.path);
        let missing = Asks {
            http: asks.http.iter().filter(http).cloned().collect(),
            mounts: asks.mounts.iter().filter(mount).cloned().collect(),
            env: asks.env.iter().filter(|name| !allowed.env.contains_key(*name)).cloned().collect(),
            secrets: asks.secrets.iter().filter(|name| !allowed.secrets.contains_key(*name)).cloned().collect(),
            client: asks.client && !allowed.client,
            events: asks.events && !allowed.events,
        };
        let present = [
            ("http", own.http.is_empty()),
            ("mounts", own.mounts.is_empty()),
            ("env", own.env.is_empty()),
            ("secrets", own.secrets.is_empty()),
        ];
        (!missing.is_empty()).then(|| Self {
            asks: missing,
            urls: asks.http.iter().map(|ask| ask.url.to_string()).collect(),
            present: present.into_iter().filter(|(_, absent)| !absent).map(|(key, _)| key).collect(),
        })
    }

    /// What is missing, in the author's words.
    pub fn asks(&self) -> &Asks {
        &self.asks
    }

    /// The lines that allow all of it to a namespace, as TOML. What only the operator can know (a directory, a value, where
    /// a secret goes) is a proposal.
    pub fn settings_lines(&self, namespace: &str) -> String {
        let Asks { http, mounts, env, secrets, client, events } = &self.asks;
        let mut lines = format!("[worker.namespaces.{}.grants]\n", key(namespace));
        let mut line = |key: &'static str, value: String| {
            let beside = if self.present.contains(&key) { "  # beside what it has" } else { "" };
            let _ = writeln!(lines, "{key} = {value}{beside}");
        };
        if !http.is_empty() {
            line("http", list(http.iter().map(http_entry)));
        }
        if !mounts.is_empty() {
            line(
                "mounts",
                list(mounts.iter().map(|ask| {
                    let directory = quoted(&format!("/srv/{namespace}{}", ask.path));
                    format!("{{ path = {}, directory = {directory}, access = \"{}\" }}", quoted(&ask.path), ask.access)
                })),
            );
        }
        if !env.is_empty() {
            line("env", table(env.iter().map(|name| format!("{name} = \"${{{name}}}\""))));
        }
        if !secrets.is_empty() {
            let urls = match self.urls.as_slice() {
                [] => list(["\"https://api.example.com\"".to_owned()]),
                urls => list(urls.iter().map(|url| quoted(url))),
            };
            line(
                "secrets",
                table(secrets.iter().map(|name| format!("{name} = {{ value = \"${{{name}}}\", urls = {urls} }}"))),
            );
        }
        if *client {
            line("client", "true".to_owned());
        }
        if *events {
            line("events", "true".to_owned());
        }
        lines
    }
}
