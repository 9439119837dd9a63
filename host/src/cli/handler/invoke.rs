//! `handler invoke`: one handler in the real sandbox, without a database.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::super::{Exit, Failure, Global, input, output};
use super::{Found, Path, load, matching};
use crate::config::limits::LimitSet;
use crate::host::trial::{Trial, Tried, try_handler};
use crate::store::{Checkpoint, Usage, Verdict};
use crate::template;

#[derive(Debug, Args)]
pub(in crate::cli) struct InvokeArgs {
    /// The component: a .wasm file, or a directory with one
    component: PathBuf,
    /// The handler's name, as templates write it
    callable: String,
    /// The method a template would name
    #[arg(long)]
    method: Option<String>,
    /// The resolver a template would name
    #[arg(long)]
    resolver: Option<String>,
    /// Only in this namespace
    #[arg(long, short)]
    namespace: Option<String>,
    /// Context of the task: a JSON object, a file with one, or - for standard input
    #[arg(long, short, default_value = "{}", value_name = "JSON|FILE")]
    input: String,
    /// Results of the steps it depends on, by their names: a JSON object, or a file with one
    #[arg(long, default_value = "{}", value_name = "JSON|FILE")]
    dependencies: String,
    /// The `initialization` a template would give it: a JSON object, or a file with one
    #[arg(long, default_value = "{}", value_name = "JSON|FILE")]
    initialization: String,
    /// Inputs of the step, such as a batch worker's cursor: a JSON object, or a file with one [default: the initialization]
    #[arg(long, value_name = "JSON|FILE")]
    step_inputs: Option<String>,
    /// Progress it goes on from: {"cursor": ..., "items_processed": ..., "accumulated_results": ...}, or a file with it
    #[arg(long, value_name = "JSON|FILE")]
    checkpoint: Option<String>,
    /// Which attempt it is
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: u32,
    /// Limits a template would set, such as {"fuel": 1000000}: a JSON object, or a file with one
    #[arg(long, default_value = "{}", value_name = "JSON|FILE")]
    limits: String,
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Report<'a> {
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u128>,
    metadata: &'a RawValue,
    checkpoints: Vec<Progress<'a>>,
    usage: Usage,
}

#[derive(Serialize)]
struct Progress<'a> {
    cursor: &'a RawValue,
    items_processed: u64,
    accumulated_results: Option<&'a RawValue>,
}

impl InvokeArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let trial = self.trial().map_err(Failure::not_well)?;
        let Found { loaded, config, sandbox } = load(global, Path { components: vec![self.component.clone()] }).await?;
        if let Some(left_out) = loaded.left_out.first() {
            let path = left_out.package.path.display();
            return Err(Failure::not_well(anyhow!("{path} can't be called: {}", left_out.error)));
        }
        let found = matching(loaded.components.table(), &self.callable, self.namespace.as_deref())?;
        let [handler] = found[..] else {
            let namespaces: Vec<_> = found.iter().map(|handler| handler.namespace()).collect();
            return Err(Failure::not_well(anyhow!(
                "{:?} is served in the namespaces {}: choose one with --namespace",
                self.callable,
                namespaces.join(", ")
            )));
        };
        let prepared = loaded.components.prepared(&handler.package).context("what is served has been prepared")?;
        let tried = try_handler(&sandbox, &config, handler, prepared, trial).await?;
        if global.json {
            output::json(&Report::of(&tried))?;
        } else {
            print!("{}", for_people(&tried)?);
        }
        Ok(match tried.completion.verdict {
            Verdict::Complete { .. } => Exit::Done,
            Verdict::Retry { .. } | Verdict::Error { .. } => Exit::NotWell,
        })
    }

    fn trial(&self) -> anyhow::Result<Trial> {
        let initialization = object(&self.initialization, "--initialization", "the initialization")?;
        let inputs = self
            .step_inputs
            .as_deref()
            .map_or_else(|| Ok(initialization.clone()), |given| object(given, "--step-inputs", "the step's inputs"))?;
        let limits = input::json(&self.limits, "--limits", "what is said of limits")?;
        let checkpoint = self.checkpoint.as_deref().map(|given| object(given, "--checkpoint", "the checkpoint"));
        Ok(Trial {
            handler: template::Handler {
                callable: self.callable.clone(),
                method: self.method.clone(),
                resolver: self.resolver.clone(),
                initialization: serde_json::from_str(initialization.get())?,
            },
            context: object(&self.input, "--input", "the input")?,
            dependencies: serde_json::from_str(
                object(&self.dependencies, "--dependencies", "the dependencies")?.get(),
            )?,
            inputs,
            checkpoint: checkpoint.transpose()?,
            attempt: self.attempt,
            limits: serde_json::from_str::<LimitSet>(limits.get()).context("in --limits")?,
        })
    }
}

