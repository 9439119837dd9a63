//! `/v1/tasks`: create, list, look at and cancel tasks.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::access::{Caller, Permission};
use super::error::ApiError;
use super::extract::{Body, InPath, InQuery, bounded, holdable, storable};
use super::state::App;
use crate::document::shortened;
use crate::orchestration::create::{Duplicate, TaskRequest};
use crate::store::{
    CreationReport, NewTask, Operator, StepReadiness, StoreError, TaskFilter, TaskState, TaskView, Within,
};

/// Tasks of one page, unless the request says how many.
const PER_PAGE: u32 = 50;
/// The most it may say.
const MAX_PER_PAGE: u32 = 100;
/// The last page there may be: the database counts through all before it.
const MAX_PAGE: u32 = 100_000;
/// Bytes of what guests wrote in one answer.
pub(super) const ANSWER_BYTES: usize = 16 << 20;
/// Characters of what a request brought that an error repeats.
const SHOWN: usize = 100;
/// Templates or namespaces that an error names.
const NAMED: usize = 10;
/// The header that makes creating a task again harmless.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, cancel))
}

/// A request to run a template once.
#[derive(Debug, Deserialize, ToSchema)]
struct NewTaskBody {
    /// Name of the template, 1 to 255 characters.
    #[schema(min_length = 1, max_length = 255, example = "mathematical_sequence")]
    name: String,
    /// Namespace of the template.
    #[schema(min_length = 1, max_length = 255, example = "linear_workflow")]
    namespace: String,
    /// Version of the template, such as `1.0.0`; the one registered last when it is left out.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 50, example = "1.0.0")]
    version: Option<String>,
    /// Input of the task, a JSON object that fits the template's `input_schema`.
    #[schema(value_type = Object, example = json!({"even_number": 6}))]
    context: Box<RawValue>,
    /// Who asks.
    #[schema(min_length = 1, max_length = 255)]
    initiator: String,
    /// The system they ask through.
    #[schema(min_length = 1, max_length = 255)]
    source_system: String,
    /// Why, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Labels, 100 at most.
    #[serde(default)]
    #[schema(max_items = 100)]
    tags: Vec<String>,
    /// -100 to 100; higher is more urgent.
    #[serde(default)]
    #[schema(minimum = -100, maximum = 100)]
    priority: Option<i32>,
    /// Joins the task to what happens elsewhere; made when it is not given.
    #[serde(default)]
    #[schema(example = "01936f2e-0000-7000-8000-000000000001")]
    correlation_id: Option<Uuid>,
    /// The correlation of what caused the task.
    #[serde(default)]
    #[schema(example = "01936f2e-0000-7000-8000-000000000002")]
    parent_correlation_id: Option<Uuid>,
    /// A request with the key of an earlier one means the earlier one's task.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

impl From<NewTaskBody> for TaskRequest {
    fn from(body: NewTaskBody) -> Self {
        Self {
            name: body.name,
            namespace: body.namespace,
            version: body.version,
            context: body.context,
            initiator: body.initiator,
            source_system: body.source_system,
            reason: body.reason,
            tags: body.tags,
            priority: body.priority.unwrap_or_default(),
            correlation_id: body.correlation_id,
            parent_correlation_id: body.parent_correlation_id,
            idempotency_key: body.idempotency_key,
        }
    }
}

/// A task and how far its steps are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskResponse {
    /// Its `context` is `{}` for who may not see it (`tasks:context_read`).
    #[serde(flatten)]
    task: TaskView,
    /// How far each step is; empty in a list.
    steps: Vec<StepReadiness>,
}

impl TaskResponse {
    /// What `caller` may see of a task.
    fn new(mut task: TaskView, steps: Vec<StepReadiness>, caller: &Caller) -> Self {
        if !caller.permissions.allow(Permission::TasksContextRead) {
            task.context = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        }
        Self { task, steps }
    }

    /// Whether it is what `request` asks for.
    fn is_of(&self, request: &NewTask) -> bool {
        let same = |a: &RawValue, b: &RawValue| {
            let value = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get());
            a.get() == b.get() || matches!((value(a), value(b)), (Ok(a), Ok(b)) if a == b)
        };
        let task = &self.task;
        (&task.namespace, &task.name, &task.version) == (&request.namespace, &request.name, &request.version)
            && same(&task.context, &request.context)
    }
}

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
struct TaskListResponse {
    tasks: Vec<TaskResponse>,
    pagination: Pagination,
}

/// Where a page stands.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Pagination {
    page: u32,
    per_page: u32,
    total_count: u64,
    total_pages: u64,
    has_next: bool,
    has_previous: bool,
}

