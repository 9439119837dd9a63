//! Where requests go, as a pattern: `https://*.example.com:8443/v1`.
//!
//! A pattern has a scheme, a host (exact, `*.` and a domain for all below it, or `*`), a port (the scheme's own unless it
//! is written) and a path that begins like the pattern's, whole segments only. Hosts are compared in lower case and
//! without a trailing dot, so that no spelling slips past.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The word before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where one request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its protocol.
    pub scheme: Scheme,
    /// Its host, normalised: lower case, no trailing dot; IPv6 addresses without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its path, beginning with `/`, without the query.
    pub path: String,
}

impl Destination {
    /// Normalises the parts of a request's URL. `host` may have brackets, capitals and a trailing dot; an empty path is `/`.
    pub fn new(scheme: Scheme, host: &str, port: Option<u16>, path: &str) -> Self {
        Self {
            scheme,
            host: normalised(host),
            port: port.unwrap_or(scheme.default_port()),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_origin(f, self.scheme, &self.host, self.port)?;
        f.write_str(&self.path)
    }
}

/// A pattern of destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    scheme: Scheme,
    host: Host,
    port: u16,
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// Every name below this one.
    Below(String),
    Exact(String),
}

impl UrlPattern {
    /// Whether a request to `destination` fits.
    pub fn matches(&self, destination: &Destination) -> bool {
        let host = match &self.host {
            Host::Any => true,
            Host::Below(domain) => is_below(&destination.host, domain),
            Host::Exact(host) => *host == destination.host,
        };
        self.scheme == destination.scheme
            && host
            && self.port == destination.port
            && (self.path == "/" || begins_with(&destination.path, &self.path))
    }

    /// Whether some request could fit both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let hosts = match (&self.host, &other.host) {
            (Host::Any, _) | (_, Host::Any) => true,
            (Host::Exact(one), Host::Exact(other)) => one == other,
            (Host::Below(domain), Host::Exact(host)) | (Host::Exact(host), Host::Below(domain)) => {
                is_below(host, domain)
            }
            (Host::Below(one), Host::Below(other)) => one == other || is_below(one, other) || is_below(other, one),
        };
        let paths = [(&self.path, &other.path), (&other.path, &self.path)];
        hosts
            && self.scheme == other.scheme
            && self.port == other.port
            && paths.iter().any(|(path, prefix)| *prefix == "/" || begins_with(path, prefix))
    }

    /// Whether every request that fits `other` fits this.
    pub fn covers(&self, other: &Self) -> bool {
        let host = match (&self.host, &other.host) {
            (Host::Any, _) => true,
            (Host::Below(domain), Host::Exact(host)) => is_below(host, domain),
            (Host::Below(domain), Host::Below(other)) => domain == other || is_below(other, domain),
            (Host::Exact(host), Host::Exact(other)) => host == other,
            (Host::Below(_) | Host::Exact(_), Host::Any) | (Host::Exact(_), Host::Below(_)) => false,
        };
        host && self.scheme == other.scheme
            && self.port == other.port
            && (self.path == "/" || begins_with(&other.path, &self.path))
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// Whether a path lies at or below a prefix. A path that a server might read as leading out of it again does not.
fn begins_with(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    let below = path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below && !leads_out(path)
}

/// Whether a path has a segment `..` or `.`, however it is written.
fn leads_out(path: &str) -> bool {
    let decoded =
        path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    // A second round of decoding is what some servers do.
    decoded.contains("%25") || decoded.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

fn normalised(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    host.parse::<Ipv6Addr>().map_or_else(|_| host.to_owned(), |address| address.to_string())
}

impl FromStr for UrlPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no scheme: write https://host or http://host")?;
        let scheme = match scheme {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            other => return Err(format!("its scheme is {other:?}, expected https or http")),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err("it has a user name: credentials are granted as secrets".to_owned());
        }
        if path.contains(['?', '#', '*']) || leads_out(path) {
            return Err(format!("its path is {path:?}, expected the beginning of a path, without query, `*` and `..`"));
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => scheme.default_port(),
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(format!("its port is {port:?}, expected 1 to 65535")),
            },
        };
        Ok(Self { scheme, host: host_of(host)?, port, path: path.to_owned() })
    }
}

/// Splits off the port of an authority; a host in brackets may have colons.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or("its address has no closing bracket")?;
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(format!("{rest:?} follows its address, expected a port")),
        };
    }
    Ok(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn host_of(host: &str) -> Result<Host, String> {
    let name = |name: &str| {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
        };
        let name = normalised(name);
        // The last label of a name is never a number: what looks like one is an address in disguise.
        let numeric = name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
        if name.split('.').all(label) && !numeric { Ok(name) } else { Err(()) }
    };
    let wrong = |()| {
        format!("its host is {host:?}, expected a name such as api.example.com, `*.` and a name, `*`, or an IP address")
    };
    if host == "*" {
        return Ok(Host::Any);
    }
    if let Some(domain) = host.strip_prefix("*.") {
        return name(domain).map(Host::Below).map_err(wrong);
    }
    let bare = normalised(host);
    if bare.parse::<Ipv4Addr>().is_ok() || (host.starts_with('[') && bare.parse::<Ipv6Addr>().is_ok()) {
        return Ok(Host::Exact(bare));
    }
    name(host).map(Host::Exact).map_err(wrong)
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            Host::Any => "*".to_owned(),
            Host::Below(domain) => format!("*.{domain}"),
            Host::Exact(host) => host.clone(),
        };
        write_origin(f, self.scheme, &host, self.port)?;
        if self.path == "/" { Ok(()) } else { f.write_str(&self.path) }
    }
}

