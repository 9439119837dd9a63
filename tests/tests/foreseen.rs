//! Attempts that begin before their steps are claimed: what is seen of them, and what is left where the claim is not made.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Executor, PgPool, Postgres, Transaction};
use tasker_wasm_host::host::Host;
use tasker_wasm_host::store::{CreationReport, StoreError};
use tasker_wasm_tests::{TestDatabase, config, create_tasks, one_step, run_cli, step, task, wait_for};
use uuid::Uuid;

/// Those of the linear workflow, one after the other.
const ALL_STEPS: usize = 4;
/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A host that serves the linear workflow.
async fn start(database: &TestDatabase) -> Host {
    Host::start(&config(database, &["linear"])).await.unwrap()
}

/// Lets what creates tasks wait when it has answered and is to be committed, until it is let go; then it may come to nothing.
async fn hold_creations(pool: &PgPool, comes_to_nothing: bool) -> PoolConnection<Postgres> {
    let mut held = pool.acquire().await.unwrap();
    let then = if comes_to_nothing { "raise exception 'the disk is full';" } else { "" };
    let hold = format!(
        "create function public.hold() returns trigger language plpgsql as $$
            begin perform pg_advisory_xact_lock_shared(1); {then} return null; end $$;
        create constraint trigger hold after insert on tasker.tasks deferrable initially deferred
            for each row execute function public.hold();
        select pg_advisory_lock(1)"
    );
    sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut *held).await.unwrap();
    held
}

async fn let_go(held: &mut PoolConnection<Postgres>) {
    held.execute("select pg_advisory_unlock(1)").await.unwrap();
}

/// Creates a task of the linear workflow in the host's process.
async fn create_in(host: &Host) -> (Uuid, Result<CreationReport, Arc<StoreError>>) {
    create_of(host, "linear_workflow", "mathematical_sequence", r#"{"even_number": 6}"#).await
}

async fn create_of(
    host: &Host,
    namespace: &str,
    template: &str,
    context: &str,
) -> (Uuid, Result<CreationReport, Arc<StoreError>>) {
    let template = host.store().find_template(namespace, template, None).await.unwrap().unwrap();
    let planned = task(&template, context).unwrap();
    let created = host.create_tasks(std::slice::from_ref(&planned)).await;
    (planned.task_uuid, created)
}

/// Lets claims through and no completion, until it is dropped.
async fn hold_completions(pool: &PgPool) -> Transaction<'_, Postgres> {
    let mut held = pool.begin().await.unwrap();
    held.execute("lock table tasker.attempts in share mode").await.unwrap();
    held
}

