//! Two hosts and their PostgreSQL, killed and stopped at random while they work. What they were given is then all done,
//! once, and in the states it would have come to in peace.
//!
//! `FAULT_SECONDS=…` sets how long things go wrong (60), with 500 tasks a minute; `FAULT_SEED=…` draws the same faults
//! again, though what they meet differs. An hour: `FAULT_SECONDS=3600 cargo test -p tasker-wasm-tests --test faults`.
#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use sqlx::Executor;
use tasker_wasm_host::orchestration::create::{TaskRequest, plan_task};
use tasker_wasm_host::store::{NewTask, StoreError};
use tasker_wasm_tests::{HostProcess, OwnServer, Settings};
use uuid::Uuid;

const PACKAGES: &[&str] = &["linear", "diamond", "probe"];
const LEASE: Duration = Duration::from_secs(3);
/// Looks after what was left behind as often as it takes to be done within the calm.
const CONFIG: &str = "
[common.queues]
default_visibility_timeout_seconds = 3
[common.queues.pgmq]
poll_interval_ms = 200
[orchestration]
sweep_interval_ms = 500
shutdown_timeout_ms = 2000
# A host that is killed is no fault of the steps it ran.
max_lapses = 1000
";
/// How long everything may take to be done when nothing goes wrong any more.
const CALM: Duration = Duration::from_secs(60);
/// PostgreSQL is left alone for this long, so that there is something to be killed.
const SERVER_REST: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(20);

/// The template of one step that counts to [`ITEMS`] in checkpoints.
const COUNT: &str = "count";
const ITEMS: usize = 10;

