//! Whether a request may be made, before anything is sent, and what is sent then.

use http::uri::{Authority, Parts, Scheme as UriScheme};
use http::{Method, Request, Uri, header};
use wasmtime_wasi_http::{Error, WasiBody};

use super::budget::{Budget, request_head};
use super::gateway::{Client, Gateway};
use super::secrets::{Echoes, NotSent, Placeholders};
use crate::grants::{Destination, Scheme};
use crate::sandbox::accept::shown;

/// Methods that no grant includes: tunnels through the destination, and methods whose responses repeat credentials.
const NEVER: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

/// Bytes of a method and a URL that causes show.
const SHOWN: usize = 200;

/// A request that may be sent as it is.
pub(super) struct Admitted {
    pub(super) request: Request<WasiBody>,
    pub(super) client: Client,
    pub(super) echoes: Echoes,
    /// Method and URL without query.
    pub(super) label: String,
}

/// A request that is not made.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For the guest.
    pub(super) error: Error,
    /// For the operator; none when a limit says all there is to say.
    pub(super) cause: Option<String>,
}

impl Refusal {
    fn because(error: Error, cause: String) -> Self {
        Self { error, cause: Some(cause) }
    }

    fn spent() -> Self {
        Self { error: Error::HttpRequestDenied, cause: None }
    }
}

/// Counts a request and checks it, and builds what is sent from what was checked.
pub(super) fn admit(
    request: Request<WasiBody>,
    gateway: &Gateway,
    placeholders: &Placeholders,
    budget: &Budget,
) -> Result<Admitted, Refusal> {
    budget.request().map_err(|_| Refusal::spent())?;
    let (mut head, body) = request.into_parts();
    let method = shown(head.method.as_str(), 20);
    let destination = destination(&head.uri).map_err(|wrong| {
        // Not the URL: it may carry a password.
        Refusal::because(Error::HttpRequestUriInvalid, format!("outbound HTTP {method} is refused: {wrong}"))
    })?;
    let label = shown(&format!("{} {destination}", head.method), SHOWN);
    if NEVER.iter().any(|never| head.method.as_str().eq_ignore_ascii_case(never)) {
        let cause = format!("outbound HTTP {label} is refused: {method} is never granted");
        return Err(Refusal::because(Error::HttpRequestMethodInvalid, cause));
    }
    let Some(networks) = gateway.granted.http(head.method.as_str(), &destination) else {
        let cause = not_granted(&head.method, &destination, &label, &gateway.namespace);
        return Err(Refusal::because(Error::HttpRequestDenied, cause));
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Some(name) = placeholders.found_in(path) {
        let cause =
            format!("outbound HTTP {label} is refused: the secret {name} stands in the URL; send it in a header");
        return Err(Refusal::because(Error::HttpRequestDenied, cause));
    }
    head.uri = rebuilt(&head.uri, &destination).map_err(|error| {
        Refusal::because(Error::HttpRequestUriInvalid, format!("outbound HTTP {label} is refused: {error}"))
    })?;
    // Made anew from the URL when it is sent.
    head.headers.remove(header::HOST);
    budget.send(request_head(&head)).map_err(|_| Refusal::spent())?;
    let echoes = placeholders.reveal(&mut head.headers, &destination).map_err(|refused| {
        let cause = not_sent(&refused, &destination, &label, &gateway.namespace);
        Refusal::because(Error::HttpRequestDenied, cause)
    })?;
    Ok(Admitted { request: Request::from_parts(head, body), client: gateway.client(networks), echoes, label })
}

/// Where a request goes, in the form that grants are compared with.
fn destination(uri: &Uri) -> Result<Destination, &'static str> {
    let scheme = match uri.scheme() {
        Some(scheme) if *scheme == UriScheme::HTTPS => Scheme::Https,
        Some(scheme) if *scheme == UriScheme::HTTP => Scheme::Http,
        _ => return Err("the URL's scheme is neither https nor http"),
    };
    let authority = uri.authority().ok_or("the URL has no host")?;
    if authority.as_str().contains('@') {
        return Err("the URL has a user name or password; send them in the header `authorization`");
    }
    let host = authority.host();
    if host.trim_matches(['[', ']', '.']).is_empty() {
        return Err("the URL has no host");
    }
    let port = match authority.as_str().strip_prefix(host) {
        Some("") => None,
        Some(port) => {
            // Digits only: parsing would take a sign as well.
            let digits = port.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
            let port = digits.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
            Some(port.ok_or("the URL's port is none of 1 to 65535")?)
        }
        None => return Err("the URL's host cannot be read"),
    };
    if !uri.path().starts_with('/') {
        return Err("the URL's path does not begin with a slash");
    }
    Ok(Destination::new(scheme, host, port, uri.path()))
}

