//! What the database holds when a case has come to rest, against the model and against itself.

use std::collections::{BTreeSet, HashMap};

use sqlx::{AssertSqlSafe, FromRow, PgPool};
use uuid::Uuid;

use super::cluster::{Cluster, Task};
use super::model::{End, Instance, World};
use super::script::Script;
use super::workflow::{Kind, Strategy};

#[derive(Debug, FromRow)]
struct TaskRow {
    state: String,
    sinks_left: i32,
    growths: i32,
    is_completed: bool,
}

#[derive(Debug, FromRow)]
struct StepRow {
    step_uuid: Uuid,
    name: String,
    template_step: Option<String>,
    state: String,
    pending_parents: i32,
    attempts: i32,
    claims: i32,
    lapses: i32,
    batch_uuid: Option<Uuid>,
    batch_place: Option<i32>,
    is_sink: bool,
    parked: bool,
    tried: i64,
    succeeded: i64,
    last_attempt: Option<i32>,
    checkpoints: i64,
}

#[derive(Debug, FromRow)]
struct BatchRow {
    batch_uuid: Uuid,
    workers: i32,
    parallelism: i32,
    released: i32,
    running: i32,
    closed: bool,
}

#[derive(Debug, FromRow)]
struct TransitionRow {
    step_uuid: Option<Uuid>,
    sequence: i64,
    from_state: String,
    to_state: String,
}

/// Everything that is wrong with a task at rest, one line each.
pub async fn faults(cluster: &Cluster<'_>, task: &Task, world: &World) -> Vec<String> {
    let seen = Seen::read(cluster.pool, task.uuid).await;
    let mut faults = Vec::new();
    let mut check = |right: bool, fault: String| {
        if !right {
            faults.push(fault);
        }
    };
    let names: BTreeSet<&String> = seen.steps.iter().map(|step| &step.name).collect();
    let due: BTreeSet<&String> = world.instances.keys().collect();
    for name in names.symmetric_difference(&due) {
        let exists = names.contains(name);
        check(false, format!("{name} {}", if exists { "exists and should not" } else { "should exist and does not" }));
    }
    for step in &seen.steps {
        let Some(instance) = world.instances.get(&step.name) else { continue };
        for fault in seen.step_faults(task, world, step, instance) {
            check(false, format!("{}: {fault}", step.name));
        }
    }
    for batch in &seen.batches {
        for fault in seen.batch_faults(task, world, batch) {
            check(false, fault);
        }
    }

    let state = if world.blocked { "blocked_by_failures" } else { "complete" };
    check(seen.task.state == state, format!("the task is {} and should be {state}", seen.task.state));
    check((state == "complete") == (seen.task.sinks_left == 0), format!("sinks_left is {}", seen.task.sinks_left));
    check((state == "complete") == seen.task.is_completed, "completed_at does not fit the task's state".into());
    let sinks = seen.steps.iter().filter(|step| step.is_sink && !seen.is_finished(step, world, task)).count();
    check(sinks == seen.task.sinks_left as usize, format!("sinks_left is {} for {sinks}", seen.task.sinks_left));
    let growths = cluster.seen.lock().unwrap().growths.get(&task.uuid).copied().unwrap_or(0);
    check(growths == seen.task.growths, format!("growths is {} after {growths}", seen.task.growths));
    let chain = seen.chain(None);
    check(
        chain == ["pending", "steps_in_process", state],
        format!("the task went {}, and should have ended {state}", chain.join(" > ")),
    );
    faults
}

/// A queue must hold nothing when its tasks rest, and never have held what nobody knows.
pub async fn messages_left(cluster: &Cluster<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for namespace in &cluster.namespaces {
        let namespace = namespace.to_lowercase();
        for (kind, what) in [('q', "left in"), ('a', "archived from")] {
            let count = format!("select count(*) from pgmq.{kind}_worker_{namespace}_queue");
            let count: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(cluster.pool).await.unwrap();
            if count > 0 {
                faults.push(format!("{count} messages are {what} the queue of {namespace}"));
            }
        }
    }
    faults
}

