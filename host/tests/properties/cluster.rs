//! What simulated hosts share: the store and the tasks, what they have seen together, and what a claim must tell and an end
//! says by the scripts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::to_raw_value;
use sqlx::{AssertSqlSafe, PgPool};
use tasker_wasm_host::orchestration::grow::{GrowthLimits, directive, plan_growth};
use tasker_wasm_host::orchestration::retry::{BackoffDefaults, next_attempt};
use tasker_wasm_host::store::{ClaimedStep, Completion, Growth, Lease, Store, Verdict};
use tasker_wasm_host::template::{StepDefinition, Template};
use uuid::Uuid;

use super::script::{End, Script};
use super::support::{finished, raw};
use super::workflow::{Kind, Meaning, Workflow};

const LIMITS: GrowthLimits = GrowthLimits { max_steps_per_decision: 100, max_decision_depth: 20, max_workers: 10_000 };
const BACKOFF: BackoffDefaults =
    BackoffDefaults { base: Duration::from_millis(1), cap: Duration::from_millis(5), jitter: 0.0 };

/// A task under test.
pub struct Task {
    pub uuid: Uuid,
    pub workflow: Workflow,
    pub template: Template,
}

/// What the simulated hosts share.
pub struct Cluster<'a> {
    pub store: &'a Store,
    pub pool: &'a PgPool,
    pub namespaces: Vec<String>,
    pub tasks: HashMap<Uuid, Task>,
    /// Whether hosts work at the same time, so that what one of them sees may be old.
    pub at_once: bool,
    pub seen: Mutex<Seen>,
    pub at_rest: AtomicBool,
    /// Grows with everything that may bring a step into a queue.
    pub changes: AtomicU64,
}

/// What the hosts have seen together.
#[derive(Default)]
pub struct Seen {
    /// The newest claim of each step.
    claims: HashMap<Uuid, i32>,
    /// The results that were accepted.
    results: HashMap<Uuid, Value>,
    pub growths: HashMap<Uuid, i32>,
    pub outgrown: usize,
    pub refused: usize,
    pub claimed: usize,
    /// Ends that were committed with those of what they waited for.
    pub ahead: usize,
    /// Tasks that were completed with all their steps at once.
    pub whole: usize,
}

/// Why a case failed before it came to rest.
pub type Complaint = String;

/// What a completion must meet with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Accepted,
    Refused,
    /// It races with another holder of the same step.
    Either,
}

#[derive(Clone)]
pub struct Ended {
    pub step: Arc<ClaimedStep>,
    pub completion: Completion,
    pub due: Due,
}

