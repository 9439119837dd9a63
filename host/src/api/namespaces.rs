//! `/v1/namespaces`: what the tenants' queues hold, and how much of it runs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{Body, InPath, InQuery, MOST, bounded, storable};
use super::state::App;
use crate::dispatch::Work;
use crate::document::shortened;
use crate::store::{NamespaceView, Operator};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(pause)).routes(routes!(resume)).routes(routes!(limit))
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
struct PauseBody {
    /// Kept beside the pause.
    #[schema(min_length = 1)]
    reason: String,
    /// Who; kept with the key or token that was used.
    paused_by: Option<String>,
}

/// Who does it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ByQuery {
    /// Kept with the key or token that was used.
    by: Option<String>,
}

/// How much of a namespace runs at once.
#[derive(Debug, Deserialize, ToSchema)]
struct LimitBody {
    /// Steps, on all hosts together; null for any number, which has to be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, minimum = 1, maximum = 2147483647)]
    max_concurrent: Option<u32>,
}

/// List the namespaces with what waits and what runs.
#[utoipa::path(get, path = "/v1/namespaces", tag = "namespaces", responses((status = 200, body = Vec<NamespaceView>)))]
async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<NamespaceView>>, ApiError> {
    caller.may(Permission::TasksList)?;
    let seen = app.store.namespace_views().await?.into_iter().filter(|view| caller.namespaces.include(&view.name));
    Ok(Json(seen.collect()))
}

/// Claim nothing from a namespace any more; what runs finishes.
#[utoipa::path(post, path = "/v1/namespaces/{namespace}/pause", tag = "namespaces",
    params(("namespace" = String, Path)), request_body = PauseBody, responses((status = 204)))]
async fn pause(
    State(app): State<App>,
    caller: Caller,
    InPath(namespace): InPath<String>,
    Body(body, _room): Body<PauseBody>,
) -> Result<StatusCode, ApiError> {
    manages(&caller, &namespace)?;
    storable("reason", Some(&body.reason))?;
    storable("paused_by", body.paused_by.as_deref())?;
    let by = Operator { actor: caller.signs(body.paused_by.as_deref()), reason: body.reason };
    app.store.pause_namespace(&namespace, &by).await.map_err(|error| unlisted(error.into(), &caller, &namespace))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Claim from a namespace again.
#[utoipa::path(post, path = "/v1/namespaces/{namespace}/resume", tag = "namespaces",
    params(("namespace" = String, Path), ByQuery), responses((status = 204)))]
async fn resume(
    State(app): State<App>,
    caller: Caller,
    InPath(namespace): InPath<String>,
    InQuery(by): InQuery<ByQuery>,
) -> Result<StatusCode, ApiError> {
    manages(&caller, &namespace)?;
    app.store
        .resume_namespace(&namespace, &by.actor(&caller)?)
        .await
        .map_err(|error| unlisted(error.into(), &caller, &namespace))?;
    app.services.work_is_there(Work::of([namespace.as_str()])).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Bound how many steps of a namespace run at once, on all hosts together.
#[utoipa::path(put, path = "/v1/namespaces/{namespace}/limit", tag = "namespaces",
    params(("namespace" = String, Path), ByQuery), request_body = LimitBody, responses((status = 204)))]
async fn limit(
    State(app): State<App>,
    caller: Caller,
    InPath(namespace): InPath<String>,
    InQuery(by): InQuery<ByQuery>,
    Body(body, _room): Body<LimitBody>,
) -> Result<StatusCode, ApiError> {
    manages(&caller, &namespace)?;
    if let Some(steps) = body.max_concurrent {
        bounded("max_concurrent", Some(steps), 1, 1, MOST)?;
    }
    let limited = app.store.limit_namespace(&namespace, body.max_concurrent, &by.actor(&caller)?).await;
    limited.map_err(|error| unlisted(error.into(), &caller, &namespace))?;
    app.services.work_is_there(Work::of([namespace.as_str()])).await;
    Ok(StatusCode::NO_CONTENT)
}

fn manages(caller: &Caller, namespace: &str) -> Result<(), ApiError> {
    caller.may(Permission::NamespacesManage)?;
    if caller.namespaces.include(namespace) { Ok(()) } else { Err(unknown(namespace)) }
}

impl ByQuery {
    fn actor(&self, caller: &Caller) -> Result<String, ApiError> {
        storable("by", self.by.as_deref())?;
        Ok(caller.signs(self.by.as_deref()))
    }
}

/// The store names the namespaces there are, which not every caller may know.
fn unlisted(error: ApiError, caller: &Caller, namespace: &str) -> ApiError {
    if error.is_not_found() && caller.namespaces.names().is_some() { unknown(namespace) } else { error }
}

fn unknown(namespace: &str) -> ApiError {
    ApiError::not_found(format!("there is no namespace {:?}", shortened(namespace, 100)))
}
