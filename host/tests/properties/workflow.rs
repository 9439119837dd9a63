//! Random workflows: templates of up to 60 steps of every type, and what their handlers answer.
//!
//! What comes out must not depend on the order in which steps happen to run. So a decision names only steps whose
//! dependencies are there for certain or are named beside them, and an answer that is meant to be invalid is invalid
//! whenever it is given. (A batch that fails fast is the exception: which of its workers still run is a matter of luck.)

use std::collections::{BTreeMap, HashMap};

use fastrand::Rng;
use serde_json::{Value, json};

use super::script::{Script, Temper};

/// Most steps of a template.
const MOST_STEPS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Standard,
    Decision,
    Convergence,
    Batchable,
    Worker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    ContinueOnFailure,
    FailFast,
    Isolate,
}

/// A step of a template. Dependencies come before it.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub kind: Kind,
    pub dependencies: Vec<usize>,
    pub max_attempts: u32,
    pub retryable: bool,
    /// Of workers.
    pub parallelism: usize,
    pub strategy: Strategy,
    /// Whether a task is created without it.
    pub dynamic: bool,
    /// The steps it comes after, directly or not, as bits.
    ancestors: u64,
    initialization: Value,
}

/// What a decision or a batchable step answers when it succeeds.
#[derive(Debug, Clone)]
pub struct Answer {
    pub result: Value,
    pub meaning: Meaning,
}

#[derive(Debug, Clone)]
pub enum Meaning {
    /// These steps, and what follows from them; none for no branches.
    Choose(Vec<usize>),
    /// A worker for each of these batches.
    Work { worker: usize, batches: Vec<String>, no_op: bool },
    /// It fails the step.
    Invalid,
}

/// A template, and what the handlers of one task made from it do.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub name: String,
    pub namespace: String,
    pub priority: i32,
    pub steps: Vec<Step>,
    pub answers: HashMap<usize, Answer>,
    /// By the name of the step of the task.
    pub scripts: BTreeMap<String, Script>,
}

impl Workflow {
    pub fn draw(rng: &mut Rng, name: String, namespace: String) -> Self {
        let temper = Temper::draw(rng);
        let size = match rng.u8(..20) {
            0..11 => rng.usize(1..=12),
            11..18 => rng.usize(12..=30),
            _ => rng.usize(30..=MOST_STEPS),
        };
        let plain = rng.u8(..5) == 0;
        let mut workflow = Self {
            name,
            namespace,
            priority: if rng.u8(..4) == 0 { rng.i32(-100..=100) } else { 0 },
            steps: Vec::new(),
            answers: HashMap::new(),
            scripts: BTreeMap::new(),
        };
        while workflow.steps.len() < size {
            let kind = if plain { Kind::Standard } else { kind(rng) };
            workflow.add_step(rng, kind, size);
        }
        workflow.answer(rng, &temper);
        workflow.write_scripts(rng, &temper);
        workflow
    }

    fn add_step(&mut self, rng: &mut Rng, mut kind: Kind, size: usize) {
        let here = self.steps.len();
        let mut dependencies: Vec<usize> = Vec::new();
        let wanted = match kind {
            Kind::Convergence => rng.usize(1..=5),
            _ => *rng.choice(&[0, 1, 1, 1, 1, 2, 2, 3]).unwrap(),
        };
        for _ in 0..wanted.min(here) {
            let near = if rng.u8(..4) > 0 { here.min(8) } else { here };
            let dependency = here - 1 - rng.usize(..near);
            if !dependencies.contains(&dependency) {
                dependencies.push(dependency);
            }
        }
        let dynamic = |step: &usize| self.steps[*step].dynamic;
        let meets_decision = dependencies.iter().any(|step| self.steps[*step].kind == Kind::Decision);
        let can_be = match kind {
            Kind::Decision => !dependencies.is_empty(),
            // One that waits for a decision alone would never be made, unless it is named.
            Kind::Convergence => !dependencies.is_empty() && (!meets_decision || dependencies.iter().any(dynamic)),
            // Its workers come with it.
            Kind::Batchable => here + 3 <= size,
            Kind::Standard | Kind::Worker => true,
        };
        if !can_be {
            kind = Kind::Standard;
        }
        self.push(rng, kind, dependencies);
        if kind != Kind::Batchable {
            return;
        }
        for _ in 0..if rng.u8(..4) == 0 { 2 } else { 1 } {
            let mut dependencies = vec![here];
            let is_fixed = |step: &usize| !self.steps[*step].dynamic && self.steps[*step].kind != Kind::Batchable;
            let fixed: Vec<usize> = (0..here).filter(is_fixed).collect();
            if rng.u8(..5) == 0
                && let Some(other) = rng.choice(fixed)
            {
                dependencies.push(other);
            }
            self.push(rng, Kind::Worker, dependencies);
        }
        let workers = self.workers_of(here);
        if workers.len() > 1 && rng.bool() {
            let worker = rng.choice(workers).unwrap();
            self.steps[here].initialization = json!({"worker_template_name": self.steps[worker].name});
        }
    }

