//! Who asks and what they may do: an API key or a token with each request, or nobody is asked.
//!
//! Without a configured way to say who one is, everybody who reaches the address may do everything; so such an address
//! is this machine's own, unless the settings say in so many words that it need not be ([`super::server`]).

mod caller;
pub mod keys;
mod permission;
mod tokens;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

pub(super) use caller::Caller;
pub use permission::{Permission, Permissions, UnknownPermission};
pub use tokens::TokenError;
pub(super) use tokens::{KeySource, Tokens};

use super::error::ApiError;
use super::state::App;
use crate::store::Store;

/// What is believed of who asks.
pub(super) enum Access {
    /// The program itself asks, for whoever runs it: they have the database anyway.
    Local,
    /// Everybody may do everything.
    Open,
    /// A key or a token is needed.
    Guarded {
        /// Tokens that are believed; none where only keys are.
        tokens: Option<Box<Tokens>>,
    },
}

impl Access {
    async fn caller(&self, headers: &HeaderMap, store: &Store) -> Result<Caller, ApiError> {
        let tokens = match self {
            Self::Local => return Ok(Caller::all_powerful(None)),
            Self::Open => return Ok(Caller::all_powerful(Some("anonymous"))),
            Self::Guarded { tokens } => tokens,
        };
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        if let Some(key) = text("x-api-key") {
            let known = keys::caller(store, key).await?;
            return known.ok_or_else(|| {
                ApiError::unauthorized("this API key is unknown, revoked or expired; `api-key create` makes one")
            });
        }
        let Some(authorization) = text(AUTHORIZATION.as_str()) else {
            return Err(ApiError::unauthorized(
                "this address asks who you are: send an API key as `X-API-Key`, or a token as `Authorization: Bearer`",
            ));
        };
        let Some(token) = authorization.strip_prefix("Bearer ") else {
            return Err(ApiError::unauthorized("`Authorization` must be `Bearer` and a token"));
        };
        match tokens {
            Some(tokens) => tokens.caller(token).await.map_err(|error| ApiError::unauthorized(error.to_string())),
            None => Err(ApiError::unauthorized(
                "tokens are not configured here: send an API key as `X-API-Key`, or set `orchestration.web.auth`",
            )),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        app.access.caller(&parts.headers, &app.store).await
    }
}
