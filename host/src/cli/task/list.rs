//! `task list`.

use clap::Args;
use serde::Deserialize;

use super::super::client::Client;
use super::super::{Exit, Failure, Global, output};
use crate::store::{TaskState, TaskView};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only tasks of this namespace
    #[arg(long, short)]
    namespace: Option<String>,
    /// Only tasks in this state, such as complete or blocked_by_failures
    #[arg(long, short)]
    status: Option<TaskState>,
    /// Only tasks that this one asked for
    #[arg(long)]
    initiator: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// A page, as the API gives it.
#[derive(Deserialize)]
struct Page {
    tasks: Vec<TaskView>,
    pagination: Pagination,
}

#[derive(Deserialize)]
struct Pagination {
    has_next: bool,
}

/// The most tasks of one page.
const PAGE: usize = 100;

impl ListArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let limit = self.limit as usize;
        let mut tasks: Vec<TaskView> = Vec::new();
        for page in 1.. {
            let query = [
                ("namespace", self.namespace.clone()),
                ("status", self.status.map(|status| status.to_string())),
                ("initiator", self.initiator.clone()),
                ("page", Some(page.to_string())),
                ("per_page", Some(limit.min(PAGE).to_string())),
            ];
            let found: Page = client.find("/v1/tasks", &query).await?;
            tasks.extend(found.tasks);
            if !found.pagination.has_next || tasks.len() >= limit {
                break;
            }
        }
        tasks.truncate(limit);
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