/// A template, what its tasks are given, and what they come to.
struct Kind {
    namespace: &'static str,
    template: &'static str,
    context: fn(&mut Rng) -> Value,
    state: &'static str,
    /// Name, state and attempts of each step.
    steps: fn() -> Vec<(String, &'static str, i32)>,
}

fn complete(names: &[&str]) -> Vec<(String, &'static str, i32)> {
    names.iter().map(|name| ((*name).to_owned(), "complete", 1)).collect()
}

const KINDS: &[Kind] = &[
    Kind {
        namespace: "linear_workflow",
        template: "mathematical_sequence",
        context: |_| json!({"even_number": 4}),
        state: "complete",
        steps: || complete(&["linear_step_1", "linear_step_2", "linear_step_3", "linear_step_4"]),
    },
    Kind {
        namespace: "diamond_workflow",
        template: "diamond_pattern",
        context: |_| json!({"even_number": 2}),
        state: "complete",
        steps: || complete(&["diamond_start", "diamond_branch_b", "diamond_branch_c", "diamond_end"]),
    },
    Kind {
        namespace: "probe",
        template: "flaky",
        context: |_| json!({"failures": 2}),
        state: "complete",
        steps: || vec![("flaky".into(), "complete", 3), ("after".into(), "complete", 1)],
    },
    Kind {
        namespace: "probe",
        template: "refuse",
        context: |_| json!({}),
        state: "blocked_by_failures",
        steps: || {
            let mut steps = complete(&["independent", "independent_end"]);
            steps.extend([("refuse".into(), "error", 1), ("blocked".into(), "pending", 0)]);
            steps
        },
    },
    Kind {
        namespace: "probe",
        template: "sleep",
        context: |rng| json!({"ms": rng.u32(1..1000)}),
        state: "complete",
        steps: || complete(&["sleep"]),
    },
    Kind {
        namespace: "probe",
        template: "branches",
        context: |rng| json!({"ms": rng.u32(1..500)}),
        state: "complete",
        steps: || {
            let mut steps = complete(&["start", "choose", "choose_again", "right", "join"]);
            steps.push(("left".into(), "complete", 2));
            steps
        },
    },
    Kind {
        namespace: "probe",
        template: "batches",
        context: |rng| json!({"ms": rng.u32(1..200), "batches": 5}),
        state: "complete",
        steps: || complete(&["cut", "work_001", "work_002", "work_003", "work_004", "work_005", "sum"]),
    },
    Kind {
        namespace: "probe",
        template: COUNT,
        context: |rng| json!({"ms": rng.u32(1..200), "items": ITEMS}),
        state: "complete",
        steps: || vec![(COUNT.into(), "complete", 2)],
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_every_task_is_done_once() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seconds = number("FAULT_SECONDS").unwrap_or(60);
    let seed = number("FAULT_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{seconds} s of faults; FAULT_SEED={seed} draws them again");
    let mut rng = Rng::with_seed(seed);

    let server = OwnServer::start().await;
    // A kill often meets a commit whose successors have begun already.
    for slow_disk in ["commit_delay = 20000", "commit_siblings = 0"] {
        let setting = sqlx::AssertSqlSafe(format!("alter database tasker set {slow_disk}"));
        server.pool.execute(setting).await.unwrap();
    }
    let mut cluster = Cluster { server: &server, slots: [Slot::launch(&server), Slot::launch(&server)] };
    for slot in &mut cluster.slots {
        slot.host.wait_for_line("claiming steps").await;
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let count = (seconds * 500 / 60).max(1) as usize;
    let mut tasks_rng = rng.fork();
    let (tasks, faults) =
        tokio::join!(create_over(&server, &mut tasks_rng, count, until), cluster.suffer(&mut rng, until),);
    println!("{} tasks, {faults:?}", tasks.len());

    let calm = Instant::now();
    while unfinished(&server).await > 0 {
        cluster.revive();
        if calm.elapsed() > CALM {
            panic!("not done after {} s of calm\n{}", CALM.as_secs(), cluster.describe().await);
        }
        tokio::time::sleep(LOOK).await;
    }
    let lapsed = "select count(*) from tasker.transitions where reason = 'its lease lapsed'";
    let lapsed: i64 = sqlx::query_scalar(lapsed).fetch_one(&server.pool).await.unwrap();
    println!("done after {:.1} s of calm; {lapsed} leases had lapsed", calm.elapsed().as_secs_f64());
    assert!(lapsed > 0, "the faults met no running step");

    let mut wrong = Vec::new();
    for (task, kind) in &tasks {
        wrong.extend(differences(&server, *task, &KINDS[*kind]).await);
    }
    wrong.extend(inconsistencies(&server).await);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}\n{}", wrong.len(), wrong.join("\n"), cluster.describe().await);
    drop(cluster);
    server.stop().await;
}

/// What was done to the hosts and their server.
#[derive(Debug, Default)]
struct Faults {
    killed: u32,
    stopped: u32,
    told_to_end: u32,
    server_killed: u32,
    ended_by_themselves: u32,
}

struct Cluster<'s> {
    server: &'s OwnServer,
    slots: [Slot; 2],
}

/// The place of a host: whoever ends is followed by another.
struct Slot {
    host: HostProcess,
    /// Since when it is stopped, and until when.
    stopped_until: Option<Instant>,
    start_at: Option<Instant>,
}

impl Slot {
    fn launch(server: &OwnServer) -> Self {
        let host = HostProcess::launch(&server.url, &Settings { packages: PACKAGES, config: CONFIG });
        Self { host, stopped_until: None, start_at: None }
    }
}

impl Cluster<'_> {
    /// Faults at random until `until`; then everything that is stopped goes on.
    async fn suffer(&mut self, rng: &mut Rng, until: Instant) -> Faults {
        let mut faults = Faults::default();
        let mut server_killed = Instant::now();
        let mut next = Instant::now() + pause(rng, 300, 2500);
        while Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            self.tend(rng, &mut faults);
            if Instant::now() < next {
                continue;
            }
            next = Instant::now() + pause(rng, 300, 2500);
            let slot = &mut self.slots[rng.usize(..2)];
            let runs = slot.start_at.is_none() && !slot.host.has_ended();
            match rng.u8(..10) {
                0..4 if runs => {
                    slot.host.signal(Signal::SIGKILL);
                    slot.start_at = Some(Instant::now() + pause(rng, 0, 3000));
                    slot.stopped_until = None;
                    faults.killed += 1;
                }
                4..7 if runs && slot.stopped_until.is_none() => {
                    slot.host.signal(Signal::SIGSTOP);
                    slot.stopped_until = Some(Instant::now() + LEASE + pause(rng, 100, 3000));
                    faults.stopped += 1;
                }
                7 if runs && slot.stopped_until.is_none() => {
                    slot.host.signal(Signal::SIGTERM);
                    faults.told_to_end += 1;
                }
                8.. if server_killed.elapsed() > SERVER_REST && self.server.kill() => {
                    server_killed = Instant::now();
                    faults.server_killed += 1;
                }
                _ => {}
            }
        }
        for slot in &mut self.slots {
            if slot.stopped_until.take().is_some() && !slot.host.has_ended() {
                slot.host.signal(Signal::SIGCONT);
            }
        }
        self.revive();
        faults
    }

    fn tend(&mut self, rng: &mut Rng, faults: &mut Faults) {
        let now = Instant::now();
        for slot in &mut self.slots {
            if slot.stopped_until.is_some_and(|until| until <= now) {
                slot.host.signal(Signal::SIGCONT);
                slot.stopped_until = None;
            }
            match slot.start_at {
                Some(at) if at <= now => *slot = Slot::launch(self.server),
                None if slot.host.has_ended() => {
                    faults.ended_by_themselves += 1;
                    slot.start_at = Some(now + pause(rng, 100, 1000));
                }
                _ => {}
            }
        }
    }

    /// Starts every host that has ended.
    fn revive(&mut self) {
        for slot in &mut self.slots {
            if slot.host.has_ended() {
                *slot = Slot::launch(self.server);
            }
        }
    }

    async fn describe(&mut self) -> String {
        let mut text = String::new();
        let left: Vec<(String, String, String, i32)> = sqlx::query_as(
            "select t.name, s.name, s.state::text, s.claims
            from tasker.tasks t cross join lateral tasker.steps_of(t.task_uuid) s
            where s.state in ('enqueued', 'in_progress', 'waiting_for_retry') limit 20",
        )
        .fetch_all(&self.server.pool)
        .await
        .unwrap();
        text += &format!("left: {left:#?}\n");
        for (number, slot) in self.slots.iter_mut().enumerate() {
            text += &format!("the last lines of host {number}:\n{}\n", slot.host.last_lines(60).join("\n"));
        }
        text
    }
}

