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
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse("the task's context", self.task.context)
    }

    /// What the step called `name`, a dependency of this one, returned.
    pub fn result_of<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let missing = || Error::permanent("missing_dependency", format!("the step does not depend on {name}"));
        parse(name, self.dependency_results.get(name).ok_or_else(missing)?.result)
    }

    /// What the last checkpoint carried, if there has been one.
    pub fn progress<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let checkpoint = self.workflow_step.checkpoint.as_ref();
        checkpoint.map(|checkpoint| parse("the checkpoint", checkpoint.accumulated_results)).transpose()
    }
}

fn parse<T: DeserializeOwned>(what: &str, json: &RawValue) -> Result<T, Error> {
    serde_json::from_str(json.get()).map_err(|error| Error::permanent("unexpected_json", format!("{what}: {error}")))
}

pub fn success(result: &impl Serialize) -> StepOutcome {
    StepOutcome::Success(Success { result: json(result), metadata: "{}".into() })
}

/// Why a handler gave up.
pub struct Error {
    code: &'static str,
    message: String,
    retryable: bool,
}

impl Error {
    /// For what the same input brings again: the step is not tried again.
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false }
    }

    /// For what may not be there next time: the step is tried again if its template allows it.
    pub fn retryable(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: true }
    }
}

impl From<Error> for StepOutcome {
    fn from(error: Error) -> Self {
        Self::Failure(Failure {
            message: error.message,
            error_type: if error.retryable { ErrorType::RetryableError } else { ErrorType::PermanentError },
            error_code: Some(error.code.into()),
            retryable: error.retryable,
            metadata: "{}".into(),
            backtrace: Vec::new(),
        })
    }
}

/// The JSON text of a value whose maps, if any, have strings for keys.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the value has a JSON form")
}
