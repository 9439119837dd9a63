//! A handler creates a task.
//!
//! Steps are tried again, so a handler may well ask for the same task twice. With an idempotency key it is told of the task
//! it has; without one it reads that there is a task with this context, as everybody does.

use super::{Caller, Client, repeated, unanswered};
use crate::orchestration::create::{Duplicate, TaskRequest, plan_task};
use crate::sandbox::{ClientError, TaskSubmission};
use crate::store::TemplateRow;

/// What a task says of where it comes from, unless its handler does.
const SOURCE_SYSTEM: &str = "tasker-wasm-host";
const REASON: &str = "Task requested";
/// Templates that an error names.
const NAMED: usize = 20;

impl Client {
    /// Creates the task and answers it.
    pub(super) async fn submit(
        &self,
        caller: &Caller,
        submission: TaskSubmission,
        bytes: usize,
    ) -> Result<String, ClientError> {
        caller.check_namespace(submission.namespace.as_deref())?;
        let template = self.template(caller, &submission).await?;
        let request = request(caller, submission);
        let by_key = request.idempotency_key.is_some();
        let task = plan_task(&template, request, &self.environment)
            .map_err(|error| ClientError::permanent(error.to_string()))?;
        let created = self.store.create_tasks(std::slice::from_ref(&task)).await.map_err(unanswered)?;
        match created.duplicate() {
            Some(existing) if by_key => self.task(&caller.namespace, existing, bytes).await,
            Some(existing) => {
                let template = format!("{}/{}/{}", task.namespace, task.name, task.version);
                Err(ClientError::permanent(Duplicate { existing, template, by_key }.to_string()))
            }
            None => {
                (self.created)(&task.namespace);
                self.task(&caller.namespace, task.task_uuid, bytes).await
            }
        }
    }

    async fn template(&self, caller: &Caller, submission: &TaskSubmission) -> Result<TemplateRow, ClientError> {
        let (namespace, name, version) = (&caller.namespace, &submission.name, submission.version.as_deref());
        // PostgreSQL takes no NUL, and no template has one.
        let askable = !name.contains('\0') && !version.is_some_and(|version| version.contains('\0'));
        if askable && let Some(found) = self.store.find_template(namespace, name, version).await.map_err(unanswered)? {
            return Ok(found);
        }
        let mut known = self.store.template_names(namespace).await.map_err(unanswered)?;
        known.truncate(NAMED);
        let known = if known.is_empty() { "none is registered".to_owned() } else { known.join(", ") };
        let version = version.map(|version| format!(" {:?}", repeated(version))).unwrap_or_default();
        Err(ClientError::permanent(format!(
            "there is no template {:?}{version} in namespace {namespace:?} (there are: {known}): name one that is registered",
            repeated(name)
        )))
    }
}

fn request(caller: &Caller, submission: TaskSubmission) -> TaskRequest {
    TaskRequest {
        name: submission.name,
        namespace: caller.namespace.clone(),
        version: submission.version,
        context: submission.context,
        initiator: submission.initiator.unwrap_or_else(|| caller.actor()),
        source_system: submission.source_system.unwrap_or_else(|| SOURCE_SYSTEM.to_owned()),
        reason: submission.reason.unwrap_or_else(|| REASON.to_owned()),
        tags: submission.tags,
        priority: submission.priority.unwrap_or_default(),
        correlation_id: submission.correlation_id,
        parent_correlation_id: submission.parent_correlation_id.or(Some(caller.correlation_id)),
        idempotency_key: submission.idempotency_key,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn submission() -> TaskSubmission {
        TaskSubmission {
            name: "bread".into(),
            namespace: None,
            version: None,
            context: RawValue::from_string("{}".into()).unwrap(),
            initiator: None,
            source_system: None,
            reason: None,
            tags: Vec::new(),
            priority: None,
            correlation_id: None,
            parent_correlation_id: None,
            idempotency_key: None,
        }
    }

    #[test]
    fn what_a_handler_leaves_out_says_where_the_task_comes_from() {
        let cause = Uuid::from_u128(7);
        let caller = Caller { namespace: "bakery".into(), callable: "Bake".into(), correlation_id: cause };

        let by_default = request(&caller, submission());
        assert_eq!((by_default.namespace.as_str(), by_default.initiator.as_str()), ("bakery", "handler:Bake"));
        assert_eq!((by_default.parent_correlation_id, by_default.correlation_id), (Some(cause), None));

        let other = Uuid::from_u128(8);
        let said = TaskSubmission {
            parent_correlation_id: Some(other),
            initiator: Some("ada".into()),
            priority: Some(-5),
            ..submission()
        };
        let said = request(&caller, said);
        assert_eq!((said.parent_correlation_id, said.initiator.as_str(), said.priority), (Some(other), "ada", -5));
    }

    #[test]
    fn only_the_own_namespace_may_be_named() {
        let caller = Caller { namespace: "bakery".into(), callable: "Bake".into(), correlation_id: Uuid::nil() };
        assert!(caller.check_namespace(None).is_ok() && caller.check_namespace(Some("bakery")).is_ok());
        assert_eq!(
            caller.check_namespace(Some("smithy")).unwrap_err(),
            ClientError::permanent(
                "a handler of namespace \"bakery\" can't reach tasks of namespace \"smithy\": leave `namespace` out"
            )
        );
    }
}