fn write_origin(f: &mut fmt::Formatter<'_>, scheme: Scheme, host: &str, port: u16) -> fmt::Result {
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    write!(f, "{}://{open}{host}{close}", scheme.as_str())?;
    if port == scheme.default_port() { Ok(()) } else { write!(f, ":{port}") }
}

impl Serialize for UrlPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UrlPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format!("{text:?} is no URL pattern: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> UrlPattern {
        text.parse().unwrap()
    }

    fn to(url: &str) -> Destination {
        let (scheme, rest) = url.split_once("://").unwrap();
        let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = split_port(authority).unwrap();
        Destination::new(scheme, host, port.map(|port| port.parse().unwrap()), path)
    }

    #[test]
    fn a_pattern_fits_its_scheme_host_port_and_path() {
        for (text, fits, fails) in [
            ("https://a.example", vec!["https://a.example", "https://A.example./x"], vec!["http://a.example"]),
            ("https://a.example", vec!["https://a.example:443"], vec!["https://a.example:444", "https://b.a.example"]),
            ("https://*.a.example", vec!["https://b.a.example", "https://c.b.a.example"], vec!["https://a.example"]),
            ("https://*.a.example", vec![], vec!["https://ba.example", "https://.a.example", "https://a.example.b"]),
            ("http://*:8080", vec!["http://x:8080", "http://[::1]:8080"], vec!["http://x"]),
            ("http://[0:0::1]", vec!["http://[::1]/"], vec!["http://[::2]/"]),
            ("http://[::0:ffff:10.0.0.1.]", vec!["http://[::ffff:10.0.0.1]"], vec![]),
            (
                "https://a/v1",
                vec!["https://a/v1", "https://a/v1/x"],
                vec!["https://a/v10", "https://a/", "https://a/V1"],
            ),
            ("https://a/v1/", vec!["https://a/v1/x"], vec!["https://a/v2"]),
            (
                "https://a/v1",
                vec!["https://a/v1/a..b"],
                vec![
                    "https://a/v1/../admin",
                    "https://a/v1/%2e%2E/admin",
                    "https://a/v1/..%2fadmin",
                    "https://a/v1/..;x/admin",
                    "https://a/v1/%252e%252e/admin",
                    "https://a/v1/..\\admin",
                ],
            ),
        ] {
            for url in fits {
                assert!(pattern(text).matches(&to(url)), "{text} should fit {url}");
            }
            for url in fails {
                assert!(!pattern(text).matches(&to(url)), "{text} should not fit {url}");
            }
        }
    }

    #[test]
    fn a_pattern_is_shown_as_it_is_written() {
        for text in ["https://*.a.example", "http://*", "https://a:8443/v1", "http://[::1]:8080", "https://10.0.0.1"] {
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_what_was_expected() {
        for (text, part) in [
            ("a.example", "no scheme"),
            ("ftp://a", "expected https or http"),
            ("https://user:secret@a", "credentials are granted as secrets"),
            ("https://", "its host"),
            ("https://a..b", "its host"),
            ("https://2130706433", "its host"),
            ("https://0x7f.1", "its host"),
            ("https://a.*.b", "its host"),
            ("https://::1", "its port"),
            ("https://[::1", "closing bracket"),
            ("https://a:0", "1 to 65535"),
            ("https://a/x?y", "its path"),
            ("https://a/../b", "its path"),
        ] {
            let error = text.parse::<UrlPattern>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn patterns_overlap_when_some_request_fits_both() {
        for (one, other, overlap) in [
            ("https://*", "https://a", true),
            ("https://*.b", "https://a.b", true),
            ("https://*.b", "https://*.a.b", true),
            ("https://*.b", "https://b", false),
            ("https://a/v1", "https://a/v1/x", true),
            ("https://a/v1", "https://a/v2", false),
            ("https://a", "http://a", false),
            ("https://a", "https://a:444", false),
        ] {
            assert_eq!(pattern(one).overlaps(&pattern(other)), overlap, "{one} and {other}");
            assert_eq!(pattern(other).overlaps(&pattern(one)), overlap, "{other} and {one}");
        }
    }

    #[test]
    fn a_pattern_covers_one_that_is_narrower_and_itself() {
        for (wide, narrow) in [
            ("https://*", "https://*.b"),
            ("https://*.b", "https://*.a.b"),
            ("https://*.b", "https://a.b/v1"),
            ("https://a/v1", "https://a/v1/x"),
        ] {
            let (wide, narrow) = (pattern(wide), pattern(narrow));
            assert!(wide.covers(&narrow) && wide.covers(&wide) && narrow.covers(&narrow), "{wide} {narrow}");
            assert!(!narrow.covers(&wide), "{narrow} does not cover {wide}");
        }
        assert!(!pattern("https://a").covers(&pattern("http://a")));
        assert!(!pattern("https://a").covers(&pattern("https://a:444")));
    }
}
