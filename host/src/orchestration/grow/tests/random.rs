//! Templates and outcomes drawn by lot: whatever is decided in whatever order, every task comes to its end.
//!
//! `Run` refuses what must not happen on the way: a step that gains a parent when it may have started, a step or an edge
//! that is added twice, a step that waits for nothing. A failed case prints its seed.

use super::*;
use crate::template::StepType;

/// SplitMix64: small, and equal on every machine.
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn some<'a>(&mut self, from: &[&'a str], most: usize) -> Vec<&'a str> {
        let mut chosen = Vec::new();
        for _ in 0..from.len().min(most) {
            let one = from[self.below(from.len())];
            if !chosen.contains(&one) {
                chosen.push(one);
            }
        }
        chosen
    }
}

fn steps(lot: &mut Lot) -> Vec<Json> {
    let names: Vec<String> = (0..4 + lot.below(26)).map(|n| format!("s{n}")).collect();
    let (mut steps, mut batchables, mut workers) = (Vec::<Json>::new(), Vec::<&str>::new(), Vec::<&str>::new());
    for (index, name) in names.iter().enumerate() {
        let before: Vec<&str> = names[..index].iter().map(String::as_str).collect();
        let mut dependencies = lot.some(&before, 3);
        let kind = match lot.below(10) {
            _ if dependencies.is_empty() => "standard",
            0..=2 => "decision",
            3..=5 => "deferred_convergence",
            6 => "batchable",
            7 if !batchables.is_empty() => {
                dependencies = vec![batchables[lot.below(batchables.len())]];
                "batch_worker"
            }
            _ => "standard",
        };
        match kind {
            "batchable" => batchables.push(name),
            "batch_worker" => workers.push(name),
            _ => {}
        }
        steps.push(step(kind, name, &dependencies));
    }
    steps
}

/// What a step returns, as far as the template lets it choose.
fn result(lot: &mut Lot, run: &Run, name: &str) -> Json {
    let graph = Graph::of(&run.template).unwrap();
    let Some(number) = graph.number(name) else { return json!({}) };
    let after = graph.descendants(number);
    let choices: Vec<&str> =
        (0..after.len()).filter(|step| after[*step]).map(|step| graph.step(step).name.as_str()).collect();
    let workers: Vec<&str> = run
        .template
        .steps
        .iter()
        .filter(|step| step.step_type == StepType::BatchWorker && step.dependencies[0] == name)
        .map(|step| step.name.as_str())
        .collect();
    match graph.step(number).step_type {
        StepType::Decision => match lot.some(&choices, 4) {
            names if names.is_empty() => json!({"decision_point_outcome": {"type": "no_branches"}}),
            names => chosen(&names),
        },
        StepType::Batchable if !workers.is_empty() => {
            let ids = ["1", "2", "3"];
            cut(workers[lot.below(workers.len())], &ids[..lot.below(4)])
        }
        _ => json!({}),
    }
}

#[test]
fn whatever_is_decided_in_whatever_order_every_step_that_came_into_being_ends() {
    let (mut grown, mut joined) = (0, 0);
    for seed in 0..3_000 {
        let outcome = std::panic::catch_unwind(|| play(seed));
        let (steps, late) = outcome.unwrap_or_else(|_| panic!("seed {seed}"));
        grown += steps;
        joined += late;
    }
    assert!(grown > 3_000, "{grown} steps were added");
    assert!(joined > 50, "{joined} edges were added to convergence steps that existed");
}

/// Runs one task to its end; answers how many steps it gained, and how many edges to steps that existed.
fn play(seed: u64) -> (usize, usize) {
    let lot = &mut Lot(seed);
    let mut run = Run::of(&steps(lot));
    let (mut grown, mut joined) = (0, 0);
    loop {
        let ready = run.ready();
        if ready.is_empty() {
            break;
        }
        let name = &ready[lot.below(ready.len())];
        let mut outcome = result(lot, &run, name);
        // An outcome that is refused fails the step; here its author mends it.
        if run.template.step(name).is_some() && run.grow(name, &outcome).is_err() {
            outcome = json!({"decision_point_outcome": {"type": "no_branches"}});
            if run.grow(name, &outcome).is_err() {
                run.find(name).finished = true;
                continue;
            }
        }
        if let Some(growth) = run.finish_with(name, &outcome) {
            let new: HashSet<Uuid> = growth.steps.iter().map(|step| step.step_uuid).collect();
            grown += new.len();
            joined += growth.edges.iter().filter(|(_, child)| !new.contains(child)).count();
        }
    }
    check_end(&run);
    (grown, joined)
}

fn check_end(run: &Run) {
    let exists = |name: &str| run.state.steps.iter().any(|step| step.template_step == name);
    for step in &run.state.steps {
        assert!(step.finished, "`{}` waits for {:?} for ever", step.name, run.awaited(&step.name));
        let definition = run.template.step(&step.template_step).unwrap();
        let parents = run.parents(&step.name);
        for dependency in &definition.dependencies {
            let instances: Vec<&ExistingStep> =
                run.state.steps.iter().filter(|other| other.template_step == *dependency).collect();
            assert!(
                !instances.is_empty() || definition.step_type == StepType::DeferredConvergence,
                "`{}` exists without `{dependency}`",
                step.name
            );
            for instance in instances {
                assert!(
                    parents.contains(&instance.name.as_str()),
                    "`{}` did not wait for `{}`",
                    step.name,
                    instance.name
                );
            }
        }
    }
    for step in &run.template.steps {
        let left_to_choice = step
            .dependencies
            .iter()
            .any(|dependency| run.template.step(dependency).is_some_and(|step| step.step_type == StepType::Decision));
        let all_there = !step.dependencies.is_empty() && step.dependencies.iter().all(|dependency| exists(dependency));
        if all_there && !left_to_choice && step.step_type != StepType::BatchWorker {
            assert!(exists(&step.name), "`{}` was forgotten", step.name);
        }
    }
}