    fn push(&mut self, rng: &mut Rng, kind: Kind, dependencies: Vec<usize>) {
        let name = format!("{}{}", if kind == Kind::Worker { 'w' } else { 's' }, self.steps.len());
        let parents = || dependencies.iter().map(|parent| (*parent, &self.steps[*parent]));
        let dynamic = kind == Kind::Worker || parents().any(|(_, step)| step.dynamic || step.kind == Kind::Decision);
        let ancestors = parents().fold(0, |all, (parent, step)| all | step.ancestors | 1 << parent);
        self.steps.push(Step {
            name,
            dynamic,
            ancestors,
            kind,
            dependencies,
            max_attempts: rng.u32(1..=4),
            retryable: rng.u8(..20) > 0,
            parallelism: *rng.choice(&[1, 1, 2, 3, 4, 10]).unwrap(),
            strategy: *rng.choice(&[Strategy::ContinueOnFailure, Strategy::FailFast, Strategy::Isolate]).unwrap(),
            initialization: json!({"place": self.steps.len()}),
        });
    }

    fn answer(&mut self, rng: &mut Rng, temper: &Temper) {
        for step in 0..self.steps.len() {
            let invalid = rng.f64() < temper.invalid;
            let answer = match self.steps[step].kind {
                Kind::Decision if invalid => self.invalid_decision(rng, step),
                Kind::Decision => self.decision(rng, step),
                Kind::Batchable => self.batch(rng, step, invalid),
                _ => continue,
            };
            self.answers.insert(step, answer);
        }
    }

    fn decision(&self, rng: &mut Rng, step: usize) -> Answer {
        let nothing = Answer {
            result: json!({"decision_point_outcome": {"type": "no_branches"}}),
            meaning: Meaning::Choose(Vec::new()),
        };
        let share = *rng.choice(&[0.3, 0.7, 0.7, 1.0]).unwrap();
        let certain = self.certain_for(step);
        let mut named = Vec::new();
        for other in step + 1..self.steps.len() {
            let candidate = &self.steps[other];
            let ready = |parent: &usize| certain[*parent] || named.contains(parent);
            if self.comes_after(other, step)
                && candidate.kind != Kind::Worker
                && (candidate.kind == Kind::Convergence || candidate.dependencies.iter().all(ready))
                && rng.f64() < share
            {
                named.push(other);
            }
        }
        if named.is_empty() || rng.u8(..10) == 0 {
            return nothing;
        }
        let mut names: Vec<&str> = named.iter().map(|step| self.steps[*step].name.as_str()).collect();
        rng.shuffle(&mut names);
        if rng.u8(..4) == 0 {
            names.push(names[0]);
        }
        Answer {
            result: json!({"decision_point_outcome": {"type": "create_steps", "step_names": names}, "why": step}),
            meaning: Meaning::Choose(named),
        }
    }

