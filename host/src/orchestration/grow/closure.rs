//! The rest of a growth: the steps that have only waited for the new ones, and the edges of all.

use std::collections::HashSet;

use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::store::{GrownStep, GrowthState};
use crate::template::{Graph, StepType};

/// Edges that one growth may add. Only a template that hangs many steps on a large batch comes near.
const MAX_EDGES: usize = 1_000_000;

/// A task as it is, and as it becomes. Steps of the template go by number.
pub(super) struct Task<'a> {
    pub(super) graph: Graph<'a>,
    /// The step that decides.
    pub(super) deciding: usize,
    /// What is added.
    pub(super) steps: Vec<GrownStep>,
    /// For each step of the template, those that were made from it: none, one, or a batch of workers.
    instances: Vec<Vec<Instance>>,
    /// For each step of the template, whether this growth makes it.
    created: Vec<bool>,
    existing_names: HashSet<&'a str>,
}

#[derive(Clone, Copy)]
struct Instance {
    step_uuid: Uuid,
    finished: bool,
}

impl<'a> Task<'a> {
    pub(super) fn new(graph: Graph<'a>, deciding: usize, state: &'a GrowthState) -> Self {
        let mut instances = vec![Vec::new(); graph.order().len()];
        for step in &state.steps {
            if let Some(number) = graph.number(&step.template_step) {
                instances[number].push(Instance { step_uuid: step.step_uuid, finished: step.finished });
            }
        }
        let created = vec![false; instances.len()];
        let existing_names = state.steps.iter().map(|step| step.name.as_str()).collect();
        Self { graph, deciding, steps: Vec::new(), instances, created, existing_names }
    }

    /// Adds a step that is made from step `number` of the template.
    pub(super) fn add(&mut self, number: usize, step: GrownStep) {
        self.instances[number].push(Instance { step_uuid: step.step_uuid, finished: false });
        self.created[number] = true;
        self.steps.push(step);
    }

    /// Whether a step of this name exists or may come to exist.
    pub(super) fn has_step_called(&self, name: &str) -> bool {
        self.existing_names.contains(name) || self.graph.number(name).is_some()
    }

