//! `/v1/dlq`: tasks that came to a stand, and what came of looking into them.

use axum::Json;
use axum::extract::State;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{Body, InPath, InQuery, MOST, bounded, object, storable};
use super::state::App;
use super::tasks::seen;
use crate::host::thresholds;
use crate::store::{
    DeadLetter, DeadLetterFilter, DeadLetterReason, DeadLetterStats, DeadLetterUpdate, Investigation, Resolution,
    Staleness,
};

/// Entries of one page, unless the request says how many.
const PAGE: u32 = 50;
/// Lines of a queue, unless the request says how many.
const QUEUE: u32 = 100;
/// The most it may say.
const MAX_PAGE: u32 = 1_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(of_task))
        .routes(routes!(show, update))
        .routes(routes!(stats))
        .routes(routes!(investigation_queue))
        .routes(routes!(staleness))
}

/// Which entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DlqQuery {
    /// `pending`, `manually_resolved`, `permanently_failed` or `cancelled`.
    #[param(value_type = Option<Resolution>)]
    resolution_status: Option<String>,
    /// Only those with this reason, such as `worker_unavailable`.
    #[param(value_type = Option<DeadLetterReason>)]
    dlq_reason: Option<String>,
    /// Only tasks of this namespace.
    namespace: Option<String>,
    /// Only those of this task.
    task_uuid: Option<Uuid>,
    /// 1 to 1000; 50 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// How many to pass over.
    #[param(maximum = 2147483647)]
    offset: Option<u32>,
}

/// What came of looking into an entry. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
struct DlqUpdate {
    /// `pending`, `manually_resolved`, `permanently_failed` or `cancelled`.
    #[schema(value_type = Option<Resolution>)]
    resolution_status: Option<String>,
    resolution_notes: Option<String>,
    /// Who; the key or token that is used, unless said.
    resolved_by: Option<String>,
    /// A JSON object; anything else is kept as its `operator_metadata`.
    metadata: Option<serde_json::Value>,
}

/// That it was noted.
#[derive(Debug, Serialize, ToSchema)]
struct DlqUpdated {
    success: bool,
    message: String,
    dlq_entry_uuid: Uuid,
}

/// How many lines there are to be.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LimitQuery {
    /// 1 to 1000; 100 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// An active task, by how near it is to being given up as stale.
#[derive(Debug, Serialize, ToSchema)]
struct StalenessMonitoring {
    task_uuid: Uuid,
    namespace_name: String,
    task_name: String,
    /// What it would rest in.
    current_state: String,
    time_in_state_minutes: i32,
    task_age_minutes: i32,
    staleness_threshold_minutes: i32,
    /// `healthy`, `warning` from four fifths of the threshold on, `stale` from all of it on.
    health_status: &'static str,
    priority: i32,
}

impl From<Staleness> for StalenessMonitoring {
    fn from(task: Staleness) -> Self {
        let (minutes, allowed) = (i64::from(task.time_in_state_minutes), i64::from(task.staleness_threshold_minutes));
        let health_status = match () {
            () if minutes >= allowed => "stale",
            () if 5 * minutes >= 4 * allowed => "warning",
            () => "healthy",
        };
        Self {
            task_uuid: task.task_uuid,
            namespace_name: task.namespace_name,
            task_name: task.task_name,
            current_state: task.current_state,
            time_in_state_minutes: task.time_in_state_minutes,
            task_age_minutes: task.task_age_minutes,
            staleness_threshold_minutes: task.staleness_threshold_minutes,
            health_status,
            priority: task.priority,
        }
    }
}

/// List dead letters, newest first.
#[utoipa::path(get, path = "/v1/dlq", tag = "dlq", params(DlqQuery), responses((status = 200, body = Vec<DeadLetter>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<DlqQuery>,
) -> Result<Json<Vec<DeadLetter>>, ApiError> {
    caller.may(Permission::DlqRead)?;
    let filter = DeadLetterFilter {
        resolution_status: query
            .resolution_status
            .as_deref()
            .map(|given| named("resolution_status", given))
            .transpose()?,
        dlq_reason: query.dlq_reason.as_deref().map(|given| named("dlq_reason", given)).transpose()?,
        namespaces: caller.namespaces.narrowed(query.namespace.as_deref()),
        task_uuid: query.task_uuid,
        limit: bounded("limit", query.limit, PAGE, 1, MAX_PAGE)?,
        offset: bounded("offset", query.offset, 0, 0, MOST)?,
    };
    Ok(Json(app.store.dead_letters(&filter).await?))
}

