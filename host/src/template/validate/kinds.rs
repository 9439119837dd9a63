//! What a step's type asks of it and of the steps around it.

use std::collections::BTreeMap;

use super::Step;
use crate::document::{Node, Place, Report, did_you_mean};
use crate::template::graph::{decision_depths, topological_order};

/// Decisions on one way through a workflow. Who nests them deeper has most likely written a loop.
const MAX_DECISION_DEPTH: usize = 20;

/// Reports what contradicts the steps' types. `parents` holds, for each step, the places of those it depends on.
pub(super) fn check(steps: &[Step<'_>], by_name: &BTreeMap<&str, usize>, parents: &[Vec<usize>], report: &mut Report) {
    let mut children = vec![Vec::new(); steps.len()];
    for (child, parents) in parents.iter().enumerate() {
        parents.iter().for_each(|parent| children[*parent].push(child));
    }
    for (number, step) in steps.iter().enumerate() {
        let around = Around {
            step,
            parents: parents[number].iter().map(|parent| &steps[*parent]).collect(),
            children: children[number].iter().map(|child| &steps[*child]).collect(),
        };
        match step.kind() {
            "decision" => around.check_decision(report),
            "deferred_convergence" => around.check_convergence(report),
            "batchable" => around.check_batchable(by_name, report),
            "batch_worker" => around.check_batch_worker(by_name, report),
            _ => {}
        }
        around.check_batch_config_is_used(report);
    }
    check_depth(steps, parents, report);
}

/// A step, and those it is tied to.
struct Around<'a, 's> {
    step: &'a Step<'s>,
    parents: Vec<&'a Step<'s>>,
    children: Vec<&'a Step<'s>>,
}

impl Around<'_, '_> {
    fn check_decision(&self, report: &mut Report) {
        let Step { name, name_at, .. } = self.step;
        if self.step.dependencies().next().is_none() {
            report.error(
                name_at,
                format!("decision step `{name}` has no dependencies; it decides on the results of at least one step, so list it in `dependencies`"),
            );
        }
        if self.children.is_empty() {
            report.warn(
                name_at,
                format!("no step depends on decision step `{name}`, so it can choose none; list `{name}` in the `dependencies` of the steps it chooses from"),
            );
        }
    }

    fn check_convergence(&self, report: &mut Report) {
        let Step { name, name_at, .. } = self.step;
        if self.step.dependencies().next().is_none() {
            report.error(
                name_at,
                format!("deferred_convergence step `{name}` has no dependencies; list the steps that it brings together in `dependencies`"),
            );
        }
    }

    fn check_batchable(&self, by_name: &BTreeMap<&str, usize>, report: &mut Report) {
        let Step { name, name_at, node } = self.step;
        let workers: Vec<&str> =
            self.children.iter().filter(|child| child.is("batch_worker")).map(|child| child.name).collect();
        let named = node
            .get("handler")
            .and_then(|handler| handler.get("initialization")?.get("worker_template_name"))
            .and_then(|named| Some((named.text()?, &named.at)));
        if workers.is_empty() {
            report.warn(
                name_at,
                format!("no batch_worker step depends on batchable step `{name}`, so it has no pattern to make workers from and will fail; add a step of type batch_worker with `dependencies: [{name}]`"),
            );
        }
        if workers.len() > 1 && named.is_none() {
            report.warn(
                name_at,
                format!("batchable step `{name}` will fail when it has no batches, for {} depend on it and one of them must stand in; name it in `handler.initialization.worker_template_name`", quoted(&workers)),
            );
        }
        if let Some((worker, at)) = named {
            let path = format!("steps[{name}].handler.initialization.worker_template_name");
            self.check_worker(&path, worker, at, &workers, by_name, report);
        }
        if let Some((worker, at)) = worker_template(node) {
            let path = format!("steps[{name}].batch_config.worker_template");
            self.check_worker(&path, worker, at, &workers, by_name, report);
        }
    }

    fn check_worker(
        &self,
        path: &str,
        worker: &str,
        at: &Place,
        workers: &[&str],
        by_name: &BTreeMap<&str, usize>,
        report: &mut Report,
    ) {
        if !by_name.contains_key(worker) {
            warn_of_unknown(path, worker, at, by_name, report);
        } else if !workers.contains(&worker) {
            report.warn(
                at,
                format!(
                    "`{path}` names `{worker}`, which is no batch_worker step that depends on `{}`",
                    self.step.name
                ),
            );
        }
    }

    fn check_batch_worker(&self, by_name: &BTreeMap<&str, usize>, report: &mut Report) {
        let Step { name, name_at, node } = self.step;
        let of_kind = |kind: &str| -> Vec<&str> {
            self.parents.iter().filter(|parent| parent.is(kind)).map(|parent| parent.name).collect()
        };
        let (batchable, workers) = (of_kind("batchable"), of_kind("batch_worker"));
        // One that depends on a name nobody knows has been told so.
        let all_known = self.step.dependencies().count() == self.parents.len();
        if batchable.is_empty() && all_known {
            report.error(
                name_at,
                format!("batch_worker step `{name}` depends on no batchable step; list the one that makes its batches in `dependencies`"),
            );
        } else if batchable.len() > 1 {
            report.error(
                name_at,
                format!("batch_worker step `{name}` depends on {} batchable steps, {}; its workers come from one, so split it", batchable.len(), quoted(&batchable)),
            );
        }
        if let Some(other) = workers.first() {
            report.error(
                name_at,
                format!("batch_worker step `{name}` depends on batch_worker step `{other}`, and each of its workers would wait for each of those; put a deferred_convergence step between them"),
            );
        }
        let batchable_has_config =
            self.parents.iter().any(|parent| parent.is("batchable") && parent.node.get("batch_config").is_some());
        if node.get("batch_config").is_none() && !batchable_has_config {
            report.error(
                name_at,
                format!("batch_worker step `{name}` has no `batch_config`; add one with `batch_size`, `parallelism`, `cursor_field`, `worker_template` and `failure_strategy`"),
            );
        }
        if let Some((template, at)) = worker_template(node) {
            let path = format!("steps[{name}].batch_config.worker_template");
            if !by_name.contains_key(template) {
                warn_of_unknown(&path, template, at, by_name, report);
            } else if template != *name {
                report.warn(
                    at,
                    format!("`{path}` names `{template}`, but the workers of `{name}` are made from `{name}` itself"),
                );
            }
        }
    }

    fn check_batch_config_is_used(&self, report: &mut Report) {
        let Step { name, node, .. } = self.step;
        if let Some(config) = node.get("batch_config")
            && !["batchable", "batch_worker"].contains(&self.step.kind())
        {
            report.warn(
                &config.at,
                format!("`steps[{name}].batch_config` is ignored: step `{name}` is of type {}, and only batchable and batch_worker steps have batches", self.step.kind()),
            );
        }
    }
}

fn worker_template(node: &Node) -> Option<(&str, &Place)> {
    node.get("batch_config")?.get("worker_template").and_then(|worker| Some((worker.text()?, &worker.at)))
}

fn warn_of_unknown(path: &str, name: &str, at: &Place, by_name: &BTreeMap<&str, usize>, report: &mut Report) {
    let hint = did_you_mean(name, by_name.keys().copied());
    report.warn(at, format!("`{path}` names `{name}`, which is no step of this template{hint}"));
}

fn check_depth(steps: &[Step<'_>], parents: &[Vec<usize>], report: &mut Report) {
    // Steps that wait for each other have no depth; that was reported.
    let Ok(order) = topological_order(parents) else { return };
    let depths = decision_depths(parents, &order, |number| steps[number].is("decision"));
    if let Some(number) = order.iter().find(|number| depths[**number] > MAX_DECISION_DEPTH) {
        let Step { name, name_at, .. } = steps[*number];
        report.error(
            name_at,
            format!("step `{name}` is decision number {} on its way, and at most {MAX_DECISION_DEPTH} may follow each other; let one decision choose among more steps, or split the workflow", depths[*number]),
        );
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}
