//! `/v1/analytics`: how workflows perform, and where their time goes.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{InQuery, MOST, bounded};
use super::state::App;
use crate::store::{Counted, SlowStep, SlowTask, StateCounts};

/// Hours that are looked at, unless the request says how many.
const HOURS: u32 = 24;
/// The most it may say: a year.
const MAX_HOURS: u32 = 8_784;
/// A part of failed attempts from which something should be done about them.
const MANY_ERRORS: f64 = 0.2;
/// Seconds from which an attempt is slow.
const SLOW: f64 = 30.0;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(performance)).routes(routes!(bottlenecks))
}

/// The period that is looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PerformanceQuery {
    /// Of tasks created in these last hours; 24 unless said, 0 for all.
    #[param(maximum = 8784)]
    hours: Option<u32>,
}

/// How the tasks of a period went.
#[derive(Debug, Serialize, ToSchema)]
struct PerformanceMetrics {
    total_tasks: i64,
    active_tasks: i64,
    completed_tasks: i64,
    failed_tasks: i64,
    /// Part of the tasks that are complete: 0 to 1.
    completion_rate: f64,
    /// Part of the tasks that failed: 0 to 1.
    error_rate: f64,
    average_task_duration_seconds: f64,
    average_step_duration_seconds: f64,
    tasks_per_hour: i64,
    steps_per_hour: i64,
    /// Part of the tasks that failures do not hold: 0 to 1.
    system_health_score: f64,
    analysis_period_start: DateTime<Utc>,
    calculated_at: DateTime<Utc>,
}

/// What counts as a bottleneck.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BottleneckQuery {
    /// Lines of each kind; 10 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Only what was executed this often; 5 unless said.
    #[param(minimum = 1, maximum = 2147483647)]
    min_executions: Option<u32>,
    /// Of tasks created in these last hours; 24 unless said, 0 for all.
    #[param(maximum = 8784)]
    hours: Option<u32>,
}

/// Where the time goes.
#[derive(Debug, Serialize, ToSchema)]
struct BottleneckAnalysis {
    slow_steps: Vec<SlowStep>,
    slow_tasks: Vec<SlowTask>,
    resource_utilization: ResourceUtilization,
    recommendations: Vec<String>,
}

/// How much of what there is is used.
#[derive(Debug, Serialize, ToSchema)]
struct ResourceUtilization {
    /// Part of the API's connections that are used: 0 to 1.
    database_pool_utilization: f64,
    system_health: SystemHealthCounts,
}

/// Tasks and steps by state.
#[derive(Debug, Serialize, ToSchema)]
struct SystemHealthCounts {
    total_tasks: i64,
    pending_tasks: i64,
    initializing_tasks: i64,
    enqueuing_steps_tasks: i64,
    steps_in_process_tasks: i64,
    evaluating_results_tasks: i64,
    waiting_for_dependencies_tasks: i64,
    waiting_for_retry_tasks: i64,
    blocked_by_failures_tasks: i64,
    complete_tasks: i64,
    error_tasks: i64,
    cancelled_tasks: i64,
    resolved_manually_tasks: i64,
    total_steps: i64,
    pending_steps: i64,
    enqueued_steps: i64,
    in_progress_steps: i64,
    enqueued_for_orchestration_steps: i64,
    enqueued_as_error_for_orchestration_steps: i64,
    waiting_for_retry_steps: i64,
    complete_steps: i64,
    error_steps: i64,
    cancelled_steps: i64,
    resolved_manually_steps: i64,
}

impl From<StateCounts> for SystemHealthCounts {
    fn from(StateCounts { tasks, steps }: StateCounts) -> Self {
        let task = |state: &str| tasks.get(state).copied().unwrap_or_default();
        let step = |state: &str| steps.get(state).copied().unwrap_or_default();
        Self {
            total_tasks: tasks.values().sum(),
            pending_tasks: task("pending"),
            initializing_tasks: task("initializing"),
            enqueuing_steps_tasks: task("enqueuing_steps"),
            steps_in_process_tasks: task("steps_in_process"),
            evaluating_results_tasks: task("evaluating_results"),
            waiting_for_dependencies_tasks: task("waiting_for_dependencies"),
            waiting_for_retry_tasks: task("waiting_for_retry"),
            blocked_by_failures_tasks: task("blocked_by_failures"),
            complete_tasks: task("complete"),
            error_tasks: task("error"),
            cancelled_tasks: task("cancelled"),
            resolved_manually_tasks: task("resolved_manually"),
            total_steps: steps.values().sum(),
            pending_steps: step("pending"),
            enqueued_steps: step("enqueued"),
            in_progress_steps: step("in_progress"),
            enqueued_for_orchestration_steps: step("enqueued_for_orchestration"),
            enqueued_as_error_for_orchestration_steps: step("enqueued_as_error_for_orchestration"),
            waiting_for_retry_steps: step("waiting_for_retry"),
            complete_steps: step("complete"),
            error_steps: step("error"),
            cancelled_steps: step("cancelled"),
            resolved_manually_steps: step("resolved_manually"),
        }
    }
}

