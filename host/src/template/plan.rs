//! From a template to the steps and edges of a task.

use std::collections::HashMap;

use super::{StepDefinition, StepType, Template, graph::topological_order};

/// The steps of a task in an order in which they can run: parents before children.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<'t> {
    /// The steps; among those that could come next, the one written first comes first.
    pub steps: Vec<PlannedStep<'t>>,
}

/// A step of a [`Plan`].
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep<'t> {
    /// What the template says of it.
    pub definition: &'t StepDefinition,
    /// The positions in [`Plan::steps`] of the steps it waits for, ascending, each below its own.
    pub parents: Vec<usize>,
}

/// Why a template cannot be planned. [`super::parse`] lets only the first through; the others mean that a stored
/// template was changed behind the host's back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A step that needs more than this version can do.
    #[error(
        "template {template}, step `{step}`: step type `{}` is not supported by this version; it plans `standard` steps",
        step_type.as_str()
    )]
    UnsupportedStepType {
        /// `namespace/name/version`.
        template: String,
        /// The step.
        step: String,
        /// What it is.
        step_type: StepType,
    },
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

/// Plans a template of standard steps.
pub fn plan(template: &Template) -> Result<Plan<'_>, PlanError> {
    if let Some(step) = template.steps.iter().find(|step| step.step_type != StepType::Standard) {
        return Err(PlanError::UnsupportedStepType {
            template: template.to_string(),
            step: step.name.clone(),
            step_type: step.step_type,
        });
    }
    let written: HashMap<&str, usize> =
        template.steps.iter().enumerate().map(|(index, step)| (step.name.as_str(), index)).collect();
    let mut parents = Vec::with_capacity(template.steps.len());
    for step in &template.steps {
        let of_step = step.dependencies.iter().map(|dependency| {
            written.get(dependency.as_str()).copied().ok_or_else(|| PlanError::UnknownDependency {
                template: template.to_string(),
                step: step.name.clone(),
                dependency: dependency.clone(),
            })
        });
        parents.push(of_step.collect::<Result<Vec<_>, _>>()?);
    }
    let name = |index: usize| template.steps[index].name.clone();
    let order = topological_order(&parents).map_err(|cycle| PlanError::Cycle {
        template: template.to_string(),
        cycle: cycle.iter().chain(cycle.first()).map(|index| name(*index)).collect(),
    })?;
    let mut planned_at = vec![0; order.len()];
    for (position, index) in order.iter().enumerate() {
        planned_at[*index] = position;
    }
    let step = |index: &usize| {
        let mut parents: Vec<usize> = parents[*index].iter().map(|parent| planned_at[*parent]).collect();
        parents.sort_unstable();
        PlannedStep { definition: &template.steps[*index], parents }
    };
    Ok(Plan { steps: order.iter().map(step).collect() })
}
