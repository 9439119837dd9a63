//! The workers of a batch.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::closure::Task;
use super::{Cursor, GrowthLimits, InvalidOutcome, list};
use crate::document::{did_you_mean, shortened};
use crate::store::{GrownStep, NewBatch};
use crate::template::{FailureStrategy, StepDefinition, StepType};

/// Characters of a worker's name, as of every step's.
const MAX_NAME: usize = 255;
/// Characters of what the guest made up, where a message repeats it.
const MAX_SHOWN: usize = 100;
/// Bytes of the inputs of all workers together: every worker carries its own copy of the initialization.
const MAX_INPUTS: usize = 64 << 20;
/// The worker that stands in where there is no batch.
const STAND_IN: &str = "000";

/// What one worker's handler gets.
#[derive(Serialize)]
struct Inputs<'a> {
    #[serde(flatten)]
    initialization: &'a Map<String, Json>,
    cursor: CursorInput<'a>,
    batch_metadata: BatchMetadata<'a>,
    is_no_op: bool,
    #[serde(rename = "__template_step_name")]
    template_step_name: &'a str,
}

#[derive(Serialize)]
struct CursorInput<'a> {
    batch_id: &'a str,
    start_cursor: &'a RawValue,
    end_cursor: &'a RawValue,
    batch_size: u64,
}

#[derive(Serialize, Clone, Copy)]
struct BatchMetadata<'a> {
    cursor_field: &'a str,
    failure_strategy: FailureStrategy,
}

/// The pattern that the outcome names.
pub(super) fn worker_called(task: &Task<'_>, name: &str) -> Result<usize, InvalidOutcome> {
    candidates(task).find(|worker| task.graph.step(*worker).name == name).ok_or_else(|| {
        let names: Vec<&str> = candidates(task).map(|worker| task.graph.step(worker).name.as_str()).collect();
        InvalidOutcome::of_batch(format!(
            "batchable step `{step}` returned the `worker_template_name` `{}`, which is no batch_worker step that depends \
             on `{step}`{}; {}",
            shortened(name, MAX_SHOWN),
            did_you_mean(&shortened(name, MAX_SHOWN), names.iter().copied()),
            if names.is_empty() { "there is none".to_owned() } else { format!("those are {}", list(names)) },
            step = task.graph.step(task.deciding).name
        ))
    })
}

/// The pattern of the one worker there is when there are no batches.
pub(super) fn worker_that_stands_in(task: &Task<'_>) -> Result<usize, InvalidOutcome> {
    let batchable = task.graph.step(task.deciding);
    if let Some(Json::String(name)) = batchable.handler.initialization.get("worker_template_name") {
        return worker_called(task, name);
    }
    let workers: Vec<usize> = candidates(task).collect();
    match workers[..] {
        [worker] => Ok(worker),
        [] => Err(InvalidOutcome::of_batch(format!(
            "batchable step `{step}` returned no batches, and no batch_worker step depends on it; add one with \
             `dependencies: [{step}]`",
            step = batchable.name
        ))),
        _ => Err(InvalidOutcome::of_batch(format!(
            "batchable step `{}` returned no batches, and one of {} must stand in; name it in \
             `handler.initialization.worker_template_name` of the step",
            batchable.name,
            list(workers.iter().map(|worker| task.graph.step(*worker).name.as_str()))
        ))),
    }
}

fn candidates(task: &Task<'_>) -> impl Iterator<Item = usize> {
    let graph = &task.graph;
    graph.order().iter().copied().filter(|number| {
        graph.step(*number).step_type == StepType::BatchWorker && graph.parents(*number).contains(&task.deciding)
    })
}

/// Adds one worker for each cursor, or one that stands in if there are none.
pub(super) fn add_workers(
    task: &mut Task<'_>,
    worker: usize,
    cursors: &[Cursor],
    limits: &GrowthLimits,
) -> Result<NewBatch, InvalidOutcome> {
    let (batchable, pattern) = (task.graph.step(task.deciding), task.graph.step(worker));
    check(task, batchable, pattern, cursors, limits).map_err(InvalidOutcome::of_batch)?;
    if let Some(missing) = task.first_missing_parent(worker) {
        return Err(InvalidOutcome::of_batch(format!(
            "batch_worker step `{}` depends on `{missing}`, which does not exist in this task; let `{missing}` be created \
             before step `{}` runs, or remove the dependency",
            pattern.name, batchable.name
        )));
    }
    let config = pattern.batch_config.as_ref().or(batchable.batch_config.as_ref());
    let metadata = BatchMetadata {
        cursor_field: config.map_or("id", |config| &config.cursor_field),
        failure_strategy: config.map_or(FailureStrategy::ContinueOnFailure, |config| config.failure_strategy),
    };
    let workers = Workers { pattern, initialization: initialization(pattern), metadata };
    let mut bytes = 0;
    let mut add = |batch_id: &str, place: usize, inputs: Box<RawValue>| {
        bytes += inputs.get().len();
        if bytes > MAX_INPUTS {
            return Err(InvalidOutcome::of_batch(format!(
                "the inputs of the workers of batchable step `{}` take more than {} MiB; make fewer batches, smaller \
                 cursors, or a smaller `handler.initialization` of step `{}`",
                batchable.name,
                MAX_INPUTS >> 20,
                pattern.name
            )));
        }
        task.add(worker, workers.step(batch_id, place, inputs));
        Ok(())
    };
    if cursors.is_empty() {
        add(STAND_IN, 0, workers.inputs(None))?;
    }
    for (place, cursor) in cursors.iter().enumerate() {
        add(&cursor.batch_id, place, workers.inputs(Some(cursor)))?;
    }
    let parallelism = config.map_or(cursors.len().max(1), |config| config.parallelism as usize);
    Ok(NewBatch {
        parallelism: i32::try_from(parallelism).unwrap_or(i32::MAX),
        failure_strategy: metadata.failure_strategy,
    })
}

