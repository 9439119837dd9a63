//! `/health`: whether the host is there, whether it can work, and how it is. Nobody is asked who they are: a load balancer
//! has no key. So nothing here names a tenant, and nothing here costs more the more often it is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::App;
use crate::store::StoreError;

/// How long what was seen of the queues is good enough. A look reads them all.
const FRESH: Duration = Duration::from_secs(10);
/// For the database to answer: who asks whether a host is ready does not wait long.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(live)).routes(routes!(ready)).routes(routes!(detailed))
}

/// That the host is there.
#[derive(Debug, Serialize, ToSchema)]
struct HealthResponse {
    /// `healthy`.
    status: &'static str,
    timestamp: DateTime<Utc>,
    worker_id: String,
}

/// How the parts of the host are: what Tasker's orchestration and worker say, in one.
#[derive(Debug, Serialize, ToSchema)]
struct DetailedHealthResponse {
    /// `healthy`, or `unhealthy` when one of the checks is.
    status: &'static str,
    timestamp: DateTime<Utc>,
    worker_id: String,
    /// By the names that Tasker's have.
    checks: BTreeMap<&'static str, HealthCheck>,
    info: HealthInfo,
    system_info: SystemInfo,
}

/// How one part is.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct HealthCheck {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    message: String,
    duration_ms: u64,
    last_checked: DateTime<Utc>,
}

/// What is known of the host, as Tasker's orchestration says it.
#[derive(Debug, Serialize, ToSchema)]
struct HealthInfo {
    version: &'static str,
    environment: &'static str,
    /// `running`, or `draining` once it has been told to stop.
    operational_state: &'static str,
    web_database_pool_size: u32,
    orchestration_database_pool_size: u32,
    /// Nothing breaks a circuit here; Tasker's clients expect the key.
    circuit_breaker_state: &'static str,
}

/// The same as Tasker's worker says it.
#[derive(Debug, Serialize, ToSchema)]
struct SystemInfo {
    version: &'static str,
    environment: &'static str,
    uptime_seconds: u64,
    worker_type: &'static str,
    database_pool_size: u32,
    command_processor_active: bool,
    /// Empty: whose work runs here is not for everybody. `GET /v1/templates` tells who may know.
    supported_namespaces: [String; 0],
}

/// How much waits in all queues together, as it was seen last.
#[derive(Default)]
pub(super) struct Depth(Mutex<Option<(Instant, i64)>>);

impl Depth {
    /// Looks again when the last look is old. Those who ask meanwhile wait for the one who looks.
    async fn steps(&self, app: &App) -> Result<i64, StoreError> {
        let mut seen = self.0.lock().await;
        if let Some((at, steps)) = *seen
            && at.elapsed() < FRESH
        {
            return Ok(steps);
        }
        let steps = app.store.namespace_views().await?.iter().map(|namespace| namespace.queued).sum();
        *seen = Some((Instant::now(), steps));
        Ok(steps)
    }
}

/// The host is there.
#[utoipa::path(get, path = "/health", tag = "health", security(()), responses((status = 200, body = HealthResponse)))]
async fn health(State(app): State<App>) -> Json<HealthResponse> {
    Json(HealthResponse { status: HEALTHY, timestamp: Utc::now(), worker_id: app.worker_id() })
}

/// The host is there, with what it is.
#[utoipa::path(get, path = "/health/live", tag = "health", security(()), responses((status = 200, body = DetailedHealthResponse)))]
async fn live(State(app): State<App>) -> Json<DetailedHealthResponse> {
    Json(DetailedHealthResponse::of(&app, BTreeMap::new()))
}

/// The host can work: it is not draining, and its database answers.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()), responses(
    (status = 200, body = DetailedHealthResponse), (status = 503, body = DetailedHealthResponse)))]
async fn ready(State(app): State<App>) -> (StatusCode, Json<DetailedHealthResponse>) {
    let checks = checks(&app).await;
    answer(&app, checks)
}

