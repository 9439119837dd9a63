//! `task cancel`.

use clap::Args;
use uuid::Uuid;

use super::super::operator::OperatorArgs;
use super::super::{Exit, Failure, Global, output};
use crate::store::Store;

#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The task
    task: Uuid,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl CancelArgs {
    pub(super) async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let ended = store.cancel_task(self.task, &self.operator.operator()).await.map_err(Failure::not_well)?;
        if global.json {
            output::json(&super::existing(store, self.task).await?)?;
        } else {
            println!("{} is cancelled, and {ended} of its steps with it", self.task);
        }
        Ok(Exit::Done)
    }
}
