//! `task list`.

use clap::Args;

use super::super::{Exit, Failure, Global, output};
use crate::store::{Store, TaskFilter, TaskState};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only tasks of this namespace
    #[arg(long, short)]
    namespace: Option<String>,
    /// Only tasks in this state, such as complete or blocked_by_failures
    #[arg(long, short)]
    status: Option<TaskState>,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl ListArgs {
    pub(super) async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let filter = TaskFilter { namespace: self.namespace, status: self.status, limit: self.limit };
        let tasks = store.list_tasks(&filter).await?;
        if global.json {
            output::json(&tasks)?;
            return Ok(Exit::Done);
        }
        for task in &tasks {
            println!(
                "{}  {:<19}  {:>3}/{:<3}  {}  {}/{}",
                task.task_uuid,
                task.status.to_string(),
                task.completed_steps,
                task.total_steps,
                task.created_at.format("%Y-%m-%d %H:%M:%S"),
                task.namespace,
                task.name
            );
        }
        if tasks.is_empty() {
            eprintln!("no task matches");
        }
        Ok(Exit::Done)
    }
}
