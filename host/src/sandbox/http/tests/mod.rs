//! Outbound HTTP against real servers on this machine.

mod connections;
mod limits;
mod requests;
mod secrets;
mod servers;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, WasiBody};

use super::dial::{Lookup, system_lookup};
use super::*;
use crate::grants::{Allowed, Asks, Granted, HttpAllowed, HttpAsk, SecretAllowed};
use crate::sandbox::AttemptError;
use crate::sandbox::limits::Limits;
use crate::sandbox::violations::Violations;

/// Timeouts that a test can wait for, and that a busy machine keeps.
fn settings() -> HttpSettings {
    HttpSettings {
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
        ca_files: Vec::new(),
    }
}

/// Grants of these URL patterns, each with any method and these networks.
fn granted(urls: &[&str], networks: &[&str]) -> Granted {
    grants(urls, &[], networks, &[])
}

/// Grants of URL patterns with methods and networks, and of secrets: name, value, URL.
fn grants(urls: &[&str], methods: &[&str], networks: &[&str], secrets: &[(&str, &str, &str)]) -> Granted {
    let methods: Vec<String> = methods.iter().map(|&method| method.to_owned()).collect();
    let networks: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
    let ask = |url: &&str| HttpAsk { url: url.parse().unwrap(), methods: Vec::new() };
    let allow =
        |url: &&str| HttpAllowed { url: url.parse().unwrap(), methods: methods.clone(), networks: networks.clone() };
    let asks = Asks {
        http: urls.iter().map(ask).collect(),
        secrets: secrets.iter().map(|(name, ..)| (*name).to_owned()).collect(),
        ..Asks::default()
    };
    let secret = |(name, value, url): &(&str, &str, &str)| {
        let allowed = SecretAllowed { value: (*value).to_owned().into(), urls: vec![url.parse().unwrap()] };
        ((*name).to_owned(), allowed)
    };
    let allowed = Allowed {
        http: urls.iter().map(allow).collect(),
        secrets: secrets.iter().map(secret).collect(),
        ..Allowed::default()
    };
    Granted::intersection(&asks, &allowed)
}

/// What may be reached on this machine.
const LOOPBACK: &[&str] = &["127.0.0.0/8"];

/// One attempt that makes requests.
struct Client {
    session: Session,
    violations: Violations,
    gateway: Arc<Gateway>,
    variables: Vec<(String, String)>,
}

/// A response that has been read.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    fn new(granted: Granted) -> Self {
        Self::with(granted, Limits::default(), &settings(), system_lookup())
    }

    fn with(granted: Granted, limits: Limits, settings: &HttpSettings, lookup: Lookup) -> Self {
        let outbound = Outbound::with_lookup(settings, lookup).unwrap();
        Self::attempt(&Arc::new(outbound.gateway("shop", Arc::new(granted))), &limits)
    }

    /// An attempt of the same package.
    fn attempt(gateway: &Arc<Gateway>, limits: &Limits) -> Self {
        let placeholders = Placeholders::new(&gateway.granted.secrets);
        let variables = placeholders.variables().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let violations = Violations::default();
        let session = Session::new(Arc::clone(gateway), placeholders, limits, violations.clone());
        Self { session, violations, gateway: Arc::clone(gateway), variables }
    }

    fn placeholder(&self, name: &str) -> &str {
        &self.variables.iter().find(|(known, _)| known == name).unwrap().1
    }

    async fn get(&self, url: &str) -> Result<Answer, Error> {
        self.send(Request::get(url).body(empty()).unwrap()).await
    }

    /// Sends a request and reads all of the response.
    async fn send(&self, request: Request<WasiBody>) -> Result<Answer, Error> {
        let (response, transfer) = self.session.send(request, None).await?;
        let transfer = Running::start(transfer);
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        drop(transfer);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    fn causes(&self) -> String {
        self.session.causes().unwrap_or_default()
    }

    /// The limit that the attempt exceeded, with its value and what was used.
    fn exceeded(&self) -> Option<(&'static str, u64, u64)> {
        match self.violations.first()? {
            AttemptError::LimitExceeded { exceeded, limit, used } => Some((exceeded.limit(), limit, used)),
            other => panic!("{other:?}"),
        }
    }
}

/// A task that ends when this is dropped, as those of `wasi:http` do.
struct Running(tokio::task::JoinHandle<()>);

impl Running {
    fn start(transfer: Transfer) -> Self {
        Self(tokio::spawn(async {
            let _ = Box::into_pin(transfer).await;
        }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn empty() -> WasiBody {
    whole("")
}

fn whole(text: &str) -> WasiBody {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

/// A lookup that leads every name to these addresses.
fn leading_to(addresses: &[&str]) -> Lookup {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Arc::new(move |_| io::Result::Ok(addresses.clone()))
}

/// Waits until something is so, for as long as a busy machine may take.
async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come about within 5 s");
}
