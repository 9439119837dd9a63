//! From the name in a URL to a connection: looked up once, checked, and opened to the very address that was checked.
//!
//! Every host takes this way, addresses included. The system's lookup knows more spellings of an address than anybody
//! expects (`2130706433`, `0x7f.1`, `0177.0.0.1`), so what a host looks like says nothing; only what comes out counts.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{DefaultServerNameResolver, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use super::addresses::may_connect;
use super::causes::{chain, described};
use crate::grants::Scheme;

/// Looks a name up, on a thread where it may block.
pub(super) type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Addresses of one name that are tried.
const ADDRESSES: usize = 8;

/// The lookup of the system.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("the name cannot be looked up: {0}")]
    Lookup(String),
    #[error("the name has no address")]
    NoAddress,
    #[error("the name leads to an address that is not public")]
    NotPublic,
    #[error("the connection failed: {0}")]
    Connect(io::Error),
    #[error("TLS failed: {detail}")]
    Tls {
        /// Whether it is the server's certificate that is not accepted.
        certificate: bool,
        detail: String,
    },
    #[error("there was no connection within {} s", .0.as_secs_f64())]
    Timeout(Duration),
}

/// What dials of one package share.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Lookups at once. A lookup cannot be stopped, not even when the attempt has ended, so few may be under way.
    pub(super) lookups: Arc<Semaphore>,
    /// Connections that may be kept. Further ones serve one request and are closed.
    pub(super) kept: Arc<Semaphore>,
}

/// Opens TCP connections for one package and one list of networks.
#[derive(Clone)]
pub(super) struct Dial(Arc<Shared>);

struct Shared {
    lookup: Lookup,
    networks: Vec<IpNet>,
    timeout: Duration,
    places: Places,
}

impl Dial {
    pub(super) fn new(lookup: Lookup, networks: Vec<IpNet>, timeout: Duration, places: Places) -> Self {
        Self(Arc::new(Shared { lookup, networks, timeout, places }))
    }
}

impl Shared {
    async fn dial(&self, host: &str, port: u16) -> Result<Stream, DialError> {
        let until = Instant::now() + self.timeout;
        let found = self.addresses(host).await?;
        if found.is_empty() {
            return Err(DialError::NoAddress);
        }
        let mut addresses: Vec<IpAddr> =
            found.into_iter().filter(|address| may_connect(*address, &self.networks)).collect();
        addresses.truncate(ADDRESSES);
        if addresses.is_empty() {
            return Err(DialError::NotPublic);
        }
        let mut failure = DialError::Timeout(self.timeout);
        for (tried, address) in addresses.iter().enumerate() {
            // Each gets its share of the time that is left, so that one that does not answer leaves some for the next.
            let now = Instant::now();
            let share = until.saturating_duration_since(now) / u32::try_from(addresses.len() - tried).unwrap_or(1);
            match timeout_at(now + share, TcpStream::connect(SocketAddr::new(*address, port))).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(DialError::Connect)?;
                    let place = Arc::clone(&self.places.kept).try_acquire_owned().ok();
                    return Ok(Stream { io: TokioIo::new(stream), place });
                }
                Ok(Err(error)) => failure = DialError::Connect(error),
                Err(_elapsed) => {}
            }
        }
        Err(failure)
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let failed = |error: &dyn std::fmt::Display| DialError::Lookup(error.to_string());
        let place = Arc::clone(&self.places.lookups).acquire_owned().await.map_err(|error| failed(&error))?;
        let (lookup, host) = (Arc::clone(&self.lookup), host.to_owned());
        let looked_up = tokio::task::spawn_blocking(move || {
            let addresses = lookup(&host);
            drop(place);
            addresses
        });
        match looked_up.await {
            Ok(addresses) => addresses.map_err(|error| failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}

impl Service<Uri> for Dial {
    type Response = Stream;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, DialError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let scheme = if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { Scheme::Https } else { Scheme::Http };
            shared.dial(host, uri.port_u16().unwrap_or(scheme.default_port())).await
        })
    }
}

/// Dials and, for `https`, shakes hands, all within one time.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Dial>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(dial: Dial, tls: Arc<ClientConfig>) -> Self {
        let timeout = dial.0.timeout;
        Self { https: HttpsConnector::new(dial, tls, false, Arc::new(DefaultServerNameResolver::default())), timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Stream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        self.https.poll_ready(cx).map_err(of_tls)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.timeout;
        let connecting = timeout(limit, self.https.call(uri));
        Box::pin(async move { connecting.await.map_err(|_elapsed| DialError::Timeout(limit))?.map_err(of_tls) })
    }
}

/// The connector below knows its own errors; any other comes from the handshake.
fn of_tls(error: Box<dyn std::error::Error + Send + Sync>) -> DialError {
    match error.downcast::<DialError>() {
        Ok(error) => *error,
        Err(error) => {
            let certificate = chain(&*error)
                .into_iter()
                .filter_map(|error| error.downcast_ref::<rustls::Error>())
                .any(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
            DialError::Tls { certificate, detail: described(&*error) }
        }
    }
}

/// A connection to an address that was checked.
pub(super) struct Stream {
    io: TokioIo<TcpStream>,
    /// Its place among those that are kept.
    place: Option<OwnedSemaphorePermit>,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.place.is_none() {
            connected.poison();
        }
        connected
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
