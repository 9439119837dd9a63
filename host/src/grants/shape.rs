//! What a manifest and a settings file may say of grants, beyond what their types take.
//!
//! Both sides are held against the same rules, so that what one can ask for the other can allow. Unknown keys are wrong
//! on both: a misspelt one would be a grant that is missed, or a restriction that is.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::UrlPattern;
use crate::document::{
    Field, Node, Place, Report,
    Shape::{self, Boolean, Closed, List, OneOf, TableOf, Text},
    TextRule, Value,
};

/// Longer URLs and paths are a mistake.
const LONGEST: usize = 4096;
/// A header is not much longer, and servers do not take it.
const SECRET_LONGEST: usize = 16 << 10;

const URL: Shape = Text(TextRule::length(1, LONGEST));
const URLS: Shape = List(&URL);
const METHODS: Shape = List(&Text(TextRule::matching(32, "an HTTP method in capitals such as \"GET\"", is_method)));
const PATH: Shape = Text(TextRule::matching(
    LONGEST,
    "an absolute path in the guest such as /data, without `..`, `.`, a double slash or a slash at its end",
    is_guest_path,
));
const ACCESS: Shape = OneOf(&["read-only", "read-write"]);
const NAMES: Shape =
    List(&Text(TextRule::matching(255, "a name of letters, digits and `_` that begins with no digit", is_name)));
const DIRECTORY: Shape =
    Text(TextRule::matching(LONGEST, "an absolute path of this machine such as /srv/shop", is_host_path));
const NETWORKS: Shape = List(&Text(TextRule::matching(64, "a network such as 10.0.0.0/8 or fd00::/8", |text| {
    text.parse::<IpNet>().is_ok()
})));
const ENV_VALUE: Shape = Text(TextRule { min: 0, ..TextRule::matching(32 << 10, "a text without NUL", has_no_nul) });
const SECRET: Shape = Text(TextRule {
    secret: true,
    ..TextRule::matching(SECRET_LONGEST, "a text on one line, without control characters", is_header_text)
});

/// `grants` of a manifest.
pub const ASKS: Shape = Closed(&[
    Field::optional("http", List(&Closed(&[Field::required("url", URL), Field::optional("methods", METHODS)]))),
    Field::optional("mounts", List(&Closed(&[Field::required("path", PATH), Field::optional("access", ACCESS)]))),
    Field::optional("env", NAMES),
    Field::optional("secrets", NAMES),
    Field::optional("client", Boolean),
    Field::optional("events", Boolean),
]);

/// `grants` of a namespace in the settings.
pub const ALLOWED: Shape = Closed(&[
    Field::optional(
        "http",
        List(&Closed(&[
            Field::required("url", URL),
            Field::optional("methods", METHODS),
            Field::optional("networks", NETWORKS),
        ])),
    ),
    Field::optional(
        "mounts",
        List(&Closed(&[
            Field::required("path", PATH),
            Field::required("directory", DIRECTORY),
            Field::optional("access", ACCESS),
        ])),
    ),
    Field::optional("env", TableOf(&ENV_VALUE)),
    Field::optional("secrets", TableOf(&Closed(&[Field::required("value", SECRET), Field::required("urls", URLS)]))),
    Field::optional("client", Boolean),
    Field::optional("events", Boolean),
]);

/// Reports what [`ASKS`] can't see. `path` names the node in messages.
pub fn check_asks(node: &Node, path: &str, report: &mut Report) {
    check_http(node, path, report);
    check_mounts(node, path, report);
    let named = |key| {
        let items = node.get(key).map_or(&[][..], Node::items).iter();
        items.filter_map(|item| Some((item.text()?.to_owned(), item.at.clone()))).collect::<Vec<_>>()
    };
    check_both(named("env"), named("secrets"), path, report);
}

