//! From a template to the steps and edges a task is created with.
//!
//! Only the static part is planned here. What depends on a decision or on a batch comes into being, or not, while the
//! task runs; the orchestration plans that when the deciding step has spoken.

use super::{Graph, StepDefinition, StepType, Template};

/// The steps of a task in an order in which they can run: parents before children.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<'t> {
    /// The steps; among those that could come next, the one written first comes first.
    pub steps: Vec<PlannedStep<'t>>,
    /// Whether steps may be added while the task runs: the template has a decision or a batchable step.
    pub grows: bool,
}

/// A step of a [`Plan`].
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep<'t> {
    /// What the template says of it.
    pub definition: &'t StepDefinition,
    /// The positions in [`Plan::steps`] of the steps it waits for, ascending, each below its own.
    pub parents: Vec<usize>,
}

/// Why a template cannot be planned. [`super::parse`] lets none of it through: a stored template was changed behind the
/// host's back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A dependency that is no step.
    #[error(
        "template {template}, step `{step}`: it depends on `{dependency}`, which is no step; register the template again"
    )]
    UnknownDependency {
        /// `namespace/name/version`.
        template: String,
        /// The step.
        step: String,
        /// What it names.
        dependency: String,
    },
    /// Steps that wait for each other.
    #[error("template {template}: the steps wait for each other in a cycle, {}; register the template again", cycle.join(" → "))]
    Cycle {
        /// `namespace/name/version`.
        template: String,
        /// The steps of the cycle, the first again at the end.
        cycle: Vec<String>,
    },
}

/// Plans the steps that every task of the template has, whatever is decided later ([`Graph::dynamic`] has the others).
///
/// # Errors
///
/// A dependency is no step, or steps wait for each other.
pub fn plan(template: &Template) -> Result<Plan<'_>, PlanError> {
    let graph = Graph::of(template)?;
    let dynamic = graph.dynamic();
    let mut planned_at = vec![0; template.steps.len()];
    let mut steps = Vec::new();
    for &number in graph.order().iter().filter(|number| !dynamic[**number]) {
        planned_at[number] = steps.len();
        let mut parents: Vec<usize> = graph.parents(number).iter().map(|parent| planned_at[*parent]).collect();
        parents.sort_unstable();
        steps.push(PlannedStep { definition: graph.step(number), parents });
    }
    let grows = template.steps.iter().any(|step| matches!(step.step_type, StepType::Decision | StepType::Batchable));
    Ok(Plan { steps, grows })
}