struct Seen {
    task: TaskRow,
    steps: Vec<StepRow>,
    edges: Vec<(Uuid, Uuid)>,
    batches: Vec<BatchRow>,
    transitions: Vec<TransitionRow>,
    names: HashMap<Uuid, String>,
}

impl Seen {
    async fn read(pool: &PgPool, task: Uuid) -> Self {
        let row = sqlx::query_as(
            "select state::text, sinks_left, growths, completed_at is not null as is_completed
            from tasker.tasks where task_uuid = $1",
        );
        let steps: Vec<StepRow> = sqlx::query_as(
            "select s.step_uuid, name, template_step, state::text, pending_parents, attempts, claims, lapses, batch_uuid,
                batch_place, is_sink, run_after is not null as parked, tried, succeeded, last_attempt, checkpoints
            from tasker.steps s
            cross join lateral (
                select count(*) as tried, max(attempt) as last_attempt,
                    count(*) filter (where outcome = 'success') as succeeded
                from tasker.attempts a where a.step_uuid = s.step_uuid
            ) attempts
            cross join lateral (
                select count(*) as checkpoints from tasker.checkpoints c where c.step_uuid = s.step_uuid
            ) checkpoints
            where task_uuid = $1 order by s.step_uuid",
        )
        .bind(task)
        .fetch_all(pool)
        .await
        .unwrap();
        let edges = sqlx::query_as(
            "select parent_uuid, child_uuid from tasker.edges e join tasker.steps s on s.step_uuid = e.child_uuid
            where s.task_uuid = $1",
        );
        let batches = sqlx::query_as("select * from tasker.batches where task_uuid = $1");
        let transitions = sqlx::query_as(
            "select step_uuid, sequence, from_state, to_state from tasker.changes where task_uuid = $1
            order by sequence",
        );
        Self {
            task: row.bind(task).fetch_one(pool).await.unwrap(),
            names: steps.iter().map(|step| (step.step_uuid, step.name.clone())).collect(),
            steps,
            edges: edges.bind(task).fetch_all(pool).await.unwrap(),
            batches: batches.bind(task).fetch_all(pool).await.unwrap(),
            transitions: transitions.bind(task).fetch_all(pool).await.unwrap(),
        }
    }

    fn step_faults(&self, task: &Task, world: &World, step: &StepRow, instance: &Instance) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |right: bool, fault: String| {
            if !right {
                faults.push(fault);
            }
        };
        let definition = &task.workflow.steps[instance.step];
        let made_from = step.template_step.as_ref().unwrap_or(&step.name);
        check(*made_from == definition.name, format!("is made from {made_from}, not from {}", definition.name));

        let script = &task.workflow.scripts[&step.name];
        let ran = step.claims > 0;
        match instance.end {
            End::Waiting => check(!ran, format!("ran, and should not have: {step:?}")),
            // Which workers still run in a batch that fails fast is seen at the batch.
            _ if !ran && instance.batch.is_some() && definition.strategy == Strategy::FailFast => {}
            end => {
                let due = if end == End::Complete { "complete" } else { "error" };
                check(step.state == due, format!("is {} and should be {due}", step.state));
            }
        }
        if ran {
            self.check_tries(script, step, &mut check);
            self.check_order(world, task, step, &mut check);
        } else {
            check(step.state == "pending", format!("is {} and was never claimed", step.state));
            let tried = (step.attempts, step.tried, step.checkpoints);
            check(tried == (0, 0, 0), format!("was never claimed, and has attempts: {step:?}"));
        }

