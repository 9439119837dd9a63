//! Every answer that is no success: `{"error": {"code", "message"}}`, as Tasker's clients read it.
//!
//! What the caller did wrong is told in full. What failed in here is told in one sentence that names nothing of the
//! database or the machine; the log has the rest, under the request's id.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::host::by_hand::ByHandError;
use crate::host::current_templates::LookupError;
use crate::orchestration::create::{CreateError, Duplicate};
use crate::store::{OperateError, StoreError};

/// Seconds after which a caller that was turned away for want of room should come again.
const COME_AGAIN: u32 = 1;

/// What a request ends with when it does not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<u32>,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// A word for programs, such as `NOT_FOUND`.
    code: &'static str,
    /// A sentence for people: what is wrong, and what to do.
    message: String,
    /// After how many seconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// 400: the request is not what it must be.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    /// 400: what should be a UUID is none.
    pub(super) fn invalid_uuid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_UUID", message)
    }

    /// 400: the body is not JSON.
    pub(super) fn not_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "JSON_ERROR", message)
    }

    /// 401: nobody says who asks, or not in a way that can be believed.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
    }

    /// 403: who asks may not do that.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }

    /// 404: it is not there, or not for who asks.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// Whether it is a 404.
    pub(super) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// 405: the path is right and the method is not.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            "the path does not take this method; /api-docs/openapi.json lists those it takes",
        )
    }

    /// 408: it took too long.
    pub(super) fn timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "TIMEOUT",
            "the request took too long; try again, or ask for less at once",
        )
    }

    /// 409: it is there already.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CONFLICT", message)
    }

    /// 413: the body is too large.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PAYLOAD_TOO_LARGE",
            format!("the body has more than {limit} bytes; send less, or raise `orchestration.web.max_body_bytes`"),
        )
    }

    /// 422: the body is JSON, but lacks a field or has one of another type.
    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", message)
    }

    /// 503: too much is going on.
    pub(super) fn backpressure() -> Self {
        Self {
            retry_after: Some(COME_AGAIN),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "BACKPRESSURE", "too many requests are under way; try again")
        }
    }

    /// 503: the database does not answer.
    fn unavailable() -> Self {
        Self {
            retry_after: Some(COME_AGAIN),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "SERVICE_UNAVAILABLE",
                "the database does not answer; try again",
            )
        }
    }

    /// 500: a mistake of this program.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "the request failed; the log of the host says why",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, code, message, retry_after } = self;
        let body = ErrorBody { error: ErrorDetail { code, message, retry_after_seconds: retry_after } };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<StoreError>> for ApiError {
    fn from(error: Arc<StoreError>) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "a request can't be answered now");
            return Self::unavailable();
        }
        tracing::error!(%error, "a request failed in the database");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "DATABASE_ERROR",
            "the database refused the request; the log of the host says why",
        )
    }
}

impl From<LookupError> for ApiError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Store(error) => error.into(),
            LookupError::Template(error) => error.into(),
        }
    }
}

impl From<OperateError> for ApiError {
    fn from(error: OperateError) -> Self {
        match error {
            OperateError::Store(error) => error.into(),
            OperateError::UnknownTask { .. }
            | OperateError::UnknownStep { .. }
            | OperateError::UnknownNamespace { .. }
            | OperateError::UnknownDeadLetter { .. } => Self::not_found(error.to_string()),
            refused => Self::bad_request(refused.to_string()),
        }
    }
}

impl From<ByHandError> for ApiError {
    fn from(error: ByHandError) -> Self {
        match error {
            ByHandError::Operate(error) => error.into(),
            refused @ ByHandError::Outcome(_) => Self::bad_request(refused.to_string()),
            ByHandError::Template(error) => Self::internal(&error),
        }
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Json(error) => Self::internal(&error),
            refused => Self::bad_request(refused.to_string()),
        }
    }
}

impl From<Duplicate> for ApiError {
    fn from(duplicate: Duplicate) -> Self {
        Self::conflict(duplicate.to_string())
    }
}
