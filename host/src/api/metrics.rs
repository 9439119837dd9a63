//! `/metrics`: what Prometheus scrapes, and the same in short for people.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::state::App;
use crate::telemetry::metrics::{Now, merged};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics)).routes(routes!(worker)).routes(routes!(events))
}

/// How busy this host is, as Tasker's worker says it.
#[derive(Debug, Serialize, ToSchema)]
struct WorkerMetrics {
    metrics: BTreeMap<&'static str, MetricValue>,
    timestamp: DateTime<Utc>,
    worker_id: String,
}

/// One number.
#[derive(Debug, Serialize, ToSchema)]
struct MetricValue {
    value: f64,
    metric_type: &'static str,
    labels: BTreeMap<String, String>,
    help: &'static str,
}

/// What became of domain events, as Tasker's worker says it.
#[derive(Debug, Serialize, ToSchema)]
struct EventMetrics {
    router: EventRouterStats,
    in_process_bus: EventBusStats,
    captured_at: DateTime<Utc>,
    worker_id: String,
}

/// Where events went. One that was broadcast counts as durable and as fast.
#[derive(Debug, Serialize, ToSchema)]
struct EventRouterStats {
    total_routed: u64,
    durable_routed: u64,
    fast_routed: u64,
    broadcast_routed: u64,
    fast_delivery_errors: u64,
    /// Events that could not be told, and are kept as dead ones.
    routing_errors: u64,
}

/// Events that were delivered in this process. Subscribers are components; nothing is delivered in another way.
#[derive(Debug, Serialize, ToSchema)]
struct EventBusStats {
    total_events_dispatched: u64,
    rust_handler_dispatches: u64,
    ffi_channel_dispatches: u64,
    /// A subscriber failed.
    rust_handler_errors: u64,
    /// Nobody kept up.
    ffi_channel_drops: u64,
    rust_subscriber_patterns: u64,
    rust_handler_count: u64,
    ffi_subscriber_count: u64,
}

/// Everything that is counted, in the text format of OpenMetrics.
#[utoipa::path(get, path = "/metrics", tag = "metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
async fn metrics(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    caller.may_everywhere(Permission::SystemAnalyticsRead)?;
    let namespaces = app.store.namespace_views().await?;
    let status = app.services.status().await;
    let now = Now { namespaces: &namespaces, in_flight: status.in_flight, connections: app.store.connections() };
    let own = app.services.metrics.text(now).map_err(|error| ApiError::internal(&error))?;
    let text = if status.metrics.is_empty() { own } else { merged(&own, &status.metrics) };
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// How busy this host is.
#[utoipa::path(get, path = "/metrics/worker", tag = "metrics", responses((status = 200, body = WorkerMetrics)))]
async fn worker(State(app): State<App>, caller: Caller) -> Result<Json<WorkerMetrics>, ApiError> {
    caller.may(Permission::SystemAnalyticsRead)?;
    let services = &app.services;
    let status = services.status().await;
    let (connections, idle) = app.store.connections();
    let gauge = |value: f64, help| MetricValue { value, metric_type: "gauge", labels: BTreeMap::new(), help };
    let metrics = BTreeMap::from([
        ("uptime_seconds", gauge(services.started.elapsed().as_secs_f64(), "Since the host was started")),
        ("in_flight_steps", gauge(status.in_flight as f64, "Steps that this host holds")),
        ("slots", gauge(status.slots as f64, "Steps that may run at once")),
        ("free_slots", gauge(status.free_slots as f64, "How many more could begin now")),
        ("database_pool_size", gauge(connections.into(), "Connections of the API to the database")),
        ("database_pool_idle", gauge(idle.into(), "Those that nobody uses")),
    ]);
    let worker_id = services.config.worker.worker_id.clone();
    Ok(Json(WorkerMetrics { metrics, timestamp: Utc::now(), worker_id }))
}

/// What became of domain events on this host.
#[utoipa::path(get, path = "/metrics/events", tag = "metrics", responses((status = 200, body = EventMetrics)))]
async fn events(State(app): State<App>, caller: Caller) -> Result<Json<EventMetrics>, ApiError> {
    caller.may(Permission::SystemAnalyticsRead)?;
    let services = &app.services;
    let status = services.status().await;
    let (stats, durable_routed, routing_errors) = (status.events, status.durable_events, status.dead_events);
    Ok(Json(EventMetrics {
        router: EventRouterStats {
            total_routed: stats.published + durable_routed,
            durable_routed,
            fast_routed: stats.published,
            broadcast_routed: 0,
            fast_delivery_errors: stats.failed,
            routing_errors,
        },
        in_process_bus: EventBusStats {
            total_events_dispatched: stats.published,
            rust_handler_dispatches: stats.delivered,
            ffi_channel_dispatches: 0,
            rust_handler_errors: stats.failed,
            ffi_channel_drops: stats.dropped,
            rust_subscriber_patterns: 0,
            rust_handler_count: 0,
            ffi_subscriber_count: 0,
        },
        captured_at: Utc::now(),
        worker_id: services.config.worker.worker_id.clone(),
    }))
}

/// Counts a request by the pattern that its path fits.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    // A method may be any word, and a label for each would be without end.
    let method = match method.as_str() {
        known @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") => known,
        _ => "OTHER",
    };
    app.services.metrics.request(method, route, response.status().as_u16(), began.elapsed());
    response
}
