//! `task`: create tasks, look at them, and end them.

mod cancel;
mod create;
mod list;
mod show;
mod wait;

pub(super) use wait::until_at_rest;

use clap::Subcommand;
use uuid::Uuid;

use super::{Exit, Failure, Global};
use crate::host::{Database, FEW_CONNECTIONS};
use crate::store::{Store, TaskView};

#[derive(Debug, Subcommand)]
pub(super) enum TaskCommand {
    /// Create a task from a registered template, or from a template file
    Create(create::CreateArgs),
    /// Show a task and its steps
    Show(show::ShowArgs),
    /// List tasks, newest first
    List(list::ListArgs),
    /// End a task and its unfinished steps
    Cancel(cancel::CancelArgs),
    /// Wait until a task has come to rest, and show its changes as they happen
    Wait(wait::WaitArgs),
}

impl TaskCommand {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let config = global.config()?;
        let database = Database::open(&config, FEW_CONNECTIONS).await.map_err(Failure::cannot_start)?;
        let ended = match self {
            Self::Create(args) => args.execute(global, &database.store, &config.common.execution.environment).await,
            Self::Show(args) => args.execute(global, &database.store).await,
            Self::List(args) => args.execute(global, &database.store).await,
            Self::Cancel(args) => args.execute(global, &database.store).await,
            Self::Wait(args) => args.execute(global, &database.store).await,
        };
        database.close().await;
        ended
    }
}

pub(super) async fn existing(store: &Store, task: Uuid) -> Result<TaskView, Failure> {
    let found = store.task(task).await?;
    found
        .ok_or_else(|| Failure::not_well(anyhow::anyhow!("there is no task {task}; `task list` shows those there are")))
}
