//! Short ways to look at the steps of a task.

use serde_json::Value;
use tasker_wasm_host::store::StepView;

/// The step called `name`.
///
/// # Panics
///
/// If the task has none.
pub fn step<'a>(steps: &'a [StepView], name: &str) -> &'a StepView {
    let names = || steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>();
    steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("no step {name} among {:?}", names()))
}

/// What a step's handler returned.
///
/// # Panics
///
/// If the step has no result.
pub fn result(step: &StepView) -> Value {
    let results = step.results.as_ref().unwrap_or_else(|| panic!("{} has no result", step.name));
    serde_json::from_str(results.result.get()).expect("a result is JSON")
}

/// Why a step failed.
///
/// # Panics
///
/// If it has not failed.
pub fn error(step: &StepView) -> Value {
    let error = step.results.as_ref().and_then(|results| results.error.as_ref());
    let error = error.unwrap_or_else(|| panic!("{} has not failed", step.name));
    serde_json::from_str(error.get()).expect("an error is JSON")
}
