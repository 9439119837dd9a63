//! Tokens: JWTs that somebody else signs with RS256 or ES256. Their public keys come from a JWK set, in a file or behind
//! a URL, and are read again when a token names a key that is not among them: that is how keys are changed.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::Uri;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::caller::{Caller, Namespaces};
use super::permission::Permissions;
use crate::api::https::{HttpsClient, https_client};

/// Algorithms that are believed. None in which the same key signs and checks.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// Between two readings of the set: whoever sends tokens of unknown keys must not make the host read without end.
const READ_AGAIN: Duration = Duration::from_secs(30);
/// For the whole of one reading.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a set.
const SET_BYTES: usize = 1 << 20;

/// Why a token is not believed, or why none can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token.
    #[error("this is no JWT")]
    Malformed,
    /// It is signed in a way that is not believed.
    #[error("tokens must be signed with RS256 or ES256")]
    Algorithm,
    /// Nobody knows its key.
    #[error("the token is signed with a key that is not in the configured JWK set")]
    UnknownKey,
    /// Its signature is not its key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It is not for now, not from the configured issuer, or not for this audience.
    #[error("the token's `{0}` is not what it must be here")]
    Claim(&'static str),
    /// It allows what there is not.
    #[error("the token can't be used: {0}")]
    Permission(String),
    /// The set can't be read.
    #[error("the JWK set {place} can't be used: {detail}")]
    Set {
        /// Where it is.
        place: String,
        /// Why.
        detail: String,
    },
}

/// Where the keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum KeySource {
    /// A file.
    File(PathBuf),
    /// A URL.
    Url(Uri),
}

/// What is believed of tokens.
pub(in crate::api) struct Tokens {
    source: KeySource,
    client: HttpsClient<Empty<Bytes>>,
    validation: Validation,
    known: RwLock<Known>,
    /// One reads at a time.
    reading: tokio::sync::Mutex<()>,
}

struct Known {
    set: Arc<JwkSet>,
    /// When it was read again last.
    read_again: Option<Instant>,
}

/// What a token says, by the names that Tasker's have.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    permissions: Vec<String>,
    /// None for all, `*` for all.
    #[serde(default)]
    namespaces: Option<Vec<String>>,
    /// What Tasker's tokens have in its place: an empty list is all.
    #[serde(default)]
    worker_namespaces: Vec<String>,
}

impl Claims {
    fn namespaces(self) -> Namespaces {
        let of_worker = (!self.worker_namespaces.is_empty()).then_some(self.worker_namespaces);
        Namespaces::named(self.namespaces.or(of_worker))
    }
}

impl Tokens {
    /// Reads the set.
    ///
    /// # Errors
    ///
    /// It can't be read.
    pub(in crate::api) async fn open(
        source: KeySource,
        tls: rustls::ClientConfig,
        issuer: Option<&str>,
        audience: Option<&str>,
    ) -> Result<Self, TokenError> {
        let client = https_client(tls);
        let mut validation = Validation::new(ALGORITHMS[0]);
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        match audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        validation.set_required_spec_claims(&required);
        let set = read(&client, &source).await?;
        let known = RwLock::new(Known { set: Arc::new(set), read_again: None });
        Ok(Self { source, client, validation, known, reading: tokio::sync::Mutex::new(()) })
    }

    /// Who sends this token.
    ///
    /// # Errors
    ///
    /// It is not believed.
    pub(super) async fn caller(&self, token: &str) -> Result<Caller, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenError::Algorithm);
        }
        let key = self.key(header.kid.as_deref()).await?;
        let key = DecodingKey::from_jwk(&key).map_err(|_| TokenError::UnknownKey)?;
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.alg];
        let claims = decode::<Claims>(token, &key, &validation).map_err(|error| refused(error.kind()))?.claims;
        let permissions = Permissions::parse(claims.permissions.iter().map(String::as_str))
            .map_err(|error| TokenError::Permission(error.to_string()))?;
        Ok(Caller::new(format!("token:{}", claims.sub), permissions, claims.namespaces()))
    }

    async fn key(&self, kid: Option<&str>) -> Result<Jwk, TokenError> {
        if let Some(key) = find(&self.set().0, kid) {
            return Ok(key);
        }
        self.read_again().await;
        find(&self.set().0, kid).ok_or(TokenError::UnknownKey)
    }

    fn set(&self) -> (Arc<JwkSet>, Option<Instant>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&known.set), known.read_again)
    }

    /// The keys that are known stay if they can't be read.
    async fn read_again(&self) {
        let _reading = self.reading.lock().await;
        if self.set().1.is_some_and(|at| at.elapsed() < READ_AGAIN) {
            return;
        }
        let read = read(&self.client, &self.source).await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.read_again = Some(Instant::now());
        match read {
            Ok(set) => known.set = Arc::new(set),
            Err(error) => tracing::warn!(%error, "going on with the keys read before"),
        }
    }
}

/// A token that names no key means the only one there is.
fn find(set: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    match (kid, set.keys.as_slice()) {
        (Some(kid), _) => set.find(kid).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

fn refused(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::InvalidIssuer => TokenError::Claim("iss"),
        ErrorKind::InvalidAudience => TokenError::Claim("aud"),
        ErrorKind::ImmatureSignature => TokenError::Claim("nbf"),
        ErrorKind::MissingRequiredClaim(claim) => TokenError::Claim(match claim.as_str() {
            "iss" => "iss",
            "aud" => "aud",
            "sub" => "sub",
            _ => "exp",
        }),
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidSignature => TokenError::Signature,
        _ => TokenError::Malformed,
    }
}

async fn read(client: &HttpsClient<Empty<Bytes>>, source: &KeySource) -> Result<JwkSet, TokenError> {
    let (named, text) = match source {
        KeySource::File(path) => (path.display().to_string(), tokio::fs::read(path).await.map_err(|e| e.to_string())),
        KeySource::Url(url) => {
            let fetched = tokio::time::timeout(PATIENCE, fetch(client, url.clone())).await;
            (url.to_string(), fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()))))
        }
    };
    let unusable = |detail: String| TokenError::Set { place: named.clone(), detail };
    let set: JwkSet = serde_json::from_slice(&text.map_err(&unusable)?).map_err(|error| unusable(error.to_string()))?;
    if set.keys.is_empty() {
        return Err(unusable("it has no key that could be used".to_owned()));
    }
    Ok(set)
}

async fn fetch(client: &HttpsClient<Empty<Bytes>>, url: Uri) -> Result<Vec<u8>, String> {
    let response = client.get(url).await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the answer is {}", response.status()));
    }
    let body = Limited::new(response.into_body(), SET_BYTES).collect().await.map_err(|error| error.to_string())?;
    Ok(body.to_bytes().to_vec())
}
