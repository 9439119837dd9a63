//! Who waits for whom: the one order in which steps can run, and who comes before and after a step.

use std::collections::{BTreeSet, HashMap};

use super::{PlanError, StepDefinition, StepType, Template};

/// The steps of a template by number (their place in [`Template::steps`]) and the edges between them.
#[derive(Debug, Clone)]
pub struct Graph<'t> {
    steps: &'t [StepDefinition],
    numbers: HashMap<&'t str, usize>,
    parents: Vec<Vec<usize>>,
    order: Vec<usize>,
}

impl<'t> Graph<'t> {
    /// Reads the graph of a template.
    ///
    /// # Errors
    ///
    /// A dependency is no step, or steps wait for each other.
    pub fn of(template: &'t Template) -> Result<Self, PlanError> {
        let steps = &template.steps[..];
        let numbers: HashMap<&str, usize> =
            steps.iter().enumerate().map(|(number, step)| (step.name.as_str(), number)).collect();
        let mut parents = Vec::with_capacity(steps.len());
        for step in steps {
            let number = |dependency: &String| {
                numbers.get(dependency.as_str()).copied().ok_or_else(|| PlanError::UnknownDependency {
                    template: template.to_string(),
                    step: step.name.clone(),
                    dependency: dependency.clone(),
                })
            };
            let mut of_step = step.dependencies.iter().map(number).collect::<Result<Vec<_>, _>>()?;
            of_step.sort_unstable();
            of_step.dedup();
            parents.push(of_step);
        }
        let order = topological_order(&parents).map_err(|cycle| PlanError::Cycle {
            template: template.to_string(),
            cycle: cycle.iter().chain(cycle.first()).map(|number| steps[*number].name.clone()).collect(),
        })?;
        Ok(Self { steps, numbers, parents, order })
    }

    /// What the template says of a step.
    pub fn step(&self, number: usize) -> &'t StepDefinition {
        &self.steps[number]
    }

    /// The number of the step called `name`.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The steps that `number` depends on directly, ascending, each once.
    pub fn parents(&self, number: usize) -> &[usize] {
        &self.parents[number]
    }

    /// Every step after its parents; among those that could come next, the one written first.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// For each step, whether a task is created without it: batch workers, and what depends, directly or not, on a
    /// decision or on a batch worker. Whether it comes into being is decided while the task runs.
    pub fn dynamic(&self) -> Vec<bool> {
        let mut dynamic = vec![false; self.steps.len()];
        for &number in &self.order {
            let decided = |parent: &usize| dynamic[*parent] || self.steps[*parent].step_type == StepType::Decision;
            dynamic[number] =
                self.steps[number].step_type == StepType::BatchWorker || self.parents[number].iter().any(decided);
        }
        dynamic
    }

    /// For each step, whether it comes after `number`, directly or not. `number` itself does not.
    pub fn descendants(&self, number: usize) -> Vec<bool> {
        let mut after = vec![false; self.steps.len()];
        for &step in &self.order {
            after[step] = self.parents[step].iter().any(|parent| *parent == number || after[*parent]);
        }
        after
    }

    /// For each step, whether it comes before one of `numbers`, directly or not.
    pub fn ancestors(&self, numbers: &[usize]) -> Vec<bool> {
        let mut before = vec![false; self.steps.len()];
        let mut to_visit = numbers.to_vec();
        while let Some(step) = to_visit.pop() {
            for &parent in &self.parents[step] {
                if !std::mem::replace(&mut before[parent], true) {
                    to_visit.push(parent);
                }
            }
        }
        before
    }

    /// The most decisions on one way to `number`, itself included.
    pub fn decision_depth(&self, number: usize) -> usize {
        let is_decision = |step: usize| self.steps[step].step_type == StepType::Decision;
        decision_depths(&self.parents, &self.order, is_decision)[number]
    }
}

