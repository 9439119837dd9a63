//! What a template says about itself must hold together.
//!
//! These checks read the tree, not the model, so a file with a mistyped value in one step still hears about the unknown
//! dependency in another.

mod kinds;
mod schemas;

use std::collections::BTreeMap;

use super::{graph::topological_order, model};
use crate::document::{Node, Place, Report, did_you_mean};

/// The longest queue name PGMQ takes.
const QUEUE_NAME_MAX: usize = 47;
/// What follows the namespace in the name of the queue that keeps events which could not be published.
const DEAD_EVENTS_SUFFIX: &str = "_domain_events_dlq";

/// Reports everything that contradicts itself in a pruned tree.
pub(super) fn check(tree: &Node, report: &mut Report) {
    let steps: Vec<Step> = tree.get("steps").map_or(&[][..], Node::items).iter().filter_map(Step::read).collect();
    let by_name = index_names(&steps, report);
    let parents: Vec<Vec<usize>> = steps.iter().map(|step| check_dependencies(step, &by_name, report)).collect();
    check_namespace(tree, &steps, report);
    kinds::check(&steps, &by_name, &parents, report);
    check_cycles(&steps, parents, report);
    schemas::check(tree, &steps, report);
    for step in &steps {
        let path = format!("steps[{}]", step.name);
        check_waits(step.node.get("retry"), &path, report);
        check_time(step.node, &path, report);
    }
    check_environments(tree, &by_name, report);
}

/// A step that has a name; one without was reported by the shape.
struct Step<'a> {
    name: &'a str,
    name_at: &'a Place,
    node: &'a Node,
}

impl<'a> Step<'a> {
    fn read(node: &'a Node) -> Option<Self> {
        let name = node.get("name")?;
        Some(Self { name: name.text()?, name_at: &name.at, node })
    }

    fn dependencies(&self) -> impl Iterator<Item = (&'a str, &'a Place)> {
        let items = self.node.get("dependencies").map_or(&[][..], Node::items);
        items.iter().filter_map(|item| Some((item.text()?, &item.at)))
    }

    fn is(&self, step_type: &str) -> bool {
        self.kind() == step_type
    }

    fn kind(&self) -> &'a str {
        self.node.get("type").and_then(Node::text).unwrap_or("standard")
    }
}

fn check_namespace(tree: &Node, steps: &[Step<'_>], report: &mut Report) {
    let Some((namespace, at)) = tree.get("namespace_name").and_then(|node| Some((node.text()?, &node.at))) else {
        return;
    };
    let queue = model::queue_name(namespace);
    if queue.len() > QUEUE_NAME_MAX {
        let most = QUEUE_NAME_MAX - model::queue_name("").len();
        report.error(
            at,
            format!(
                "`namespace_name` {namespace:?} makes a queue name of {} characters ({queue}), and PGMQ takes \
                 {QUEUE_NAME_MAX}; use at most {most} characters",
                queue.len()
            ),
        );
        return;
    }
    let most = QUEUE_NAME_MAX - DEAD_EVENTS_SUFFIX.len();
    let publishes = |step: &&Step| step.node.get("publishes_events").is_some_and(|events| !events.items().is_empty());
    if let Some(step) = steps.iter().find(publishes)
        && namespace.len() > most
    {
        report.error(
            at,
            format!(
                "step `{}` publishes events, which need a queue {namespace}{DEAD_EVENTS_SUFFIX} of {} characters, and \
                 PGMQ takes {QUEUE_NAME_MAX}; use at most {most} characters for `namespace_name` {namespace:?}",
                step.name,
                namespace.len() + DEAD_EVENTS_SUFFIX.len()
            ),
        );
    }
}

fn index_names<'a>(steps: &[Step<'a>], report: &mut Report) -> BTreeMap<&'a str, usize> {
    let mut by_name = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        if step.name == model::ALL_STEPS {
            report.error(
                step.name_at,
                "a step cannot be called `ALL`: overrides in `environments` use it for every step",
            );
        }
        if let Some(first) = by_name.get(step.name) {
            let first: &Step = &steps[*first];
            report.error(
                step.name_at,
                format!(
                    "step `{}` is already defined at {}; step names are unique in a template",
                    step.name, first.name_at
                ),
            );
        } else {
            by_name.insert(step.name, index);
        }
    }
    by_name
}

