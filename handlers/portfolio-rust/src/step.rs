//! What a handler reads of the step event, and the ways it can end.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::tasker::handler::types::{ErrorType, Failure, StepOutcome, Success};

/// The parts of the step event that these handlers need. What the parts hold is parsed by whoever asks for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step<'event> {
    #[serde(borrow)]
    task: Task<'event>,
    #[serde(borrow)]
    workflow_step: WorkflowStep<'event>,
    #[serde(borrow)]
    dependency_results: HashMap<String, Dependency<'event>>,
}

#[derive(Deserialize)]
struct Task<'event> {
    #[serde(borrow)]
    context: &'event RawValue,
}

#[derive(Deserialize)]
struct WorkflowStep<'event> {
    #[serde(borrow)]
    checkpoint: Option<Checkpoint<'event>>,
}

#[derive(Deserialize)]
struct Checkpoint<'event> {
    #[serde(borrow)]
    accumulated_results: &'event RawValue,
}

#[derive(Deserialize)]
struct Dependency<'event> {
    #[serde(borrow)]
    result: &'event RawValue,
}

impl<'event> Step<'event> {
    pub fn parse(event: &'event str) -> serde_json::Result<Self> {
        serde_json::from_str(event)
    }

    /// The context of the task.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse("the task's context", self.task.context)
    }

    /// What the step called `name`, a dependency of this one, returned.
    pub fn result_of<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        let missing = || refused("missing_dependency", format!("the step does not depend on {name}"));
        parse(name, self.dependency_results.get(name).ok_or_else(missing)?.result)
    }

    /// What the last checkpoint carried, if there has been one.
    pub fn progress<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        let checkpoint = self.workflow_step.checkpoint.as_ref();
        checkpoint.map(|checkpoint| parse("the checkpoint", checkpoint.accumulated_results)).transpose()
    }
}

fn parse<T: DeserializeOwned>(what: &str, json: &RawValue) -> Result<T, Failure> {
    serde_json::from_str(json.get()).map_err(|error| refused("unexpected_json", format!("{what}: {error}")))
}

pub fn success(result: &impl Serialize) -> StepOutcome {
    StepOutcome::Success(Success { result: json(result), metadata: "{}".into() })
}

/// A failure that the same input brings again: the step is not tried again.
pub fn refused(code: &str, message: String) -> Failure {
    failure(ErrorType::ValidationError, code, message, false)
}

/// A failure that may not be there next time: the step is tried again if its template allows it.
pub fn try_again(code: &str, message: String) -> Failure {
    failure(ErrorType::RetryableError, code, message, true)
}

fn failure(error_type: ErrorType, code: &str, message: String, retryable: bool) -> Failure {
    Failure {
        message,
        error_type,
        error_code: Some(code.into()),
        retryable,
        metadata: "{}".into(),
        backtrace: Vec::new(),
    }
}

/// The JSON text of a value whose maps, if any, have strings for keys.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the value has a JSON form")
}