fn pause(rng: &mut Rng, from_ms: u64, to_ms: u64) -> Duration {
    Duration::from_millis(rng.u64(from_ms..to_ms))
}

/// Creates `count` tasks of all kinds until `until`, a few in each commit. Whoever creates tasks has to live with the
/// faults too.
async fn create_over(server: &OwnServer, rng: &mut Rng, count: usize, until: Instant) -> Vec<(Uuid, usize)> {
    const AT_ONCE: usize = 5;
    let mut templates = Vec::new();
    for kind in KINDS {
        let template = server.store.find_template(kind.namespace, kind.template, None).await.unwrap();
        templates.push(template.unwrap_or_else(|| panic!("no host has registered {}", kind.template)));
    }
    let begun = Instant::now();
    let pace = until.duration_since(begun) / count as u32;
    let mut tasks = Vec::new();
    while tasks.len() < count {
        let mut some = Vec::new();
        for _ in 0..AT_ONCE.min(count - tasks.len()) {
            let kind = rng.usize(..KINDS.len());
            let mut context = (KINDS[kind].context)(rng);
            // No two tasks are the same request.
            context["number"] = json!(tasks.len());
            let request = request(&KINDS[kind], to_raw_value(&context).unwrap());
            let task = plan_task(&templates[kind], request, "development").unwrap();
            tasks.push((task.task_uuid, kind));
            some.push(task);
        }
        create(server, &some).await;
        tokio::time::sleep_until((begun + pace * tasks.len() as u32).into()).await;
    }
    tasks
}

fn request(kind: &Kind, context: Box<RawValue>) -> TaskRequest {
    TaskRequest {
        name: kind.template.into(),
        namespace: kind.namespace.into(),
        version: None,
        context,
        initiator: "test".into(),
        source_system: "tests".into(),
        reason: "a test".into(),
        tags: Vec::new(),
        priority: 0,
        correlation_id: None,
        parent_correlation_id: None,
        idempotency_key: None,
    }
}

/// Creates tasks, however often that takes. A commit whose answer was lost shows when they are looked for.
async fn create(server: &OwnServer, tasks: &[NewTask]) {
    let begun = Instant::now();
    let mut again = false;
    loop {
        let created: Result<(), StoreError> = async {
            if again && server.store.task(tasks[0].task_uuid).await?.is_some() {
                return Ok(());
            }
            server.store.create_tasks(tasks).await.map(|_| ())
        }
        .await;
        again = true;
        match created {
            Ok(()) => return,
            Err(error) if begun.elapsed() > CALM => panic!("tasks can't be created: {error}"),
            Err(_) => tokio::time::sleep(2 * LOOK).await,
        }
    }
}

