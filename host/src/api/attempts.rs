//! `/v1/tasks/{task}/attempts`: every attempt of a task's steps, with its error, its stack and the end of its log.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{InPath, InQuery, MOST, bounded};
use super::state::App;
use super::tasks::seen;
use crate::store::{AttemptDetail, AttemptFilter};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which attempts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AttemptQuery {
    /// Only of this step.
    step_uuid: Option<Uuid>,
    /// 1 to 500; 100 unless said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// How many to pass over.
    #[param(maximum = 2147483647)]
    offset: Option<u32>,
}

/// List the finished attempts of a task, in the order in which they began.
#[utoipa::path(get, path = "/v1/tasks/{task_uuid}/attempts", tag = "attempts",
    params(("task_uuid" = Uuid, Path), AttemptQuery), responses((status = 200, body = Vec<AttemptDetail>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    InPath(task): InPath<Uuid>,
    InQuery(query): InQuery<AttemptQuery>,
) -> Result<Json<Vec<AttemptDetail>>, ApiError> {
    caller.may(Permission::StepsRead)?;
    seen(&app, &caller, task).await?;
    let filter = AttemptFilter {
        step_uuid: query.step_uuid,
        limit: bounded("limit", query.limit, 100, 1, 500)?,
        offset: bounded("offset", query.offset, 0, 0, MOST)?,
    };
    Ok(Json(app.store.attempts(task, &filter).await?))
}
