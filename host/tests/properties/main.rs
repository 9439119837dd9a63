//! Random workflows, run by simulated hosts on a real database, against a model in memory.
//!
//! A case is a few tasks of random templates (`workflow`) whose handlers follow scripts (`script`): they succeed, fail, let
//! leases lapse, give steps back, save checkpoints, and decide. Several hosts (`hosts`) run them through the store, in a
//! random order or at the same time, and send some results twice or too late. The model (`model`) says what must come
//! out, and `verdict` compares. The parts of the host itself are the store's functions and the planning of tasks and growths.
//!
//! `PROPERTY_CASES=…` sets how many cases are run (500), `PROPERTY_SEED=…` runs the one case of a seed that an earlier run
//! printed. A seed fixes the workflows, the scripts and what each host does next; when hosts work at the same time, who is
//! first is up to the machine.
#![allow(clippy::unwrap_used)]

mod ahead;
mod cluster;
mod hosts;
mod model;
mod script;
#[allow(dead_code)]
#[path = "../store/support.rs"]
mod support;
mod verdict;
mod workflow;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::future::try_join_all;
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tasker_wasm_host::orchestration::create::{TaskRequest, plan_task};
use tasker_wasm_host::store::{
    ClaimedStep, CreationReport, EagerClaim, NewTask, NewTemplate, Planned, Store, StoreError,
};
use tasker_wasm_host::template;
use uuid::Uuid;

use cluster::{Cluster, Seen, Task};
use hosts::Host;
use support::{LEASE, TestDatabase, raw};
use workflow::Workflow;

const CASES: u64 = 500;
/// Cases that are under way at the same time, each in namespaces of its own.
const AT_ONCE: usize = 4;
/// How long a case may take. Most take some hundredths of a second.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_workflow_comes_to_what_the_model_says() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (first, cases) = match number("PROPERTY_SEED") {
        Some(seed) => (seed, 1),
        None => (fastrand::u64(..u64::MAX / 2), number("PROPERTY_CASES").unwrap_or(CASES)),
    };
    println!("seeds {first} to {}", first + cases - 1);

    let database = TestDatabase::create().await;
    let store = Store::connect(&database.url, 16).await.unwrap();
    store.migrate().await.unwrap();
    let pool = database.pool().await;
    // No power fails here: the commits need not wait for the disk.
    let name: String = sqlx::query_scalar("select current_database()::text").fetch_one(&pool).await.unwrap();
    pool.execute(AssertSqlSafe(format!("alter database {name} set synchronous_commit = off"))).await.unwrap();
    let store = Store::connect(&database.url, 16).await.unwrap();

    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let totals = std::sync::Mutex::new(Totals::default());
    let lanes = (0..AT_ONCE).map(|lane| {
        let (store, pool, next, totals) = (&store, &pool, &next, &totals);
        async move {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + cases {
                    return Ok::<(), String>(());
                }
                let case = run(store, pool, lane, seed).await?;
                totals.lock().unwrap().add(&case);
            }
        }
    });
    if let Err(complaint) = try_join_all(lanes).await {
        panic!("{complaint}");
    }
    println!("{cases} cases in {:.1} s: {:?}", begun.elapsed().as_secs_f64(), totals.lock().unwrap());
}

/// What the cases consisted of, to see that they are worth their time.
#[derive(Debug, Default)]
struct Totals {
    tasks: usize,
    complete: usize,
    steps: usize,
    claims: usize,
    growths: usize,
    outgrown: usize,
    refused: usize,
    ahead: usize,
    whole: usize,
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.tasks += other.tasks;
        self.complete += other.complete;
        self.steps += other.steps;
        self.claims += other.claims;
        self.growths += other.growths;
        self.outgrown += other.outgrown;
        self.refused += other.refused;
        self.ahead += other.ahead;
        self.whole += other.whole;
    }
}

/// Runs one case; the error tells everything about it.
async fn run(store: &Store, pool: &PgPool, lane: usize, seed: u64) -> Result<Totals, String> {
    let mut rng = Rng::with_seed(seed);
    let namespaces: Vec<String> = (0..2).map(|number| format!("lane{lane}_{number}")).collect();
    let at_once = rng.u8(..10) < 4;
    let (mut tasks, mut begun) = (HashMap::new(), Vec::new());
    for number in 0..*rng.choice(&[1, 1, 1, 2, 3]).unwrap() {
        let namespace = rng.choice(&namespaces).unwrap().clone();
        let workflow = Workflow::draw(&mut rng, format!("case_{seed}_{number}"), namespace);
        let created = create(store, &mut rng, workflow).await;
        let (task, claimed) = created.map_err(|complaint| format!("seed {seed}: {complaint}"))?;
        begun.push(claimed);
        tasks.insert(task.uuid, task);
    }
    // A namespace without a template has no queue yet.
    for namespace in &namespaces {
        sqlx::query("select tasker.create_namespace($1)").bind(namespace).execute(pool).await.unwrap();
    }
    let cluster = Cluster {
        store,
        pool,
        namespaces,
        tasks,
        at_once,
        seen: std::sync::Mutex::new(Seen::default()),
        at_rest: AtomicBool::new(false),
        changes: AtomicU64::new(0),
    };
    let played = tokio::time::timeout(PATIENCE, play(&cluster, &mut rng, begun)).await;
    let complaint = match played {
        Ok(Ok(())) => None,
        Ok(Err(complaint)) => Some(complaint),
        Err(_) => Some(format!("it did not come to rest within {} s", PATIENCE.as_secs())),
    };

    let mut report = complaint.into_iter().collect::<Vec<_>>();
    let mut totals = Totals::default();
    for task in cluster.tasks.values() {
        let world = model::run(&task.workflow, &mut rng);
        let again = model::run(&task.workflow, &mut rng);
        assert_eq!(world, again, "seed {seed}: the model depends on the order of {:#}", task.workflow.template());
        let faults = verdict::faults(&cluster, task, &world).await;
        if !faults.is_empty() || !report.is_empty() {
            report.push(format!(
                "task {} of template\n{}\nanswers {:#?}\nscripts {:?}\n{}{}",
                task.uuid,
                serde_json::to_string(&task.workflow.template()).unwrap(),
                task.workflow.answers,
                task.workflow.scripts,
                verdict::describe(pool, task, &world).await,
                faults.iter().map(|fault| format!("✗ {fault}\n")).collect::<String>(),
            ));
        }
        totals.tasks += 1;
        totals.complete += usize::from(!world.blocked);
        totals.steps += world.instances.len();
    }
    report.extend(verdict::messages_left(&cluster).await);
    let seen = cluster.seen.into_inner().unwrap();
    totals.claims = seen.claimed;
    totals.growths = seen.growths.values().sum::<i32>() as usize;
    (totals.outgrown, totals.refused, totals.ahead, totals.whole) =
        (seen.outgrown, seen.refused, seen.ahead, seen.whole);
    if report.is_empty() {
        return Ok(totals);
    }
    Err(format!("seed {seed} (run it again with PROPERTY_SEED={seed}):\n{}", report.join("\n")))
}

