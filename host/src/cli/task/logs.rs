//! `task logs`.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::client::Client;
use super::super::{Exit, Failure, Global, output};
use crate::store::AttemptDetail;

/// Attempts that are asked for at once.
const PAGE: usize = 500;

#[derive(Debug, Args)]
pub(in crate::cli) struct LogsArgs {
    /// The task
    task: Uuid,
    /// Only of the step of this name
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
}

/// The end of an attempt's log.
#[derive(Deserialize)]
struct Log {
    records: Vec<Record>,
    dropped: u64,
}

#[derive(Deserialize)]
struct Record {
    at: DateTime<Utc>,
    level: String,
    message: String,
    fields: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct AttemptError {
    message: String,
    #[serde(default)]
    backtrace: Vec<String>,
}

impl LogsArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let path = format!("/v1/tasks/{}/attempts", self.task);
        let mut attempts: Vec<AttemptDetail> = Vec::new();
        loop {
            let query = [("limit", Some(PAGE.to_string())), ("offset", Some(attempts.len().to_string()))];
            let page: Vec<AttemptDetail> = client.find(&path, &query).await?;
            let whole = page.len() == PAGE;
            attempts.extend(page);
            if !whole {
                break;
            }
        }
        attempts.retain(|attempt| self.step.as_ref().is_none_or(|step| *step == attempt.step));
        if global.json {
            output::json(&attempts)?;
            return Ok(Exit::Done);
        }
        attempts.iter().try_for_each(print)?;
        if attempts.is_empty() {
            eprintln!("no attempt has ended yet");
        }
        Ok(Exit::Done)
    }
}

fn print(detail: &AttemptDetail) -> Result<(), Failure> {
    let attempt = &detail.attempt;
    println!(
        "{}  attempt {}  {}  {}  on {}",
        detail.step,
        attempt.attempt,
        attempt.error_type.as_deref().unwrap_or(&attempt.outcome),
        output::millis(attempt.usage.total_us),
        attempt.host
    );
    if let Some(log) = &detail.log {
        let log: Log = serde_json::from_str(log.get())?;
        if log.dropped > 0 {
            println!("  ({} records before these were not kept)", log.dropped);
        }
        for record in log.records {
            let fields = record.fields.map(|fields| format!("  {fields}")).unwrap_or_default();
            println!("  {} {:>5} {}{fields}", record.at.format("%H:%M:%S%.3f"), record.level, record.message);
        }
    }
    if let Some(error) = &detail.error {
        let error: AttemptError = serde_json::from_str(error.get())?;
        println!("  failed: {}", error.message);
        error.backtrace.iter().for_each(|frame| println!("    {frame}"));
    }
    Ok(())
}
