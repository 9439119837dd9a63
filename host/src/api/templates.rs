//! `/v1/templates`: what can be run.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{InPath, InQuery};
use super::state::App;
use crate::document::shortened;
use crate::host::ServedHandler;
use crate::store::TemplateRow;
use crate::template::{StepDefinition, Template};

/// Characters of what a request brought that an error repeats.
const SHOWN: usize = 100;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(validate))
}

/// The templates there are.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateListResponse {
    namespaces: Vec<NamespaceSummary>,
    templates: Vec<TemplateSummary>,
    total_count: usize,
    /// The namespaces that this host serves.
    supported_namespaces: Vec<String>,
    template_count: usize,
    /// What kinds of handlers this host runs.
    worker_capabilities: [&'static str; 1],
}

/// A namespace that has templates.
#[derive(Debug, Serialize, ToSchema)]
struct NamespaceSummary {
    name: String,
    /// Namespaces have none; Tasker's clients expect the key.
    description: Option<String>,
    template_count: usize,
}

/// A template in a list.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateSummary {
    name: String,
    namespace: String,
    version: String,
    description: Option<String>,
    step_count: usize,
}

/// A template.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateResponse {
    name: String,
    namespace: String,
    version: String,
    description: Option<String>,
    /// The whole template, as JSON.
    #[schema(value_type = Object)]
    configuration: Box<RawValue>,
    steps: Vec<TemplateStepResponse>,
    /// As it is in the environment of this host.
    template: ResolvedTemplate,
    handler_metadata: HandlerMetadata,
    /// Always false: a template is read when it is asked for.
    cached: bool,
}

/// A template with the overrides of an environment.
#[derive(Debug, Serialize, ToSchema)]
struct ResolvedTemplate {
    #[schema(value_type = Object)]
    template: Template,
    environment: String,
    resolved_at: DateTime<Utc>,
}

/// What a worker says of a template.
#[derive(Debug, Serialize, ToSchema)]
struct HandlerMetadata {
    namespace: String,
    name: String,
    version: String,
    /// The callable of its first step.
    handler_class: String,
    registered_at: DateTime<Utc>,
}

/// Whether this host can run every step of a template.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateValidation {
    valid: bool,
    errors: Vec<String>,
    required_capabilities: [&'static str; 1],
    step_handlers: Vec<String>,
}

/// A step of a template.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateStepResponse {
    name: String,
    description: Option<String>,
    default_retryable: bool,
    default_max_attempts: u32,
    #[schema(value_type = Option<Object>)]
    result_schema: Option<serde_json::Value>,
}

impl From<&StepDefinition> for TemplateStepResponse {
    fn from(step: &StepDefinition) -> Self {
        Self {
            name: step.name.clone(),
            description: step.description.clone(),
            default_retryable: step.retry.retryable,
            default_max_attempts: step.retry.max_attempts,
            result_schema: step.result_schema.clone(),
        }
    }
}

/// Which templates to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TemplateListQuery {
    /// Only of this namespace.
    namespace: Option<String>,
}

/// List the current templates, by namespace and name.
#[utoipa::path(get, path = "/v1/templates", tag = "templates", params(TemplateListQuery), responses((status = 200, body = TemplateListResponse)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<TemplateListQuery>,
) -> Result<Json<TemplateListResponse>, ApiError> {
    caller.may_either(Permission::TemplatesRead, Permission::WorkerTemplatesRead)?;
    let namespaces = caller.namespaces.narrowed(query.namespace.as_deref());
    let rows = app.store.templates(namespaces.as_deref()).await?;
    let templates = rows.into_iter().map(|row| {
        Ok(TemplateSummary {
            step_count: definition(&row)?.steps.len(),
            name: row.name,
            namespace: row.namespace,
            version: row.version,
            description: row.description,
        })
    });
    let templates = templates.collect::<Result<Vec<_>, ApiError>>()?;
    let mut namespaces: Vec<NamespaceSummary> = Vec::new();
    for template in &templates {
        match namespaces.last_mut() {
            Some(last) if last.name == template.namespace => last.template_count += 1,
            _ => namespaces.push(NamespaceSummary {
                name: template.namespace.clone(),
                description: None,
                template_count: 1,
            }),
        }
    }
    let count = templates.len();
    Ok(Json(TemplateListResponse {
        namespaces,
        templates,
        total_count: count,
        supported_namespaces: served_namespaces(&app, &caller),
        template_count: count,
        worker_capabilities: ["wasm"],
    }))
}

