//! `audit`: what people did by hand.

use clap::Args;

use super::client::{Client, ReachArgs};
use super::{Exit, Failure, Global, output};
use crate::store::AuditEntry;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    reach: ReachArgs,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl AuditArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        self.reach.speak(global, async |client| show(global, client, self.limit).await).await
    }
}

async fn show(global: &Global, client: &Client, limit: u32) -> Result<Exit, Failure> {
    let entries: Vec<AuditEntry> = client.find("/v1/audit", &[("limit", Some(limit.to_string()))]).await?;
    if global.json {
        output::json(&entries)?;
        return Ok(Exit::Done);
    }
    for entry in &entries {
        println!(
            "{}  {:<24} {:<11} {}  {}{}",
            entry.at.format("%Y-%m-%d %H:%M:%S"),
            entry.actor,
            entry.kind,
            entry.subject,
            entry.action,
            entry.reason.as_ref().map(|reason| format!("  ({reason})")).unwrap_or_default()
        );
    }
    Ok(Exit::Done)
}