    /// The first dependency of a step that does not exist by now.
    pub(super) fn first_missing_parent(&self, number: usize) -> Option<&'a str> {
        self.missing_parents(number).next().map(|parent| self.graph.step(parent).name.as_str())
    }

    fn missing_parents(&self, number: usize) -> impl Iterator<Item = usize> {
        self.graph.parents(number).iter().copied().filter(|parent| self.instances[*parent].is_empty())
    }

    /// Adds the named steps, and every step that comes with what is added. One pass is a fixpoint, for parents come
    /// first and whether a step is added depends on its parents alone.
    pub(super) fn close(&mut self, named: &[bool]) -> Result<(), String> {
        for number in self.graph.order().to_vec() {
            if !self.instances[number].is_empty() || !self.comes_into_being(number, named[number])? {
                continue;
            }
            let step = self.graph.step(number);
            let inputs = to_raw_value(&step.handler.initialization).map_err(|error| error.to_string())?;
            let grown = GrownStep {
                step_uuid: Uuid::now_v7(),
                name: step.name.clone(),
                template_step: None,
                retryable: step.retry.retryable,
                max_attempts: step.retry.max_attempts.try_into().unwrap_or(i32::MAX),
                inputs,
                batch_place: None,
            };
            self.add(number, grown);
        }
        Ok(())
    }

    fn comes_into_being(&self, number: usize, named: bool) -> Result<bool, String> {
        let parents = self.graph.parents(number);
        let follows = parents.iter().any(|parent| self.created[*parent]);
        match self.graph.step(number).step_type {
            StepType::BatchWorker => Ok(false),
            StepType::DeferredConvergence => Ok(named || follows),
            _ if named => match self.first_missing_parent(number) {
                None => Ok(true),
                Some(missing) => Err(format!(
                    "decision step `{decision}` names `{step}`, which depends on `{missing}`, and `{missing}` does not \
                     exist in this task; name `{missing}` too, or make `{step}` a deferred_convergence step",
                    decision = self.graph.step(self.deciding).name,
                    step = self.graph.step(number).name
                )),
            },
            // Whoever depends on a decision directly is one of its choices.
            _ => Ok(follows
                && self.first_missing_parent(number).is_none()
                && !parents.iter().any(|parent| self.graph.step(*parent).step_type == StepType::Decision)),
        }
    }

    /// Parents and children of everything added.
    pub(super) fn edges(&self) -> Result<Vec<(Uuid, Uuid)>, String> {
        let mut edges = Vec::new();
        for &number in self.graph.order() {
            let created = self.created[number];
            let waits = self.graph.step(number).step_type == StepType::DeferredConvergence;
            if !created && !waits {
                continue;
            }
            let children: Vec<Uuid> = self.unfinished(number).map(|child| child.step_uuid).collect();
            if children.is_empty() {
                continue;
            }
            let parents = if created { self.parents_of_new(number) } else { self.parents_gained(number) };
            if edges.len() + parents.len().saturating_mul(children.len()) > MAX_EDGES {
                return Err(format!(
                    "what step `{}` creates has more than {MAX_EDGES} dependencies; make fewer batches, or let one \
                     deferred_convergence step wait for the workers and the others for it",
                    self.graph.step(self.deciding).name
                ));
            }
            edges.extend(parents.iter().flat_map(|parent| children.iter().map(|child| (*parent, *child))));
        }
        Ok(edges)
    }

    /// What a new step waits for: the step that decided on it too, unless it waits for another new one. Whatever else is
    /// left to wait for may finish before this growth is committed, and a step whose parents have all finished by then
    /// would be released by none of them.
    fn parents_of_new(&self, number: usize) -> Vec<Uuid> {
        let declared = self.graph.parents(number).iter().copied();
        let awaited: Vec<usize> = declared.chain(self.deciders_awaited(number)).collect();
        let is_released = awaited.iter().any(|parent| self.created[*parent] || *parent == self.deciding);
        let mut parents = self.uuids(awaited);
        if !is_released {
            parents.extend(self.uuids([self.deciding]));
        }
        parents
    }

    /// What a convergence step that exists waits for from now on. It has edges from everything older.
    fn parents_gained(&self, number: usize) -> Vec<Uuid> {
        let all = self.graph.parents(number).iter().copied().chain(self.deciders_awaited(number));
        self.uuids(all.filter(|parent| self.created[*parent]))
    }

    /// The steps that may still create a parent of a convergence step, but for its declared parents.
    fn deciders_awaited(&self, number: usize) -> Vec<usize> {
        let missing: Vec<usize> = match self.graph.step(number).step_type {
            StepType::DeferredConvergence => self.missing_parents(number).collect(),
            _ => Vec::new(),
        };
        if missing.is_empty() {
            return Vec::new();
        }
        let before = self.graph.ancestors(&missing);
        let decides = |step: &usize| {
            *step != self.deciding
                && matches!(self.graph.step(*step).step_type, StepType::Decision | StepType::Batchable)
                && self.unfinished(*step).next().is_some()
        };
        let declared: HashSet<usize> = self.graph.parents(number).iter().copied().collect();
        (0..before.len()).filter(|step| before[*step] && !declared.contains(step)).filter(decides).collect()
    }

    fn unfinished(&self, number: usize) -> impl Iterator<Item = &Instance> {
        self.instances[number].iter().filter(|instance| !instance.finished)
    }

    fn uuids(&self, steps: impl IntoIterator<Item = usize>) -> Vec<Uuid> {
        steps.into_iter().flat_map(|step| self.instances[step].iter().map(|instance| instance.step_uuid)).collect()
    }
}