/// The URL with nothing in it that was not checked.
fn rebuilt(uri: &Uri, destination: &Destination) -> Result<Uri, http::Error> {
    let mut parts = Parts::default();
    parts.scheme = Some(match destination.scheme {
        Scheme::Https => UriScheme::HTTPS,
        Scheme::Http => UriScheme::HTTP,
    });
    let origin = origin(destination);
    let (_, authority) = origin.split_once("://").unwrap_or_default();
    parts.authority = Some(Authority::try_from(authority)?);
    parts.path_and_query = uri.path_and_query().cloned();
    Ok(Uri::from_parts(parts)?)
}

fn origin(destination: &Destination) -> String {
    Destination { path: String::new(), ..destination.clone() }.to_string()
}

fn not_granted(method: &Method, destination: &Destination, label: &str, namespace: &str) -> String {
    let origin = origin(destination);
    format!(
        "outbound HTTP {label} is not granted: add {{ url = \"{origin}\", methods = [\"{method}\"] }} to `http` of [grants] in \
         tasker.toml and of worker.namespaces.{namespace}.grants in the settings"
    )
}

fn not_sent(refused: &NotSent, destination: &Destination, label: &str, namespace: &str) -> String {
    match refused {
        NotSent::NotGranted(name) => format!(
            "outbound HTTP {label} is refused: the secret {name} may not be sent to {}; if it may, add that to `urls` of \
             worker.namespaces.{namespace}.grants.secrets.{name}",
            origin(destination)
        ),
        NotSent::NoHeaderValue(name) => format!(
            "outbound HTTP {label} is refused: the secret {name} has line breaks or other characters that no header can \
             hold; correct worker.namespaces.{namespace}.grants.secrets.{name}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(authority: &str) -> Uri {
        Uri::builder().scheme("http").authority(authority).path_and_query("/x?y").build().unwrap()
    }

    #[test]
    fn hosts_are_normalised_and_sent_as_they_were_checked() {
        for (authority, expected) in [
            ("API.Example.com", "http://api.example.com/x?y"),
            ("api.example.com.", "http://api.example.com/x?y"),
            ("api.example.com:80", "http://api.example.com/x?y"),
            ("api.example.com:8080", "http://api.example.com:8080/x?y"),
            ("[0:0:0::1]", "http://[::1]/x?y"),
            ("[::ffff:127.0.0.1]:81", "http://[::ffff:127.0.0.1]:81/x?y"),
            ("2130706433", "http://2130706433/x?y"),
        ] {
            let uri = uri(authority);
            let destination = destination(&uri).unwrap();
            assert_eq!(rebuilt(&uri, &destination).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn urls_that_two_programs_could_read_differently_are_refused() {
        for (authority, expected) in [
            ("user:password@api.example.com", "user name or password"),
            ("api.example.com@evil.example", "user name or password"),
            ("api.example.com:", "port"),
            ("api.example.com:0", "port"),
            ("api.example.com:65536", "port"),
            ("api.example.com:+80", "port"),
            (".", "no host"),
            ("[]", "no host"),
        ] {
            let Ok(uri) = Uri::builder().scheme("http").authority(authority).path_and_query("/").build() else {
                continue;
            };
            let wrong = destination(&uri).unwrap_err();
            assert!(wrong.contains(expected), "{authority}: {wrong}");
        }
        let other = Uri::from_static("ftp://api.example.com/");
        assert!(destination(&other).unwrap_err().contains("neither https nor http"));
    }
}
