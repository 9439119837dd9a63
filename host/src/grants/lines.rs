//! Grants as the lines people write: what a refusal shows can be copied into a file.

use super::{Asks, HttpAsk, MountAsk};

impl Asks {
    /// The lines of `tasker.toml` below `[grants]`, one for each kind.
    pub fn lines(&self) -> Vec<String> {
        let Self { http, mounts, env, secrets, client, events } = self;
        let mut lines = Vec::new();
        if !http.is_empty() {
            lines.push(format!("http = {}", list(http.iter().map(http_entry))));
        }
        if !mounts.is_empty() {
            let mount = |ask: &MountAsk| format!("{{ path = {}, access = \"{}\" }}", quoted(&ask.path), ask.access);
            lines.push(format!("mounts = {}", list(mounts.iter().map(mount))));
        }
        for (key, names) in [("env", env), ("secrets", secrets)] {
            if !names.is_empty() {
                lines.push(format!("{key} = {}", list(names.iter().map(|name| quoted(name)))));
            }
        }
        for (key, asked) in [("client", client), ("events", events)] {
            if *asked {
                lines.push(format!("{key} = true"));
            }
        }
        lines
    }
}

pub(super) fn http_entry(ask: &HttpAsk) -> String {
    let url = quoted(&ask.url.to_string());
    match ask.methods.as_slice() {
        [] => format!("{{ url = {url} }}"),
        methods => format!("{{ url = {url}, methods = {} }}", list(methods.iter().map(|method| quoted(method)))),
    }
}

pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

pub(super) fn table(entries: impl IntoIterator<Item = String>) -> String {
    format!("{{ {} }}", entries.into_iter().collect::<Vec<_>>().join(", "))
}

/// A TOML text. What comes here has passed the shapes: no control characters.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A TOML key, in quotes where it needs them.
pub(super) fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    if bare { text.to_owned() } else { quoted(text) }
}
