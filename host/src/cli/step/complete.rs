//! `step complete`.

use anyhow::Context;
use clap::Args;
use serde_json::json;
use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::operator::OperatorArgs;
use super::super::{Exit, Failure, Global, input};
use super::Named;

#[derive(Debug, Args)]
pub(in crate::cli) struct CompleteArgs {
    #[command(flatten)]
    step: Named,
    /// The result: JSON, a file with it, or - for standard input
    #[arg(long, value_name = "JSON")]
    result: String,
    /// What there is to say of it, a JSON object
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl CompleteArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let result = input::json(&self.result, "--result", "the result").map_err(Failure::not_well)?;
        let metadata = self.metadata.as_deref().map(object).transpose().map_err(Failure::not_well)?;
        let by = self.operator.operator();
        let action = json!({
            "action_type": "complete_manually",
            "completion_data": {"result": result, "metadata": metadata},
            "reason": by.reason,
            "completed_by": by.actor,
        });
        self.step.act(global, client, &action).await
    }
}

fn object(text: &str) -> anyhow::Result<Box<RawValue>> {
    let metadata: Box<RawValue> = serde_json::from_str(text).context("the metadata in --metadata is not JSON")?;
    anyhow::ensure!(metadata.get().starts_with('{'), "the metadata in --metadata must be a JSON object");
    Ok(metadata)
}