/// The newest dead letter of a task.
#[utoipa::path(get, path = "/v1/dlq/task/{task_uuid}", tag = "dlq", params(("task_uuid" = Uuid, Path)), responses((status = 200, body = DeadLetter)))]
async fn of_task(
    State(app): State<App>,
    caller: Caller,
    InPath(task): InPath<Uuid>,
) -> Result<Json<DeadLetter>, ApiError> {
    caller.may(Permission::DlqRead)?;
    seen(&app, &caller, task).await?;
    let filter = DeadLetterFilter { task_uuid: Some(task), limit: 1, ..DeadLetterFilter::default() };
    let newest = app.store.dead_letters(&filter).await?.pop();
    newest.map(Json).ok_or_else(|| ApiError::not_found(format!("the task {task} has no dead letter")))
}

/// Look at a dead letter.
#[utoipa::path(get, path = "/v1/dlq/entry/{dlq_entry_uuid}", tag = "dlq", params(("dlq_entry_uuid" = Uuid, Path)),
    responses((status = 200, body = DeadLetter)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    InPath(entry): InPath<Uuid>,
) -> Result<Json<DeadLetter>, ApiError> {
    caller.may(Permission::DlqRead)?;
    found(&app, &caller, entry).await.map(Json)
}

/// Note what came of looking into a dead letter.
#[utoipa::path(patch, path = "/v1/dlq/entry/{dlq_entry_uuid}", tag = "dlq",
    params(("dlq_entry_uuid" = Uuid, Path)), request_body = DlqUpdate, responses((status = 200, body = DlqUpdated)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    InPath(entry): InPath<Uuid>,
    Body(body, _room): Body<DlqUpdate>,
) -> Result<Json<DlqUpdated>, ApiError> {
    caller.may(Permission::DlqUpdate)?;
    found(&app, &caller, entry).await?;
    storable("resolution_notes", body.resolution_notes.as_deref())?;
    storable("resolved_by", body.resolved_by.as_deref())?;
    let metadata = body.metadata.map(object).transpose()?;
    let actor = caller.signs(body.resolved_by.as_deref());
    let update = DeadLetterUpdate {
        resolution_status: body
            .resolution_status
            .as_deref()
            .map(|given| named("resolution_status", given))
            .transpose()?,
        resolution_notes: body.resolution_notes,
        resolved_by: Some(body.resolved_by.unwrap_or_else(|| actor.clone())),
        metadata,
    };
    let entry = app.store.update_dead_letter(entry, &update, &actor).await?;
    let message = format!("the dead letter is {}", entry.resolution_status);
    Ok(Json(DlqUpdated { success: true, message, dlq_entry_uuid: entry.dlq_entry_uuid }))
}

/// Count dead letters by reason.
#[utoipa::path(get, path = "/v1/dlq/stats", tag = "dlq", responses((status = 200, body = Vec<DeadLetterStats>)))]
async fn stats(State(app): State<App>, caller: Caller) -> Result<Json<Vec<DeadLetterStats>>, ApiError> {
    caller.may(Permission::DlqStats)?;
    Ok(Json(app.store.dead_letter_stats(caller.namespaces.names()).await?))
}

/// The dead letters nobody has resolved, those first that should be looked into first.
#[utoipa::path(get, path = "/v1/dlq/investigation-queue", tag = "dlq", params(LimitQuery), responses((status = 200, body = Vec<Investigation>)))]
async fn investigation_queue(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<LimitQuery>,
) -> Result<Json<Vec<Investigation>>, ApiError> {
    caller.may(Permission::DlqRead)?;
    let limit = bounded("limit", query.limit, QUEUE, 1, MAX_PAGE)?;
    Ok(Json(app.store.investigation_queue(caller.namespaces.names(), limit).await?))
}

/// Active tasks, by how near they are to being given up as stale, the nearest first.
#[utoipa::path(get, path = "/v1/dlq/staleness", tag = "dlq", params(LimitQuery),
    responses((status = 200, body = Vec<StalenessMonitoring>)))]
async fn staleness(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<LimitQuery>,
) -> Result<Json<Vec<StalenessMonitoring>>, ApiError> {
    caller.may(Permission::DlqRead)?;
    let limit = bounded("limit", query.limit, QUEUE, 1, MAX_PAGE)?;
    let thresholds = thresholds(&app.services.config);
    let tasks = app.store.staleness(caller.namespaces.names(), thresholds, limit).await?;
    Ok(Json(tasks.into_iter().map(StalenessMonitoring::from).collect()))
}

/// A dead letter that the caller sees.
async fn found(app: &App, caller: &Caller, entry: Uuid) -> Result<DeadLetter, ApiError> {
    let known = app.store.dead_letter(entry).await?.filter(|known| caller.namespaces.include(&known.namespace));
    known.ok_or_else(|| {
        ApiError::not_found(format!("there is no dead letter {entry}; `GET /v1/dlq` lists those there are"))
    })
}

/// A state by either of its names.
fn named<State: DeserializeOwned>(what: &str, given: &str) -> Result<State, ApiError> {
    serde_json::from_value(given.into()).map_err(|error| ApiError::bad_request(format!("`{what}`: {error}")))
}
