//! Tasks at a steady pace, whatever becomes of those before them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tasker_wasm_host::host::Host;
use tasker_wasm_host::store::{NewTask, TaskChange, TaskState};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::JoinSet;

/// Creates `count` tasks, one at each tick of `pace`, several at once where that takes longer; gives how long each took
/// from before its creation until its end was known. Tasks of others may run beside them.
///
/// # Errors
///
/// A task can't be made or created, one of them fails, or the host runs faster than its changes can be read.
pub async fn stream(
    host: &Arc<Host>,
    pace: Duration,
    count: usize,
    mut task: impl FnMut() -> anyhow::Result<NewTask>,
) -> anyhow::Result<Vec<Duration>> {
    let mut changes = host.dispatch().task_changes();
    let mut started = BTreeMap::new();
    let mut took = Vec::with_capacity(count);
    let mut tick = tokio::time::interval(pace);
    let mut creating: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let mut left = count;
    while left > 0 || !started.is_empty() {
        tokio::select! {
            change = next(&mut changes) => {
                let change = change?;
                if let Some(start) = started.remove(&change.task_uuid) {
                    took.push(Instant::now() - start);
                    ensure!(change.state == TaskState::Complete, "a task came to {:?}", change.state);
                }
            }
            _ = tick.tick(), if left > 0 => {
                left -= 1;
                let task = task()?;
                started.insert(task.task_uuid, Instant::now());
                let host = Arc::clone(host);
                creating.spawn(async move { host.create_tasks(&[task]).await.map(drop).map_err(Into::into) });
            }
            Some(created) = creating.join_next() => created??,
        }
    }
    Ok(took)
}

/// The next change of a task.
async fn next(changes: &mut Receiver<TaskChange>) -> anyhow::Result<TaskChange> {
    match changes.recv().await {
        Ok(change) => Ok(change),
        Err(RecvError::Lagged(missed)) => bail!("{missed} changes were missed: nothing can be said of them"),
        Err(RecvError::Closed) => bail!("the host is gone"),
    }
}
