//! Tasks that grow, decision by decision, as the database would let them.

mod batches;
mod decisions;
mod outcomes;
mod random;

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::*;
use crate::store::ExistingStep;
use crate::template::plan;

const LIMITS: GrowthLimits = GrowthLimits { max_steps_per_decision: 100, max_decision_depth: 20, max_workers: 10_000 };

const NO_BATCH: &[&str] = &[];

/// A task: what the database knows of it.
struct Run {
    template: Template,
    state: GrowthState,
    edges: HashSet<(Uuid, Uuid)>,
}

fn template(steps: &[Json]) -> Template {
    let json = json!({"name": "t", "namespace_name": "n", "version": "1.0.0", "steps": steps});
    serde_json::from_value(json).unwrap()
}

fn step(kind: &str, name: &str, dependencies: &[&str]) -> Json {
    json!({"name": name, "type": kind, "handler": {"callable": "H"}, "dependencies": dependencies})
}

fn standard(name: &str, dependencies: &[&str]) -> Json {
    step("standard", name, dependencies)
}

fn decision(name: &str, dependencies: &[&str]) -> Json {
    step("decision", name, dependencies)
}

fn convergence(name: &str, dependencies: &[&str]) -> Json {
    step("deferred_convergence", name, dependencies)
}

fn batchable(name: &str, dependencies: &[&str]) -> Json {
    step("batchable", name, dependencies)
}

fn worker(name: &str, dependencies: &[&str]) -> Json {
    step("batch_worker", name, dependencies)
}

/// The result of a decision.
fn chosen(names: &[&str]) -> Json {
    json!({"decision_point_outcome": {"type": "create_steps", "step_names": names}})
}

/// The result of a batchable step.
fn cut(worker: &str, batch_ids: &[impl AsRef<str>]) -> Json {
    let configs: Vec<Json> = batch_ids
        .iter()
        .map(|id| json!({"batch_id": id.as_ref(), "start_cursor": 0, "end_cursor": 10, "batch_size": 10}))
        .collect();
    json!({"batch_processing_outcome": {
        "type": "create_batches", "worker_template_name": worker, "worker_count": configs.len(), "cursor_configs": configs,
        "total_items": 10,
    }})
}

impl Run {
    /// A task of these steps as it is created.
    fn of(steps: &[Json]) -> Self {
        let template = template(steps);
        let planned = plan(&template).unwrap();
        let existing: Vec<ExistingStep> = planned
            .steps
            .iter()
            .map(|step| ExistingStep {
                step_uuid: Uuid::now_v7(),
                name: step.definition.name.clone(),
                template_step: step.definition.name.clone(),
                finished: false,
            })
            .collect();
        let mut edges = HashSet::new();
        for (child, step) in planned.steps.iter().enumerate() {
            edges.extend(step.parents.iter().map(|parent| (existing[*parent].step_uuid, existing[child].step_uuid)));
        }
        Self { template, state: GrowthState { version: 0, steps: existing }, edges }
    }

    /// What a step's result would add.
    fn grow(&self, name: &str, result: &Json) -> Result<Option<Growth>, InvalidOutcome> {
        let result = serde_json::value::to_raw_value(result).unwrap();
        let definition = self.template.step(name).unwrap();
        let Some(directive) = directive(definition, &result)? else { return Ok(None) };
        plan_growth(&self.template, name, &directive, &self.state, &LIMITS)
    }

    /// Completes a step with a result, and adds what it decides.
    fn finish_with(&mut self, name: &str, result: &Json) -> Option<Growth> {
        assert!(self.is_ready(name), "`{name}` waits for {:?}", self.awaited(name));
        let growth = if self.template.step(name).is_some() {
            self.grow(name, result).unwrap_or_else(|invalid| panic!("{invalid}"))
        } else {
            None
        };
        if let Some(growth) = &growth {
            self.add(name, growth);
        }
        self.find(name).finished = true;
        growth
    }

    fn finish(&mut self, names: &[&str]) {
        for name in names {
            assert!(self.finish_with(name, &json!({})).is_none());
        }
    }

    fn add(&mut self, deciding: &str, growth: &Growth) {
        assert_eq!(growth.version, self.state.version);
        self.state.version += 1;
        let older: HashSet<Uuid> = self.state.steps.iter().map(|step| step.step_uuid).collect();
        let ready: HashSet<String> = self.ready().into_iter().collect();
        for step in &growth.steps {
            assert!(!self.names().contains(&step.name.as_str()), "`{}` is added twice", step.name);
            self.state.steps.push(ExistingStep {
                step_uuid: step.step_uuid,
                name: step.name.clone(),
                template_step: step.template_step.clone().unwrap_or_else(|| step.name.clone()),
                finished: false,
            });
        }
        for &(parent, child) in &growth.edges {
            let name = self.name(child).to_owned();
            assert!(
                !older.contains(&child) || !ready.contains(&name),
                "`{name}` gains a parent when it may have started"
            );
            assert!(!self.finished(child), "`{name}` gains a parent when it has finished");
            assert!(self.edges.insert((parent, child)), "{} → {name} is added twice", self.name(parent));
        }
        // Every other parent may have finished since this was planned.
        let surely_releases =
            |parent: &&str| *parent == deciding || growth.steps.iter().any(|new| new.name == **parent);
        for step in &growth.steps {
            let parents = self.parents(&step.name);
            assert!(parents.iter().any(surely_releases), "`{}` waits for {parents:?}, who may all be done", step.name);
        }
    }

    fn find(&mut self, name: &str) -> &mut ExistingStep {
        self.state.steps.iter_mut().find(|step| step.name == name).unwrap_or_else(|| panic!("there is no `{name}`"))
    }

    fn by_uuid(&self, uuid: Uuid) -> &ExistingStep {
        self.state.steps.iter().find(|step| step.step_uuid == uuid).unwrap()
    }

    fn name(&self, uuid: Uuid) -> &str {
        &self.by_uuid(uuid).name
    }

    fn finished(&self, uuid: Uuid) -> bool {
        self.by_uuid(uuid).finished
    }

    /// All steps, sorted.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.state.steps.iter().map(|step| step.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// A step's parents, sorted.
    fn parents(&self, name: &str) -> Vec<&str> {
        let mut parents: Vec<&str> = self
            .edges
            .iter()
            .filter(|(_, child)| self.name(*child) == name)
            .map(|(parent, _)| self.name(*parent))
            .collect();
        parents.sort_unstable();
        parents
    }

    fn awaited(&self, name: &str) -> Vec<&str> {
        let finished: BTreeMap<&str, bool> =
            self.state.steps.iter().map(|step| (step.name.as_str(), step.finished)).collect();
        self.parents(name).into_iter().filter(|parent| !finished[parent]).collect()
    }

    fn is_ready(&self, name: &str) -> bool {
        self.awaited(name).is_empty() && self.state.steps.iter().any(|step| step.name == name && !step.finished)
    }

    /// The steps that may run, in the order they came into being.
    fn ready(&self) -> Vec<String> {
        let names = self.state.steps.iter().map(|step| &step.name);
        names.filter(|name| self.is_ready(name)).cloned().collect()
    }
}