/// Registers the template, plans and creates the task as a host would, which may begin with it. Answers the steps it has claimed
/// then.
async fn create(store: &Store, rng: &mut Rng, workflow: Workflow) -> Result<(Task, Vec<ClaimedStep>), String> {
    let text = workflow.template().to_string();
    let template = template::parse("case", &text).map_err(|error| format!("{error}\n{text}"))?.template;
    let new = NewTemplate {
        namespace: workflow.namespace.clone(),
        name: workflow.name.clone(),
        version: template.version.clone(),
        description: None,
        configuration_json: serde_json::to_string(&template).unwrap(),
        digest: template::digest(&template),
    };
    let registered = store.register_template(&new).await.map_err(|error| error.to_string())?;
    let row = store.template(registered).await.map_err(|error| error.to_string())?.unwrap();
    let request = TaskRequest {
        name: workflow.name.clone(),
        namespace: workflow.namespace.clone(),
        version: None,
        context: raw("{}"),
        initiator: "test".into(),
        source_system: "test".into(),
        reason: "a property".into(),
        tags: Vec::new(),
        priority: workflow.priority,
        correlation_id: None,
        parent_correlation_id: None,
        idempotency_key: None,
    };
    let mut uuid: Option<Uuid> = None;
    let mut begun = Vec::new();
    // The second is the same task, so it is not created.
    for _ in 0..2 {
        let task = plan_task(&row, request.clone(), "test").map_err(|error| error.to_string())?;
        let (created, claimed) = match task.planned("a host").filter(|_| rng.bool()) {
            Some(planned) => plan_and_begin(store, &task, planned).await?,
            None => (store.create_tasks(std::slice::from_ref(&task)).await.map_err(told)?, Vec::new()),
        };
        begun.extend(claimed);
        if created.duplicates != [uuid] {
            return Err(format!("a request was answered {created:?}, and is the one of {uuid:?}"));
        }
        uuid = uuid.or(Some(task.task_uuid));
    }
    Ok((Task { uuid: uuid.unwrap(), workflow, template }, begun))
}

/// Creates a task whose steps are written later. Answers its first steps, which are claimed.
async fn plan_and_begin(
    store: &Store,
    task: &NewTask,
    planned: Planned,
) -> Result<(CreationReport, Vec<ClaimedStep>), String> {
    let mut first = ClaimedStep::first_of(task).map_err(|error| error.to_string())?;
    let claim = EagerClaim {
        host: "a host".into(),
        steps: first.iter().map(|step| step.lease.step_uuid).collect(),
        planned: [task.task_uuid].into(),
        lease: LEASE,
    };
    let (created, claimed) = store.create_and_claim(std::slice::from_ref(task), &claim).await.map_err(told)?;
    first.retain(|step| claimed.contains_key(&step.lease.step_uuid));
    for step in &mut first {
        step.lease.message_id.learn(claimed[&step.lease.step_uuid]);
        step.lease.planned = Some(planned.clone());
    }
    Ok((created, first))
}

fn told(error: StoreError) -> String {
    error.to_string()
}

/// Lets hosts work until nothing is left to do. Some have begun with steps.
async fn play(cluster: &Cluster<'_>, rng: &mut Rng, begun: Vec<Vec<ClaimedStep>>) -> Result<(), String> {
    let mut hosts: Vec<Host> = (0..rng.usize(1..=4)).map(Host::new).collect();
    for steps in begun {
        let host = rng.usize(..hosts.len());
        hosts[host].begin(cluster, steps)?;
    }
    if cluster.at_once {
        let drivers = hosts.into_iter().map(|mut host| {
            let mut rng = rng.fork();
            async move {
                while !cluster.at_rest.load(Ordering::Relaxed) || !host.is_idle() {
                    host.act(cluster, &mut rng).await?;
                }
                Ok(())
            }
        });
        return try_join_all(drivers).await.map(|_| ());
    }
    while !cluster.at_rest.load(Ordering::Relaxed) || hosts.iter().any(|host| !host.is_idle()) {
        let host = rng.usize(..hosts.len());
        hosts[host].act(cluster, rng).await?;
    }
    Ok(())
}
