//! `/v1/audit`: what people did, who and why.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{InQuery, bounded, moment};
use super::state::App;
use crate::store::{AuditEntry, AuditFilter};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which actions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Only those before this, such as the `at` of the last one of the page before.
    before: Option<DateTime<Utc>>,
    /// 1 to 1000; 100 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// List what people did by hand, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = Vec<AuditEntry>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<AuditQuery>,
) -> Result<Json<Vec<AuditEntry>>, ApiError> {
    caller.may(Permission::SystemAuditRead)?;
    let filter = AuditFilter {
        namespaces: caller.namespaces.names().map(<[String]>::to_vec),
        before: moment("before", query.before)?,
        limit: bounded("limit", query.limit, 100, 1, 1_000)?,
    };
    Ok(Json(app.store.audit(&filter).await?))
}
