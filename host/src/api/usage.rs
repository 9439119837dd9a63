//! `/v1/usage`: what tenants' steps used: fuel, time, memory.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{InQuery, moment};
use super::state::App;
use crate::store::UsageTotals;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Whose usage, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// Only of this namespace.
    namespace: Option<String>,
    /// Of tasks created from then on; a day ago unless said.
    since: Option<DateTime<Utc>>,
    /// Of tasks created before then; now unless said.
    before: Option<DateTime<Utc>>,
}

/// What the attempts of each step of each template used.
#[utoipa::path(get, path = "/v1/usage", tag = "usage", params(UsageQuery),
    responses((status = 200, body = Vec<UsageTotals>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<UsageQuery>,
) -> Result<Json<Vec<UsageTotals>>, ApiError> {
    caller.may(Permission::SystemAnalyticsRead)?;
    let before = moment("before", query.before)?.unwrap_or_else(Utc::now);
    let since = moment("since", query.since)?.unwrap_or_else(|| Utc::now() - Duration::days(1));
    let namespaces = caller.namespaces.narrowed(query.namespace.as_deref());
    Ok(Json(app.store.usage(namespaces.as_deref(), since, before).await?))
}