        let unfinished = self.edges.iter().filter(|(parent, child)| {
            let parent = self.steps.iter().find(|step| step.step_uuid == *parent);
            *child == step.step_uuid && parent.is_none_or(|parent| !self.is_finished(parent, world, task))
        });
        let batch = self.batches.iter().find(|batch| Some(batch.batch_uuid) == step.batch_uuid);
        let held_back = batch.is_some_and(|batch| step.batch_place >= Some(batch.released));
        let due = unfinished.count() + usize::from(held_back);
        check(step.pending_parents as usize == due, format!("waits for {} and should for {due}", step.pending_parents));
        let is_sink = !self.edges.iter().any(|(parent, _)| *parent == step.step_uuid);
        check(step.is_sink == is_sink, format!("is_sink is {}", step.is_sink));
        check(!step.parked && step.lapses == 0, format!("is not at rest: {step:?}"));

        let chain = self.chain(Some(step.step_uuid));
        check(
            chain.first().is_none_or(|first| first == "pending") && chain.last().is_none_or(|last| *last == step.state),
            format!("is {}, and went {}", step.state, chain.join(" > ")),
        );
        let released = chain.windows(2).filter(|pair| *pair == ["pending", "enqueued"]).count();
        check(released == usize::from(ran), format!("was released {released} times"));
        faults
    }

    fn check_tries(&self, script: &Script, step: &StepRow, check: &mut impl FnMut(bool, String)) {
        // One that lapsed last and raced may have been finished by the claim before.
        let claims = script.turns.len();
        let fits = step.claims as usize == claims || script.races && step.claims as usize + 1 == claims;
        check(fits, format!("was claimed {} times instead of {claims}", step.claims));
        let due = (script.attempts(), script.attempts(), Some(script.attempts() as i32));
        let tries = (step.attempts as usize, step.tried as usize, step.last_attempt);
        check(tries == due, format!("has {tries:?} attempts instead of {due:?}"));
        let succeeded = i64::from(step.state == "complete");
        check(step.succeeded == succeeded, format!("succeeded {} times and is {}", step.succeeded, step.state));
        let (saved, due) = (step.checkpoints as usize, script.checkpoints());
        check(saved == due, format!("has {saved} checkpoints instead of {due}"));
    }

    /// It was claimed after everything it awaits had finished.
    fn check_order(&self, world: &World, task: &Task, step: &StepRow, check: &mut impl FnMut(bool, String)) {
        let claimed = self.first(step.step_uuid, "in_progress");
        let Some(awaited) = world.awaited(&task.workflow, &step.name) else {
            return check(false, "ran though a dependency is missing".into());
        };
        for name in awaited {
            let finished = self.steps.iter().find(|other| other.name == name).and_then(|other| {
                let complete = self.first(other.step_uuid, "complete");
                complete
                    .or_else(|| self.first(other.step_uuid, "error").filter(|_| self.is_finished(other, world, task)))
            });
            let right = finished.is_some_and(|finished| claimed.is_some_and(|claimed| claimed > finished));
            check(right, format!("was claimed at {claimed:?}, before {name} had finished at {finished:?}"));
        }
    }

    fn batch_faults(&self, task: &Task, world: &World, batch: &BatchRow) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |right: bool, fault: &str| {
            if !right {
                faults.push(format!("{fault}: {batch:?}"));
            }
        };
        let mut workers: Vec<&StepRow> =
            self.steps.iter().filter(|step| step.batch_uuid == Some(batch.batch_uuid)).collect();
        workers.sort_by_key(|step| step.batch_place);
        let places: Vec<i32> = workers.iter().filter_map(|step| step.batch_place).collect();
        check(places == (0..batch.workers).collect::<Vec<_>>(), "the places of the workers have gaps");
        let Some(instance) = workers.first().and_then(|step| world.instances.get(&step.name)) else { return faults };
        let definition = &task.workflow.steps[instance.step];
        check(batch.parallelism as usize == definition.parallelism, "the parallelism is not the template's");
        for worker in &workers {
            let place = world.instances.get(&worker.name).and_then(|instance| instance.batch);
            let right = place.is_some_and(|(_, place)| Some(place as i32) == worker.batch_place);
            check(right, &format!("{} is not in its place", worker.name));
        }

        // How many were queued or running at once, in the order of the log.
        let of_batch: HashMap<Uuid, &str> = workers.iter().map(|step| (step.step_uuid, step.name.as_str())).collect();
        let (mut open, mut most) = (0, 0);
        for transition in &self.transitions {
            if !transition.step_uuid.is_some_and(|step| of_batch.contains_key(&step)) {
                continue;
            }
            match (transition.from_state.as_str(), transition.to_state.as_str()) {
                ("pending", "enqueued") => open += 1,
                (_, "complete" | "error") => open -= 1,
                _ => {}
            }
            most = most.max(open);
        }
        check(most <= batch.parallelism, &format!("{most} workers were on their way at once"));

        let ended = |step: &&&StepRow| matches!(step.state.as_str(), "complete" | "error");
        let ended = workers.iter().filter(ended).count() as i32;
        check(batch.running == batch.released - ended, "running is not what was released and has not ended");
        let ran = workers.iter().take_while(|step| step.claims > 0).count();
        check(workers[ran..].iter().all(|step| step.claims == 0), "workers ran out of order");
        let window = workers.len().min(definition.parallelism);
        if instance.end == End::Waiting {
            check(ran == 0 && batch.released as usize == window, "workers were released that could not run");
            return faults;
        }
        let failed = |step: &&StepRow| world.instances.get(&step.name).is_some_and(|step| step.end == End::Failed);
        let first_failed = workers.iter().position(failed);
        let at_least = match (definition.strategy, first_failed) {
            (Strategy::FailFast, Some(first)) => window.max(first + 1),
            _ => workers.len(),
        };
        check(ran >= at_least && ran as i32 == batch.released, &format!("{ran} of at least {at_least} workers ran"));
        let closes = definition.strategy == Strategy::FailFast && first_failed.is_some();
        check(batch.closed == closes, "closed does not fit the failures");
        faults
    }

    /// Whether it counts as finished in the database, by the rules of its batch.
    fn is_finished(&self, step: &StepRow, world: &World, task: &Task) -> bool {
        let goes_on = || {
            let instance = world.instances.get(&step.name);
            instance.is_some_and(|instance| {
                let definition = &task.workflow.steps[instance.step];
                definition.kind == Kind::Worker && definition.strategy == Strategy::ContinueOnFailure
            })
        };
        step.state == "complete" || step.state == "error" && goes_on()
    }

    fn first(&self, step: Uuid, state: &str) -> Option<i64> {
        let row = self.transitions.iter().find(|row| row.step_uuid == Some(step) && row.to_state == state);
        row.map(|row| row.sequence)
    }

    /// The states of a step or, without one, of the task, in their order. A change that does not begin where the one
    /// before ended shows as `?`.
    fn chain(&self, step: Option<Uuid>) -> Vec<String> {
        let mut chain: Vec<String> = Vec::new();
        for row in self.transitions.iter().filter(|row| row.step_uuid == step) {
            match chain.last() {
                None => chain.push(row.from_state.clone()),
                Some(last) if *last != row.from_state => chain.push(format!("?{}", row.from_state)),
                Some(_) => {}
            }
            chain.push(row.to_state.clone());
        }
        chain
    }
}

/// The state of every step that differs, for a person.
pub async fn describe(pool: &PgPool, task: &Task, world: &World) -> String {
    let seen = Seen::read(pool, task.uuid).await;
    let mut text = String::new();
    for step in &seen.steps {
        let end = world.instances.get(&step.name).map(|instance| instance.end);
        let parents: Vec<&str> = seen
            .edges
            .iter()
            .filter(|(_, child)| *child == step.step_uuid)
            .map(|(parent, _)| seen.names.get(parent).map_or("?", String::as_str))
            .collect();
        text += &format!(
            "  {} {} (model: {end:?}) waits for {} of {parents:?}, claims {}: {}\n",
            step.name,
            step.state,
            step.pending_parents,
            step.claims,
            seen.chain(Some(step.step_uuid)).join(" > "),
        );
    }
    text + &format!("  {:?}\n  {:?}\n", seen.task, seen.batches)
}