impl Pagination {
    fn new(page: u32, per_page: u32, total_count: u64) -> Self {
        let total_pages = total_count.div_ceil(u64::from(per_page));
        Self {
            page,
            per_page,
            total_count,
            total_pages,
            has_next: u64::from(page) < total_pages,
            has_previous: page > 1,
        }
    }
}

/// Which tasks to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TaskListQuery {
    /// From 1.
    #[param(minimum = 1, maximum = 100000)]
    page: Option<u32>,
    /// 1 to 100; 50 unless said.
    #[param(minimum = 1, maximum = 100)]
    per_page: Option<u32>,
    /// Only of this namespace.
    namespace: Option<String>,
    /// Only in this state.
    #[param(value_type = Option<TaskState>)]
    status: Option<String>,
    /// Only of this initiator.
    initiator: Option<String>,
    /// Only from this system.
    source_system: Option<String>,
}

/// Create a task.
///
/// A request for a task that is there already is a conflict that names it. With the header `Idempotency-Key`, the same
/// request is answered with the task it created the first time.
#[utoipa::path(post, path = "/v1/tasks", tag = "tasks",
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, description = "1 to 255 characters; over `idempotency_key`")),
    request_body = NewTaskBody, responses((status = 200, body = TaskResponse)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(body, _room): Body<NewTaskBody>,
) -> Result<Json<TaskResponse>, ApiError> {
    caller.may(Permission::TasksCreate)?;
    let replays =
        headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str().map(str::to_owned)).transpose().map_err(|_| {
            ApiError::bad_request("the header `Idempotency-Key` must be 1 to 255 visible ASCII characters")
        })?;
    let may_replay = replays.is_some();
    let mut request = TaskRequest::from(body);
    // What the body says must be right even where the header goes before it.
    request.check()?;
    holdable("context", &request.context)?;
    request.idempotency_key = replays.or(request.idempotency_key);
    request.check()?;
    let by_key = request.idempotency_key.is_some();
    let (task, report) = create_from_current(&app, &caller, request).await?;
    let Some(existing) = report.duplicate() else {
        let view = TaskView::created(&task);
        return Ok(Json(TaskResponse::new(view, StepReadiness::created(&task), &caller)));
    };
    if may_replay {
        let before = found(&app, &caller, existing).await?;
        if before.is_of(&task) {
            return Ok(Json(before));
        }
        return Err(ApiError::conflict(format!(
            "the `Idempotency-Key` was sent before, with another request: it made task {existing}; use a key only for one \
             request"
        )));
    }
    let template = format!("{}/{}/{}", task.namespace, task.name, task.version);
    Err(Duplicate { existing, template, by_key }.into())
}

/// Creates the task from the template that is the current one when it is created.
async fn create_from_current(
    app: &App,
    caller: &Caller,
    request: TaskRequest,
) -> Result<(NewTask, CreationReport), ApiError> {
    let templates = &app.services.templates;
    let mut template = match caller.namespaces.include(&request.namespace) {
        true => templates.get(&request).await?,
        false => None,
    };
    loop {
        let Some(current) = template else { return Err(no_template(app, caller, &request).await?) };
        match app.services.creation.create(current.plan(request.clone())?).await {
            Err(error) if matches!(*error, StoreError::TemplateReplaced { .. }) => {
                template = templates.look(&request).await?;
            }
            created => return Ok(created?),
        }
    }
}

/// List tasks, newest first.
#[utoipa::path(get, path = "/v1/tasks", tag = "tasks", params(TaskListQuery), responses((status = 200, body = TaskListResponse)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<TaskListQuery>,
) -> Result<Json<TaskListResponse>, ApiError> {
    caller.may(Permission::TasksList)?;
    let page = bounded("page", query.page, 1, 1, MAX_PAGE)?;
    let per_page = bounded("per_page", query.per_page, PER_PAGE, 1, MAX_PER_PAGE)?;
    storable("initiator", query.initiator.as_deref())?;
    storable("source_system", query.source_system.as_deref())?;
    let filter = TaskFilter {
        namespaces: caller.namespaces.narrowed(query.namespace.as_deref()),
        status: query.status.as_deref().map(state).transpose()?,
        initiator: query.initiator,
        source_system: query.source_system,
        limit: per_page,
        offset: (page - 1).saturating_mul(per_page),
    };
    let tasks = match app.store.tasks_within(&filter, ANSWER_BYTES).await? {
        Within::Found(tasks) => tasks,
        Within::Unknown => Vec::new(),
        Within::TooLarge { bytes } => {
            return Err(ApiError::bad_request(format!(
                "the contexts of this page have {bytes} bytes, {ANSWER_BYTES} are the most; ask for fewer with `per_page`"
            )));
        }
    };
    let total = app.store.count_tasks(&filter).await?;
    let tasks = tasks.into_iter().map(|task| TaskResponse::new(task, Vec::new(), &caller)).collect();
    Ok(Json(TaskListResponse { tasks, pagination: Pagination::new(page, per_page, total) }))
}

