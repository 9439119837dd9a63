//! How long whole tasks take on an idle host, beside the time that their longest chain of steps takes at least: a durable
//! commit for the task, and for each step a durable commit and what its attempt takes.
//!
//! Attempts run while their task is created, and a short task ends in one commit with all its steps. So a row of steps takes
//! less than the limit. That knows nothing of what runs beside the longest chain: in the time of four steps two processors
//! hardly compute the attempts of seven or eight steps, the server and the host.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::PgConnection;
use tasker_wasm_host::host::Host;
use tasker_wasm_host::sandbox::{Invocation, Limits};
use tasker_wasm_host::store::{TaskState, TemplateRow};
use tasker_wasm_tests::{TestDatabase, config, task};

use super::report::{Row, Section};
use super::samples::Samples;
use super::sandbox::linear_step;
use super::setup::{Setup, registered};

/// Turns: in each one task of each kind, one commit and one call.
const TURNS: usize = 100;
/// Turns before that, which open connections and plan statements.
const WARM_UP: usize = 20;
/// Rows of the batch.
const CSV_ROWS: usize = 1000;

const LINEAR: &[(&str, u32)] =
    &[("linear_step_1", 1), ("linear_step_2", 1), ("linear_step_3", 1), ("linear_step_4", 1)];
const DIAMOND: &[(&str, u32)] = &[("diamond_start", 1), ("diamond_branch_b", 1), ("diamond_end", 1)];
const DAG: &[(&str, u32)] =
    &[("receive_listing", 1), ("price_listing", 1), ("convert_price", 1), ("publish_listing", 1)];
const TREE: &[(&str, u32)] =
    &[("set_budget", 1), ("division_product", 1), ("team_engineering", 1), ("approve_plan", 1)];
const BATCH: &[(&str, u32)] = &[("analyze_csv", 1), ("process_csv_rows", 5), ("aggregate_inventory", 1)];

/// One kind of task.
struct Kind {
    name: &'static str,
    package: &'static str,
    /// Steps of the template that come one after the other on its longest chain, and how often each.
    chain: &'static [(&'static str, u32)],
    context: String,
}

fn kinds() -> Vec<Kind> {
    let even = || r#"{"even_number": 6}"#.to_owned();
    let rows: String = (0..CSV_ROWS).map(|row| format!("sku-{row},2,199\\n")).collect();
    let csv = format!(r#"{{"csv": "sku,quantity,price_cents\n{rows}", "workers": 10}}"#);
    let listing = r#"{"listing": {"sku": "a", "title": "A", "cost_cents": 1000, "photos": ["front.jpg", "back.jpg"]}}"#;
    vec![
        Kind { name: "linear, 4 steps", package: "linear", chain: LINEAR, context: even() },
        Kind { name: "diamond, 4 steps", package: "diamond", chain: DIAMOND, context: even() },
        Kind { name: "DAG, 7 steps", package: "dag", chain: DAG, context: listing.to_owned() },
        Kind { name: "tree, 8 steps", package: "tree", chain: TREE, context: r#"{"budget_cents": 100000}"#.to_owned() },
        // Ten workers, two at once, between the step that cuts and the one that joins.
        Kind { name: "batch of 1,000 rows, 12 steps", package: "csv-batch", chain: BATCH, context: csv },
    ]
}

/// Times one task of each kind in turns with what they are held against.
pub async fn measure(setup: &Setup) -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let kinds = kinds();
    let packages: Vec<_> = kinds.iter().map(|kind| kind.package).collect();
    let host = Host::start(&config(&database, &packages)).await?;
    let mut templates = Vec::new();
    for kind in &kinds {
        templates.push(registered(host.store(), kind.package).await?);
    }
    let mut connection = database.pool().acquire().await?;
    durable_table(&mut connection).await?;

    let mut tasks: Vec<Samples> = kinds.iter().map(|_| Samples::default()).collect();
    let (mut commit, mut call) = (Samples::default(), Samples::default());
    for turn in 0..WARM_UP + TURNS {
        if turn == WARM_UP {
            tasks.iter_mut().for_each(|samples| *samples = Samples::default());
            (commit, call) = (Samples::default(), Samples::default());
        }
        for ((kind, template), samples) in kinds.iter().zip(&templates).zip(&mut tasks) {
            samples.push(run_one(&host, template, &kind.context).await?);
        }
        commit.time(durable_commit(&mut connection)).await?;
        let invocation = Invocation::new(linear_step(), Limits::default());
        let called = call.time(setup.sandbox.invoke(&setup.linear, invocation)).await?;
        called.outcome?;
    }
    let attempts = attempts(&mut connection).await?;
    drop(connection);
    host.drain().await;
    database.drop().await;

    let mut section = Section::new("a task on an idle host, durable, from before its creation until its end is known");
    section.push(Row::new("one durable commit of one row, p50", commit.median()));
    section.push(Row::new("one call of a TypeScript step, p50", call.median()));
    for (kind, samples) in kinds.iter().zip(&tasks) {
        let mut limit = commit.median();
        for (step, times) in kind.chain {
            let attempt = attempts.get(*step).with_context(|| format!("nothing ran {step:?}"))?;
            limit += *times * (commit.median() + *attempt);
        }
        let name = format!("commit + {} × (commit + attempt)", kind.chain.iter().map(|(_, times)| times).sum::<u32>());
        section.push(Row::new(format!("{}, p50", kind.name), samples.median()).beside(name, limit).ratio_at_most(1.5));
        section.push(Row::new(format!("{}, p95", kind.name), samples.percentile(95)));
    }
    Ok(section)
}

/// What an attempt of each step takes in the sandbox, from its own account: half of them took less.
async fn attempts(connection: &mut PgConnection) -> anyhow::Result<HashMap<String, Duration>> {
    let taken: Vec<(String, f64)> = sqlx::query_as(
        "select coalesce(s.template_step, s.name), percentile_cont(0.5) within group (order by a.total_us)
        from tasker.steps s join tasker.attempts a using (step_uuid) group by 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(taken.into_iter().map(|(step, us)| (step, Duration::from_secs_f64(us / 1e6))).collect())
}

/// Where [`durable_commit`] writes.
pub async fn durable_table(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query("create table durable (n integer not null)").execute(connection).await?;
    Ok(())
}

/// The least that has to be on disk.
pub async fn durable_commit(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query("insert into durable values (1)").execute(connection).await?;
    Ok(())
}

/// Runs one task to its end.
pub async fn run_one(host: &Host, template: &TemplateRow, context: &str) -> anyhow::Result<Duration> {
    let mut changes = host.dispatch().task_changes();
    let task = task(template, context)?;
    let start = Instant::now();
    host.create_tasks(std::slice::from_ref(&task)).await?;
    loop {
        let change = changes.recv().await?;
        if change.task_uuid == task.task_uuid {
            ensure!(change.state == TaskState::Complete, "a task of {:?} came to {:?}", template.name, change.state);
            return Ok(start.elapsed());
        }
    }
}
