//! `task wait`, and the waiting that other verbs share.

use std::time::Duration;

use clap::Args;
use uuid::Uuid;

use super::super::client::Client;
use super::super::{Exit, Failure, Global};
use super::show;
use super::watch::Lines;
use crate::store::{Change, TaskState, TaskView};

/// Pause before a stream that ended is opened again.
const AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(in crate::cli) struct WaitArgs {
    /// The task
    task: Uuid,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl WaitArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        until_at_rest(global, client, self.task, self.timeout.map(Duration::from_secs)).await
    }
}

/// Prints each change of `task` as it happens, then the task. Ends well when the task is complete or resolved.
pub(in crate::cli) async fn until_at_rest(
    global: &Global,
    client: &Client,
    task: Uuid,
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    let rest = rest(global, client, task);
    let rested = match timeout {
        None => Ok(rest.await),
        Some(timeout) => tokio::time::timeout(timeout, rest).await,
    };
    let Ok(rested) = rested else {
        let view: TaskView = client.get(&format!("/v1/tasks/{task}")).await?;
        return Err(Failure::not_well(anyhow::anyhow!(
            "task {task} is still {} after {} s; it goes on, `task show {task}` tells how it stands",
            view.status,
            timeout.unwrap_or_default().as_secs()
        )));
    };
    rested?;
    if !global.json {
        println!();
    }
    let view = show::whole(global, client, task).await?;
    Ok(match view.status {
        TaskState::Complete | TaskState::ResolvedManually => Exit::Done,
        _ => Exit::NotWell,
    })
}

/// Follows a task until it rests. A state in its past is told as well, so each that looks like rest is looked at.
async fn rest(global: &Global, client: &Client, task: Uuid) -> Result<(), Failure> {
    let query = [("task_uuid", Some(task.to_string()))];
    let (mut lines, mut after) = (Lines::default(), None);
    loop {
        let mut changes = client.changes(&query, after.as_deref()).await?;
        while let Some(change) = changes.next().await? {
            if !global.json {
                lines.print_of_task(&change);
            }
            if is_rest(&change) {
                let view: TaskView = client.get(&format!("/v1/tasks/{task}")).await?;
                if view.status.is_resting() && change.to_state == view.status.as_str() {
                    return Ok(());
                }
            }
        }
        after = changes.last().map(str::to_owned).or(after);
        tokio::time::sleep(AGAIN).await;
    }
}

fn is_rest(change: &Change) -> bool {
    change.step_uuid.is_none() && change.to_state.parse().is_ok_and(TaskState::is_resting)
}
