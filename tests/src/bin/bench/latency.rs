//! How long whole tasks take on an idle host, beside the time that their longest chain of steps takes at least: a durable
//! commit for the task, and for each step a call and a durable commit.
//!
//! What is above that is the server's: of 10 ms that four steps in a row take it computes for 5.5, in six statements (one
//! that creates, one that claims, four that commit and go on). The profile is flat: nested statements begin and end, with
//! cold caches, for each of which the functions have a reason.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::PgConnection;
use tasker_wasm_host::host::Host;
use tasker_wasm_host::sandbox::{Invocation, Limits};
use tasker_wasm_host::store::{TaskState, TemplateRow};
use tasker_wasm_tests::{TestDatabase, task};

use super::report::{Row, Section};
use super::samples::Samples;
use super::sandbox::linear_step;
use super::setup::{Setup, config, registered};

/// Turns: in each one task of each kind, one commit and one call.
const TURNS: usize = 100;
/// Turns before that, which open connections and plan statements.
const WARM_UP: usize = 20;
/// Rows of the batch.
const CSV_ROWS: usize = 1000;

/// One kind of task.
struct Kind {
    name: &'static str,
    package: &'static str,
    /// Steps that come one after the other on its longest chain.
    chain: u32,
    context: String,
}

fn kinds() -> Vec<Kind> {
    let even = || r#"{"even_number": 6}"#.to_owned();
    let rows: String = (0..CSV_ROWS).map(|row| format!("sku-{row},2,199\\n")).collect();
    let csv = format!(r#"{{"csv": "sku,quantity,price_cents\n{rows}", "workers": 10}}"#);
    let listing = r#"{"listing": {"sku": "a", "title": "A", "cost_cents": 1000, "photos": ["front.jpg", "back.jpg"]}}"#;
    vec![
        Kind { name: "linear, 4 steps", package: "linear", chain: 4, context: even() },
        Kind { name: "diamond, 4 steps", package: "diamond", chain: 3, context: even() },
        Kind { name: "DAG, 7 steps", package: "dag", chain: 4, context: listing.to_owned() },
        Kind { name: "tree, 8 steps", package: "tree", chain: 4, context: r#"{"budget_cents": 100000}"#.to_owned() },
        // Ten workers, two at once, between the step that cuts and the one that joins.
        Kind { name: "batch of 1,000 rows, 12 steps", package: "csv-batch", chain: 7, context: csv },
    ]
}

/// Times one task of each kind in turns with what they are held against.
pub async fn measure(setup: &Setup) -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let kinds = kinds();
    let packages: Vec<_> = kinds.iter().map(|kind| kind.package).collect();
    let host = Host::start(&config(&database, &packages)?).await?;
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
    drop(connection);
    host.drain().await;
    database.drop().await;

    let mut section = Section::new("a task on an idle host, durable, from before its creation until its end is known");
    section.push(Row::new("one durable commit of one row, p50", commit.median()));
    section.push(Row::new("one call of a TypeScript step, p50", call.median()));
    for (kind, samples) in kinds.iter().zip(&tasks) {
        let limit = commit.median() + kind.chain * (commit.median() + call.median());
        let name = format!("commit + {} × (commit + call)", kind.chain);
        section.push(Row::new(format!("{}, p50", kind.name), samples.median()).beside(name, limit).ratio_at_most(1.5));
        section.push(Row::new(format!("{}, p95", kind.name), samples.percentile(95)));
    }
    Ok(section)
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
