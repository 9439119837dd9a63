//! `usage`: what the steps of tenants used.

use chrono::{DateTime, Duration, Utc};
use clap::Args;

use super::client::{Client, ReachArgs};
use super::{Exit, Failure, Global, output};
use crate::store::UsageTotals;

#[derive(Debug, Args)]
pub(super) struct UsageArgs {
    #[command(flatten)]
    reach: ReachArgs,
    /// Only of this namespace
    #[arg(long, short)]
    namespace: Option<String>,
    /// Of tasks created in these last hours
    #[arg(long, default_value_t = 24, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8784))]
    hours: u32,
}

impl UsageArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let since = Utc::now() - Duration::hours(self.hours.into());
        self.reach.speak(global, async |client| show(global, client, self.namespace, since).await).await
    }
}

async fn show(
    global: &Global,
    client: &Client,
    namespace: Option<String>,
    since: DateTime<Utc>,
) -> Result<Exit, Failure> {
    let query = [("namespace", namespace), ("since", Some(since.to_rfc3339()))];
    let used: Vec<UsageTotals> = client.find("/v1/usage", &query).await?;
    if global.json {
        output::json(&used)?;
        return Ok(Exit::Done);
    }
    println!(
        "{:<48} {:<24} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "template", "step", "attempts", "failed", "fuel", "in guest", "time", "memory"
    );
    let unsigned = |number: i64| number.unsigned_abs();
    for line in &used {
        println!(
            "{:<48} {:<24} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
            format!("{}/{} {}", line.namespace, line.name, line.version),
            line.step,
            line.attempts,
            line.failures,
            output::count(unsigned(line.fuel)),
            output::millis(unsigned(line.guest_us)),
            output::millis(unsigned(line.total_us)),
            output::bytes(unsigned(line.peak_memory_bytes))
        );
    }
    Ok(Exit::Done)
}
