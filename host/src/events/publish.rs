//! From a declaration and the end of an attempt to an event, or to a dead event with the reason.

use std::sync::Arc;

use chrono::Utc;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::components::{DEFAULT, EventComponents};
use super::condition::fits;
use super::declarations::{Declarations, Declared};
use super::envelope::{self, DomainEvent, EventMetadata};
use super::outbox::{Announced, Delivery, Outbox, Report};
use super::step_event::{MAX_PART, step_event};
use crate::sandbox::{EventCall, Limits, Prepared, Publication, PublishRequest, Sandbox};
use crate::store::{ClaimedStep, Completion, StepExecutionResult, Verdict};
use crate::template::DeliveryMode;

/// Runs publishers.
pub(super) struct Publishing {
    pub(super) sandbox: Sandbox,
    pub(super) components: Arc<EventComponents>,
}

/// What is put into the database with the completion.
#[derive(Default, Serialize)]
struct Stored {
    durable: Vec<Box<RawValue>>,
    dead: Vec<Box<RawValue>>,
}

/// One ended attempt.
struct Ended<'a> {
    step: &'a ClaimedStep,
    result: StepExecutionResult,
    guest_result: Box<RawValue>,
    /// What the step brought: its result, or its error.
    brought: &'a RawValue,
}

/// What a publisher answered, and how to tell it what became of it.
struct Answer<'a> {
    publication: Publication,
    /// For publishers that want to hear.
    report: Option<(&'a Arc<Prepared>, EventCall, PublishRequest)>,
}

impl Publishing {
    /// The events of an ended attempt. What cannot even be written as JSON is logged, and the step goes on without.
    pub(super) async fn announce(
        &self,
        step: &ClaimedStep,
        declared: &Declarations,
        completion: &Completion,
    ) -> Announced {
        let due: Vec<_> =
            declared.events.iter().filter(|event| fits(event.event.condition, &completion.verdict)).collect();
        if due.is_empty() {
            return Announced::default();
        }
        self.publish(step, declared, &due, completion).await.unwrap_or_else(|error| {
            tracing::error!(%error, events = due.len(), "the step's events can't be written");
            Announced::default()
        })
    }

    async fn publish(
        &self,
        step: &ClaimedStep,
        declared: &Declarations,
        due: &[&Declared],
        completion: &Completion,
    ) -> Result<Announced, serde_json::Error> {
        let result = StepExecutionResult::of(completion);
        let ended = Ended {
            step,
            guest_result: envelope::guest_result(&result)?,
            result,
            brought: match &completion.verdict {
                Verdict::Complete { result } => result,
                Verdict::Retry { error, .. } | Verdict::Error { error } => error,
            },
        };
        let step_event = step_event(step, &declared.step_definition, MAX_PART)?;
        let carried = envelope::Step { event: &step_event, result: Some(&ended.result) };
        let (mut stored, mut outbox) = (Stored::default(), Outbox::default());
        for declared in due {
            let mut event = ended.event(declared);
            let failure = match self.answer(&ended, declared).await {
                Ok(None) => continue,
                Ok(Some(answer)) => {
                    event.payload = answer.publication.payload.clone();
                    event.metadata.custom =
                        (answer.publication.metadata.get() != "{}").then(|| answer.publication.metadata.clone());
                    let failure = check(declared, &event.payload).err();
                    if let Some((publisher, call, request)) = answer.report {
                        outbox.0.push(Delivery::Report(Box::new(Report {
                            publisher: Arc::clone(publisher),
                            call,
                            request,
                            publication: answer.publication,
                            failure: failure.clone(),
                        })));
                    }
                    failure
                }
                Err(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                tracing::warn!(event = event.event_name, publisher = event.metadata.fired_by, failure, "a dead event");
                stored.dead.push(envelope::message(&event, &carried, Some(&failure.replace('\0', "")))?);
                continue;
            }
            let mode = declared.event.delivery_mode;
            if matches!(mode, DeliveryMode::Durable | DeliveryMode::Broadcast) {
                stored.durable.push(envelope::message(&event, &carried, None)?);
            }
            if matches!(mode, DeliveryMode::Fast | DeliveryMode::Broadcast) {
                outbox.0.push(Delivery::Event(Arc::new(event)));
            }
        }
        let stored =
            (!stored.durable.is_empty() || !stored.dead.is_empty()).then(|| to_raw_value(&stored)).transpose()?;
        Ok(Announced { stored, outbox })
    }

    /// What the event says; none if its publisher decides against it. The error says why it can't be told.
    async fn answer(&self, ended: &Ended<'_>, declared: &Declared) -> Result<Option<Answer<'_>>, String> {
        let Some(name) = declared.event.publisher.as_deref() else { return ended.default_answer().map(Some) };
        let namespace = &ended.step.lease.namespace;
        let Some((bound, reports)) = self.components.publisher(namespace, name) else {
            if name == DEFAULT {
                return ended.default_answer().map(Some);
            }
            let known: Vec<_> = self.components.table().publisher_names(namespace).collect();
            let known = if known.is_empty() { "has none".to_owned() } else { format!("has {}", known.join(", ")) };
            return Err(format!(
                "no component of namespace {namespace:?} carries the publisher {name:?}; this host {known}"
            ));
        };
        let context = envelope::publish_context(&declared.shown, &ended.guest_result, ended.step)
            .map_err(|error| format!("its context can't be written: {error}"))?;
        let request = PublishRequest { publisher: name.to_owned(), context };
        let call = call(ended.step, bound.limits.clone());
        let prepared_event = self.sandbox.prepare_event(&bound.prepared, &call, &request).await;
        let publication = prepared_event.map_err(|error| format!("the publisher {name:?} failed: {error}"))?;
        let report = reports.then_some((&bound.prepared, call, request));
        Ok(publication.map(|publication| Answer { publication, report }))
    }
}

fn call(step: &ClaimedStep, limits: Limits) -> EventCall {
    EventCall {
        task_uuid: step.lease.task_uuid,
        step_uuid: step.lease.step_uuid,
        correlation_id: step.correlation_id,
        limits,
    }
}

impl Ended<'_> {
    /// An event that says nothing yet.
    fn event(&self, declared: &Declared) -> DomainEvent {
        let publisher = declared.event.publisher.as_deref().unwrap_or(DEFAULT);
        DomainEvent {
            event_id: Uuid::now_v7(),
            event_name: declared.event.name.clone(),
            payload: RawValue::NULL.to_owned(),
            metadata: EventMetadata::of(self.step, Utc::now(), publisher),
            execution_result: self.guest_result.clone(),
        }
    }

    fn default_answer(&self) -> Result<Answer<'static>, String> {
        let metadata = RawValue::from_string("{}".to_owned()).map_err(|error| error.to_string())?;
        Ok(Answer { publication: Publication { payload: self.brought.to_owned(), metadata }, report: None })
    }
}

/// Whether the payload is what was declared.
fn check(declared: &Declared, payload: &RawValue) -> Result<(), String> {
    match &declared.schema {
        Ok(schema) => schema.check(payload).map_err(|violation| {
            format!("the payload does not fit the schema of {:?}: {violation}", declared.event.name)
        }),
        Err(error) => Err(format!("the schema of {:?} can't be used: {error}", declared.event.name)),
    }
}
