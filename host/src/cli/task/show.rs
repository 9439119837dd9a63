//! `task show`.

use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use super::super::client::Client;
use super::super::{Exit, Failure, Global, output, tree};
use crate::store::{StepView, TaskView};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The task
    task: Uuid,
}

impl ShowArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        whole(global, client, self.task).await?;
        Ok(Exit::Done)
    }
}

/// Prints a task with its steps.
pub(super) async fn whole(global: &Global, client: &Client, task: Uuid) -> Result<TaskView, Failure> {
    let view: TaskView = client.get(&format!("/v1/tasks/{task}")).await?;
    let steps: Vec<StepView> = client.get(&format!("/v1/tasks/{task}/workflow_steps")).await?;
    print(global, &view, &steps)?;
    Ok(view)
}

/// A task with its steps, as JSON or as a tree with the results of its last steps.
fn print(global: &Global, task: &TaskView, steps: &[StepView]) -> Result<(), Failure> {
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
