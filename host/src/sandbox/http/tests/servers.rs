//! Servers that do as the tests want.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Body of a response.
pub(super) type Reply = UnsyncBoxBody<Bytes, Infallible>;

/// A request as the server got it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    /// The body; an error if it did not come to an end.
    pub(super) body: Result<Bytes, String>,
}

/// A server on a port of its own.
pub(super) struct Server {
    pub(super) port: u16,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    accepted: AtomicUsize,
    open: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
}

impl Server {
    /// Answers every request.
    pub(super) async fn start<Answer>(answer: impl Fn(Seen) -> Answer + Clone + Send + Sync + 'static) -> Self
    where
        Answer: Future<Output = Response<Reply>> + Send + 'static,
    {
        Self::listen(None, answer).await
    }

    /// Answers `ok` with the body it got.
    pub(super) async fn echo() -> Self {
        Self::start(|seen| async move { reply(200, &seen.body.unwrap_or_default()) }).await
    }

    /// As [`Server::start`], over TLS.
    pub(super) async fn tls<Answer>(
        tls: TlsAcceptor,
        answer: impl Fn(Seen) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self
    where
        Answer: Future<Output = Response<Reply>> + Send + 'static,
    {
        Self::listen(Some(tls), answer).await
    }

    async fn listen<Answer>(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(Seen) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self
    where
        Answer: Future<Output = Response<Reply>> + Send + 'static,
    {
        Self::accepting(move |stream, log| {
            let (tls, answer) = (tls.clone(), answer.clone());
            async move {
                match tls {
                    None => serve(stream, false, log, answer).await,
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        serve(stream, h2, log, answer).await;
                    }
                }
            }
        })
        .await
    }

    /// Does this with every connection.
    pub(super) async fn raw<Served>(each: impl Fn(TcpStream) -> Served + Send + 'static) -> Self
    where
        Served: Future<Output = ()> + Send + 'static,
    {
        Self::accepting(move |stream, _| each(stream)).await
    }

    async fn accepting<Served>(each: impl Fn(TcpStream, Arc<Log>) -> Served + Send + 'static) -> Self
    where
        Served: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::<Log>::default();
        let server = Self { port, log: Arc::clone(&log) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                log.accepted.fetch_add(1, Ordering::SeqCst);
                log.open.fetch_add(1, Ordering::SeqCst);
                let served = each(stream, Arc::clone(&log));
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    served.await;
                    log.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// A URL of this server.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Connections so far.
    pub(super) fn accepted(&self) -> usize {
        self.log.accepted.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.log.open.load(Ordering::SeqCst)
    }

    /// Requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.log.seen.lock().unwrap().clone()
    }
}

async fn serve<Answer>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    h2: bool,
    log: Arc<Log>,
    answer: impl Fn(Seen) -> Answer + Clone + Send + Sync + 'static,
) where
    Answer: Future<Output = Response<Reply>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (log, answer) = (Arc::clone(&log), answer.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).map_err(|error| error.to_string());
            let target = head.uri.to_string();
            let seen = Seen { method: head.method, target, version: head.version, headers: head.headers, body };
            log.seen.lock().unwrap().push(seen.clone());
            Ok::<_, Infallible>(answer(seen).await)
        }
    });
    // How a connection ends is the client's affair.
    let _ = match h2 {
        true => http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await,
        false => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
    };
}

/// A response with this body.
pub(super) fn reply(status: u16, body: &[u8]) -> Response<Reply> {
    Response::builder().status(status).body(Full::new(Bytes::copy_from_slice(body)).boxed_unsync()).unwrap()
}

/// Reads a request's head and what is there of its body.
pub(super) async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 16 << 10];
    let read = stream.read(&mut bytes).await.unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// Waits until the client has closed its side.
pub(super) async fn closed(stream: &mut TcpStream) {
    let mut bytes = vec![0; 16 << 10];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

/// A certificate authority, and a server for these names that it vouches for.
pub(super) struct Authority {
    directory: tempfile::TempDir,
    pub(super) server: TlsAcceptor,
}

impl Authority {
    pub(super) fn of(names: &[&str], protocols: &[&[u8]]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);

        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();

        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Self { directory, server: TlsAcceptor::from(Arc::new(config)) }
    }

    /// The file that makes clients trust it.
    pub(super) fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }
}
