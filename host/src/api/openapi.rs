//! Every operation in one router, and the document that describes them.

use axum::extract::Request;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse};
use axum::{Json, Router};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::error::{ApiError, ErrorBody};
use super::state::App;
use super::{
    analytics, attempts, audit, changes, components, configuration, dead_letters, health, metrics, namespaces, steps,
    summary, tasks, templates, usage,
};
use crate::store::Change;

/// What any operation may be answered with when it does not succeed.
const REFUSALS: [(&str, &str); 11] = [
    ("400", "The request is not what it must be"),
    ("401", "Nobody says who asks, or not in a way that can be believed"),
    ("403", "Who asks may not do that"),
    ("404", "It is not there, or not for who asks"),
    ("405", "The path does not take this method"),
    ("408", "It took too long"),
    ("409", "It is there already"),
    ("413", "The body is too large"),
    ("422", "The body lacks a field, or has one of another type"),
    ("500", "A mistake of the host, or of its database"),
    ("503", "Too much is going on, or the database does not answer: `Retry-After` says when to come again"),
];

#[derive(OpenApi)]
#[openapi(
    info(title = "tasker-wasm-host", description = "Tasker's REST API v1, and this host's own"),
    components(schemas(Change, ErrorBody))
)]
struct Document;

/// The router, with the document at `/api-docs/openapi.json`, and for people at `/api-docs/ui`.
pub(super) fn router() -> Router<App> {
    let (router, document) = router_and_document();
    router
        .route("/api-docs/openapi.json", axum::routing::get(async move || Json(document)))
        .route("/api-docs/ui", axum::routing::get(page))
        .fallback(unknown)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
}

fn router_and_document() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(tasks::router())
        .merge(summary::router())
        .merge(steps::router())
        .merge(attempts::router())
        .merge(templates::router())
        .merge(dead_letters::router())
        .merge(analytics::router())
        .merge(usage::router())
        .merge(namespaces::router())
        .merge(components::router())
        .merge(changes::router())
        .merge(audit::router())
        .merge(configuration::router())
        .merge(metrics::router())
        .merge(health::router())
        .split_for_parts();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build()),
    );
    let none: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new("api_key", none), SecurityRequirement::new("token", none)]);
    document.paths.paths.values_mut().flat_map(operations).for_each(complete);
    (router, document)
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = path;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// What is the same for all: a name that no other operation has, words for each answer, and what a refusal looks like.
fn complete(operation: &mut Operation) {
    if let (Some(tag), Some(id)) = (operation.tags.iter().flatten().next(), &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{id}"));
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "It is done".to_owned();
        }
    }
    for (status, description) in REFUSALS {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| {
            let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorBody::name()))).build();
            ResponseBuilder::new().description(description).content("application/json", body).build().into()
        });
    }
}

/// The document for people. It loads nothing from elsewhere, and the browser is told to keep it so.
async fn page() -> impl IntoResponse {
    const ITS_OWN: &str =
        "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";
    ([(CONTENT_SECURITY_POLICY, ITS_OWN)], Html(include_str!("document.html")))
}

async fn unknown(request: Request) -> impl IntoResponse {
    ApiError::not_found(format!(
        "there is no {}; /api-docs/openapi.json lists what there is",
        request.uri().path().chars().take(200).collect::<String>()
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own_and_every_answer_has_words() {
        let (_, mut document) = router_and_document();
        let mut names = HashSet::new();
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            let name = operation.operation_id.clone().unwrap_or_default();
            assert!(names.insert(name.clone()), "{name} is there twice");
            for (status, response) in &operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                assert!(!response.description.is_empty(), "{name} {status}");
            }
        }
        assert!(names.len() > 35, "{names:?}");
    }
}
