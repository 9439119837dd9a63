//! `orchestration.web`: the REST API, as data and as the shape of its table.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::model::millis;
use super::shape::PATH;
use crate::document::{
    Field,
    Shape::{self, Boolean, Integer, List, Table, Text},
    TextRule,
};

/// `orchestration.web`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Web {
    /// Whether there is an API.
    pub enabled: bool,
    /// Where it listens.
    pub bind_address: SocketAddr,
    /// Whether other machines may reach it without saying who they are.
    pub allow_unauthenticated: bool,
    /// How long a request may take.
    #[serde(rename = "request_timeout_ms", deserialize_with = "millis")]
    pub request_timeout: Duration,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Requests under way at once; those beyond are turned away.
    pub max_concurrent_requests: usize,
    /// Bytes of all bodies that are read at once.
    pub max_bytes_in_flight: usize,
    /// Streams of changes that may be open at once.
    pub max_event_streams: usize,
    /// Connections to the database.
    pub max_connections: u32,
    /// Origins whose pages may use the API from a browser; `*` for all. None by default.
    #[serde(default)]
    pub cors_allowed_origins: Vec<String>,
    /// `orchestration.web.auth`.
    pub auth: WebAuth,
    /// `orchestration.web.tls`; none for plain HTTP.
    #[serde(default)]
    pub tls: Option<WebTls>,
}

/// `orchestration.web.auth`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WebAuth {
    /// Whether callers must say who they are, by an API key or a token.
    pub enabled: bool,
    /// The `iss` that tokens must have; none for any.
    #[serde(default)]
    pub jwt_issuer: Option<String>,
    /// The `aud` that tokens must have; none for any.
    #[serde(default)]
    pub jwt_audience: Option<String>,
    /// The JWK set of those who sign tokens, behind a URL.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// The same in a file.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
}

/// `orchestration.web.tls`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WebTls {
    /// PEM file of the certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
}

pub(super) const WEB: Shape = Table(&[
    Field::optional("enabled", Boolean),
    Field::optional(
        "bind_address",
        Text(TextRule::matching(64, "an address and a port such as 127.0.0.1:8080 or [::1]:8080", |text| {
            text.parse::<SocketAddr>().is_ok()
        })),
    ),
    Field::optional("allow_unauthenticated", Boolean),
    Field::optional("request_timeout_ms", Integer(100, 600_000)),
    Field::optional("max_body_bytes", Integer(1_024, 64 << 20)),
    Field::optional("max_concurrent_requests", Integer(1, 100_000)),
    Field::optional("max_bytes_in_flight", Integer(1 << 20, 4 << 30)),
    Field::optional("max_event_streams", Integer(0, 10_000)),
    Field::optional("max_connections", Integer(1, 1_000)),
    Field::optional("cors_allowed_origins", List(&Text(TextRule::length(1, 1_024)))),
    Field::optional(
        "auth",
        Table(&[
            Field::optional("enabled", Boolean),
            Field::optional("jwt_issuer", Text(TextRule::length(1, 1_024))),
            Field::optional("jwt_audience", Text(TextRule::length(1, 1_024))),
            Field::optional(
                "jwks_url",
                Text(TextRule::matching(4_096, "a URL that begins with https:// or http://", is_url)),
            ),
            Field::optional("jwks_file", PATH),
        ]),
    ),
    Field::optional("tls", Table(&[Field::required("certificate", PATH), Field::required("key", PATH)])),
]);

fn is_url(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some())
}
