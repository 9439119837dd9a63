//! `/config`: the settings that anybody who may look at them may know. Each is named here: what is added to the settings is
//! not shown before somebody has thought about it.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::state::App;
use super::templates::served_namespaces;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(config))
}

/// The settings of this host: Tasker's for orchestration and worker in one.
#[derive(Debug, Serialize, ToSchema)]
struct ConfigResponse {
    metadata: ConfigMetadata,
    worker_id: String,
    worker_type: &'static str,
    auth: AuthConfig,
    circuit_breakers: CircuitBreakerConfig,
    database_pools: DatabasePoolConfig,
    deployment_mode: &'static str,
    messaging: MessagingConfig,
    execution: ExecutionConfig,
}

/// What they are for.
#[derive(Debug, Serialize, ToSchema)]
struct ConfigMetadata {
    timestamp: DateTime<Utc>,
    environment: &'static str,
    version: &'static str,
}

/// How callers say who they are.
#[derive(Debug, Serialize, ToSchema)]
struct AuthConfig {
    enabled: bool,
    /// `jwks`, or `none` where only API keys are.
    verification_method: &'static str,
    jwt_issuer: String,
    jwt_audience: String,
    api_key_header: &'static str,
    /// Keys are in the database, and not counted here.
    api_key_count: usize,
    strict_validation: bool,
    allowed_algorithms: Vec<&'static str>,
}

/// Nothing breaks a circuit here; Tasker's clients expect the keys.
#[derive(Debug, Serialize, ToSchema)]
struct CircuitBreakerConfig {
    enabled: bool,
    failure_threshold: u32,
    timeout_seconds: u32,
    success_threshold: u32,
}

/// Connections of the API.
#[derive(Debug, Serialize, ToSchema)]
struct DatabasePoolConfig {
    web_api_pool_size: u32,
    web_api_max_connections: u32,
}

/// Where work waits.
#[derive(Debug, Serialize, ToSchema)]
struct MessagingConfig {
    backend: &'static str,
    /// The queues of the namespaces that are served here.
    queues: Vec<String>,
}

/// How steps are run.
#[derive(Debug, Serialize, ToSchema)]
struct ExecutionConfig {
    max_concurrent_handlers: u32,
    lease_seconds: u64,
    poll_interval_ms: u64,
    sweep_interval_ms: u64,
}

/// The settings of this host that are no secret.
#[utoipa::path(get, path = "/config", tag = "config", responses((status = 200, body = ConfigResponse)))]
async fn config(State(app): State<App>, caller: Caller) -> Result<Json<ConfigResponse>, ApiError> {
    caller.may_either(Permission::SystemConfigRead, Permission::WorkerConfigRead)?;
    let config = &app.services.config;
    let (web, auth) = (app.web(), &app.web().auth);
    let has_tokens = auth.jwks_url.is_some() || auth.jwks_file.is_some();
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(ConfigResponse {
        metadata: ConfigMetadata {
            timestamp: Utc::now(),
            environment: config.environment.as_str(),
            version: env!("CARGO_PKG_VERSION"),
        },
        worker_id: config.worker.worker_id.clone(),
        worker_type: "wasm",
        auth: AuthConfig {
            enabled: auth.enabled,
            verification_method: if has_tokens { "jwks" } else { "none" },
            jwt_issuer: auth.jwt_issuer.clone().unwrap_or_default(),
            jwt_audience: auth.jwt_audience.clone().unwrap_or_default(),
            api_key_header: "X-API-Key",
            api_key_count: 0,
            strict_validation: true,
            allowed_algorithms: vec!["RS256", "ES256"],
        },
        circuit_breakers: CircuitBreakerConfig {
            enabled: false,
            failure_threshold: 0,
            timeout_seconds: 0,
            success_threshold: 0,
        },
        database_pools: DatabasePoolConfig {
            web_api_pool_size: app.store.connections().0,
            web_api_max_connections: web.max_connections,
        },
        deployment_mode: "Hybrid",
        messaging: MessagingConfig {
            backend: "pgmq",
            queues: served_namespaces(&app, &caller).iter().map(|name| format!("worker_{name}_queue")).collect(),
        },
        execution: ExecutionConfig {
            max_concurrent_handlers: config.worker.mpsc_channels.handler_dispatch.max_concurrent_handlers,
            lease_seconds: config.common.queues.lease.as_secs(),
            poll_interval_ms: millis(config.common.queues.pgmq.poll_interval),
            sweep_interval_ms: millis(config.orchestration.sweep_interval),
        },
    }))
}
