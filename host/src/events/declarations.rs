//! What one step of a template declares, made ready once for every attempt of it.

use serde::Serialize;
use serde_json::Value as Json;
use serde_json::value::{RawValue, to_raw_value};

use crate::template::{DeliveryMode, EventCondition, EventDeclaration, Schema, StepDefinition};

/// The events that a step declares, and the step as messages show it.
#[derive(Debug)]
pub struct Declarations {
    pub(super) events: Vec<Declared>,
    /// The step of the template, as the template words it.
    pub(super) step_definition: Box<RawValue>,
}

/// One declared event.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) event: EventDeclaration,
    /// The declaration as publishers see it.
    pub(super) shown: Box<RawValue>,
    /// The schema of the payload, or why it is none. A template with a wrong one is refused when it is registered; one
    /// that was stored by other means is found here.
    pub(super) schema: Result<Schema, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    description: &'a str,
    condition: EventCondition,
    delivery_mode: DeliveryMode,
    schema: &'a Json,
}

impl Declarations {
    /// Prepares what a step declares.
    ///
    /// # Errors
    ///
    /// The step can't be written as JSON.
    pub fn of(step: &StepDefinition) -> Result<Self, serde_json::Error> {
        let declared = step.publishes_events.iter().map(|event| {
            Ok(Declared {
                shown: to_raw_value(&Shown {
                    name: &event.name,
                    description: &event.description,
                    condition: event.condition,
                    delivery_mode: event.delivery_mode,
                    schema: &event.schema,
                })?,
                schema: Schema::compile(&event.schema).map_err(|error| error.to_string()),
                event: event.clone(),
            })
        });
        Ok(Self { events: declared.collect::<Result<_, serde_json::Error>>()?, step_definition: to_raw_value(step)? })
    }

    /// Whether nothing of the step is announced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}