/// The parents that exist, each once, without the step itself.
fn check_dependencies(step: &Step<'_>, by_name: &BTreeMap<&str, usize>, report: &mut Report) -> Vec<usize> {
    let mut parents = Vec::new();
    for (dependency, at) in step.dependencies() {
        let name = step.name;
        match by_name.get(dependency) {
            _ if dependency == name => {
                report.error(at, format!("step `{name}` depends on itself; remove this dependency"))
            }
            None => {
                let hint = did_you_mean(dependency, by_name.keys().copied().filter(|known| *known != name));
                report.error(
                    at,
                    format!("step `{name}` depends on `{dependency}`, which is no step of this template{hint}"),
                );
            }
            Some(parent) if parents.contains(parent) => {
                report.error(at, format!("step `{name}` lists its dependency `{dependency}` twice; remove one"));
            }
            Some(parent) => parents.push(*parent),
        }
    }
    parents
}

/// Reports a cycle, cuts it where the report points, and looks for the next.
fn check_cycles(steps: &[Step<'_>], mut parents: Vec<Vec<usize>>, report: &mut Report) {
    while let Err(cycle) = topological_order(&parents) {
        let (Some(&first), Some(&last)) = (cycle.first(), cycle.last()) else {
            return;
        };
        let path: Vec<&str> = cycle.iter().chain([&first]).map(|node| steps[*node].name).collect();
        let closing = steps[last].dependencies().find(|(name, _)| *name == steps[first].name);
        report.error(
            closing.map_or(steps[last].name_at, |(_, at)| at),
            format!("the steps wait for each other in a cycle, {}; remove one of these dependencies", path.join(" → ")),
        );
        parents[last].retain(|parent| *parent != first);
    }
}

fn check_waits(retry: Option<&Node>, path: &str, report: &mut Report) {
    let wait = |key| retry?.get(key)?.integer().zip(retry?.get(key).map(|node| &node.at));
    if let (Some((base, _)), Some((longest, at))) = (wait("backoff_base_ms"), wait("max_backoff_ms"))
        && longest < base
    {
        report.warn(
            at,
            format!(
                "`{path}.retry.max_backoff_ms` ({longest}) is below `backoff_base_ms` ({base}), so every wait is {longest} ms"
            ),
        );
    }
}

/// The time has two names, Tasker's and that of the limit; said twice it would be a guess which counts.
fn check_time(step: &Node, path: &str, report: &mut Report) {
    let limit = step.get("limits").and_then(|limits| limits.get("timeout_ms"));
    if let (Some(_), Some(limit)) = (step.get("timeout_seconds"), limit) {
        report.error(
            &limit.at,
            format!("`{path}.limits.timeout_ms` and `{path}.timeout_seconds` set the same limit; keep one of them"),
        );
    }
}

fn check_environments(tree: &Node, by_name: &BTreeMap<&str, usize>, report: &mut Report) {
    for environment in tree.get("environments").map_or(&[][..], Node::entries) {
        for step in environment.node.get("steps").map_or(&[][..], Node::items).iter().filter_map(Step::read) {
            let name = step.name;
            let path = format!("environments.{}.steps[{name}]", environment.key);
            check_waits(step.node.get("retry"), &path, report);
            check_time(step.node, &path, report);
            if name != model::ALL_STEPS && !by_name.contains_key(name) {
                let hint = did_you_mean(name, by_name.keys().copied().chain([model::ALL_STEPS]));
                report.error(
                    step.name_at,
                    format!(
                        "environment `{}` overrides `{name}`, which is no step of this template{hint}",
                        environment.key
                    ),
                );
            }
        }
    }
}
