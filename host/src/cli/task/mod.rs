//! `task`: create tasks, look at them, and end them.

mod cancel;
mod create;
mod list;
mod logs;
mod show;
mod wait;
mod watch;

pub(super) use wait::until_at_rest;

use clap::{Args, Subcommand};

use super::client::{Client, ReachArgs};
use super::{Exit, Failure, Global};

#[derive(Debug, Args)]
pub(super) struct TaskArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
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
    /// Show the changes of all tasks as they happen, until interrupted
    Watch(watch::WatchArgs),
    /// Show what the attempts of a task's steps logged, and why they failed
    Logs(logs::LogsArgs),
}

impl TaskArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        self.reach.speak(global, async |client| self.command.act(global, client).await).await
    }
}

impl TaskCommand {
    async fn act(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        match self {
            Self::Create(args) => args.execute(global, client).await,
            Self::Show(args) => args.execute(global, client).await,
            Self::List(args) => args.execute(global, client).await,
            Self::Cancel(args) => args.execute(global, client).await,
            Self::Wait(args) => args.execute(global, client).await,
            Self::Watch(args) => args.execute(global, client).await,
            Self::Logs(args) => args.execute(global, client).await,
        }
    }
}