/// How the tasks of the last hours went.
#[utoipa::path(get, path = "/v1/analytics/performance", tag = "analytics", params(PerformanceQuery),
    responses((status = 200, body = PerformanceMetrics)))]
async fn performance(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<PerformanceQuery>,
) -> Result<Json<PerformanceMetrics>, ApiError> {
    caller.may(Permission::SystemAnalyticsRead)?;
    let (now, since) = period(query.hours)?;
    let counted = app.store.performance(caller.namespaces.names(), since).await?;
    let part = |some: i64| if counted.total == 0 { 0.0 } else { some as f64 / counted.total as f64 };
    // Of all time, the rate over a year at most.
    let hours = (now - since).num_minutes().clamp(1, i64::from(MAX_HOURS) * 60) as f64 / 60.0;
    let per_hour = |count: i64| (count as f64 / hours).round() as i64;
    Ok(Json(PerformanceMetrics {
        total_tasks: counted.total,
        active_tasks: counted.active,
        completed_tasks: counted.completed,
        failed_tasks: counted.failed,
        completion_rate: part(counted.completed),
        error_rate: part(counted.failed),
        average_task_duration_seconds: counted.task_seconds,
        average_step_duration_seconds: counted.attempt_seconds,
        tasks_per_hour: per_hour(counted.total),
        steps_per_hour: per_hour(counted.attempts),
        system_health_score: 1.0 - part(counted.failed),
        analysis_period_start: since,
        calculated_at: now,
    }))
}

/// The slowest steps and templates.
#[utoipa::path(get, path = "/v1/analytics/bottlenecks", tag = "analytics", params(BottleneckQuery),
    responses((status = 200, body = BottleneckAnalysis)))]
async fn bottlenecks(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<BottleneckQuery>,
) -> Result<Json<BottleneckAnalysis>, ApiError> {
    caller.may(Permission::SystemAnalyticsRead)?;
    let namespaces = caller.namespaces.names();
    let counted = Counted {
        namespaces,
        since: period(query.hours)?.1,
        limit: bounded("limit", query.limit, 10, 1, 100)?,
        min_executions: bounded("min_executions", query.min_executions, 5, 1, MOST)?,
    };
    let slow_steps = app.store.slow_steps(counted).await?;
    let slow_tasks = app.store.slow_tasks(counted).await?;
    let system_health = app.store.state_counts(namespaces).await?.into();
    let (connections, idle) = app.store.connections();
    let database_pool_utilization = f64::from(connections.saturating_sub(idle)) / f64::from(connections.max(1));
    let recommendations = recommendations(&slow_steps);
    let resource_utilization = ResourceUtilization { database_pool_utilization, system_health };
    Ok(Json(BottleneckAnalysis { slow_steps, slow_tasks, resource_utilization, recommendations }))
}

fn recommendations(slow_steps: &[SlowStep]) -> Vec<String> {
    let named = |step: &SlowStep| {
        format!("{}/{}/{} step {}", step.namespace_name, step.task_name, step.version, step.step_name)
    };
    let failing = slow_steps.iter().filter(|step| step.error_rate > MANY_ERRORS).map(|step| {
        format!("{}: {:.0} % of its attempts fail; `task logs` shows why", named(step), step.error_rate * 100.0)
    });
    let slow = slow_steps.iter().filter(|step| step.average_duration_seconds > SLOW).map(|step| {
        format!(
            "{}: an attempt takes {:.0} s on average; make it a batch, or let it checkpoint",
            named(step),
            step.average_duration_seconds
        )
    });
    failing.chain(slow).collect()
}

/// Now, and when the period began.
fn period(hours: Option<u32>) -> Result<(DateTime<Utc>, DateTime<Utc>), ApiError> {
    let now = Utc::now();
    Ok(match bounded("hours", hours, HOURS, 0, MAX_HOURS)? {
        0 => (now, DateTime::UNIX_EPOCH),
        hours => (now, now - Duration::hours(hours.into())),
    })
}