/// What the workers of one pattern have in common.
struct Workers<'a> {
    pattern: &'a StepDefinition,
    initialization: Map<String, Json>,
    metadata: BatchMetadata<'a>,
}

impl Workers<'_> {
    fn step(&self, batch_id: &str, place: usize, inputs: Box<RawValue>) -> GrownStep {
        GrownStep {
            step_uuid: Uuid::now_v7(),
            name: worker_name(self.pattern, batch_id),
            template_step: Some(self.pattern.name.clone()),
            retryable: self.pattern.retry.retryable,
            max_attempts: self.pattern.retry.max_attempts.try_into().unwrap_or(i32::MAX),
            inputs,
            batch_place: Some(i32::try_from(place).unwrap_or(i32::MAX)),
        }
    }

    fn inputs(&self, cursor: Option<&Cursor>) -> Box<RawValue> {
        let zero = json(&0);
        let cursor_input = match cursor {
            Some(Cursor { batch_id, start_cursor, end_cursor, batch_size }) => {
                CursorInput { batch_id, start_cursor, end_cursor, batch_size: *batch_size }
            }
            None => CursorInput { batch_id: STAND_IN, start_cursor: &zero, end_cursor: &zero, batch_size: 0 },
        };
        json(&Inputs {
            initialization: &self.initialization,
            cursor: cursor_input,
            batch_metadata: self.metadata,
            is_no_op: cursor.is_none(),
            template_step_name: &self.pattern.name,
        })
    }
}

/// The pattern's initialization without the keys that each worker has of its own.
fn initialization(pattern: &StepDefinition) -> Map<String, Json> {
    let own = ["cursor", "batch_metadata", "is_no_op", "__template_step_name"];
    let kept = pattern.handler.initialization.iter().filter(|(key, _)| !own.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn json(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("text keys and values in memory are JSON")
}

fn worker_name(pattern: &StepDefinition, batch_id: &str) -> String {
    format!("{}_{batch_id}", pattern.name)
}

fn check(
    task: &Task<'_>,
    batchable: &StepDefinition,
    pattern: &StepDefinition,
    cursors: &[Cursor],
    limits: &GrowthLimits,
) -> Result<(), String> {
    let step = &batchable.name;
    if cursors.len() > limits.max_workers {
        return Err(format!(
            "batchable step `{step}` returned {} batches, and the setting `max_workers` allows {}; make larger batches",
            cursors.len(),
            limits.max_workers
        ));
    }
    let ids = || cursors.iter().map(|cursor| cursor.batch_id.as_str());
    let mut seen = HashSet::with_capacity(cursors.len());
    for id in ids() {
        let shown = shortened(id, MAX_SHOWN);
        if id.is_empty() || id.chars().any(char::is_control) {
            return Err(format!(
                "batchable step `{step}` returned the `batch_id` {shown:?}; it is part of the worker's name, so use letters \
                 and digits such as \"001\""
            ));
        }
        if !seen.insert(id) {
            return Err(format!(
                "batchable step `{step}` returned the `batch_id` {shown:?} twice; give each of `cursor_configs` its own"
            ));
        }
    }
    let stand_in = cursors.is_empty().then_some(STAND_IN);
    for id in ids().chain(stand_in) {
        let name = worker_name(pattern, id);
        if name.chars().count() > MAX_NAME {
            return Err(format!(
                "batchable step `{step}` returned a `batch_id` of {} characters, and the name of its worker may have \
                 {MAX_NAME}; use a shorter one, such as \"001\"",
                id.chars().count()
            ));
        }
        if task.has_step_called(&name) {
            return Err(format!(
                "batchable step `{step}` returned the `batch_id` {id:?}, but there is a step `{name}` already; use another \
                 `batch_id`"
            ));
        }
    }
    Ok(())
}