/// How all of the host is.
#[utoipa::path(get, path = "/health/detailed", tag = "health", security(()), responses(
    (status = 200, body = DetailedHealthResponse), (status = 503, body = DetailedHealthResponse)))]
async fn detailed(State(app): State<App>) -> (StatusCode, Json<DetailedHealthResponse>) {
    let mut checks = checks(&app).await;
    let began = Instant::now();
    let depth = app.depth.steps(&app).await;
    let depth = match depth {
        Ok(steps) => check(true, &format!("{steps} steps wait in the queues"), began),
        Err(_) => check(false, "the queues can't be read", began),
    };
    let (connections, idle) = app.store.connections();
    let pool =
        check(true, &format!("{} of {connections} connections are used", connections - idle.min(connections)), began);
    let status = app.services.status().await;
    let (slots, events) = (status.slots, status.events);
    let slots = check(true, &format!("{} of {slots} slots run a step", slots - status.free_slots), began);
    let events = check(true, &format!("{} events delivered, {} dropped", events.delivered, events.dropped), began);
    let none = check(true, "nothing breaks a circuit here", began);
    checks.extend([
        ("queue_depth", depth),
        ("pool_utilization", pool),
        ("channel_saturation", slots.clone()),
        ("step_processing", slots),
        ("event_system", events),
        ("circuit_breakers", none),
    ]);
    answer(&app, checks)
}

const HEALTHY: &str = "healthy";
const UNHEALTHY: &str = "unhealthy";

fn answer(app: &App, checks: BTreeMap<&'static str, HealthCheck>) -> (StatusCode, Json<DetailedHealthResponse>) {
    let response = DetailedHealthResponse::of(app, checks);
    let status = if response.status == HEALTHY { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(response))
}

fn check(well: bool, message: &str, began: Instant) -> HealthCheck {
    HealthCheck {
        status: if well { HEALTHY } else { UNHEALTHY },
        message: message.to_owned(),
        duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        last_checked: Utc::now(),
    }
}

/// What the host needs to work.
async fn checks(app: &App) -> BTreeMap<&'static str, HealthCheck> {
    let began = Instant::now();
    let database = match tokio::time::timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => check(true, "the database answers", began),
        // Which database, and why it does not answer, is for the log.
        Ok(Err(_)) | Err(_) => check(false, "the database does not answer", began),
    };
    let began = Instant::now();
    let dispatch = match app.services.is_draining() {
        false => check(true, "claiming steps", began),
        true => check(false, "draining: no new steps", began),
    };
    BTreeMap::from([
        ("web_database", database.clone()),
        ("orchestration_database", database.clone()),
        ("database", database.clone()),
        ("queue_processing", database),
        ("circuit_breaker", check(true, "nothing breaks a circuit here", began)),
        ("orchestration_system", dispatch.clone()),
        ("command_processor", dispatch),
    ])
}

impl App {
    fn worker_id(&self) -> String {
        self.services.config.worker.worker_id.clone()
    }
}

impl DetailedHealthResponse {
    fn of(app: &App, checks: BTreeMap<&'static str, HealthCheck>) -> Self {
        let well = checks.values().all(|check| check.status == HEALTHY);
        let (services, draining) = (&app.services, app.services.is_draining());
        let (version, environment) = (env!("CARGO_PKG_VERSION"), services.config.environment.as_str());
        let connections = services.config.common.database.pool.max_connections;
        Self {
            status: if well { HEALTHY } else { UNHEALTHY },
            timestamp: Utc::now(),
            worker_id: app.worker_id(),
            checks,
            info: HealthInfo {
                version,
                environment,
                operational_state: if draining { "draining" } else { "running" },
                web_database_pool_size: app.store.connections().0,
                orchestration_database_pool_size: connections,
                circuit_breaker_state: "closed",
            },
            system_info: SystemInfo {
                version,
                environment,
                uptime_seconds: services.started.elapsed().as_secs(),
                worker_type: "wasm",
                database_pool_size: connections,
                command_processor_active: !draining,
                supported_namespaces: [],
            },
        }
    }
}