impl Cluster<'_> {
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub async fn enqueue_due(&self) -> Result<(), Complaint> {
        let due = self.store.enqueue_due(1000).await.map_err(told("enqueue_due"))?;
        self.changes.fetch_add(u64::from(due.enqueued), Ordering::Relaxed);
        Ok(())
    }

    pub fn newest_claim(&self, step: &ClaimedStep) -> i32 {
        self.seen.lock().unwrap().claims.get(&step.lease.step_uuid).copied().unwrap_or(0)
    }

    /// The task of a claimed step, its script, and the turn that this claim is.
    pub fn turn(&self, step: &ClaimedStep) -> Result<(&Task, &Script, usize), Complaint> {
        let task =
            self.tasks.get(&step.lease.task_uuid).ok_or_else(|| format!("{} is of no task of ours", step.name))?;
        let script = task.workflow.scripts.get(&step.name).ok_or_else(|| format!("{} should not exist", step.name))?;
        let turn = step.lease.claim as usize - 1;
        if turn >= script.turns.len() {
            return Err(format!("{} is claimed for the {}. time; expected {script:?}", step.name, turn + 1));
        }
        Ok((task, script, turn))
    }

    /// What the claim tells must be what the script says of all turns before.
    pub fn check_claim(&self, step: &ClaimedStep) -> Result<(), Complaint> {
        let (task, script, turn) = self.turn(step)?;
        let mut seen = self.seen.lock().unwrap();
        seen.claimed += 1;
        let newest = seen.claims.entry(step.lease.step_uuid).or_default();
        *newest = step.lease.claim.max(*newest);

        let (attempt, lapses, items) = script.before(turn);
        let checkpoint = step.checkpoint.as_ref().map(|checkpoint| {
            serde_json::from_str::<Value>(checkpoint.get()).unwrap()["items_processed"].as_u64().unwrap()
        });
        let told = (step.attempts as usize, step.lapses as usize, checkpoint);
        if told != (attempt, lapses, items) {
            return Err(format!(
                "{}, claim {}: (attempt, lapses, checkpoint) is {told:?} and should be {:?}",
                step.name,
                turn + 1,
                (attempt, lapses, items)
            ));
        }
        let definition = task.workflow.steps.iter().find(|definition| definition.name == step.template_step());
        let definition = definition.ok_or_else(|| format!("{} is made from no step", step.name))?;
        if (step.max_attempts as u32, step.retryable) != (definition.max_attempts, definition.retryable) {
            return Err(format!("{} does not have its template's retry policy", step.name));
        }
        let results: HashMap<String, Value> = serde_json::from_str(step.dependency_results.get()).unwrap();
        for (name, given) in &results {
            let uuid: Uuid = serde_json::from_value(given["stepUuid"].clone()).unwrap();
            // A result that another host is committing at this moment may not have been noted yet.
            if let Some(result) = seen.results.get(&uuid)
                && result["by"] != given["result"]["by"]
            {
                return Err(format!("{} is told a result of {name} that was not accepted", step.name));
            }
        }
        for parent in &definition.dependencies {
            let parent = &task.workflow.steps[*parent];
            if !matches!(parent.kind, Kind::Worker)
                && !matches!(definition.kind, Kind::Convergence)
                && !results.contains_key(&parent.name)
            {
                return Err(format!("{} runs without the result of {}", step.name, parent.name));
            }
        }
        if definition.kind == Kind::Worker {
            self.check_worker(task, step)?;
        }
        Ok(())
    }

    fn check_worker(&self, task: &Task, step: &ClaimedStep) -> Result<(), Complaint> {
        let inputs: Value = serde_json::from_str(step.inputs.get()).unwrap();
        let batch = step.name.strip_prefix(&format!("{}_", step.template_step())).unwrap_or_default();
        let is_no_op = task.workflow.answers.values().find_map(|answer| match &answer.meaning {
            Meaning::Work { worker, no_op, .. } if task.workflow.steps[*worker].name == step.template_step() => {
                Some(*no_op)
            }
            _ => None,
        });
        let right = inputs["cursor"]["batch_id"] == batch
            && Some(&inputs["is_no_op"]) == is_no_op.map(Value::Bool).as_ref()
            && inputs["__template_step_name"] == step.template_step()
            && inputs["batch_metadata"]["cursor_field"] == "id"
            && inputs.get("place").is_some();
        if right { Ok(()) } else { Err(format!("{} has the inputs {inputs}", step.name)) }
    }

    /// The end of an attempt as a host would send it, with what the task gains by it as things stand. By the time it is
    /// sent they may stand otherwise.
    pub async fn end(&self, step: &Arc<ClaimedStep>, end: End, due: Due) -> Result<Ended, Complaint> {
        let (task, ..) = self.turn(step)?;
        let definition = definition(task, step)?;
        let verdict = match end {
            End::Succeed => Verdict::Complete { result: to_raw_value(&result(task, step)).unwrap() },
            _ => failure(definition, step, end == End::FailRetryably, "burnt"),
        };
        let error_type = (end != End::Succeed).then_some("burnt");
        let mut ended = Ended { step: step.clone(), completion: finished(&step.lease, verdict, error_type), due };
        self.plan(&mut ended).await?;
        Ok(ended)
    }

    /// Adds what the task gains by a result; an answer that can't be carried out is a failure.
    pub async fn plan(&self, ended: &mut Ended) -> Result<(), Complaint> {
        let Verdict::Complete { result } = &ended.completion.verdict else { return Ok(()) };
        let task = &self.tasks[&ended.step.lease.task_uuid];
        let definition = definition(task, &ended.step)?;
        match self.growth(task, definition, result).await? {
            Ok(growth) => ended.completion.growth = growth,
            Err(invalid) => {
                let verdict = failure(definition, &ended.step, false, &invalid);
                ended.completion = finished(&ended.step.lease, verdict, Some(&invalid));
            }
        }
        Ok(())
    }

    async fn growth(
        &self,
        task: &Task,
        definition: &StepDefinition,
        result: &serde_json::value::RawValue,
    ) -> Result<Result<Option<Growth>, String>, Complaint> {
        let directive = match directive(definition, result) {
            Ok(None) => return Ok(Ok(None)),
            Ok(Some(directive)) => directive,
            Err(invalid) => return Ok(Err(invalid.error_type.to_owned())),
        };
        let state = self.store.growth_state(task.uuid).await.map_err(told("growth_state"))?;
        let planned = plan_growth(&task.template, &definition.name, &directive, &state, &LIMITS);
        Ok(planned.map_err(|invalid| invalid.error_type.to_owned()))
    }

    pub fn note_accepted(&self, ended: &Ended) {
        let mut seen = self.seen.lock().unwrap();
        if let Verdict::Complete { result } = &ended.completion.verdict {
            seen.results.insert(ended.step.lease.step_uuid, serde_json::from_str(result.get()).unwrap());
        }
        if ended.completion.growth.is_some() {
            *seen.growths.entry(ended.step.lease.task_uuid).or_default() += 1;
        }
    }

    /// Ends a lease as time would.
    pub async fn lapse(&self, lease: &Lease) -> Result<(), Complaint> {
        let update = format!(
            "update pgmq.q_worker_{}_queue set vt = clock_timestamp() where msg_id = $1",
            lease.namespace.to_lowercase()
        );
        sqlx::query(AssertSqlSafe(update))
            .bind(lease.message_id.get())
            .execute(self.pool)
            .await
            .map_err(told("lapse"))?;
        Ok(())
    }

    /// Steps that are on their way.
    pub async fn live_steps(&self) -> Result<i64, Complaint> {
        let tasks: Vec<Uuid> = self.tasks.keys().copied().collect();
        sqlx::query_scalar(
            "select (
                select count(*) from tasker.steps
                where task_uuid = any ($1) and state in ('enqueued', 'in_progress', 'waiting_for_retry')
            ) + (select count(*) from tasker.tasks where task_uuid = any ($1) and planned_steps is not null)",
        )
        .bind(tasks)
        .fetch_one(self.pool)
        .await
        .map_err(told("live steps"))
    }
}

