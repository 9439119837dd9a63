//! Hosts that are simulated down to what they ask of the store: they claim, play the scripts, and commit, in an order drawn
//! from the case's seed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use serde_json::value::to_raw_value;
use sqlx::{AssertSqlSafe, PgPool};
use tasker_wasm_host::orchestration::grow::{GrowthLimits, directive, plan_growth};
use tasker_wasm_host::orchestration::retry::{BackoffDefaults, next_attempt};
use tasker_wasm_host::store::{
    Acceptance, Checkpoint, ClaimRequest, ClaimedStep, Completion, GoOn, Growth, Lease, Store, Verdict,
};
use tasker_wasm_host::template::{StepDefinition, Template};
use uuid::Uuid;

use super::ahead::run_ahead;
use super::script::{End, Script};
use super::support::{LEASE, finished, raw};
use super::workflow::{Kind, Meaning, Workflow};

const LIMITS: GrowthLimits = GrowthLimits { max_steps_per_decision: 100, max_decision_depth: 20, max_workers: 10_000 };
const BACKOFF: BackoffDefaults =
    BackoffDefaults { base: Duration::from_millis(1), cap: Duration::from_millis(5), jitter: 0.0 };
/// Most steps a simulated host holds.
const SLOTS: usize = 12;

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

/// A host.
#[derive(Default)]
pub struct Host {
    held: Vec<Arc<ClaimedStep>>,
    ended: Vec<Ended>,
    /// Results of leases that have lapsed, kept until the step is claimed again.
    late: Vec<Ended>,
    /// Results that were accepted once and are sent again.
    twice: Vec<Ended>,
    /// The changes there had been when a claim came back empty: until there are more, another one is not worth it.
    nothing_at: Option<u64>,
    name: String,
}

impl Host {
    pub fn new(number: usize) -> Self {
        Self { name: format!("host-{number}"), ..Self::default() }
    }

