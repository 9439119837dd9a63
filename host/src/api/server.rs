//! Where the API listens, and what every request passes on its way in: an id, a bound on what is under way at once, a
//! bound on its body and on its time.
//!
//! An address that other machines reach, and at which nobody is asked who they are, is refused: it would give every
//! tenant's work to whoever finds the port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use tokio::task::JoinHandle;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use super::access::{Access, KeySource, TokenError, Tokens};
use super::error::ApiError;
use super::state::App;
use super::{metrics, openapi};
use crate::config::Web;
use crate::host::Services;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For the head of a request.
const HEAD: Duration = Duration::from_secs(15);

/// The API could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can't be had.
    #[error(
        "cannot listen on {address}: {source}; free it, set `orchestration.web.bind_address` to another one (port 0 is any \
         that is free), or `orchestration.web.enabled` to false"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Everybody could do everything.
    #[error(
        "`orchestration.web.bind_address` is {address}, which other machines may reach, and nobody is asked who they are: \
         set `orchestration.web.auth.enabled` to true, or `orchestration.web.allow_unauthenticated` to true if whoever \
         reaches the address may do everything"
    )]
    OpenToOthers {
        /// The address.
        address: SocketAddr,
    },
    /// The certificate or its key can't be used.
    #[error("cannot serve TLS with {} and {}: {source}", certificate.display(), key.display())]
    Tls {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The URL of the keys is none.
    #[error(
        "`orchestration.web.auth.jwks_url` is {url:?}; give it a URL such as https://id.example/.well-known/jwks.json"
    )]
    KeyUrl {
        /// What it is.
        url: String,
    },
    /// Tokens can't be checked.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// An address that is the API's, before anybody is answered.
pub struct Listening {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Takes the address.
    ///
    /// # Errors
    ///
    /// It can't be had, or it would be open to everybody.
    pub fn open(web: &Web) -> Result<Self, ServerError> {
        let address = web.bind_address;
        if !web.auth.enabled && !web.allow_unauthenticated && !address.ip().is_loopback() {
            return Err(ServerError::OpenToOthers { address });
        }
        let listener = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|source| ServerError::Bind { address, source })?;
        let address = listener.local_addr().map_err(|source| ServerError::Bind { address, source })?;
        Ok(Self { listener, address })
    }
}

/// The API, answering.
pub struct Server {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Begins to answer.
    ///
    /// # Errors
    ///
    /// [`ServerError`], with what to change.
    pub async fn start(
        listening: Listening,
        tls: rustls::ClientConfig,
        services: Services,
    ) -> Result<Self, ServerError> {
        let Listening { listener, address } = listening;
        let web = services.config.orchestration.web.clone();
        let access = access(&web, tls).await?;
        let app = App::new(access, services);
        let router = layered(openapi::router(), &web, &app).with_state(app).into_make_service();
        let handle = Handle::new();
        let unbound = |source| ServerError::Bind { address, source };
        let serving = match &web.tls {
            None => {
                let mut server = axum_server::from_tcp(listener).map_err(unbound)?.handle(handle.clone());
                bound_heads(&mut server);
                tokio::spawn(server.serve(router))
            }
            Some(files) => {
                let (certificate, key) = (files.certificate.clone(), files.key.clone());
                let config = RustlsConfig::from_pem_file(&certificate, &key)
                    .await
                    .map_err(|source| ServerError::Tls { certificate, key, source })?;
                let mut server =
                    axum_server::from_tcp_rustls(listener, config).map_err(unbound)?.handle(handle.clone());
                bound_heads(&mut server);
                tokio::spawn(server.serve(router))
            }
        };
        Ok(Self { address, handle, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no connection any more, and waits for the requests under way, this long at most.
    pub async fn stop(self, patience: Duration) {
        self.handle.graceful_shutdown(Some(patience));
        match self.serving.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the API did not end well"),
            Err(error) => tracing::warn!(%error, "the API did not end well"),
        }
    }
}

/// The same API for the program itself, without an address: who runs it has the database and may do everything.
pub fn local(services: Services) -> Router {
    let limit = services.config.orchestration.web.max_body_bytes;
    openapi::router().layer(DefaultBodyLimit::max(limit)).with_state(App::new(Access::Local, services))
}

/// A client that sends the head of its request byte by byte does not keep its connection for ever.
fn bound_heads<A>(server: &mut axum_server::Server<SocketAddr, A>) {
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
}

async fn access(web: &Web, tls: rustls::ClientConfig) -> Result<Access, ServerError> {
    let auth = &web.auth;
    if !auth.enabled {
        return Ok(Access::Open);
    }
    let source = match (&auth.jwks_url, &auth.jwks_file) {
        (Some(url), _) => KeySource::Url(url.parse().map_err(|_| ServerError::KeyUrl { url: url.clone() })?),
        (None, Some(file)) => KeySource::File(file.clone()),
        (None, None) => return Ok(Access::Guarded { tokens: None }),
    };
    let tokens = Tokens::open(source, tls, auth.jwt_issuer.as_deref(), auth.jwt_audience.as_deref()).await?;
    Ok(Access::Guarded { tokens: Some(Box::new(tokens)) })
}

fn layered(router: Router<App>, web: &Web, app: &App) -> Router<App> {
    let busy = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_overloaded: tower::BoxError| ApiError::backpressure()))
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(web.max_concurrent_requests));
    let timeout = web.request_timeout;
    let in_time = middleware::from_fn(move |request, next: Next| async move {
        let answered = tokio::time::timeout(timeout, next.run(request)).await;
        answered.unwrap_or_else(|_| ApiError::timeout().into_response())
    });
    let router = router
        .layer(in_time)
        .layer(DefaultBodyLimit::max(web.max_body_bytes))
        .layer(busy)
        .layer(middleware::from_fn_with_state(app.clone(), metrics::count))
        .layer(CompressionLayer::new());
    let router = match cors(&web.cors_allowed_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        // What fails is told where it fails, once.
        .layer(TraceLayer::new_for_http().make_span_with(named).on_failure(()))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

/// What the log says of a request beside everything that is said while it is answered.
fn named<B>(request: &http::Request<B>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}

/// Which pages may use the API from a browser; without any, browsers let none.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let headers = ["authorization", "content-type", "idempotency-key", "last-event-id", "x-api-key"];
    let headers = headers.map(HeaderName::from_static);
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(methods)
            .allow_headers(headers)
            .expose_headers([REQUEST_ID]),
    )
}
