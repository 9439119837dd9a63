//! What a workflow comes to, worked out in memory from what its step types mean: without edges, counters or a database,
//! and one step at a time.
//!
//! * A step may run when all it depends on are there and finished. A convergence does not ask that all be there: it waits
//!   for those that are, and for every decision and batch that may still bring one that is not.
//! * A worker that failed counts as finished where its batch goes on without it.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::workflow::{Kind, Meaning, Strategy, Workflow};

/// How a step of a task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It never runs.
    Waiting,
    Complete,
    Failed,
}

/// A step of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The step of the template.
    pub step: usize,
    /// The batchable step it works for, and its place in the batch.
    pub batch: Option<(usize, usize)>,
    pub end: End,
}

/// What a task comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// By name.
    pub instances: BTreeMap<String, Instance>,
    /// Whether the task is blocked by a failure; it is complete otherwise.
    pub blocked: bool,
}

/// Runs the workflow in an order drawn from `rng`.
pub fn run(workflow: &Workflow, rng: &mut Rng) -> World {
    let mut world = World { instances: BTreeMap::new(), blocked: false };
    for (step, definition) in workflow.steps.iter().enumerate().filter(|(_, definition)| !definition.dynamic) {
        world.instances.insert(definition.name.clone(), Instance { step, batch: None, end: End::Waiting });
    }
    loop {
        let ready: Vec<&String> = world.instances.keys().filter(|name| world.is_ready(workflow, name)).collect();
        let Some(name) = rng.choice(ready).cloned() else { break };
        world.end(workflow, &name);
    }
    world.blocked = world.instances.values().any(|step| step.end == End::Failed && !world.is_finished(workflow, step));
    let stuck = world.instances.values().any(|step| step.end == End::Waiting);
    assert!(world.blocked || !stuck, "steps wait for ever though none failed: {world:#?}");
    world
}

impl World {
    /// The steps of the task that were made from a step of the template.
    pub fn made_from(&self, step: usize) -> impl Iterator<Item = (&String, &Instance)> {
        self.instances.iter().filter(move |(_, instance)| instance.step == step)
    }

    fn exists(&self, step: usize) -> bool {
        self.made_from(step).next().is_some()
    }

    /// Whether what depends on it waits for it no more.
    pub fn is_finished(&self, workflow: &Workflow, instance: &Instance) -> bool {
        let goes_on =
            || instance.batch.is_some() && workflow.steps[instance.step].strategy == Strategy::ContinueOnFailure;
        instance.end == End::Complete || instance.end == End::Failed && goes_on()
    }

    /// Everything that must be finished before the step runs; none if something is missing altogether.
    pub fn awaited(&self, workflow: &Workflow, name: &str) -> Option<BTreeSet<String>> {
        let definition = &workflow.steps[self.instances[name].step];
        let mut awaited = BTreeSet::new();
        for dependency in &definition.dependencies {
            awaited.extend(self.made_from(*dependency).map(|(name, _)| name.clone()));
            if self.exists(*dependency) {
                continue;
            }
            if definition.kind != Kind::Convergence {
                return None;
            }
            awaited.extend(self.instances.iter().filter_map(|(name, other)| {
                let decides = matches!(workflow.steps[other.step].kind, Kind::Decision | Kind::Batchable);
                (decides && workflow.comes_after(*dependency, other.step)).then(|| name.clone())
            }));
        }
        Some(awaited)
    }

    fn is_ready(&self, workflow: &Workflow, name: &str) -> bool {
        self.instances[name].end == End::Waiting
            && self
                .awaited(workflow, name)
                .is_some_and(|awaited| awaited.iter().all(|other| self.is_finished(workflow, &self.instances[other])))
    }

    fn end(&mut self, workflow: &Workflow, name: &str) {
        let step = self.instances[name].step;
        let mut end = if workflow.scripts[name].succeeds() { End::Complete } else { End::Failed };
        if end == End::Complete
            && let Some(answer) = workflow.answers.get(&step)
        {
            match &answer.meaning {
                Meaning::Choose(named) => self.choose(workflow, named),
                Meaning::Work { worker, batches, .. } => self.cut(workflow, step, *worker, batches),
                Meaning::Invalid => end = End::Failed,
            }
        }
        self.instances.get_mut(name).unwrap().end = end;
    }

    fn choose(&mut self, workflow: &Workflow, named: &[usize]) {
        let new: BTreeSet<usize> = named.iter().copied().filter(|step| !self.exists(*step)).collect();
        for step in &new {
            self.add(workflow, *step);
        }
        self.follow(workflow, new);
    }

    fn cut(&mut self, workflow: &Workflow, batchable: usize, worker: usize, batches: &[String]) {
        for (place, batch) in batches.iter().enumerate() {
            let name = format!("{}_{batch}", workflow.steps[worker].name);
            let instance = Instance { step: worker, batch: Some((batchable, place)), end: End::Waiting };
            self.instances.insert(name, instance);
        }
        self.follow(workflow, BTreeSet::from([worker]));
    }

    fn add(&mut self, workflow: &Workflow, step: usize) {
        let instance = Instance { step, batch: None, end: End::Waiting };
        self.instances.insert(workflow.steps[step].name.clone(), instance);
    }

    /// Adds what follows by itself from the steps that were added. Dependencies stand before dependants, so one pass does.
    fn follow(&mut self, workflow: &Workflow, mut new: BTreeSet<usize>) {
        for (step, definition) in workflow.steps.iter().enumerate() {
            let follows = definition.dependencies.iter().any(|parent| new.contains(parent))
                && match definition.kind {
                    Kind::Worker => false,
                    Kind::Convergence => true,
                    _ => definition
                        .dependencies
                        .iter()
                        .all(|parent| workflow.steps[*parent].kind != Kind::Decision && self.exists(*parent)),
                };
            if follows && !self.exists(step) {
                self.add(workflow, step);
                new.insert(step);
            }
        }
    }
}
