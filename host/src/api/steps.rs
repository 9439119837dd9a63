//! `/v1/tasks/{task}/workflow_steps`: look at steps, and help those that can't help themselves.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::value::to_raw_value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{Body, InPath, holdable, object, storable};
use super::state::App;
use super::tasks::{ANSWER_BYTES, unknown as unknown_task};
use crate::dispatch::Work;
use crate::host::by_hand::{ResultByHand, complete_step};
use crate::host::growth_limits;
use crate::store::{Operator, StepAudit, StepView, Within};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, change)).routes(routes!(audit))
}

/// What to do with a step.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "action_type", rename_all = "snake_case")]
enum StepAction {
    /// Try a failed step again, with all its attempts before it.
    ResetForRetry {
        /// Why.
        #[schema(min_length = 1)]
        reason: String,
        /// Who.
        reset_by: String,
    },
    /// Take an unfinished step for done, without a result.
    ResolveManually {
        /// Why.
        #[schema(min_length = 1)]
        reason: String,
        /// Who.
        resolved_by: String,
    },
    /// Give an unfinished step the result it should have brought.
    CompleteManually {
        /// What it brings.
        completion_data: CompletionData,
        /// Why.
        #[schema(min_length = 1)]
        reason: String,
        /// Who.
        completed_by: String,
    },
}

/// A result given by hand.
#[derive(Debug, Deserialize, ToSchema)]
struct CompletionData {
    /// Any JSON value.
    result: serde_json::Value,
    /// What there is to say of it, a JSON object; anything else is kept as its `operator_metadata`.
    #[serde(default)]
    metadata: Option<serde_json::Value>,
}

/// List the steps of a task, in the order of its template.
#[utoipa::path(get, path = "/v1/tasks/{task_uuid}/workflow_steps", tag = "workflow_steps",
    params(("task_uuid" = Uuid, Path)), responses((status = 200, body = Vec<StepView>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    InPath(task): InPath<Uuid>,
) -> Result<Json<Vec<StepView>>, ApiError> {
    caller.may(Permission::StepsRead)?;
    steps_of(&app, &caller, task, None).await.map(Json)
}

/// Look at a step.
#[utoipa::path(get, path = "/v1/tasks/{task_uuid}/workflow_steps/{step_uuid}", tag = "workflow_steps",
    params(("task_uuid" = Uuid, Path), ("step_uuid" = Uuid, Path)), responses((status = 200, body = StepView)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    InPath((task, step)): InPath<(Uuid, Uuid)>,
) -> Result<Json<StepView>, ApiError> {
    caller.may(Permission::StepsRead)?;
    found(&app, &caller, task, step).await.map(Json)
}

/// Retry, resolve or complete a step by hand.
#[utoipa::path(patch, path = "/v1/tasks/{task_uuid}/workflow_steps/{step_uuid}", tag = "workflow_steps",
    params(("task_uuid" = Uuid, Path), ("step_uuid" = Uuid, Path)), request_body = StepAction, responses((status = 200, body = StepView)))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    InPath((task, step)): InPath<(Uuid, Uuid)>,
    Body(action, _room): Body<StepAction>,
) -> Result<Json<StepView>, ApiError> {
    caller.may(Permission::StepsResolve)?;
    let view = found(&app, &caller, task, step).await?;
    let by = |who: String, reason: String| {
        storable("reason", Some(&reason))?;
        storable("by", Some(&who))?;
        if who.trim().is_empty() {
            return Err(ApiError::bad_request("nobody said who: every action by hand is kept with who did it and why"));
        }
        Ok::<_, ApiError>(Operator { actor: caller.signs(Some(&who)), reason })
    };
    let enqueued = match action {
        StepAction::ResetForRetry { reason, reset_by } => {
            app.store.reset_step_for_retry(task, step, &by(reset_by, reason)?).await?.enqueued
        }
        StepAction::ResolveManually { reason, resolved_by } => {
            app.store.resolve_step_manually(task, step, &by(resolved_by, reason)?).await?.enqueued
        }
        StepAction::CompleteManually { completion_data: CompletionData { result, metadata }, reason, completed_by } => {
            let operator = by(completed_by, reason)?;
            let raw = |error: serde_json::Error| ApiError::internal(&error);
            let result = to_raw_value(&result).map_err(raw)?;
            holdable("completion_data.result", &result)?;
            let metadata = metadata.map(object).transpose()?;
            let given = ResultByHand { result: &result, metadata: metadata.as_deref(), operator: &operator };
            let config = &app.services.config;
            let (environment, growth) = (&config.common.execution.environment, growth_limits(config));
            complete_step(&app.store, &view, &given, environment, &growth).await?.enqueued
        }
    };
    if enqueued > 0 {
        app.services.work_is_there(Work::Anywhere).await;
    }
    found(&app, &caller, task, step).await.map(Json)
}

/// Every change of a step, newest first: the newest thousand.
#[utoipa::path(get, path = "/v1/tasks/{task_uuid}/workflow_steps/{step_uuid}/audit", tag = "workflow_steps",
    params(("task_uuid" = Uuid, Path), ("step_uuid" = Uuid, Path)), responses((status = 200, body = Vec<StepAudit>)))]
async fn audit(
    State(app): State<App>,
    caller: Caller,
    InPath((task, step)): InPath<(Uuid, Uuid)>,
) -> Result<Json<Vec<StepAudit>>, ApiError> {
    caller.may(Permission::StepsRead)?;
    let changes = app.store.step_audit(caller.namespaces.names(), task, step).await?;
    changes.map(Json).ok_or_else(|| unknown(task, step))
}

/// The steps of a task that the caller sees, or one of them.
pub(super) async fn steps_of(
    app: &App,
    caller: &Caller,
    task: Uuid,
    step: Option<Uuid>,
) -> Result<Vec<StepView>, ApiError> {
    match app.store.steps_within(caller.namespaces.names(), task, step, ANSWER_BYTES).await? {
        Within::Found(steps) => Ok(steps),
        Within::Unknown => Err(step.map_or_else(|| unknown_task(task), |step| unknown(task, step))),
        Within::TooLarge { bytes } => Err(ApiError::bad_request(format!(
            "the results have {bytes} bytes, {ANSWER_BYTES} are the most of one answer; look at the steps one by one: \
             `GET /v1/tasks/{task}` lists them"
        ))),
    }
}

async fn found(app: &App, caller: &Caller, task: Uuid, step: Uuid) -> Result<StepView, ApiError> {
    steps_of(app, caller, task, Some(step)).await?.pop().ok_or_else(|| unknown(task, step))
}

fn unknown(task: Uuid, step: Uuid) -> ApiError {
    ApiError::not_found(format!("there is no step {step} in a task {task}"))
}