    fn invalid_decision(&self, rng: &mut Rng, step: usize) -> Answer {
        let named = |names: Value| json!({"decision_point_outcome": {"type": "create_steps", "step_names": names}});
        let worker = self.steps.iter().position(|step| step.kind == Kind::Worker);
        let orphan = self.orphan_of(step);
        let result = match (rng.u8(..8), worker, orphan) {
            (0, ..) => json!({"chosen": "something else"}),
            (1, ..) => json!({"decision_point_outcome": "create_steps"}),
            (2, ..) => json!({"decision_point_outcome": {"type": "create_everything"}}),
            (3, ..) => named(json!([])),
            (4, ..) => named(json!([self.steps[self.steps[step].dependencies[0]].name])),
            (5, Some(worker), _) => named(json!([self.steps[worker].name])),
            (6, _, Some(orphan)) => named(json!([self.steps[orphan].name])),
            _ => named(json!(["nobody"])),
        };
        Answer { result, meaning: Meaning::Invalid }
    }

    /// A step that only comes after `decision` through one that nobody but `decision` can name.
    fn orphan_of(&self, decision: usize) -> Option<usize> {
        let names = |step: usize| {
            let answers = self.answers.values();
            answers
                .filter_map(|answer| match &answer.meaning {
                    Meaning::Choose(named) => Some(named),
                    _ => None,
                })
                .flatten()
                .any(|named| *named == step)
        };
        let only_ours = |parent: usize| {
            let parent_step = &self.steps[parent];
            let decisions = |step: &&usize| self.steps[**step].kind == Kind::Decision;
            parent_step.kind == Kind::Standard
                && parent_step.dependencies.contains(&decision)
                && parent_step.dependencies.iter().filter(decisions).count() == 1
                && !names(parent)
                // Nobody who answers later may name it either.
                && (decision + 1..self.steps.len())
                    .all(|later| self.steps[later].kind != Kind::Decision || !self.comes_after(parent, later))
        };
        (decision + 1..self.steps.len()).find(|step| {
            let candidate = &self.steps[*step];
            !matches!(candidate.kind, Kind::Worker | Kind::Convergence)
                && candidate.dependencies.iter().any(|parent| only_ours(*parent))
        })
    }

    fn batch(&self, rng: &mut Rng, step: usize, invalid: bool) -> Answer {
        let outcome = |value: Value| json!({"batch_processing_outcome": value});
        let workers = self.workers_of(step);
        let hint = self.steps[step].initialization.get("worker_template_name");
        let hinted = workers.iter().copied().find(|worker| hint == Some(&json!(self.steps[*worker].name)));
        let default = hinted.or((workers.len() == 1).then(|| workers[0]));
        let none = rng.u8(..8) == 0;
        if none && !invalid {
            let zero_cursors = json!({
                "type": "create_batches", "worker_count": 0, "cursor_configs": [], "total_items": 0,
                "worker_template_name": default.map(|worker| &self.steps[worker].name),
            });
            let result = match default {
                Some(_) if rng.bool() => zero_cursors,
                _ => json!({"type": "no_batches"}),
            };
            let meaning = match default {
                Some(worker) => Meaning::Work { worker, batches: vec!["000".into()], no_op: true },
                None => Meaning::Invalid,
            };
            return Answer { result: outcome(result), meaning };
        }
        let worker = *rng.choice(&workers).unwrap();
        let count = if rng.u8(..10) == 0 { rng.usize(10..40) } else { rng.usize(1..=6) };
        let mut batches: Vec<String> = (1..=count).map(|batch| format!("{batch:03}")).collect();
        if rng.u8(..5) == 0 {
            rng.shuffle(&mut batches);
        }
        let cursors: Vec<Value> = (0..count).map(|place| json!({
            "batch_id": batches[place], "start_cursor": place * 10, "end_cursor": place * 10 + 10, "batch_size": 10,
        })).collect();
        let mut result = json!({
            "type": "create_batches", "worker_template_name": self.steps[worker].name, "worker_count": count,
            "cursor_configs": cursors, "total_items": count * 10,
        });
        if !invalid {
            return Answer { result: outcome(result), meaning: Meaning::Work { worker, batches, no_op: false } };
        }
        match rng.u8(..7) {
            0 => result["worker_template_name"] = json!("nobody"),
            1 => result["worker_template_name"] = json!(self.steps[step].name),
            2 => result["worker_count"] = json!(count + 1),
            3 => result["cursor_configs"].as_array_mut().unwrap().push(cursors[0].clone()),
            4 => result["cursor_configs"][0]["batch_id"] = json!(""),
            5 => result = json!({"type": "create_batches"}),
            _ => return Answer { result: json!({"batches": 3}), meaning: Meaning::Invalid },
        }
        Answer { result: outcome(result), meaning: Meaning::Invalid }
    }