/// For each node, the most decisions on one way to it, itself included.
pub(super) fn decision_depths(
    parents: &[Vec<usize>],
    order: &[usize],
    is_decision: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let mut depths = vec![0; parents.len()];
    for &node in order {
        let above = parents[node].iter().map(|parent| depths[*parent]).max().unwrap_or(0);
        depths[node] = above + usize::from(is_decision(node));
    }
    depths
}

/// Orders nodes so that each comes after its parents; among those that could come next, the one written first.
///
/// `parents[i]` lists the parents of node `i`. A graph with a cycle has no order: the error is one cycle, each node
/// followed by the parent it waits for, the last one waiting for the first.
pub(super) fn topological_order(parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut children = vec![Vec::new(); parents.len()];
    for (node, parents) in parents.iter().enumerate() {
        for parent in parents {
            children[*parent].push(node);
        }
    }
    let mut ready: BTreeSet<usize> = (0..parents.len()).filter(|node| waiting[*node] == 0).collect();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(node) = ready.pop_first() {
        order.push(node);
        for child in &children[node] {
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                ready.insert(*child);
            }
        }
    }
    match (0..parents.len()).find(|node| waiting[*node] > 0) {
        None => Ok(order),
        Some(stuck) => Err(cycle_from(stuck, parents, &waiting)),
    }
}

/// A node that waits has a parent that waits, so following those must come back to where it has been.
fn cycle_from(start: usize, parents: &[Vec<usize>], waiting: &[usize]) -> Vec<usize> {
    let mut walked = vec![start];
    loop {
        let here = walked[walked.len() - 1];
        let Some(next) = parents[here].iter().copied().find(|parent| waiting[*parent] > 0) else {
            return walked;
        };
        if let Some(seen) = walked.iter().position(|node| *node == next) {
            return walked.split_off(seen);
        }
        walked.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_written_order_where_dependencies_leave_a_choice() {
        assert_eq!(topological_order(&[vec![3], vec![], vec![], vec![1]]), Ok(vec![1, 2, 3, 0]));
    }

    fn graph_of(steps: serde_json::Value) -> Template {
        let json = serde_json::json!({"name": "t", "namespace_name": "n", "version": "1.0.0", "steps": steps});
        serde_json::from_value(json).unwrap()
    }

    fn names<'t>(graph: &Graph<'t>, chosen: &[bool]) -> Vec<&'t str> {
        (0..chosen.len()).filter(|number| chosen[*number]).map(|number| graph.step(number).name.as_str()).collect()
    }

    #[test]
    fn knows_what_comes_before_and_after_a_step_and_what_waits_for_a_decision() {
        let step = |name: &str, kind: &str, dependencies: &[&str]| serde_json::json!({"name": name, "type": kind, "handler": {"callable": "H"}, "dependencies": dependencies});
        let template = graph_of(serde_json::json!([
            step("join", "deferred_convergence", &["left", "aside"]),
            step("start", "standard", &[]),
            step("choose", "decision", &["start"]),
            step("left", "standard", &["choose"]),
            step("again", "decision", &["left"]),
            step("aside", "standard", &["start"]),
            step("calm", "deferred_convergence", &["start", "aside"]),
            step("cut", "batchable", &["aside"]),
            step("work", "batch_worker", &["cut"]),
        ]));
        let graph = Graph::of(&template).unwrap();
        let number = |name| graph.number(name).unwrap();
        assert_eq!(names(&graph, &graph.descendants(number("choose"))), ["join", "left", "again"]);
        assert_eq!(
            names(&graph, &graph.ancestors(&[number("left"), number("work")])),
            ["start", "choose", "aside", "cut"]
        );
        assert_eq!(
            names(&graph, &graph.dynamic()),
            ["join", "left", "again", "work"],
            "`calm` waits for nobody's choice"
        );
        assert_eq!((graph.decision_depth(number("again")), graph.decision_depth(number("aside"))), (2, 0));
    }

    #[test]
    fn answers_with_the_cycle_and_not_with_what_hangs_on_it() {
        assert_eq!(topological_order(&[vec![1], vec![2], vec![3], vec![1], vec![]]), Err(vec![1, 2, 3]));
    }
}
