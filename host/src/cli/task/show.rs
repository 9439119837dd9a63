//! `task show`.

use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use super::super::{Exit, Failure, Global, output, tree};
use crate::store::{StepView, Store, TaskView};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The task
    task: Uuid,
}

impl ShowArgs {
    pub(super) async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let task = super::existing(store, self.task).await?;
        let steps = store.steps(self.task).await?;
        print(global, &task, &steps)?;
        Ok(Exit::Done)
    }
}

/// A task with its steps, as JSON or as a tree with the results of its last steps.
pub(in crate::cli) fn print(global: &Global, task: &TaskView, steps: &[StepView]) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        task: &'a TaskView,
        steps: &'a [StepView],
    }
    if global.json {
        return Ok(output::json(&Whole { task, steps })?);
    }
    let took = task.completed_at.map(|end| {
        let micros = (end - task.created_at).num_microseconds().unwrap_or(i64::MAX).unsigned_abs();
        format!(" in {}", output::millis(micros))
    });
    println!(
        "{}/{} {}  {}\n{}{}, {} of {} steps\n",
        task.namespace,
        task.name,
        task.version,
        task.task_uuid,
        task.status,
        took.unwrap_or_default(),
        task.completed_steps,
        task.total_steps
    );
    print!("{}", tree::draw(steps));
    for step in steps {
        if let Some(error) = step.results.as_ref().and_then(|results| results.error.as_ref()) {
            println!("\n{} failed:\n{}", step.name, output::indented(error.get()));
        }
    }
    let parents: std::collections::HashSet<&str> =
        steps.iter().flat_map(|step| &step.dependencies).map(String::as_str).collect();
    for step in steps.iter().filter(|step| !parents.contains(step.name.as_str())) {
        if let Some(results) = step.results.as_ref().filter(|results| results.success) {
            println!("\n{} returned:\n{}", step.name, output::indented(results.result.get()));
        }
    }
    Ok(())
}
