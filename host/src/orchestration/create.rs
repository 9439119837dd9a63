//! From a request for a task to the rows that are stored: the template is planned into steps and edges here, so that
//! the database only inserts.

use chrono::{SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::identity::{KeyMissing, identity};
use super::planned::PlannedSteps;
use crate::store::{NewTask, TemplateChoice, TemplateRow};
use crate::template::{PlanError, Schema, SchemaError, Template};

/// Labels of one task.
const MAX_TAGS: usize = 100;
/// Fields that one message complains about.
const MAX_TOLD: usize = 10;

/// A request to run a template once.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct TaskRequest {
    /// Template name.
    pub name: String,
    /// Namespace of the template.
    pub namespace: String,
    /// Template version; the newest registered one when absent.
    pub version: Option<String>,
    /// Input of the task, a JSON object.
    pub context: Box<RawValue>,
    /// Who asks.
    pub initiator: String,
    /// System the request comes from.
    pub source_system: String,
    /// Why.
    pub reason: String,
    /// Free labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// −100 to 100; higher is more urgent.
    #[serde(default)]
    pub priority: i32,
    /// Identifier that follows the task through every log line; generated when absent.
    pub correlation_id: Option<Uuid>,
    /// The correlation of what caused the task.
    pub parent_correlation_id: Option<Uuid>,
    /// A request with the key of an earlier one means the earlier one's task.
    pub idempotency_key: Option<String>,
}

/// Why a request can't become a task.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A field is too short, too long, or not storable.
    #[error("{0}")]
    Field(String),
    /// The context is not a JSON object.
    #[error("the context of a task must be a JSON object such as {{\"order_id\": 7}}, got {got}: pass an object")]
    ContextNotAnObject {
        /// The JSON type that was found.
        got: &'static str,
    },
    /// The context does not fit the template's `input_schema`.
    #[error(
        "the context does not fit the `input_schema` of template {template}: {violations}; pass a context that does"
    )]
    ContextMisfit {
        /// `namespace/name/version`.
        template: String,
        /// What is wrong, with paths.
        violations: String,
    },
    /// The template identifies its tasks by keys, and the request has none.
    #[error(
        "template {template} has the identity_strategy `caller_provided`, and the request has no `idempotency_key`: pass \
         one that is the same whenever the same task is meant"
    )]
    IdempotencyKeyMissing {
        /// `namespace/name/version`.
        template: String,
    },
    /// The template can't be planned by this version.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The stored `input_schema` is not one that this version checks.
    #[error("the stored `input_schema` can't be used: {0}; correct the template and register it again")]
    Schema(#[from] SchemaError),
    /// The stored template, or a step's initialization in it, is not as this version writes it.
    #[error("the stored template can't be read: {0}; register it again")]
    Json(#[from] serde_json::Error),
}

/// The task that was asked for is there already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "task {existing} was created from template {template} with the same {}: look at that one, or pass an \
     idempotency key of its own to have another",
    if *by_key { "idempotency key" } else { "context" }
)]
pub struct Duplicate {
    /// The task that is there.
    pub existing: Uuid,
    /// `namespace/name/version`.
    pub template: String,
    /// Whether they have an idempotency key in common, or else their context.
    pub by_key: bool,
}

/// A registered template as it is in an environment: tasks are planned from it.
pub struct Plannable {
    template_uuid: Uuid,
    definition: Template,
    steps: PlannedSteps,
}

impl Plannable {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The stored template is not what it must be, or can't be planned.
    pub fn new(template: &TemplateRow, environment: &str) -> Result<Self, CreateError> {
        let definition: Template = serde_json::from_str(template.configuration.get())?;
        let definition = definition.for_environment(environment);
        Ok(Self { template_uuid: template.template_uuid, steps: PlannedSteps::of(&definition)?, definition })
    }

    /// Plans it for `request`, as the one that is current when the task is created. Identifiers are version 7 UUIDs, so
    /// rows of one task lie together on disk.
    ///
    /// # Errors
    ///
    /// The request or its context is not what it must be.
    pub fn plan(&self, request: TaskRequest) -> Result<NewTask, CreateError> {
        request.check()?;
        let Self { template_uuid, definition, steps } = self;
        check_context(definition, &request.context)?;
        let choice = if request.version.is_some() { TemplateChoice::OfVersion } else { TemplateChoice::Newest };
        let identity = identity(definition, &request.context, request.idempotency_key.as_deref())
            .map_err(|KeyMissing| CreateError::IdempotencyKeyMissing { template: definition.to_string() })?;
        let task_uuid = Uuid::now_v7();
        Ok(NewTask {
            task_uuid,
            template_uuid: *template_uuid,
            choice,
            namespace: definition.namespace_name.clone(),
            name: definition.name.clone(),
            version: definition.version.clone(),
            context: request.context,
            initiator: request.initiator,
            source_system: request.source_system,
            reason: request.reason,
            created_at: Utc::now().trunc_subsecs(6),
            tags: request.tags,
            priority: request.priority,
            correlation_id: request.correlation_id.unwrap_or_else(Uuid::now_v7),
            parent_correlation_id: request.parent_correlation_id,
            identity,
            grows: steps.grows(),
            steps: steps.of_task(task_uuid),
        })
    }
}

