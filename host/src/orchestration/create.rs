//! From a request for a task to the rows that are stored: the template is planned into steps and edges here, so that
//! the database only inserts.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::store::{NewStep, NewTask, TemplateRow};
use crate::template::{PlanError, Template, plan};

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
}

/// Why a request can't become a task.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The context is not a JSON object.
    #[error("the context of a task must be a JSON object such as {{\"order_id\": 7}}, got {got}: pass an object")]
    ContextNotAnObject {
        /// The JSON type that was found.
        got: &'static str,
    },
    /// The template can't be planned by this version.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The stored template, or a step's initialization in it, is not as this version writes it.
    #[error("the stored template can't be read: {0}; register it again")]
    Json(#[from] serde_json::Error),
}

/// Plans `template` for `request`. Identifiers are version 7 UUIDs, so rows of one task lie together on disk.
pub fn plan_task(template: &TemplateRow, request: TaskRequest) -> Result<NewTask, CreateError> {
    let text = request.context.get();
    if !text.starts_with('{') {
        return Err(CreateError::ContextNotAnObject { got: json_type(text) });
    }
    let definition: Template = serde_json::from_str(template.configuration.get())?;
    let plan = plan(&definition)?;
    let steps = plan
        .steps
        .iter()
        .map(|planned| {
            let step = planned.definition;
            Ok(NewStep {
                step_uuid: Uuid::now_v7(),
                name: step.name.clone(),
                parents: planned.parents.clone(),
                max_attempts: step.retry.max_attempts.try_into().unwrap_or(i32::MAX),
                retryable: step.retry.retryable,
                inputs: serde_json::value::to_raw_value(&step.handler.initialization)?,
            })
        })
        .collect::<Result<_, serde_json::Error>>()?;
    Ok(NewTask {
        task_uuid: Uuid::now_v7(),
        template_uuid: template.template_uuid,
        namespace: definition.namespace_name.clone(),
        name: definition.name.clone(),
        version: definition.version.clone(),
        context: request.context,
        initiator: request.initiator,
        source_system: request.source_system,
        reason: request.reason,
        tags: request.tags,
        priority: request.priority,
        correlation_id: request.correlation_id.unwrap_or_else(Uuid::now_v7),
        steps,
    })
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
    use chrono::Utc;

    use super::*;

    fn row(steps: &serde_json::Value) -> TemplateRow {
        let template = serde_json::json!({"name": "t", "namespace_name": "n", "version": "1.0.0", "steps": steps});
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
        }
    }

    #[test]
    fn a_step_keeps_its_own_settings_wherever_the_template_writes_it() {
        let steps = serde_json::json!([
            {"name": "last", "handler": {"callable": "L"}, "dependencies": ["first"], "retry": {"max_attempts": 9}},
            {"name": "first", "handler": {"callable": "F", "initialization": {"k": 1}}, "retry": {"retryable": false}},
        ]);
        let task = plan_task(&row(&steps), request("{}")).unwrap();
        let [first, last] = &task.steps[..] else { panic!("{task:?}") };
        assert_eq!((first.name.as_str(), first.retryable, first.inputs.get()), ("first", false, r#"{"k":1}"#));
        assert_eq!((last.name.as_str(), last.max_attempts, &last.parents[..]), ("last", 9, &[0][..]));
        assert!(first.step_uuid < last.step_uuid, "keys grow in the order of the plan");
    }

    #[test]
    fn a_context_that_is_no_object_is_named_by_its_type() {
        for (context, got) in [("[1]", "an array"), ("\"a\"", "a string"), ("null", "null"), ("-1", "a number")] {
            let error = plan_task(&row(&serde_json::json!([])), request(context)).unwrap_err().to_string();
            assert!(error.ends_with(&format!("got {got}: pass an object")), "{error}");
        }
    }
}