fn definition<'t>(task: &'t Task, step: &ClaimedStep) -> Result<&'t StepDefinition, Complaint> {
    task.template.step(step.template_step()).ok_or_else(|| format!("{} is made from no step", step.name))
}

fn result(task: &Task, step: &ClaimedStep) -> Value {
    let number = task.workflow.steps.iter().position(|definition| definition.name == step.name);
    let answer = number.and_then(|number| task.workflow.answers.get(&number));
    let mut result = answer.map_or_else(|| serde_json::json!({}), |answer| answer.result.clone());
    result["by"] = serde_json::json!(format!("{} in claim {}", step.name, step.lease.claim));
    result
}

fn failure(definition: &StepDefinition, step: &ClaimedStep, retryable: bool, why: &str) -> Verdict {
    let error = raw(&serde_json::json!({
        "message": why, "error_type": why, "error_code": null, "retryable": retryable, "backtrace": [],
    })
    .to_string());
    let spent = step.attempts.unsigned_abs();
    match next_attempt(&definition.retry, &BACKOFF, step.lease.step_uuid, spent, retryable, None) {
        Some(after) => Verdict::Retry { after, error },
        None => Verdict::Error { error },
    }
}

pub fn told<E: std::fmt::Debug>(what: &'static str) -> impl Fn(E) -> Complaint {
    move |error| format!("{what}: {error:?}")
}