/// JSON that must be an object.
fn object(given: &str, option: &str, what: &str) -> anyhow::Result<Box<RawValue>> {
    let json = input::json(given, option, what)?;
    anyhow::ensure!(json.get().starts_with('{'), "{what} in {option} is no JSON object: {}", json.get());
    Ok(json)
}

impl<'a> Report<'a> {
    fn of(tried: &'a Tried) -> Self {
        let completion = &tried.completion;
        let (result, error, retry_after) = match &completion.verdict {
            Verdict::Complete { result } => (Some(&**result), None, None),
            Verdict::Retry { after, error } => (None, Some(&**error), Some(after.as_millis())),
            Verdict::Error { error } => (None, Some(&**error), None),
        };
        Self {
            outcome: &completion.attempt.outcome,
            result,
            error,
            retry_after_ms: retry_after,
            metadata: &completion.metadata,
            checkpoints: tried.checkpoints.iter().map(Progress::from).collect(),
            usage: completion.attempt.usage,
        }
    }
}

impl<'a> From<&'a Checkpoint> for Progress<'a> {
    fn from(checkpoint: &'a Checkpoint) -> Self {
        let Checkpoint { cursor, items_processed, accumulated_results } = checkpoint;
        Self { cursor, items_processed: *items_processed, accumulated_results: accumulated_results.as_deref() }
    }
}

fn for_people(tried: &Tried) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let Report { outcome, result, error, retry_after_ms, metadata, checkpoints, usage } = Report::of(tried);
    match (retry_after_ms, error) {
        (Some(wait), _) => writeln!(text, "{outcome}: it would be tried again after {} ms", wait)?,
        (None, Some(_)) => writeln!(text, "{outcome}: it would not be tried again")?,
        (None, None) => writeln!(text, "{outcome}")?,
    }
    for Progress { cursor, items_processed, .. } in checkpoints {
        writeln!(text, "  checkpoint      {} at {} items processed", cursor.get(), items_processed)?;
    }
    let limits = &tried.limits;
    writeln!(text, "  fuel            {} of {}", output::count(usage.fuel), output::count(limits.fuel))?;
    let (peak, most) = (output::bytes(usage.peak_memory_bytes), output::bytes(limits.memory_bytes as u64));
    writeln!(text, "  memory          {peak} of {most}")?;
    let deadline = output::millis(limits.deadline.as_micros().try_into().unwrap_or(u64::MAX));
    writeln!(text, "  time            {} of {deadline}", output::millis(usage.total_us))?;
    writeln!(text, "  host calls      {}", usage.host_calls)?;
    if let Some(result) = result {
        writeln!(text, "result\n{}", output::indented(result.get()))?;
    }
    if let Some(error) = error {
        writeln!(text, "error\n{}", output::indented(error.get()))?;
    }
    if serde_json::from_str::<Json>(metadata.get()).is_ok_and(|metadata| metadata != serde_json::json!({})) {
        writeln!(text, "metadata\n{}", output::indented(metadata.get()))?;
    }
    Ok(text)
}