/// Look at a task and how far its steps are.
#[utoipa::path(get, path = "/v1/tasks/{task_uuid}", tag = "tasks", params(("task_uuid" = Uuid, Path)), responses((status = 200, body = TaskResponse)))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    InPath(task): InPath<Uuid>,
) -> Result<Json<TaskResponse>, ApiError> {
    caller.may(Permission::TasksRead)?;
    seen(&app, &caller, task).await?;
    found(&app, &caller, task).await.map(Json)
}

/// Who cancels a task, and why.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CancelQuery {
    /// Who; kept with the key or token that was used.
    cancelled_by: Option<String>,
    /// Why.
    #[param(min_length = 1)]
    reason: Option<String>,
}

/// Cancel a task and its unfinished steps.
#[utoipa::path(delete, path = "/v1/tasks/{task_uuid}", tag = "tasks",
    params(("task_uuid" = Uuid, Path), CancelQuery), responses((status = 200, body = TaskResponse)))]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    InPath(task): InPath<Uuid>,
    InQuery(query): InQuery<CancelQuery>,
) -> Result<Json<TaskResponse>, ApiError> {
    caller.may(Permission::TasksCancel)?;
    storable("cancelled_by", query.cancelled_by.as_deref())?;
    storable("reason", query.reason.as_deref())?;
    seen(&app, &caller, task).await?;
    let reason = query.reason.unwrap_or_else(|| "cancelled over the REST API".to_owned());
    let by = Operator { actor: caller.signs(query.cancelled_by.as_deref()), reason };
    app.store.cancel_task(task, &by).await?;
    found(&app, &caller, task).await.map(Json)
}

/// Says which templates the caller could have meant.
async fn no_template(app: &App, caller: &Caller, request: &TaskRequest) -> Result<ApiError, ApiError> {
    let known = app.store.templates(caller.namespaces.names()).await?;
    let mut there: Vec<_> = known.iter().filter(|known| known.namespace == request.namespace).collect();
    there.sort_by_key(|known| strsim::levenshtein(&known.name, &request.name));
    let names = there.iter().take(NAMED).map(|known| format!("{} {}", known.name, known.version));
    let mut namespaces: Vec<&str> = known.iter().map(|known| known.namespace.as_str()).take(NAMED).collect();
    namespaces.dedup();
    let hint = match (there.is_empty(), namespaces.is_empty()) {
        (false, _) => format!("registered there are: {}", names.collect::<Vec<_>>().join(", ")),
        (true, false) => format!("none is registered there; namespaces are: {}", namespaces.join(", ")),
        (true, true) => "none is registered yet".to_owned(),
    };
    let version = request.version.as_deref().map(|version| format!(" {}", shortened(version, SHOWN)));
    Ok(ApiError::not_found(format!(
        "there is no template {:?}{} in namespace {:?} ({hint}): start a host whose template path holds it",
        shortened(&request.name, SHOWN),
        version.unwrap_or_default(),
        shortened(&request.namespace, SHOWN)
    )))
}

/// Refuses a task that the caller does not see in the words, and after the one lookup, of one that is not there.
pub(super) async fn seen(app: &App, caller: &Caller, task: Uuid) -> Result<(), ApiError> {
    if app.store.has_task_in(caller.namespaces.names(), task).await? { Ok(()) } else { Err(unknown(task)) }
}

/// A task that the caller sees.
async fn found(app: &App, caller: &Caller, task: Uuid) -> Result<TaskResponse, ApiError> {
    let (view, steps) = tokio::try_join!(app.store.task(task), app.store.step_readiness(task))?;
    Ok(TaskResponse::new(view.ok_or_else(|| unknown(task))?, steps, caller))
}

pub(super) fn unknown(task: Uuid) -> ApiError {
    ApiError::not_found(format!("there is no task {task}"))
}

fn state(given: &str) -> Result<TaskState, ApiError> {
    // What Tasker's clients call a task that is complete.
    let given = if given == "completed" { "complete" } else { given };
    given.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "`status` is {:?}, which no task has: give it one such as complete or blocked_by_failures",
            shortened(given, SHOWN)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_it_stands() {
        let at = |page, total| {
            let Pagination { total_pages, has_next, has_previous, .. } = Pagination::new(page, 10, total);
            (total_pages, has_next, has_previous)
        };
        assert_eq!(at(1, 0), (0, false, false));
        assert_eq!(at(1, 10), (1, false, false));
        assert_eq!(at(1, 11), (2, true, false));
        assert_eq!(at(2, 11), (2, false, true));
    }
}