/// Look at a template.
#[utoipa::path(get, path = "/v1/templates/{namespace}/{name}/{version}", tag = "templates",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path)), responses((status = 200, body = TemplateResponse)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    InPath((namespace, name, version)): InPath<(String, String, String)>,
) -> Result<Json<TemplateResponse>, ApiError> {
    caller.may_either(Permission::TemplatesRead, Permission::WorkerTemplatesRead)?;
    let row = found(&app, &caller, &namespace, &name, &version).await?;
    let definition = definition(&row)?;
    let environment = app.services.config.common.execution.environment.clone();
    let steps = definition.steps.iter().map(TemplateStepResponse::from).collect();
    let handler_class = definition.steps.first().map(|step| step.handler.callable.clone()).unwrap_or_default();
    let mut template = definition.for_environment(&environment);
    if let Some(metadata) = &mut template.metadata {
        // Free text in a template; Tasker's workers have times here or nothing.
        for time in [&mut metadata.created_at, &mut metadata.updated_at] {
            time.take_if(|time| DateTime::parse_from_rfc3339(time).is_err());
        }
    }
    let TemplateRow { name, namespace, version, description, configuration, registered_at, .. } = row;
    let (n, v, ns) = (name.clone(), version.clone(), namespace.clone());
    let handler_metadata = HandlerMetadata { namespace: ns, name: n, version: v, handler_class, registered_at };
    let template = ResolvedTemplate { template, environment, resolved_at: Utc::now() };
    Ok(Json(TemplateResponse {
        name,
        namespace,
        version,
        description,
        configuration,
        steps,
        template,
        handler_metadata,
        cached: false,
    }))
}

/// Say whether this host serves every handler of a template.
#[utoipa::path(post, path = "/v1/templates/{namespace}/{name}/{version}/validate", tag = "templates",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = TemplateValidation)))]
async fn validate(
    State(app): State<App>,
    caller: Caller,
    InPath((namespace, name, version)): InPath<(String, String, String)>,
) -> Result<Json<TemplateValidation>, ApiError> {
    caller.may(Permission::TemplatesValidate)?;
    let row = found(&app, &caller, &namespace, &name, &version).await?;
    let mut step_handlers: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    for step in definition(&row)?.steps {
        let callable = step.handler.callable;
        let served = |handler: &ServedHandler| handler.namespace == namespace && handler.callable == callable;
        if !app.services.handlers.iter().any(served) {
            errors.push(format!(
                "step `{}` calls {callable:?}, which no component of namespace {namespace} here has; `GET /v1/handlers` \
                 lists those that are served",
                step.name
            ));
        }
        if !step_handlers.contains(&callable) {
            step_handlers.push(callable);
        }
    }
    Ok(Json(TemplateValidation { valid: errors.is_empty(), errors, required_capabilities: ["wasm"], step_handlers }))
}

async fn found(
    app: &App,
    caller: &Caller,
    namespace: &str,
    name: &str,
    version: &str,
) -> Result<TemplateRow, ApiError> {
    let shown = |text| shortened(text, SHOWN);
    let unknown =
        || ApiError::not_found(format!("there is no template {}/{}/{}", shown(namespace), shown(name), shown(version)));
    if !caller.namespaces.include(namespace) || [name, version].iter().any(|text| text.contains('\0')) {
        return Err(unknown());
    }
    app.store.find_template(namespace, name, Some(version)).await?.ok_or_else(unknown)
}

/// The namespaces that this host serves and the caller sees.
pub(super) fn served_namespaces(app: &App, caller: &Caller) -> Vec<String> {
    let mut names: Vec<String> = app.services.handlers.iter().map(|handler| handler.namespace.clone()).collect();
    names.retain(|name| caller.namespaces.include(name));
    names.dedup();
    names
}

pub(super) fn definition(row: &TemplateRow) -> Result<Template, ApiError> {
    serde_json::from_str(row.configuration.get()).map_err(|error| ApiError::internal(&error))
}