/// Tasks that go on, and steps that do though their task is blocked; also while the server starts.
async fn unfinished(server: &OwnServer) -> i64 {
    let count = sqlx::query_scalar(
        "select (select count(*) from tasker.tasks where state not in ('complete', 'blocked_by_failures'))
            + (select count(*) from tasker.steps where state in ('enqueued', 'in_progress', 'waiting_for_retry'))",
    );
    count.fetch_one(&server.pool).await.unwrap_or(i64::MAX)
}

async fn differences(server: &OwnServer, task: Uuid, kind: &Kind) -> Vec<String> {
    let Some(view) = server.store.task(task).await.unwrap() else {
        return vec![format!("task {task} of {} is lost", kind.template)];
    };
    let mut wrong = Vec::new();
    if view.status.as_str() != kind.state {
        wrong.push(format!("task {task} of {} is {} and should be {}", kind.template, view.status, kind.state));
    }
    let steps = server.store.steps(task).await.unwrap();
    let found: BTreeMap<String, (&str, i32)> =
        steps.iter().map(|step| (step.name.clone(), (step.current_state.as_str(), step.attempts))).collect();
    let due: BTreeMap<String, (&str, i32)> =
        (kind.steps)().into_iter().map(|(name, state, attempts)| (name, (state, attempts))).collect();
    if found != due {
        let attempts: Vec<(String, i32, String, Option<String>)> = sqlx::query_as(
            "select s.name, a.claim, a.outcome, a.error_type from tasker.attempts a
            join tasker.steps s using (step_uuid) where s.task_uuid = $1 order by a.finished_at",
        )
        .bind(task)
        .fetch_all(&server.pool)
        .await
        .unwrap();
        wrong.push(format!(
            "task {task} of {} has the steps {found:?} and should have {due:?}; it made the attempts {attempts:?}",
            kind.template
        ));
    }
    if kind.template == COUNT
        && let Some(results) = steps.first().and_then(|step| step.results.as_ref())
    {
        let result: Value = serde_json::from_str(results.result.get()).unwrap();
        if result["counted"] != json!((0..ITEMS).collect::<Vec<_>>()) {
            wrong.push(format!("task {task} has counted {result}"));
        }
    }
    wrong
}

/// What must hold for every step and task, whatever happened.
async fn inconsistencies(server: &OwnServer) -> Vec<String> {
    const RULES: &[(&str, &str)] = &[
        (
            "complete steps without exactly one accepted result",
            "select count(*) from tasker.steps s where state = 'complete' and 1 <> (
                select count(*) from tasker.attempts a where a.step_uuid = s.step_uuid and a.outcome = 'completed')",
        ),
        (
            "steps whose attempts are not counted",
            "select count(*) from tasker.steps s where attempts <> (
                select count(*) from tasker.attempts a where a.step_uuid = s.step_uuid)",
        ),
        (
            "transitions that do not begin where the one before ended",
            "select count(*) from (
                select from_state, lag(to_state, 1, 'pending') over (
                    partition by task_uuid, step_uuid order by sequence
                ) as before from tasker.changes
            ) each where from_state <> before",
        ),
        (
            "steps that are not where their last transition led",
            "select count(*) from tasker.steps s where state::text <> coalesce((
                select to_state from tasker.changes t
                where t.task_uuid = s.task_uuid and t.step_uuid = s.step_uuid order by sequence desc limit 1
            ), 'pending')",
        ),
        (
            "steps that were completed more than once",
            "select count(*) from (
                select step_uuid from tasker.changes where step_uuid is not null and to_state = 'complete'
                group by step_uuid having count(*) > 1) each",
        ),
        (
            "tasks whose sinks are miscounted",
            "select count(*) from tasker.tasks t where sinks_left <> (
                select count(*) from tasker.steps s
                where s.task_uuid = t.task_uuid and s.is_sink and s.state <> 'complete')",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, count) in RULES {
        let count: i64 = sqlx::query_scalar(*count).fetch_one(&server.pool).await.unwrap();
        if count > 0 {
            wrong.push(format!("{count} {what}"));
        }
    }
    for namespace in server.store.namespaces().await.unwrap() {
        let count = format!("select count(*) from pgmq.q_worker_{}_queue", namespace.to_lowercase());
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&server.pool).await.unwrap();
        if count > 0 {
            wrong.push(format!("{count} messages are left in the queue of {namespace}"));
        }
    }
    wrong
}
