//! `/v1/handlers`, `/v1/components`: what runs here, and what ran anywhere.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::state::App;
use crate::host::ServedHandler;
use crate::store::ComponentView;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(handlers)).routes(routes!(components))
}

/// List the handlers that this host serves.
#[utoipa::path(get, path = "/v1/handlers", tag = "handlers", responses((status = 200, body = Vec<ServedHandler>)))]
async fn handlers(State(app): State<App>, caller: Caller) -> Result<Json<Vec<ServedHandler>>, ApiError> {
    caller.may(Permission::SystemHandlersRead)?;
    let seen = app.services.handlers.iter().filter(|handler| caller.namespaces.include(&handler.namespace));
    Ok(Json(seen.cloned().collect()))
}

/// List the component that each package last ran as, on any host, and what it asks to reach.
#[utoipa::path(get, path = "/v1/components", tag = "handlers", responses((status = 200, body = Vec<ComponentView>)))]
async fn components(State(app): State<App>, caller: Caller) -> Result<Json<Vec<ComponentView>>, ApiError> {
    caller.may(Permission::SystemHandlersRead)?;
    Ok(Json(app.store.components(caller.namespaces.names()).await?))
}