/// Reports what [`ALLOWED`] can't see, except what only shows beside what all namespaces are allowed ([`check_both`]).
pub fn check_allowed(node: &Node, path: &str, report: &mut Report) {
    check_http(node, path, report);
    check_mounts(node, path, report);
    for table in ["env", "secrets"] {
        for entry in node.get(table).map_or(&[][..], Node::entries).iter().filter(|entry| !is_name(&entry.key)) {
            report.error(
                &entry.at,
                format!(
                    "`{path}.{table}` has the name {:?}; expected a name of letters, digits and `_` that begins with no \
                     digit",
                    entry.key
                ),
            );
        }
    }
    for secret in node.get("secrets").map_or(&[][..], Node::entries) {
        let path = format!("{path}.secrets.{}", secret.key);
        let Some(urls) = secret.node.get("urls") else { continue };
        if urls.items().is_empty() && matches!(urls.value, Value::List(_)) {
            report.error(
                &urls.at,
                format!(
                    "`{path}.urls` is empty; name the places the secret is sent to, such as https://api.example.com"
                ),
            );
        }
        for (index, url) in urls.items().iter().enumerate() {
            check_url(url, &format!("{path}.urls[{index}]"), report);
        }
    }
}

/// Reports every name that is an environment value and a secret: the guest sees both in the same place.
pub fn check_both(
    env: impl IntoIterator<Item = (String, Place)>,
    secrets: impl IntoIterator<Item = (String, Place)>,
    path: &str,
    report: &mut Report,
) {
    let env: BTreeMap<_, _> = env.into_iter().collect();
    for (name, at) in secrets {
        if let Some(value) = env.get(&name) {
            let also = if *value == at { String::new() } else { format!(" at {value}") };
            report.error(
                &at,
                format!(
                    "`{path}` has {name} in `secrets`, and in `env`{also}; a handler sees both as environment variables, so \
                     rename one"
                ),
            );
        }
    }
}

fn check_http(node: &Node, path: &str, report: &mut Report) {
    for (index, item) in node.get("http").map_or(&[][..], Node::items).iter().enumerate() {
        if let Some(url) = item.get("url") {
            check_url(url, &format!("{path}.http[{index}].url"), report);
        }
    }
}

fn check_url(url: &Node, path: &str, report: &mut Report) {
    if let Some(Err(error)) = url.text().filter(|text| !text.is_empty()).map(str::parse::<UrlPattern>) {
        // The error quotes parts of the text, and before an `@` stands a password.
        let (found, error) = match url.text() {
            Some(text) if text.contains('@') => {
                ("not right".to_owned(), "credentials are granted as secrets".to_owned())
            }
            _ if url.hidden => (url.describe(), "expected a pattern such as https://api.example.com/v1".to_owned()),
            _ => (url.describe(), error),
        };
        report.error(&url.at, format!("`{path}` is {found}: {error}"));
    }
}

fn check_mounts(node: &Node, path: &str, report: &mut Report) {
    let mut seen = BTreeMap::new();
    for (index, item) in node.get("mounts").map_or(&[][..], Node::items).iter().enumerate() {
        let Some((mount, at)) = item.get("path").and_then(|node| Some((node.text()?, &node.at))) else { continue };
        if let Some(first) = seen.insert(mount, index) {
            report.error(
                at,
                format!(
                    "`{path}.mounts[{index}].path` is {mount:?}, as that of `{path}.mounts[{first}]`; keep one of them"
                ),
            );
        }
    }
}

/// Whether this can be the name of an environment variable.
pub fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

fn is_method(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_uppercase() || c == b'-')
}

fn is_guest_path(text: &str) -> bool {
    let segment = |segment: &str| !matches!(segment, "" | "." | "..");
    text.strip_prefix('/').is_some_and(|path| path.split('/').all(segment))
        && !text.contains(|c: char| c.is_control() || c == '\\')
}

fn is_host_path(text: &str) -> bool {
    std::path::Path::new(text).is_absolute() && has_no_nul(text)
}

fn has_no_nul(text: &str) -> bool {
    !text.contains('\0')
}

fn is_header_text(text: &str) -> bool {
    !text.contains(char::is_control)
}