/// Plans `template`, as it is in `environment`, for `request`, whether or not it is the current one.
///
/// # Errors
///
/// The request, its context or the stored template is not what it must be.
pub fn plan_task(template: &TemplateRow, request: TaskRequest, environment: &str) -> Result<NewTask, CreateError> {
    let task = Plannable::new(template, environment)?.plan(request)?;
    Ok(NewTask { choice: TemplateChoice::Any, ..task })
}

impl TaskRequest {
    /// Refuses fields that are too short, too long, or not storable.
    ///
    /// # Errors
    ///
    /// [`CreateError::Field`], with all of them.
    pub fn check(&self) -> Result<(), CreateError> {
        self.check_fields().map_err(CreateError::Field)
    }

    /// Everything that is wrong with the plain fields, in one line.
    fn check_fields(&self) -> Result<(), String> {
        let mut wrong = Vec::new();
        let mut check = |field: &str, text: &str, max: usize| {
            let length = text.chars().count();
            if !(1..=max).contains(&length) {
                wrong.push(format!("`{field}` has {length} characters; give it 1 to {max}"));
            } else if text.contains('\0') {
                wrong.push(format!("`{field}` holds a NUL character, which cannot be stored; remove it"));
            }
        };
        check("name", &self.name, 255);
        check("namespace", &self.namespace, 255);
        check("initiator", &self.initiator, 255);
        check("source_system", &self.source_system, 255);
        check("reason", &self.reason, 500);
        self.version.iter().for_each(|version| check("version", version, 50));
        self.idempotency_key.iter().for_each(|key| check("idempotency_key", key, 255));
        self.tags.iter().enumerate().for_each(|(index, tag)| check(&format!("tags[{index}]"), tag, 255));
        if self.tags.len() > MAX_TAGS {
            wrong.push(format!("`tags` has {} labels; give it at most {MAX_TAGS}", self.tags.len()));
        }
        if !(-100..=100).contains(&self.priority) {
            wrong.push(format!("`priority` is {}; give it a number from -100 to 100", self.priority));
        }
        let more = wrong.len().saturating_sub(MAX_TOLD);
        wrong.truncate(MAX_TOLD);
        if more > 0 {
            wrong.push(format!("and {more} more"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

fn check_context(template: &Template, context: &RawValue) -> Result<(), CreateError> {
    let text = context.get();
    if !text.starts_with('{') {
        return Err(CreateError::ContextNotAnObject { got: json_type(text) });
    }
    let Some(schema) = &template.input_schema else { return Ok(()) };
    Schema::compile(schema)?
        .check(context)
        .map_err(|violations| CreateError::ContextMisfit { template: template.to_string(), violations })
}

/// Names the type of valid JSON text by its first byte. A [`RawValue`] carries no leading white space.
fn json_type(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(steps: &serde_json::Value) -> TemplateRow {
        row_with(steps, serde_json::json!({}))
    }

    fn row_with(steps: &serde_json::Value, more: serde_json::Value) -> TemplateRow {
        let mut template = serde_json::json!({"name": "t", "namespace_name": "n", "version": "1.0.0", "steps": steps});
        template.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        TemplateRow {
            template_uuid: Uuid::now_v7(),
            namespace: "n".into(),
            name: "t".into(),
            version: "1.0.0".into(),
            description: None,
            configuration: serde_json::value::to_raw_value(&template).unwrap(),
            digest: String::new(),
            registered_at: Utc::now(),
        }
    }

    fn request(context: &str) -> TaskRequest {
        TaskRequest {
            name: "t".into(),
            namespace: "n".into(),
            version: None,
            context: RawValue::from_string(context.into()).unwrap(),
            initiator: "test".into(),
            source_system: "test".into(),
            reason: "test".into(),
            tags: Vec::new(),
            priority: 0,
            correlation_id: None,
            parent_correlation_id: None,
            idempotency_key: None,
        }
    }

    #[test]
    fn a_step_keeps_its_own_settings_wherever_the_template_writes_it() {
        let steps = serde_json::json!([
            {"name": "last", "handler": {"callable": "L"}, "dependencies": ["first"], "retry": {"max_attempts": 9}},
            {"name": "first", "handler": {"callable": "F", "initialization": {"k": 1}}, "retry": {"retryable": false}},
        ]);
        let task = plan_task(&row(&steps), request("{}"), "test").unwrap();
        let [first, last] = &task.steps[..] else { panic!("{task:?}") };
        assert_eq!((first.name.as_str(), first.retryable, first.inputs.get()), ("first", false, r#"{"k":1}"#));
        assert_eq!((last.name.as_str(), last.max_attempts, &last.parents[..]), ("last", 9, &[0][..]));
        assert!(first.step_uuid < last.step_uuid, "keys grow in the order of the plan");
    }

    #[test]
    fn a_context_that_is_no_object_is_named_by_its_type() {
        for (context, got) in [("[1]", "an array"), ("\"a\"", "a string"), ("null", "null"), ("-1", "a number")] {
            let error = plan_task(&row(&serde_json::json!([])), request(context), "test").unwrap_err().to_string();
            assert!(error.ends_with(&format!("got {got}: pass an object")), "{error}");
        }
    }

    #[test]
    fn a_task_is_planned_as_its_template_is_in_the_environment() {
        let steps = serde_json::json!([{"name": "pay", "handler": {"callable": "P", "initialization": {"url": "real", "k": 1}}}]);
        let overrides = serde_json::json!([
            {"name": "pay", "handler": {"initialization": {"url": "fake"}}, "retry": {"max_attempts": 1, "retryable": false}}
        ]);
        let row = row_with(&steps, serde_json::json!({"environments": {"test": {"steps": overrides}}}));
        let planned = |environment| {
            let step = plan_task(&row, request("{}"), environment).unwrap().steps.remove(0);
            (step.inputs.get().to_owned(), step.max_attempts, step.retryable)
        };
        assert_eq!(planned("test"), (r#"{"k":1,"url":"fake"}"#.to_owned(), 1, false));
        assert_eq!(planned("production"), (r#"{"k":1,"url":"real"}"#.to_owned(), 3, true));
    }

    #[test]
    fn only_the_static_steps_are_created_and_the_task_is_known_to_grow() {
        let steps = serde_json::json!([
            {"name": "start", "handler": {"callable": "S"}},
            {"name": "choose", "type": "decision", "handler": {"callable": "C"}, "dependencies": ["start"]},
            {"name": "left", "handler": {"callable": "L"}, "dependencies": ["choose"]},
        ]);
        let task = plan_task(&row(&steps), request("{}"), "test").unwrap();
        let names: Vec<_> = task.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!((names.as_slice(), task.grows), (&["start", "choose"][..], true));
        assert!(!plan_task(&row(&serde_json::json!([])), request("{}"), "test").unwrap().grows);
    }

    #[test]
    fn a_context_that_does_not_fit_the_input_schema_is_refused_with_the_path() {
        let schema = serde_json::json!({"input_schema": {
            "required": ["order_id"], "properties": {"order_id": {"type": "integer"}},
        }});
        let row = row_with(&serde_json::json!([]), schema);
        assert!(plan_task(&row, request(r#"{"order_id":7}"#), "test").is_ok());
        assert_eq!(
            plan_task(&row, request(r#"{"order_id":"7"}"#), "test").unwrap_err().to_string(),
            "the context does not fit the `input_schema` of template n/t/1.0.0: at `/order_id`: the value is not of type \
             \"integer\"; pass a context that does"
        );
    }

    #[test]
    fn a_request_is_identified_as_its_template_says_and_keeps_where_it_came_from() {
        let cause = Uuid::now_v7();
        let request = |key: Option<&str>| TaskRequest {
            idempotency_key: key.map(str::to_owned),
            parent_correlation_id: Some(cause),
            ..request("{}")
        };
        let none = serde_json::json!([]);
        let strict = plan_task(&row(&none), request(None), "test").unwrap();
        assert_eq!(strict.parent_correlation_id, Some(cause));
        assert_eq!(strict.identity, plan_task(&row(&none), request(None), "test").unwrap().identity);
        let by_key = row_with(&none, serde_json::json!({"identity_strategy": "caller_provided"}));
        assert!(plan_task(&by_key, request(Some("k")), "test").unwrap().identity.is_some());
        assert_eq!(
            plan_task(&by_key, request(None), "test").unwrap_err().to_string(),
            "template n/t/1.0.0 has the identity_strategy `caller_provided`, and the request has no `idempotency_key`: pass \
             one that is the same whenever the same task is meant"
        );
    }

    #[test]
    fn every_field_out_of_bounds_is_named_with_its_bounds() {
        let long = |length: usize| "é".repeat(length);
        let fits = TaskRequest {
            initiator: long(255),
            reason: long(500),
            version: Some(long(50)),
            tags: vec![long(255); 100],
            priority: -100,
            ..request("{}")
        };
        assert!(plan_task(&row(&serde_json::json!([])), fits, "test").is_ok());
        let wrong = TaskRequest {
            initiator: long(256),
            source_system: String::new(),
            reason: long(501),
            version: Some(long(51)),
            idempotency_key: Some("a\0b".to_owned()),
            tags: vec!["fine".to_owned(), String::new()],
            priority: 101,
            ..request("{}")
        };
        assert_eq!(
            plan_task(&row(&serde_json::json!([])), wrong, "test").unwrap_err().to_string(),
            "`initiator` has 256 characters; give it 1 to 255; `source_system` has 0 characters; give it 1 to 255; `reason` \
             has 501 characters; give it 1 to 500; `version` has 51 characters; give it 1 to 50; `idempotency_key` holds a \
             NUL character, which cannot be stored; remove it; `tags[1]` has 0 characters; give it 1 to 255; `priority` is \
             101; give it a number from -100 to 100"
        );
        let tags = TaskRequest { tags: vec![String::new(); 101], ..request("{}") };
        let said = plan_task(&row(&serde_json::json!([])), tags, "test").unwrap_err().to_string();
        assert!(said.ends_with("; and 92 more"), "{said}");
    }
}
