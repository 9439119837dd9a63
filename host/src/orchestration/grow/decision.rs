//! The steps a decision names.

use super::closure::Task;
use super::{GrowthLimits, InvalidOutcome, list};
use crate::document::{did_you_mean, shortened};
use crate::template::StepType;

/// Characters of a name that the guest made up.
const MAX_NAME: usize = 100;

/// Marks the named steps, if they may be created by the deciding step.
pub(super) fn name(
    task: &Task<'_>,
    step_names: &[String],
    limits: &GrowthLimits,
    named: &mut [bool],
) -> Result<(), InvalidOutcome> {
    let graph = &task.graph;
    let decision = &graph.step(task.deciding).name;
    let invalid = |message: String| Err(InvalidOutcome::of_decision(message));
    if step_names.len() > limits.max_steps_per_decision {
        return invalid(format!(
            "decision step `{decision}` names {} steps, and the setting `max_steps_per_decision` allows {}; name fewer, or \
             make batches",
            step_names.len(),
            limits.max_steps_per_decision
        ));
    }
    let depth = graph.decision_depth(task.deciding);
    if depth > limits.max_decision_depth {
        return invalid(format!(
            "decision step `{decision}` is decision number {depth} on its way, and the setting `max_decision_depth` allows \
             {}; let one decision choose among more steps",
            limits.max_decision_depth
        ));
    }
    let after = graph.descendants(task.deciding);
    let choosable = || {
        let steps = (0..after.len()).filter(|step| after[*step]).map(|step| graph.step(step));
        steps.filter(|step| step.step_type != StepType::BatchWorker).map(|step| step.name.as_str())
    };
    for name in step_names {
        let shown = shortened(name, MAX_NAME);
        let Some(number) = graph.number(name) else {
            return invalid(format!(
                "decision step `{decision}` names `{shown}`, which is no step of the template{}; {}",
                did_you_mean(&shown, choosable()),
                choice(choosable())
            ));
        };
        if !after[number] {
            return invalid(format!(
                "decision step `{decision}` names `{shown}`, which does not depend on it; {}",
                choice(choosable())
            ));
        }
        if graph.step(number).step_type == StepType::BatchWorker {
            return invalid(format!(
                "decision step `{decision}` names `{shown}`, a batch_worker step; name the batchable step that makes its \
                 workers"
            ));
        }
        named[number] = true;
    }
    Ok(())
}

fn choice<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let first: Vec<&str> = names.by_ref().take(SHOWN).collect();
    match (first.len(), names.count()) {
        (0, _) => "no step depends on it".to_owned(),
        (_, 0) => format!("it can choose among {}", list(first)),
        (_, more) => format!("it can choose among {} and {more} more", list(first)),
    }
}
