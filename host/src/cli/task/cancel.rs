//! `task cancel`.

use clap::Args;
use uuid::Uuid;

use super::super::client::Client;
use super::super::operator::OperatorArgs;
use super::super::{Exit, Failure, Global, output};
use crate::store::{StepReadiness, StepState, TaskView};

#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The task
    task: Uuid,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// What the API tells of a task that was cancelled.
#[derive(serde::Deserialize)]
struct Cancelled {
    steps: Vec<StepReadiness>,
}

impl CancelArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let by = self.operator.operator();
        let path = format!("/v1/tasks/{}", self.task);
        let cancelled: Box<serde_json::value::RawValue> =
            client.delete(&path, &[("cancelled_by", Some(by.actor)), ("reason", Some(by.reason))]).await?;
        if global.json {
            output::json(&serde_json::from_str::<TaskView>(cancelled.get())?)?;
            return Ok(Exit::Done);
        }
        let Cancelled { steps } = serde_json::from_str(cancelled.get())?;
        let ended = steps.iter().filter(|step| step.current_state == StepState::Cancelled).count();
        println!("{} is cancelled, and {ended} of its steps with it", self.task);
        Ok(Exit::Done)
    }
}
