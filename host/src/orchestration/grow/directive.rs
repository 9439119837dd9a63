//! What a decision or a batchable step returned, read from its result.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::InvalidOutcome;
use crate::document::shortened;
use crate::template::{StepDefinition, StepType};

/// Characters of a reader's complaint; it may repeat what the guest wrote.
const MAX_COMPLAINT: usize = 300;

const DECISION: &str = r#"{"decision_point_outcome": {"type": "create_steps", "step_names": ["…"]}}"#;
const NO_BRANCHES: &str = r#"{"decision_point_outcome": {"type": "no_branches"}}"#;
const BATCH: &str = r#"{"batch_processing_outcome": {"type": "create_batches", "worker_template_name": "…", "worker_count": 1, "cursor_configs": [{"batch_id": "001", "start_cursor": 0, "end_cursor": 100, "batch_size": 100}], "total_items": 100}}"#;
const NO_BATCHES: &str = r#"{"batch_processing_outcome": {"type": "no_batches"}}"#;

/// What a step wants to become of its task.
#[derive(Debug, Clone)]
pub enum Directive {
    /// A decision creates steps.
    CreateSteps {
        /// Their names, each once; never empty.
        step_names: Vec<String>,
    },
    /// A decision creates nothing.
    NoBranches,
    /// A batchable step creates workers.
    CreateBatches {
        /// The step they are made from.
        worker_template: String,
        /// One for each worker; if there are none, one worker stands in for all.
        cursors: Vec<Cursor>,
        /// The step's result without the cursors, as the workers see it; none if there were none.
        brief: Option<Box<RawValue>>,
    },
    /// A batchable step has nothing to do: one worker stands in for all.
    NoBatches,
}

/// What one worker works on.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub struct Cursor {
    /// Unique in its batch; part of the worker's name.
    pub batch_id: String,
    /// Where the worker starts, any JSON.
    pub start_cursor: Box<RawValue>,
    /// Where it ends, any JSON.
    pub end_cursor: Box<RawValue>,
    /// Items it works on.
    pub batch_size: u64,
}

/// Reads what the successful `result` of `step` decides; `None` for a step that decides nothing.
///
/// # Errors
///
/// The outcome is missing or malformed.
pub fn directive(step: &StepDefinition, result: &RawValue) -> Result<Option<Directive>, InvalidOutcome> {
    match step.step_type {
        StepType::Decision => of_decision(&step.name, result).map(Some).map_err(InvalidOutcome::of_decision),
        StepType::Batchable => of_batchable(&step.name, result).map(Some).map_err(InvalidOutcome::of_batch),
        StepType::Standard | StepType::DeferredConvergence | StepType::BatchWorker => Ok(None),
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct DecisionOutcome {
    r#type: String,
    step_names: Option<Vec<String>>,
}

fn of_decision(step: &str, result: &RawValue) -> Result<Directive, String> {
    let usage = || format!("return {DECISION} or {NO_BRANCHES}, as `decisionSuccess` and `skipBranches` of the SDK do");
    let outcome: DecisionOutcome = read(result, "decision_point_outcome")
        .map_err(|wrong| format!("decision step `{step}` {wrong}; {}", usage()))?;
    match outcome.r#type.as_str() {
        "no_branches" => Ok(Directive::NoBranches),
        "create_steps" => {
            let mut step_names = Vec::new();
            let mut seen = std::collections::HashSet::new();
            for name in outcome.step_names.unwrap_or_default() {
                if seen.insert(name.clone()) {
                    step_names.push(name);
                }
            }
            if step_names.is_empty() {
                return Err(format!(
                    "decision step `{step}` returned `create_steps` without `step_names`; name at least one step, or \
                     return {NO_BRANCHES}"
                ));
            }
            Ok(Directive::CreateSteps { step_names })
        }
        other => Err(format!(
            "decision step `{step}` returned a `decision_point_outcome` of type {:?}; {}",
            shortened(other, MAX_COMPLAINT),
            usage()
        )),
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct BatchOutcome {
    r#type: String,
    worker_template_name: Option<String>,
    worker_count: Option<u64>,
    cursor_configs: Option<Vec<Cursor>>,
}

fn of_batchable(step: &str, result: &RawValue) -> Result<Directive, String> {
    let usage = || format!("return {BATCH} or {NO_BATCHES}, as `batchSuccess` and `noBatchesResult` of the SDK do");
    let outcome: BatchOutcome = read(result, "batch_processing_outcome")
        .map_err(|wrong| format!("batchable step `{step}` {wrong}; {}", usage()))?;
    match outcome.r#type.as_str() {
        "no_batches" => Ok(Directive::NoBatches),
        "create_batches" => {
            let missing =
                |key: &str| format!("batchable step `{step}` returned `create_batches` without `{key}`; {}", usage());
            let worker_template = outcome.worker_template_name.ok_or_else(|| missing("worker_template_name"))?;
            let cursors = outcome.cursor_configs.ok_or_else(|| missing("cursor_configs"))?;
            let count = outcome.worker_count.ok_or_else(|| missing("worker_count"))?;
            if count != cursors.len() as u64 {
                return Err(format!(
                    "batchable step `{step}` returned {} `cursor_configs` and a `worker_count` of {count}; each worker \
                     needs one of its own, so make them equal",
                    cursors.len()
                ));
            }
            let brief = if cursors.is_empty() { None } else { Some(brief(result).map_err(|error| error.to_string())?) };
            Ok(Directive::CreateBatches { worker_template, cursors, brief })
        }
        other => Err(format!(
            "batchable step `{step}` returned a `batch_processing_outcome` of type {:?}; {}",
            shortened(other, MAX_COMPLAINT),
            usage()
        )),
    }
}

/// The outcome under `key` of a result, or what is wrong with it.
fn read<'r, Outcome: Deserialize<'r>>(result: &'r RawValue, key: &str) -> Result<Outcome, String> {
    let outcome = serde_json::from_str::<BTreeMap<String, &RawValue>>(result.get())
        .ok()
        .and_then(|mut keys| keys.remove(key))
        .ok_or_else(|| format!("returned no `{key}`"))?;
    serde_json::from_str(outcome.get()).map_err(|error| {
        format!("returned a `{key}` that can't be read ({})", shortened(&error.to_string(), MAX_COMPLAINT))
    })
}

/// A batchable step's result with its `cursor_configs` emptied.
fn brief(result: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
    let mut keys: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
    let all: BTreeMap<String, &RawValue> = serde_json::from_str(result.get())?;
    for (key, value) in &all {
        let value = if key == "batch_processing_outcome" {
            let mut outcome: BTreeMap<String, Box<RawValue>> = serde_json::from_str(value.get())?;
            outcome.insert("cursor_configs".to_owned(), to_raw_value(&[(); 0])?);
            to_raw_value(&outcome)?
        } else {
            (*value).to_owned()
        };
        keys.insert(key, value);
    }
    to_raw_value(&keys)
}
