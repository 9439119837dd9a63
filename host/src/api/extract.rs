//! What a request brings, or an error of our own shape that says what it should have brought.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::path::ErrorKind as PathKind;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Datelike, Utc};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::OwnedSemaphorePermit;

use super::error::ApiError;
use super::state::App;
use crate::sandbox::unstorable;

/// A JSON body, whatever its content type says: Tasker's clients do not all say it. What is second keeps the room that the
/// body takes, until it is dropped.
pub(super) struct Body<T>(pub(super) T, pub(super) Room);

/// A part of the memory that bodies may take together.
pub(super) struct Room {
    _taken: OwnedSemaphorePermit,
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let room = match Room::for_body(request.headers(), app) {
            Ok(room) => room,
            Err(refused) => {
                pass_over(request, app.web().max_body_bytes).await;
                return Err(refused);
            }
        };
        let bytes = Bytes::from_request(request, app).await.map_err(|rejection| unread(&rejection, app))?;
        match serde_json::from_slice(&bytes) {
            // A list of values would do for an object, by their order; nobody means that.
            Ok(_) if !bytes.trim_ascii_start().starts_with(b"{") => {
                Err(ApiError::unprocessable("the body is not what it must be: give it a JSON object"))
            }
            Ok(body) => Ok(Self(body, room)),
            Err(error) if error.classify() == Category::Data => {
                Err(ApiError::unprocessable(format!("the body is not what it must be: {error}")))
            }
            Err(error) => Err(ApiError::not_json(format!("the body is not JSON: {error}"))),
        }
    }
}

impl Room {
    /// Room for as much as the request says it brings, or for as much as it may bring.
    fn for_body(headers: &HeaderMap, app: &App) -> Result<Self, ApiError> {
        let most = app.web().max_body_bytes;
        let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let bytes = said.unwrap_or(most);
        if bytes > most {
            return Err(ApiError::too_large(most));
        }
        let kib = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        let taken = Arc::clone(&app.room).try_acquire_many_owned(kib).map_err(|_| ApiError::backpressure())?;
        Ok(Self { _taken: taken })
    }
}

/// Reads a body that is not wanted, up to `most` bytes. Who is answered while they still send may find the connection
/// closed, and never see the answer.
async fn pass_over(request: Request, most: usize) {
    let mut body = request.into_body().into_data_stream();
    let mut left = most;
    while left > 0
        && let Some(Ok(part)) = body.next().await
    {
        left = left.saturating_sub(part.len());
    }
}

fn unread(rejection: &BytesRejection, app: &App) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::too_large(app.web().max_body_bytes);
    }
    ApiError::bad_request("the body could not be read to its end; send it again")
}

/// The identifiers in the path.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for InPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        match Path::<T>::from_request_parts(parts, app).await {
            Ok(Path(found)) => Ok(Self(found)),
            Err(PathRejection::FailedToDeserializePathParams(failed))
                if matches!(failed.kind(), PathKind::InvalidUtf8InPathParam { .. }) =>
            {
                Err(ApiError::not_found("there is nothing at a path that is no text"))
            }
            Err(rejection) => Err(ApiError::invalid_uuid(format!("{}; give it a UUID", rejection.body_text()))),
        }
    }
}

/// The parameters behind the `?`.
pub(super) struct InQuery<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for InQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(found)) => Ok(Self(found)),
            Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
        }
    }
}

/// The greatest number that the database takes.
pub(super) const MOST: u32 = i32::MAX as u32;

/// A number that was given, or what is taken when none was; refused outside its bounds.
pub(super) fn bounded(what: &str, given: Option<u32>, usual: u32, least: u32, most: u32) -> Result<u32, ApiError> {
    match given {
        None => Ok(usual),
        Some(given) if (least..=most).contains(&given) => Ok(given),
        Some(given) => {
            Err(ApiError::bad_request(format!("`{what}` is {given}; give it a number from {least} to {most}")))
        }
    }
}

/// A moment that was given, or none; refused where the database has no time for it.
pub(super) fn moment(what: &str, given: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>, ApiError> {
    match given {
        Some(given) if !(0..=9_999).contains(&given.year()) => Err(ApiError::bad_request(format!(
            "`{what}` is in the year {}; give it a time from the year 0 to 9999, such as 2026-01-31T12:00:00Z",
            given.year()
        ))),
        given => Ok(given),
    }
}

/// A JSON object as it is, and anything else as the `operator_metadata` of one, where Tasker's clients may send either.
pub(super) fn object(given: serde_json::Value) -> Result<Box<RawValue>, ApiError> {
    let object = if given.is_object() { given } else { serde_json::json!({"operator_metadata": given}) };
    to_raw_value(&object).map_err(|error| ApiError::internal(&error))
}

/// Refuses JSON that handlers could not be given: what is stored must be what `jsonb` can hold.
pub(super) fn holdable(what: &str, value: &RawValue) -> Result<(), ApiError> {
    match unstorable(value) {
        Some(reason) => Err(ApiError::bad_request(format!("`{what}` {reason}"))),
        None => Ok(()),
    }
}

/// Refuses text that can't be stored: no text of the database holds a NUL character.
pub(super) fn storable(what: &str, text: Option<&str>) -> Result<(), ApiError> {
    match text {
        Some(text) if text.contains('\0') => {
            Err(ApiError::bad_request(format!("`{what}` holds a NUL character, which cannot be stored; remove it")))
        }
        _ => Ok(()),
    }
}
