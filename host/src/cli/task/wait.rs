//! `task wait`, and the waiting that other verbs share.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::{Exit, Failure, Global};
use super::show;
use crate::store::{Store, TaskState};

/// Pause between two looks at the transitions of a task.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub(in crate::cli) struct WaitArgs {
    /// The task
    task: Uuid,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl WaitArgs {
    pub(super) async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        super::existing(store, self.task).await?;
        until_at_rest(global, store, self.task, self.timeout.map(Duration::from_secs)).await
    }
}

/// Prints each change of `task` as it happens, then the task. Ends well when the task is complete or resolved.
pub(in crate::cli) async fn until_at_rest(
    global: &Global,
    store: &Store,
    task: Uuid,
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut seen = 0;
    let mut first = None;
    loop {
        // The state is read before the transitions, so that none is missed that led to it.
        let view = super::existing(store, task).await?;
        for change in store.transitions(task, seen).await? {
            seen = change.sequence;
            if global.json {
                continue;
            }
            let since = change.at - *first.get_or_insert(change.at);
            println!(
                "{:>9.1} ms  {:<24} {} → {}{}{}",
                since.num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0,
                change.step.as_deref().unwrap_or("(task)"),
                change.from_state,
                change.to_state,
                change.reason.map(|reason| format!("  ({reason})")).unwrap_or_default(),
                change.actor.map(|actor| format!("  by {actor}")).unwrap_or_default()
            );
        }
        if view.status.is_resting() {
            if !global.json {
                println!();
            }
            show::print(global, &view, &store.steps(task).await?)?;
            return Ok(match view.status {
                TaskState::Complete | TaskState::ResolvedManually => Exit::Done,
                _ => Exit::NotWell,
            });
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Failure::not_well(anyhow::anyhow!(
                "task {task} is still {} after {} s; it goes on, `task show {task}` tells how it stands",
                view.status,
                timeout.unwrap_or_default().as_secs()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}
