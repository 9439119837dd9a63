//! Whether a long life slows the database down: the same steps claimed and completed in an empty database and in one that
//! holds many finished tasks, in turns.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::Utc;
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, PgConnection};
use tasker_wasm_host::store::{
    AttemptRecord, ClaimRequest, ClaimedStep, Completion, NewTask, Store, TemplateRow, Usage, Verdict,
};
use tasker_wasm_host::template;
use tasker_wasm_tests::{TestDatabase, package};
use uuid::Uuid;

use super::samples::Samples;
use super::whole::{registered, task};

/// Finished tasks of four steps each.
pub const FINISHED: i64 = 100_000;
/// Tasks that are timed in each database.
const ROUNDS: usize = 200;
/// Tasks before those, which open connections and plan statements.
const WARM_UP: usize = 20;

/// What one step costs the database: one claim and one completion.
#[derive(Default)]
pub struct Growth {
    /// With nothing else in it.
    pub empty: Samples,
    /// Beside [`FINISHED`] tasks.
    pub full: Samples,
}

/// Times both databases in turns.
pub async fn measure() -> anyhow::Result<Growth> {
    let (empty, full) = (TestDatabase::create().await, TestDatabase::create().await);
    let loaded = template::load(&package("linear").join("template.yaml"))?;
    let in_empty = registered(&empty.store, &loaded).await?;
    let in_full = registered(&full.store, &loaded).await?;
    let mut growth = Growth::default();

    let pattern = run(&full.store, &in_full, &mut Samples::default()).await?;
    multiply(&mut *full.pool().acquire().await?, pattern).await.context("the finished tasks")?;

    let (mut unused_empty, mut unused_full) = (Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let warm = round >= WARM_UP;
        run(&empty.store, &in_empty, if warm { &mut growth.empty } else { &mut unused_empty }).await?;
        run(&full.store, &in_full, if warm { &mut growth.full } else { &mut unused_full }).await?;
    }
    let finished: i64 =
        sqlx::query_scalar("select count(*) from tasker.tasks where state = 'complete'").fetch_one(full.pool()).await?;
    ensure!(finished > FINISHED, "only {finished} tasks are finished");
    empty.drop().await;
    full.drop().await;
    Ok(growth)
}

/// Runs one task to its end, a step at a time.
async fn run(store: &Store, template: &TemplateRow, into: &mut Samples) -> anyhow::Result<Uuid> {
    let task: NewTask = task(template)?;
    store.create_tasks(std::slice::from_ref(&task)).await?;
    let request = ClaimRequest {
        namespaces: vec![template.namespace.clone()],
        places: Vec::new(),
        limit: 1,
        host: "bench".into(),
        lease: Duration::from_secs(30),
    };
    for _ in &task.steps {
        let start = Instant::now();
        let claimed = store.claim_steps(&request).await?;
        let claiming = start.elapsed();
        let done = completion(claimed.first().context("a step is ready")?)?;
        let start = Instant::now();
        let report = store.complete_steps(std::slice::from_ref(&done)).await?;
        into.push(claiming + start.elapsed());
        ensure!(report.refused() == 0, "a completion was refused");
    }
    Ok(task.task_uuid)
}

fn completion(step: &ClaimedStep) -> anyhow::Result<Completion> {
    Ok(Completion {
        lease: step.lease.clone(),
        verdict: Verdict::Complete { result: RawValue::from_string(r#"{"result": 36}"#.into())? },
        metadata: RawValue::from_string("{}".into())?,
        attempt: AttemptRecord {
            outcome: "completed".into(),
            error_type: None,
            host: "bench".into(),
            started_at: Utc::now(),
            finished_at: Utc::now(),
            usage: Usage::default(),
            log: None,
        },
        growth: None,
        events: None,
    })
}

/// Copies a finished task with all its rows, which are then exactly what the functions write. Each copy has the keys of
/// another millisecond of the past; what is random in them stays, so that they still meet.
async fn multiply(connection: &mut PgConnection, task: Uuid) -> anyhow::Result<()> {
    let of_task = "task_uuid = $1";
    let of_steps = "step_uuid in (select step_uuid from tasker.steps where task_uuid = $1)";
    let of_children = "child_uuid in (select step_uuid from tasker.steps where task_uuid = $1)";
    sqlx::query("set synchronous_commit = off").execute(&mut *connection).await?;
    // The last one doubles what the conditions of the others read.
    for (table, rows) in [
        ("transitions", of_task),
        ("edges", of_children),
        ("attempts", of_steps),
        ("tasks", of_task),
        ("steps", of_task),
    ] {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "select column_name::text, case
                when column_name = 'identity' then 'sha256(convert_to(copy.time, ''UTF8''))'
                when data_type = 'uuid' and column_name <> 'template_uuid'
                then format('overlay(r.%1$I::text placing copy.time from 1 for 13)::uuid', column_name)
                else format('r.%I', column_name)
            end
            from information_schema.columns
            where table_schema = 'tasker' and table_name = $1 and is_identity = 'NO' order by ordinal_position",
        )
        .bind(table)
        .fetch_all(&mut *connection)
        .await?;
        let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let copy = format!(
            "insert into tasker.{table} ({}) select {} from (
                select overlay(lpad(to_hex(1700000000000 + n), 12, '0') placing '-' from 9 for 0) as time
                from generate_series(1, {FINISHED}) n
            ) copy cross join (select * from tasker.{table} where {rows}) r",
            names.join(", "),
            values.join(", "),
        );
        sqlx::query(AssertSqlSafe(copy)).bind(task).execute(&mut *connection).await.context(table)?;
    }
    sqlx::query("vacuum analyze").execute(&mut *connection).await?;
    Ok(())
}
