//! `/v1/tasks/{task}/summary`: everything that shows a task on one page, in one answer.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::InPath;
use super::state::App;
use super::steps::steps_of;
use super::tasks::unknown;
use super::templates::definition;
use crate::store::{
    DeadLetterFilter, ExecutionStatus, HealthStatus, RecommendedAction, Resolution, StepState, StepView, TaskState,
    TaskView,
};
use crate::template::{StepType, Template};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(summary))
}

/// A task, its template, its steps and its dead letter.
#[derive(Debug, Serialize, ToSchema)]
struct TaskSummaryResponse {
    task: TaskSummary,
    template: TemplateOfTask,
    steps: Vec<StepSummary>,
    dlq: DlqSummary,
    links: Links,
}

/// A task without its context.
#[derive(Debug, Serialize, ToSchema)]
struct TaskSummary {
    task_uuid: Uuid,
    name: String,
    namespace: String,
    version: String,
    status: TaskState,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    initiator: String,
    source_system: String,
    reason: String,
    correlation_id: Uuid,
    total_steps: i64,
    pending_steps: i64,
    in_progress_steps: i64,
    completed_steps: i64,
    failed_steps: i64,
    completion_percentage: f64,
    health_status: HealthStatus,
    execution_status: ExecutionStatus,
    recommended_action: RecommendedAction,
}

/// The template that the task was planned from.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateOfTask {
    steps: Vec<TemplateStep>,
}

/// A step of the template.
#[derive(Debug, Serialize, ToSchema)]
struct TemplateStep {
    name: String,
    #[schema(value_type = String)]
    step_type: StepType,
    handler: String,
    dependencies: Vec<String>,
    retryable: bool,
    max_attempts: u32,
}

/// A step of the task.
#[derive(Debug, Serialize, ToSchema)]
struct StepSummary {
    step_uuid: Uuid,
    name: String,
    current_state: StepState,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    last_attempted_at: Option<DateTime<Utc>>,
    attempts: i32,
    max_attempts: i32,
    dependencies_satisfied: bool,
    retry_eligible: bool,
    error: Option<StepError>,
}

/// Why a step failed, in short.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct StepError {
    error_type: Option<String>,
    #[serde(default)]
    retryable: bool,
    status_code: Option<u16>,
}

/// Whether somebody should look into the task.
#[derive(Debug, Serialize, ToSchema)]
struct DlqSummary {
    in_dlq: bool,
    dlq_reason: Option<&'static str>,
    resolution_status: Option<&'static str>,
}

/// Where there is more.
#[derive(Debug, Serialize, ToSchema)]
struct Links {
    task: String,
    steps: String,
    dlq: String,
}

/// Look at a task, its template, its steps and its dead letter at once.
#[utoipa::path(get, path = "/v1/tasks/{task_uuid}/summary", tag = "tasks", params(("task_uuid" = Uuid, Path)),
    responses((status = 200, body = TaskSummaryResponse)))]
async fn summary(
    State(app): State<App>,
    caller: Caller,
    InPath(task): InPath<Uuid>,
) -> Result<Json<TaskSummaryResponse>, ApiError> {
    caller.may(Permission::TasksRead)?;
    let steps = steps_of(&app, &caller, task, None).await?;
    let view = app.store.task(task).await?.ok_or_else(|| unknown(task))?;
    let template = match app.store.template(view.template_uuid).await? {
        Some(row) => definition(&row)?.for_environment(&app.services.config.common.execution.environment).into(),
        None => TemplateOfTask { steps: Vec::new() },
    };
    let newest = DeadLetterFilter { task_uuid: Some(task), limit: 1, ..DeadLetterFilter::default() };
    let letter = app.store.dead_letters(&newest).await?.pop();
    let path = format!("/v1/tasks/{task}");
    Ok(Json(TaskSummaryResponse {
        task: view.into(),
        template,
        steps: steps.iter().map(StepSummary::from).collect(),
        dlq: DlqSummary {
            in_dlq: letter.as_ref().is_some_and(|letter| letter.resolution_status == Resolution::Pending),
            dlq_reason: letter.as_ref().map(|letter| letter.dlq_reason.as_str()),
            resolution_status: letter.as_ref().map(|letter| letter.resolution_status.as_str()),
        },
        links: Links { steps: format!("{path}/workflow_steps"), task: path, dlq: format!("/v1/dlq/task/{task}") },
    }))
}

impl From<TaskView> for TaskSummary {
    fn from(task: TaskView) -> Self {
        Self {
            task_uuid: task.task_uuid,
            name: task.name,
            namespace: task.namespace,
            version: task.version,
            status: task.status,
            created_at: task.created_at,
            updated_at: task.updated_at,
            completed_at: task.completed_at,
            initiator: task.initiator,
            source_system: task.source_system,
            reason: task.reason,
            correlation_id: task.correlation_id,
            total_steps: task.total_steps,
            pending_steps: task.pending_steps,
            in_progress_steps: task.in_progress_steps,
            completed_steps: task.completed_steps,
            failed_steps: task.failed_steps,
            completion_percentage: task.completion_percentage,
            health_status: task.health_status,
            execution_status: task.execution_status,
            recommended_action: task.recommended_action,
        }
    }
}

impl From<Template> for TemplateOfTask {
    fn from(template: Template) -> Self {
        let steps = template.steps.into_iter().map(|step| TemplateStep {
            name: step.name,
            step_type: step.step_type,
            handler: step.handler.callable,
            dependencies: step.dependencies,
            retryable: step.retry.retryable,
            max_attempts: step.retry.max_attempts,
        });
        Self { steps: steps.collect() }
    }
}

impl From<&StepView> for StepSummary {
    fn from(step: &StepView) -> Self {
        let error = step.results.as_ref().and_then(|results| results.error.as_ref());
        Self {
            step_uuid: step.step_uuid,
            name: step.name.clone(),
            current_state: step.current_state,
            created_at: step.created_at,
            completed_at: step.completed_at,
            last_attempted_at: step.last_attempted_at,
            attempts: step.attempts,
            max_attempts: step.max_attempts,
            dependencies_satisfied: step.dependencies_satisfied,
            retry_eligible: step.retry_eligible,
            error: error.and_then(|error| serde_json::from_str(error.get()).ok()),
        }
    }
}
