//! What fixed work costs the database, against what it cost when that was last changed: how much it writes is the same in
//! every run, however busy the machine is, and how much it reads is bounded. What a step costs in the sandbox is held the
//! same way, in units of fuel.

use std::time::Duration;

use sqlx::{Executor, PgPool};
use tasker_wasm_host::store::{ClaimedStep, Completion, EagerClaim, GoOn, NewTask, Store, TemplateRow};
use tasker_wasm_host::template;
use tasker_wasm_tests::{
    LEASE, OwnServer, TestDatabase, all_succeeded, claim_of, create_tasks, package, registered, succeeded, task,
};

const NAMESPACE: &str = "linear_workflow";
const WRITE_STEPS: &str = "select tasker.write_planned(array(select task_uuid from tasker.tasks), false)";
const TEMPLATE: &str = "mathematical_sequence";
/// Of the template.
const STEPS: u64 = 4;

/// Bytes that a task of four steps writes to the server's log when it is created, with a hundred others, and when it is claimed
/// and completed as a whole.
const CREATE: u64 = 1_985;
const WHOLE: u64 = 4_427;
/// Bytes for a step that is claimed and completed by itself, with a hundred others.
const STEP: u64 = 2_286;
/// Bytes for a step of a task that runs alone: one is claimed, and the host goes on with the others.
const STEP_ALONE: u64 = 1_959;
/// Bytes that a task of four steps writes which a host begins with: when it is created, and when it is completed as a whole, each
/// time with a hundred others.
const CREATE_BEGUN: u64 = 1_785;
const WHOLE_BEGUN: u64 = 4_307;

async fn written(server: &OwnServer) -> u64 {
    let position = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";
    sqlx::query_scalar::<_, i64>(position).fetch_one(&server.pool).await.expect("the server answers").unsigned_abs()
}

async fn claim(store: &Store, limit: u32) -> Vec<ClaimedStep> {
    store.claim_steps(&claim_of(NAMESPACE, limit)).await.expect("steps can be claimed")
}

async fn complete(store: &Store, steps: &[ClaimedStep], go_on: &GoOn) -> Vec<ClaimedStep> {
    let completions: Vec<_> = steps.iter().map(succeeded).collect();
    let mut claimed = Vec::new();
    let report = store.complete_and_go_on(&completions, go_on, &mut claimed).await.expect("steps can be completed");
    assert_eq!(report.refused(), 0);
    claimed
}