    /// Whether it has nothing left to do or to send.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty() && self.ended.is_empty() && self.late.is_empty() && self.twice.is_empty()
    }

    /// Does one thing.
    pub async fn act(&mut self, cluster: &Cluster<'_>, rng: &mut Rng) -> Result<(), Complaint> {
        match rng.u8(..20) {
            0..5 if self.held.len() < SLOTS && self.nothing_at != Some(cluster.changes()) => {
                self.claim(cluster, rng).await
            }
            5..11 if !self.held.is_empty() => {
                let step = self.held.swap_remove(rng.usize(..self.held.len()));
                self.play(cluster, rng, step).await
            }
            11..15 if !self.ended.is_empty() => {
                rng.shuffle(&mut self.ended);
                let some = self.ended.split_off(rng.usize(..self.ended.len()));
                self.commit(cluster, rng, some).await
            }
            15..17 if !self.late.is_empty() || !self.twice.is_empty() => {
                let (mut late, early): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late)
                    .into_iter()
                    .partition(|ended| cluster.newest_claim(&ended.step) > ended.step.lease.claim);
                self.late = early;
                late.append(&mut self.twice);
                self.commit(cluster, rng, late).await
            }
            17 => self.renew(cluster).await,
            18.. if self.is_idle() => self.look_for_work(cluster, rng).await,
            18 => cluster.enqueue_due().await,
            // Others may go on, also those on the same thread.
            _ => {
                tokio::task::yield_now().await;
                Ok(())
            }
        }
    }

    async fn look_for_work(&mut self, cluster: &Cluster<'_>, rng: &mut Rng) -> Result<(), Complaint> {
        cluster.enqueue_due().await?;
        self.claim(cluster, rng).await?;
        if self.held.is_empty() && cluster.live_steps().await? == 0 {
            cluster.at_rest.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn claim(&mut self, cluster: &Cluster<'_>, rng: &mut Rng) -> Result<(), Complaint> {
        let request = ClaimRequest {
            namespaces: cluster.namespaces.clone(),
            places: Vec::new(),
            limit: rng.u32(1..=(SLOTS - self.held.len()) as u32),
            host: self.name.clone(),
            lease: LEASE,
        };
        let before = cluster.changes();
        let claimed = cluster.store.claim_steps(&request).await.map_err(told("claim_steps"))?;
        if claimed.len() > request.limit as usize {
            return Err(format!("{} steps were claimed where {} were asked for", claimed.len(), request.limit));
        }
        self.nothing_at = claimed.is_empty().then_some(before);
        for step in claimed {
            cluster.check_claim(&step)?;
            self.held.push(Arc::new(step));
        }
        Ok(())
    }

    /// Plays the turn of a claimed step.
    async fn play(&mut self, cluster: &Cluster<'_>, rng: &mut Rng, step: Arc<ClaimedStep>) -> Result<(), Complaint> {
        let (_, script, turn) = cluster.turn(&step)?;
        for items in &script.turns[turn].checkpoints {
            let checkpoint = Checkpoint {
                cursor: raw(&items.to_string()),
                items_processed: *items,
                accumulated_results: rng.bool().then(|| raw(&format!(r#"{{"sum": {items}}}"#))),
            };
            let saved =
                cluster.store.save_checkpoint(&step.lease, &checkpoint).await.map_err(told("save_checkpoint"))?;
            if saved.is_none() {
                return Err(format!("{}: a checkpoint was refused under a current claim", step.name));
            }
        }
        match script.turns[turn].end {
            End::Lapse => {
                let races = cluster.at_once && script.races && turn + 2 == script.turns.len();
                if races {
                    self.ended.push(cluster.end(&step, script.turns[turn + 1].end, Due::Either).await?);
                } else if rng.bool() {
                    let end = *rng.choice(&[End::Succeed, End::FailRetryably, End::FailForGood]).unwrap();
                    self.late.push(cluster.end(&step, end, Due::Refused).await?);
                }
                let lapsed = cluster.lapse(&step.lease).await;
                cluster.changes.fetch_add(1, Ordering::Relaxed);
                lapsed
            }
            End::PutBack => {
                let released = cluster.store.release_steps(std::slice::from_ref(&step.lease)).await;
                cluster.changes.fetch_add(1, Ordering::Relaxed);
                match released.map_err(told("release_steps"))? {
                    1 => Ok(()),
                    other => Err(format!("{}: {other} steps were put back instead of one", step.name)),
                }
            }
            end => {
                let races = cluster.at_once && script.races && turn + 1 == script.turns.len();
                let due = if races { Due::Either } else { Due::Accepted };
                self.ended.push(cluster.end(&step, end, due).await?);
                Ok(())
            }
        }
    }

    /// Commits results; one whose growth was planned too early is planned and sent again.
    async fn commit(&mut self, cluster: &Cluster<'_>, rng: &mut Rng, mut ended: Vec<Ended>) -> Result<(), Complaint> {
        let mut turns = if rng.bool() { run_ahead(cluster, rng, &mut ended).await? } else { Vec::new() };
        while !ended.is_empty() {
            let completions: Vec<Completion> = ended.iter().map(|one| one.completion.clone()).collect();
            let mut go_on = self.room(cluster, rng);
            in_turns(&mut go_on, &ended, &turns);
            let mut claimed = Vec::new();
            let report = cluster.store.complete_and_go_on(&completions, &go_on, &mut claimed).await;
            let report = report.map_err(told("complete_and_go_on"))?;
            cluster.changes.fetch_add(1, Ordering::Relaxed);
            if go_on.places.iter().sum::<u32>() < claimed.len() as u32 {
                return Err(format!("{} steps go on where there is room for {:?}", claimed.len(), go_on.places));
            }
            for step in claimed {
                cluster.check_claim(&step)?;
                self.held.push(Arc::new(step));
            }
            let mut again = Vec::new();
            let own = turns.first().map_or(ended.len(), |own| *own as usize);
            for (place, (mut one, acceptance)) in ended.into_iter().zip(report.accepted).enumerate() {
                match (acceptance, one.due) {
                    (Acceptance::Accepted, _) if place >= own => {
                        cluster.check_claim(&one.step)?;
                        cluster.note_accepted(&one);
                        cluster.seen.lock().unwrap().ahead += 1;
                    }
                    (Acceptance::Refused, _) if place >= own => {}
                    (Acceptance::Accepted, Due::Accepted | Due::Either) => {
                        cluster.note_accepted(&one);
                        if rng.u8(..8) == 0 {
                            self.twice.push(Ended { due: Due::Refused, ..one });
                        }
                    }
                    (Acceptance::Refused, Due::Refused | Due::Either) => cluster.seen.lock().unwrap().refused += 1,
                    (Acceptance::Outgrown, _) => {
                        cluster.seen.lock().unwrap().outgrown += 1;
                        cluster.plan(&mut one).await?;
                        again.push(one);
                    }
                    (met, due) => {
                        return Err(format!(
                            "{} of {}: {met:?} where {due:?} was due",
                            one.step.name, one.step.lease.task_uuid
                        ));
                    }
                }
            }
            ended = again;
            turns = Vec::new();
        }
        Ok(())
    }

    /// Some of the places it has, for some of the namespaces.
    fn room(&self, cluster: &Cluster<'_>, rng: &mut Rng) -> GoOn {
        let mut left = (SLOTS.saturating_sub(self.held.len())) as u32;
        let mut go_on = GoOn { lease: LEASE, ..GoOn::default() };
        for namespace in &cluster.namespaces {
            let places = rng.u32(..=left);
            left -= places;
            go_on.namespaces.push(namespace.clone());
            go_on.places.push(places);
        }
        go_on
    }

    async fn renew(&mut self, cluster: &Cluster<'_>) -> Result<(), Complaint> {
        let ours = self.ended.iter().filter(|ended| ended.due == Due::Accepted).map(|ended| &ended.step);
        let held: Vec<Lease> = self.held.iter().chain(ours).map(|step| step.lease.clone()).collect();
        let lapsed: Vec<Lease> = self
            .late
            .iter()
            .filter(|ended| cluster.newest_claim(&ended.step) > ended.step.lease.claim)
            .map(|ended| ended.step.lease.clone())
            // The step may be this host's own again.
            .filter(|lapsed| held.iter().all(|lease| lease.step_uuid != lapsed.step_uuid))
            .collect();
        let leases: Vec<Lease> = held.into_iter().chain(lapsed.iter().cloned()).collect();
        if leases.is_empty() {
            return Ok(());
        }
        let mut lost = cluster.store.renew_leases(&leases, LEASE).await.map_err(told("renew_leases"))?;
        let mut due: Vec<Uuid> = lapsed.into_iter().map(|lease| lease.step_uuid).collect();
        for steps in [&mut lost, &mut due] {
            steps.sort_unstable();
            steps.dedup();
        }
        if lost == due { Ok(()) } else { Err(format!("the leases of {lost:?} were lost, and {due:?} have lapsed")) }
    }
}

impl Cluster<'_> {
    fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    async fn enqueue_due(&self) -> Result<(), Complaint> {
        let due = self.store.enqueue_due(1000).await.map_err(told("enqueue_due"))?;
        self.changes.fetch_add(u64::from(due.enqueued), Ordering::Relaxed);
        Ok(())
    }

    fn newest_claim(&self, step: &ClaimedStep) -> i32 {
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
    fn check_claim(&self, step: &ClaimedStep) -> Result<(), Complaint> {
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
    async fn plan(&self, ended: &mut Ended) -> Result<(), Complaint> {
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

    fn note_accepted(&self, ended: &Ended) {
        let mut seen = self.seen.lock().unwrap();
        if let Verdict::Complete { result } = &ended.completion.verdict {
            seen.results.insert(ended.step.lease.step_uuid, serde_json::from_str(result.get()).unwrap());
        }
        if ended.completion.growth.is_some() {
            *seen.growths.entry(ended.step.lease.task_uuid).or_default() += 1;
        }
    }

    /// Ends a lease as time would.
    async fn lapse(&self, lease: &Lease) -> Result<(), Complaint> {
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
    async fn live_steps(&self) -> Result<i64, Complaint> {
        let tasks: Vec<Uuid> = self.tasks.keys().copied().collect();
        sqlx::query_scalar(
            "select count(*) from tasker.steps
            where task_uuid = any ($1) and state in ('enqueued', 'in_progress', 'waiting_for_retry')",
        )
        .bind(tasks)
        .fetch_one(self.pool)
        .await
        .map_err(told("live steps"))
    }
}

/// Asks for what a commit in turns may ask for: steps of the one namespace its ends are of.
fn in_turns(go_on: &mut GoOn, ended: &[Ended], turns: &[u32]) {
    if turns.is_empty() {
        return;
    }
    let namespace = &ended[0].step.lease.namespace;
    let place = go_on.namespaces.iter().position(|name| name == namespace).unwrap();
    (go_on.namespaces, go_on.places) = (vec![namespace.clone()], vec![go_on.places[place]]);
    (go_on.foresees, go_on.turns) = (true, turns.to_vec());
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

fn told<E: std::fmt::Debug>(what: &'static str) -> impl Fn(E) -> Complaint {
    move |error| format!("{what}: {error:?}")
}
