//! `task watch`, and how a change is printed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;

use super::super::client::Client;
use super::super::{Exit, Failure, Global};
use crate::store::Change;

/// Pause before a stream that ended is opened again.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(in crate::cli) struct WatchArgs {
    /// Only tasks of this namespace
    #[arg(long, short)]
    namespace: Option<String>,
}

impl WatchArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let query = [("namespace", self.namespace)];
        let mut after = None;
        loop {
            let mut changes = client.changes(&query, after.as_deref()).await?;
            while let Some(change) = changes.next().await? {
                if global.json {
                    println!("{}", serde_json::to_string(&change)?);
                } else {
                    println!("{}  {}  {}", change.at.format("%H:%M:%S%.3f"), change.task_uuid, told(&change));
                }
            }
            after = changes.last().map(str::to_owned).or(after);
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Prints the changes of one task, each with the time since the first.
#[derive(Default)]
pub(super) struct Lines {
    first: Option<DateTime<Utc>>,
}

impl Lines {
    pub(super) fn print_of_task(&mut self, change: &Change) {
        let since = change.at - *self.first.get_or_insert(change.at);
        let millis = since.num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0;
        println!("{millis:>9.1} ms  {}", told(change));
    }
}

fn told(change: &Change) -> String {
    format!(
        "{:<24} {} → {}{}{}",
        change.step.as_deref().unwrap_or("(task)"),
        change.from_state,
        change.to_state,
        change.reason.as_ref().map(|reason| format!("  ({reason})")).unwrap_or_default(),
        change.actor.as_ref().map(|actor| format!("  by {actor}")).unwrap_or_default()
    )
}