fn planned(template: &TemplateRow, tasks: usize) -> Vec<NewTask> {
    (0..tasks).map(|_| task(template, r#"{"even_number": 6}"#).expect("a task can be planned")).collect()
}

/// Creates tasks and begins with them. Answers the ends of all their steps.
async fn create_begun(store: &Store, tasks: &[NewTask]) -> Vec<Completion> {
    let first: Vec<_> = tasks.iter().flat_map(|task| ClaimedStep::first_of(task).expect("JSON")).collect();
    let claim = EagerClaim {
        host: "test".into(),
        steps: first.iter().map(|step| step.lease.step_uuid).collect(),
        planned: tasks.iter().map(|task| task.task_uuid).collect(),
        lease: LEASE,
    };
    let (_, claimed) = store.create_and_claim(tasks, &claim).await.expect("tasks can be created");
    first.iter().for_each(|first| first.lease.message_id.learn(claimed[&first.lease.step_uuid]));
    ends_of(&first, tasks)
}

/// The ends of all steps of tasks of which the first are claimed.
fn ends_of(first: &[ClaimedStep], tasks: &[NewTask]) -> Vec<Completion> {
    first.iter().zip(tasks).flat_map(|(first, task)| all_succeeded(first, task)).collect()
}

/// Rows of the indexes of a schema that were read by those who are gone.
async fn read(pool: &PgPool, schema: &str) -> u64 {
    let rows = "select sum(idx_tup_read)::bigint from pg_stat_user_indexes where schemaname = $1";
    let read: i64 = sqlx::query_scalar(rows).bind(schema).fetch_one(pool).await.expect("the server answers");
    read.unsigned_abs()
}

/// Closes connections, and waits until what they counted is known.
async fn gone(store: Store, pool: &PgPool) {
    let open = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'tasker-wasm-host'";
    let count = || async { sqlx::query_scalar::<_, i64>(open).fetch_one(pool).await.expect("the server answers") };
    let before = count().await;
    store.close().await;
    while count().await == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Creates tasks of four steps and runs them, each alone: the host goes on with one in two.
async fn run_each_alone(store: &Store, tasks: usize) {
    for place in 0..tasks {
        create_tasks(store, NAMESPACE, TEMPLATE, r#"{"even_number": 6}"#, 1).await;
        let places = vec![(place % 2) as u32];
        let go_on = GoOn { namespaces: vec![NAMESPACE.into()], places, lease: LEASE, ..GoOn::default() };
        for _ in 0..STEPS {
            let mut steps = claim(store, 1).await;
            while !steps.is_empty() {
                steps = complete(store, &steps, &go_on).await;
            }
        }
    }
}

/// A greater change than a tenth is one to know the reason of; then the recorded number is the new one.
fn check<const N: usize>(written: [(&str, u64, u64); N]) {
    let is_other = |bytes: u64, recorded: u64| !(0.9..1.1).contains(&(bytes as f64 / recorded as f64));
    let others: Vec<_> = written.into_iter().filter(|(_, bytes, recorded)| is_other(*bytes, *recorded)).collect();
    assert!(others.is_empty(), "bytes that are written, and those recorded: {others:?}");
}

#[tokio::test]
async fn what_a_step_writes_to_the_database_is_what_is_recorded() {
    let server = OwnServer::start().await;
    // Without these, when a page was written last decides how much of it is written again.
    for setting in ["full_page_writes = off", "autovacuum = off"] {
        server.pool.execute(sqlx::AssertSqlSafe(format!("alter system set {setting}"))).await.expect("a setting");
    }
    server.pool.execute("select pg_reload_conf()").await.expect("the settings are read");
    let loaded = template::load(&package("linear").join("template.yaml")).expect("the example's template");
    let template = registered(&server.store, &loaded).await.expect("the template can be registered");
    let nothing = GoOn::default();
    let go_on = GoOn { namespaces: vec![NAMESPACE.into()], places: vec![1], lease: LEASE, ..GoOn::default() };

    // The first rows make the first pages.
    create_tasks(&server.store, NAMESPACE, TEMPLATE, r#"{"even_number": 6}"#, 100).await;
    let before = written(&server).await;
    create_tasks(&server.store, NAMESPACE, TEMPLATE, r#"{"even_number": 6}"#, 100).await;
    let created = written(&server).await;
    server.pool.execute(WRITE_STEPS).await.expect("steps can be written");
    let written_steps = written(&server).await;
    let mut steps = 0;
    loop {
        let claimed = claim(&server.store, 100).await;
        if claimed.is_empty() {
            break;
        }
        complete(&server.store, &claimed, &nothing).await;
        steps += claimed.len() as u64;
    }
    assert_eq!(steps, 200 * STEPS);
    let completed = written(&server).await;

    create_tasks(&server.store, NAMESPACE, TEMPLATE, r#"{"even_number": 6}"#, 20).await;
    server.pool.execute(WRITE_STEPS).await.expect("steps can be written");
    let alone = written(&server).await;
    for _ in 0..20 {
        let mut step = claim(&server.store, 1).await;
        while !step.is_empty() {
            step = complete(&server.store, &step, &go_on).await;
        }
    }
    let gone_on = written(&server).await;
    let tasks = planned(&template, 100);
    let before_begun = written(&server).await;
    let ends = create_begun(&server.store, &tasks).await;
    let created_begun = written(&server).await;
    assert!(server.store.complete_planned(&ends).await.expect("tasks can be completed"));
    let completed_begun = written(&server).await;
    let tasks = planned(&template, 100);
    server.store.create_tasks(&tasks).await.expect("tasks can be created");
    let before_whole = written(&server).await;
    let ends = ends_of(&claim(&server.store, 100).await, &tasks);
    assert!(server.store.complete_planned(&ends).await.expect("tasks can be completed"));
    let whole = written(&server).await;
    server.stop().await;

    check([
        ("a task", (created - before) / 100, CREATE),
        ("the end of one that waited", (whole - before_whole) / 100, WHOLE),
        ("a step among others", (completed - written_steps) / steps, STEP),
        ("a task that is begun with", (created_begun - before_begun) / 100, CREATE_BEGUN),
        ("its end", (completed_begun - created_begun) / 100, WHOLE_BEGUN),
        ("a step that runs alone", (gone_on - alone) / (20 * STEPS), STEP_ALONE),
    ]);
}

/// A connection keeps the plans it made, perhaps when there was next to nothing to read.
#[tokio::test]
async fn what_a_step_reads_from_the_database_does_not_grow_with_what_is_there() {
    const ALONE: usize = 10;
    const OTHERS: usize = 1_000;
    let database = TestDatabase::create().await;
    let loaded = template::load(&package("linear").join("template.yaml")).expect("the example's template");
    registered(&database.store, &loaded).await.expect("the template can be registered");
    let early = database.store.alone();
    run_each_alone(&early, 1).await;
    database.pool().execute("vacuum analyze").await.expect("the planner can learn how little there is");
    run_each_alone(&early, 2).await;

    let others = Store::connect(&database.url, 1).await.expect("the server takes another connection");
    create_tasks(&others, NAMESPACE, TEMPLATE, r#"{"even_number": 6}"#, OTHERS).await;
    gone(others, database.pool()).await;
    let (state, queues) = (read(database.pool(), "tasker").await, read(database.pool(), "pgmq").await);
    run_each_alone(&early, ALONE).await;
    gone(early, database.pool()).await;
    let steps = ALONE as u64 * STEPS;
    let step = (read(database.pool(), "tasker").await - state) / steps;
    assert!(step < 100, "{step} rows were read for a step while {OTHERS} other tasks waited");
    // Also the versions of a message that are no more: each step before it in the queue has left some.
    let step = (read(database.pool(), "pgmq").await - queues) / steps;
    assert!(step < OTHERS as u64 / 4, "{step} messages were read for a step while {OTHERS} others waited");
    database.drop().await;
}