async fn until_in_flight(host: &Host, steps: usize) {
    let is_so = async {
        while host.dispatch().observer().in_flight() != steps {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_so).await.expect("so many steps are in flight");
}

/// State and attempts of a step, and how many attempts of it have ended.
async fn seen(database: &TestDatabase, task: Uuid, name: &str) -> (String, i32, i64) {
    let steps = database.store.steps(task).await.unwrap();
    let step = step(&steps, name);
    (step.current_state.to_string(), step.attempts, step.attempt_totals.count)
}

/// The states a step came to.
async fn history(database: &TestDatabase, task: Uuid, name: &str) -> String {
    let history = "select string_agg(t.to_state, ' ' order by t.sequence)
        from tasker.changes t join tasker.steps s using (step_uuid) where s.task_uuid = $1 and s.name = $2";
    sqlx::query_scalar(history).bind(task).bind(name).fetch_one(database.pool()).await.unwrap()
}

/// In how many commits attempts ended.
async fn commits(pool: &PgPool) -> i64 {
    let commits = "select count(distinct xmin::text) from tasker.attempts";
    sqlx::query_scalar(commits).fetch_one(pool).await.unwrap()
}

fn complete_at_once() -> (String, i32, i64) {
    ("complete".to_owned(), 1, 1)
}

#[tokio::test]
async fn steps_in_a_row_run_while_the_commit_of_the_first_is_made_and_then_end_in_one() {
    let database = TestDatabase::create().await;
    let host = start(&database).await;
    let held = hold_completions(database.pool()).await;
    let (task, _) = create_in(&host).await;
    until_in_flight(&host, ALL_STEPS).await;
    assert_eq!(seen(&database, task, "linear_step_2").await, ("pending".to_owned(), 0, 0));
    held.rollback().await.unwrap();

    wait_for(&database.store, task, &["complete"]).await;
    // Those that ended while the task was created are in the first.
    assert!(commits(database.pool()).await <= 2);
    for step in ["linear_step_1", "linear_step_2", "linear_step_3", "linear_step_4"] {
        assert_eq!(seen(&database, task, step).await, complete_at_once());
        assert_eq!(history(&database, task, step).await, "enqueued in_progress complete");
    }
    host.drain().await;
    database.drop().await;
}

#[tokio::test]
async fn nothing_is_left_of_an_attempt_whose_step_is_not_claimed() {
    let database = TestDatabase::create().await;
    let host = start(&database).await;
    let mut held = hold_creations(database.pool(), false).await;
    let ((task, _), ()) = join(create_in(&host), async {
        until_in_flight(&host, ALL_STEPS).await;
        let (code, _, err) =
            run_cli(Some(&database), &["namespace", "pause", "linear_workflow", "--reason", "an audit"]).await;
        assert_eq!(code, 0, "{err}");
        let_go(&mut held).await;
    })
    .await;
    until_in_flight(&host, 0).await;
    assert_eq!(seen(&database, task, "linear_step_2").await, ("enqueued".to_owned(), 0, 0));

    run_cli(Some(&database), &["namespace", "resume", "linear_workflow"]).await;
    wait_for(&database.store, task, &["complete"]).await;
    assert_eq!(seen(&database, task, "linear_step_2").await, complete_at_once());
    host.drain().await;
    drop(held);
    database.drop().await;
}

#[tokio::test]
async fn the_steps_of_a_task_run_while_it_is_created_and_then_end_in_one_commit() {
    let database = TestDatabase::create().await;
    let host = start(&database).await;
    let mut held = hold_creations(database.pool(), false).await;
    let ((task, created), ()) = join(create_in(&host), async {
        until_in_flight(&host, ALL_STEPS).await;
        let tasks: i64 =
            sqlx::query_scalar("select count(*) from tasker.tasks").fetch_one(database.pool()).await.unwrap();
        assert_eq!(tasks, 0);
        let_go(&mut held).await;
    })
    .await;
    assert_eq!(created.unwrap().enqueued, 0);

    wait_for(&database.store, task, &["complete"]).await;
    assert_eq!(commits(database.pool()).await, 1);
    assert_eq!(seen(&database, task, "linear_step_4").await, complete_at_once());
    host.drain().await;
    drop(held);
    database.drop().await;
}

#[tokio::test]
async fn nothing_is_left_of_the_attempts_of_a_task_that_is_not_created() {
    let database = TestDatabase::create().await;
    let host = start(&database).await;
    let mut held = hold_creations(database.pool(), true).await;
    let ((_, created), ()) = join(create_in(&host), async {
        until_in_flight(&host, ALL_STEPS).await;
        let_go(&mut held).await;
    })
    .await;
    assert!(created.unwrap_err().to_string().contains("the disk is full"));
    until_in_flight(&host, 0).await;

    held.execute("drop trigger hold on tasker.tasks").await.unwrap();
    let (task, created) = create_in(&host).await;
    created.unwrap();
    wait_for(&database.store, task, &["complete"]).await;
    assert_eq!(seen(&database, task, "linear_step_1").await, complete_at_once());
    let attempts: i64 =
        sqlx::query_scalar("select count(*) from tasker.attempts").fetch_one(database.pool()).await.unwrap();
    assert_eq!(attempts, 4);
    host.drain().await;
    drop(held);
    database.drop().await;
}

#[tokio::test]
async fn the_steps_of_a_task_are_written_once_when_all_have_ended() {
    let database = TestDatabase::create().await;
    let host = start(&database).await;
    let (task, _) = create_in(&host).await;
    wait_for(&database.store, task, &["complete"]).await;
    let written = "select count(*) from tasker.steps where xmin = (select xmin from tasker.tasks)";
    assert_eq!(sqlx::query_scalar::<_, i64>(written).fetch_one(database.pool()).await.unwrap(), ALL_STEPS as i64);
    assert_eq!(history(&database, task, "linear_step_4").await, "enqueued in_progress complete");
    host.drain().await;
    database.drop().await;
}

#[tokio::test]
async fn the_steps_of_a_task_that_waited_in_its_queue_are_written_once_as_well() {
    let database = TestDatabase::create().await;
    let host = start(&database).await;
    let task =
        create_tasks(&database.store, "linear_workflow", "mathematical_sequence", r#"{"even_number": 6}"#, 1).await[0];
    wait_for(&database.store, task, &["complete"]).await;
    let written = "select count(*) from tasker.steps where xmin = (select xmin from tasker.tasks)";
    assert_eq!(sqlx::query_scalar::<_, i64>(written).fetch_one(database.pool()).await.unwrap(), ALL_STEPS as i64);
    for step in ["linear_step_1", "linear_step_4"] {
        assert_eq!(history(&database, task, step).await, "enqueued in_progress complete");
    }
    host.drain().await;
    database.drop().await;
}

#[tokio::test]
async fn the_steps_of_a_task_that_takes_longer_are_written_while_they_run() {
    let database = TestDatabase::create().await;
    let host = Host::start(&config(&database, &["probe"])).await.unwrap();
    let mut held = hold_creations(database.pool(), false).await;
    let ((task, _), ()) = join(create_of(&host, "probe", "sleep", r#"{"ms": 3000}"#), async {
        until_in_flight(&host, 1).await;
        // A creation may take longer than a task that is short.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let_go(&mut held).await;
    })
    .await;
    let written = async || {
        let steps = "select state::text, claimed_by is not null from tasker.steps";
        sqlx::query_as::<_, (String, bool)>(steps).fetch_all(database.pool()).await.unwrap()
    };
    while written().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(written().await, [("in_progress".to_owned(), true)]);
    wait_for(&database.store, task, &["complete"]).await;
    host.drain().await;
    drop(held);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_tasks_that_come_at_once_no_step_is_lost_between_two_claims() {
    const CLIENTS: usize = 16;
    const TASKS: usize = 40;
    let database = TestDatabase::create().await;
    let host = start(&database).await;
    let template =
        one_step(&database.store, "linear_workflow", "LinearWorkflow.StepHandlers.LinearStep1Handler").await.unwrap();
    let one_by_one = async || {
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            let planned = task(&template, r#"{"even_number": 6}"#).unwrap();
            host.create_tasks(std::slice::from_ref(&planned)).await.unwrap();
            tasks.push(planned.task_uuid);
        }
        tasks
    };
    for task in join_all((0..CLIENTS).map(|_| one_by_one())).await.concat() {
        wait_for(&database.store, task, &["complete"]).await;
    }
    let lapsed = "select count(*) from tasker.transitions where reason = 'its lease lapsed'";
    let lapsed: i64 = sqlx::query_scalar(lapsed).fetch_one(database.pool()).await.unwrap();
    assert_eq!(lapsed, 0);
    assert_eq!(host.drain().await.refused, 0);
    database.drop().await;
}

#[tokio::test]
async fn where_steps_wait_for_slots_what_has_begun_is_finished_before_others_begin() {
    const SLOTS: u32 = 2;
    const TASKS: usize = 20;
    let database = TestDatabase::create().await;
    let mut config = config(&database, &["linear"]);
    config.worker.mpsc_channels.handler_dispatch.max_concurrent_handlers = SLOTS;
    let host = Host::start(&config).await.unwrap();
    let pause = async |at: &str| {
        let pause = format!("update tasker.namespaces set paused_at = {at} where name = 'linear_workflow'");
        database.pool().execute(AssertSqlSafe(pause)).await.unwrap();
    };
    pause("now()").await;
    let context = r#"{"even_number": 6}"#;
    let tasks = create_tasks(&database.store, "linear_workflow", "mathematical_sequence", context, TASKS).await;
    pause("null").await;
    database.store.notify_work().await.unwrap();
    for task in tasks {
        wait_for(&database.store, task, &["complete"]).await;
    }
    // When they ran, because a commit may bring the ends of many tasks at once.
    let order = "select min(a.finished_at) filter (where s.name = 'linear_step_4')
            < max(a.started_at) filter (where s.name = 'linear_step_1')
        from tasker.attempts a join tasker.steps s using (step_uuid)";
    assert!(sqlx::query_scalar::<_, bool>(order).fetch_one(database.pool()).await.unwrap());
    host.drain().await;
    database.drop().await;
}

#[tokio::test]
async fn workers_of_a_batch_run_in_the_place_of_others_while_the_end_of_these_is_committed() {
    let database = TestDatabase::create().await;
    let host = Host::start(&config(&database, &["csv-batch"])).await.unwrap();
    let rows: String = (0..100).map(|row| format!("sku-{row},2,199\\n")).collect();
    let context = format!(r#"{{"csv": "sku,quantity,price_cents\n{rows}", "workers": 10}}"#);
    let (task, _) = create_of(&host, "csv_batch", "csv_inventory", &context).await;
    wait_for(&database.store, task, &["complete"]).await;
    let overtaken = "select count(*) from tasker.attempts a join tasker.steps s using (step_uuid)
        where s.batch_uuid is not null and a.started_at < (
            select min(t.at) from tasker.transitions t where t.step_uuid = s.step_uuid and t.to_state = 'in_progress')";
    let begun: i64 = sqlx::query_scalar(overtaken).fetch_one(database.pool()).await.unwrap();
    assert!(begun >= 6, "{begun} of eight workers began before they were claimed");
    assert_eq!(host.drain().await.put_back, 0);
    database.drop().await;
}
