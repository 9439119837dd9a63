//! `step complete`.

use anyhow::Context;
use clap::Args;
use serde_json::value::RawValue;

use super::super::operator::OperatorArgs;
use super::super::{Exit, Failure, Global, input};
use super::Named;
use crate::host;
use crate::host::by_hand::{self, ResultByHand};
use crate::store::Store;

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
    pub(super) async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let result = input::json(&self.result, "--result", "the result").map_err(Failure::not_well)?;
        let metadata = self.metadata.as_deref().map(object).transpose().map_err(Failure::not_well)?;
        let step = self.step.find(store).await?;
        let operator = self.operator.operator();
        let given = ResultByHand { result: &result, metadata: metadata.as_deref(), operator: &operator };
        let config = global.config()?;
        let environment = &config.common.execution.environment;
        let completed = by_hand::complete_step(store, &step, &given, environment, &host::growth_limits(&config)).await;
        self.step.done(global, store, completed.map_err(Failure::not_well)?).await
    }
}

fn object(text: &str) -> anyhow::Result<Box<RawValue>> {
    let metadata: Box<RawValue> = serde_json::from_str(text).context("the metadata in --metadata is not JSON")?;
    anyhow::ensure!(metadata.get().starts_with('{'), "the metadata in --metadata must be a JSON object");
    Ok(metadata)
}
