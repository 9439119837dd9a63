//! How a task grows: from what a decision or a batchable step returned to the steps and edges it adds.
//!
//! [`directive`] reads the outcome from the step's result; [`plan_growth`] plans it against the template and the steps the
//! task has by now. Both refuse what cannot be done with a message for the author of the handler ([`InvalidOutcome`]):
//! the deciding step then fails for good, because a task that goes on without its branches would look like a success.
//!
//! What is added: the steps the outcome names (`decision`) or the workers of its batches (`batch`), and then every
//! step that has only waited for those (`closure`), with edges from all the parents that exist. A convergence step does
//! not need all of its parents. So that it does not start before the last of them can be there, it also waits for every
//! decision and batchable step that may still add one.
//!
//! Everything is linear in the steps and edges added: ten thousand workers are one growth.

mod batch;
mod closure;
mod decision;
mod directive;
#[cfg(test)]
mod tests;

pub use directive::{Cursor, Directive, directive};

use closure::Task;

use crate::store::{Growth, GrowthState};
use crate::template::{Graph, Template};

/// What one growth may add, from the settings.
#[derive(Debug, Clone, Copy)]
pub struct GrowthLimits {
    /// Steps that one decision may name.
    pub max_steps_per_decision: usize,
    /// Decisions that may follow each other on one way through a workflow.
    pub max_decision_depth: usize,
    /// Workers of one batch.
    pub max_workers: usize,
}

/// An outcome that cannot be carried out. The step that returned it fails for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidOutcome {
    /// `invalid_decision_outcome` or `invalid_batch_outcome`.
    pub error_type: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

impl InvalidOutcome {
    fn of_decision(message: String) -> Self {
        Self { error_type: "invalid_decision_outcome", message }
    }

    fn of_batch(message: String) -> Self {
        Self { error_type: "invalid_batch_outcome", message }
    }
}

/// Plans what `directive`, returned by the step called `deciding`, adds to a task of `template` (as it is in the
/// environment the host runs in). `None` if it adds nothing.
///
/// # Errors
///
/// The outcome cannot be carried out.
pub fn plan_growth(
    template: &Template,
    deciding: &str,
    directive: &Directive,
    state: &GrowthState,
    limits: &GrowthLimits,
) -> Result<Option<Growth>, InvalidOutcome> {
    let invalid = match directive {
        Directive::NoBranches => return Ok(None),
        Directive::CreateSteps { .. } => InvalidOutcome::of_decision,
        Directive::CreateBatches { .. } | Directive::NoBatches => InvalidOutcome::of_batch,
    };
    let graph = Graph::of(template).map_err(|error| invalid(error.to_string()))?;
    let number =
        graph.number(deciding).ok_or_else(|| invalid(format!("template {template} has no step `{deciding}`")))?;
    let mut task = Task::new(graph, number, state);
    let mut named = vec![false; template.steps.len()];
    let (mut batch, mut brief) = (None, None);
    match directive {
        Directive::NoBranches => {}
        Directive::CreateSteps { step_names } => decision::name(&task, step_names, limits, &mut named)?,
        Directive::CreateBatches { worker_template, cursors, brief: of_result } => {
            let worker = batch::worker_called(&task, worker_template)?;
            batch = Some(batch::add_workers(&mut task, worker, cursors, limits)?);
            brief.clone_from(of_result);
        }
        Directive::NoBatches => {
            let worker = batch::worker_that_stands_in(&task)?;
            batch = Some(batch::add_workers(&mut task, worker, &[], limits)?);
        }
    }
    task.close(&named).map_err(invalid)?;
    let edges = task.edges().map_err(invalid)?;
    Ok((!task.steps.is_empty()).then_some(Growth { version: state.version, steps: task.steps, edges, batch, brief }))
}

/// Names as messages list them.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
