//! Draws a task's steps as a tree, with what each has used beside it.
//!
//! A workflow is a graph, a terminal shows trees: a step with several parents hangs under the one that is deepest, so
//! that everything it waited for stands above it, and names the others.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::output::{bytes, count, millis};
use crate::store::StepView;

/// The tree, one line a step, columns aligned.
pub(super) fn draw(steps: &[StepView]) -> String {
    let rows = arrange(steps);
    let width = rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
    let mut drawing = format!(
        "{:width$}  {:<19} {:>8}  {:>9}  {:>8}  {:>8}\n",
        "step", "state", "attempts", "time", "fuel", "memory"
    );
    for Row { label, step } in rows {
        let used = step.last_attempt.as_ref().map(|attempt| &attempt.usage);
        let (time, fuel, memory) = match used {
            Some(usage) => (millis(usage.total_us), count(usage.fuel), bytes(usage.peak_memory_bytes)),
            None => ("-".into(), "-".into(), "-".into()),
        };
        let pad = width - label.chars().count();
        let _ = writeln!(
            drawing,
            "{label}{:pad$}  {:<19} {:>8}  {time:>9}  {fuel:>8}  {memory:>8}",
            "",
            step.current_state,
            format!("{}/{}", step.attempts, step.max_attempts),
        );
    }
    drawing
}

struct Row<'a> {
    label: String,
    step: &'a StepView,
}

fn arrange(steps: &[StepView]) -> Vec<Row<'_>> {
    let by_name: HashMap<&str, &StepView> = steps.iter().map(|step| (step.name.as_str(), step)).collect();
    let mut depths = HashMap::new();
    let mut children: HashMap<Option<&str>, Vec<&StepView>> = HashMap::new();
    for step in steps {
        let deepest = step.dependencies.iter().max_by_key(|parent| depth(parent, &by_name, &mut depths));
        children.entry(deepest.map(String::as_str)).or_default().push(step);
    }
    let mut rows = Vec::with_capacity(steps.len());
    // A stack rather than recursion: a chain may be thousands of steps long.
    let mut open: Vec<(&StepView, String, &str)> = Vec::new();
    push_children(&mut open, children.remove(&None), "", true);
    while let Some((step, indent, branch)) = open.pop() {
        rows.push(Row {
            label: format!("{indent}{branch}{}{}", step.name, also_after(step, &by_name, &mut depths)),
            step,
        });
        let deeper = match branch {
            "├─ " => format!("{indent}│  "),
            "└─ " => format!("{indent}   "),
            _ => indent,
        };
        push_children(&mut open, children.remove(&Some(step.name.as_str())), &deeper, false);
    }
    rows
}

fn push_children<'a>(
    open: &mut Vec<(&'a StepView, String, &'static str)>,
    steps: Option<Vec<&'a StepView>>,
    indent: &str,
    roots: bool,
) {
    for (from_last, step) in steps.into_iter().flatten().rev().enumerate() {
        let branch = if roots {
            ""
        } else if from_last == 0 {
            "└─ "
        } else {
            "├─ "
        };
        open.push((step, indent.to_owned(), branch));
    }
}

/// Names the parents a step does not hang under.
fn also_after<'a>(
    step: &'a StepView,
    by_name: &HashMap<&'a str, &'a StepView>,
    depths: &mut HashMap<&'a str, usize>,
) -> String {
    let shown = step.dependencies.iter().max_by_key(|parent| depth(parent, by_name, depths));
    let others: Vec<_> = step.dependencies.iter().filter(|parent| Some(*parent) != shown).map(String::as_str).collect();
    if others.is_empty() { String::new() } else { format!(" (and after {})", others.join(", ")) }
}

/// Length of the longest way from a root, 0 for a root itself.
fn depth<'a>(name: &'a str, by_name: &HashMap<&'a str, &'a StepView>, known: &mut HashMap<&'a str, usize>) -> usize {
    let mut open = vec![name];
    while let Some(&next) = open.last() {
        let parents: &[String] = by_name.get(next).map_or(&[], |step| step.dependencies.as_slice());
        let missing = parents.iter().find(|parent| !known.contains_key(parent.as_str()));
        match missing {
            Some(parent) => open.push(parent),
            None => {
                let deepest = parents.iter().map(|parent| known[parent.as_str()] + 1).max().unwrap_or(0);
                known.insert(next, deepest);
                open.pop();
            }
        }
    }
    known[name]
}