    fn write_scripts(&mut self, rng: &mut Rng, temper: &Temper) {
        for step in self.steps.iter().filter(|step| step.kind != Kind::Worker) {
            let script = Script::draw(rng, temper, step.max_attempts, step.retryable);
            self.scripts.insert(step.name.clone(), script);
        }
        let mut answers: Vec<_> = self.answers.iter().collect();
        answers.sort_by_key(|(step, _)| **step);
        for (_, answer) in answers {
            if let Meaning::Work { worker, batches, .. } = &answer.meaning {
                let step = &self.steps[*worker];
                for batch in batches {
                    let script = Script::draw(rng, temper, step.max_attempts, step.retryable);
                    self.scripts.insert(format!("{}_{batch}", step.name), script);
                }
            }
        }
    }

    /// Whether `step` depends on `other`, directly or not.
    pub fn comes_after(&self, step: usize, other: usize) -> bool {
        self.steps[step].ancestors & (1 << other) != 0
    }

    fn workers_of(&self, batchable: usize) -> Vec<usize> {
        let is_its = |step: &usize| {
            self.steps[*step].kind == Kind::Worker && self.steps[*step].dependencies.contains(&batchable)
        };
        (0..self.steps.len()).filter(is_its).collect()
    }

    /// The steps that are there whenever `step` runs.
    fn certain_for(&self, step: usize) -> Vec<bool> {
        let mut certain: Vec<bool> = self.steps.iter().map(|other| !other.dynamic).collect();
        let mut to_visit = vec![step];
        while let Some(next) = to_visit.pop() {
            certain[next] = true;
            if self.steps[next].kind != Kind::Convergence {
                to_visit.extend(&self.steps[next].dependencies);
            }
        }
        certain
    }

    /// The template as a file would hold it.
    pub fn template(&self) -> Value {
        let steps = self.steps.iter().map(|step| {
            let mut written = json!({
                "name": step.name,
                "type": match step.kind {
                    Kind::Standard => "standard",
                    Kind::Decision => "decision",
                    Kind::Convergence => "deferred_convergence",
                    Kind::Batchable => "batchable",
                    Kind::Worker => "batch_worker",
                },
                "handler": {"callable": "H", "initialization": step.initialization},
                "dependencies": step.dependencies.iter().map(|parent| &self.steps[*parent].name).collect::<Vec<_>>(),
                "retry": {
                    "retryable": step.retryable, "max_attempts": step.max_attempts, "backoff": "linear",
                    "backoff_base_ms": 1, "max_backoff_ms": 5,
                },
            });
            if step.kind == Kind::Worker {
                written["batch_config"] = json!({
                    "batch_size": 10, "parallelism": step.parallelism, "cursor_field": "id",
                    "worker_template": step.name, "failure_strategy": match step.strategy {
                        Strategy::ContinueOnFailure => "continue_on_failure",
                        Strategy::FailFast => "fail_fast",
                        Strategy::Isolate => "isolate",
                    },
                });
            }
            written
        });
        json!({
            "name": self.name, "namespace_name": self.namespace, "version": "1.0.0",
            "steps": steps.collect::<Vec<_>>(),
        })
    }
}

fn kind(rng: &mut Rng) -> Kind {
    match rng.u8(..100) {
        0..55 => Kind::Standard,
        55..72 => Kind::Decision,
        72..90 => Kind::Convergence,
        _ => Kind::Batchable,
    }
}
