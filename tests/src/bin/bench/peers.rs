//! Flat jobs, already queued, beside what other job queues on PostgreSQL do with them on the same server: theirs is one
//! job, fetched and done with; ours is a task and its step, each with its history. Their handlers do nothing and are
//! called in the process that fetches; ours are left out, because nobody else isolates them: what that costs is told
//! apart.
//!
//! One by one the server takes nearly all of the processors' time, for graphile-worker's jobs as for ours. At the end of one of
//! ours it writes the task anew, its step, its attempt and its history, and deletes the message; at the end of one of theirs it
//! deletes the job. A host claims and completes many at once where there are many, which the batches show.

use std::process::Stdio;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{Context, ensure};
use futures::TryStreamExt;
use serde::Deserialize;
use tasker_wasm_host::store::{Store, TemplateRow};
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, workspace};
use tokio::process::Command;

use super::report::{Quantity, Row, Section};
use super::samples::median;
use super::setup::{EVEN, alone, flat, tasks};
use super::throughput;

const PEERS: [&str; 2] = ["graphile-worker", "pg-boss"];
/// Turns of all, each in its turn.
const TURNS: usize = 2;
/// Tasks in one call that creates them.
const BATCH: usize = 500;
/// Jobs for the whole host, after a tenth as many to warm up.
const ISOLATED: usize = 2_000;

/// How jobs are fetched and completed.
struct Mode {
    name: &'static str,
    /// Jobs of a turn: so many that new connections and their first plans do not count.
    jobs: usize,
    /// Jobs in one statement.
    together: usize,
    /// Connections that do the same at the same time.
    at_once: usize,
}

const MODES: [Mode; 2] = [
    Mode { name: "single", jobs: 8_000, together: 1, at_once: 24 },
    Mode { name: "batched", jobs: 40_000, together: 100, at_once: 4 },
];

/// What a peer prints.
#[derive(Deserialize)]
struct Measured {
    seconds: f64,
}

/// Measures ours and each peer in turns.
pub async fn measure() -> anyhow::Result<Section> {
    let program = workspace().join("tests/peers");
    ensure!(program.join("node_modules").exists(), "the peers are not installed: `make bench` installs them");
    let database = TestDatabase::create().await;
    let template = flat(&database.store).await?;
    let mut section = Section::new("flat jobs in a second, from a queue that is full");
    for mode in MODES {
        let store = Store::connect(&database.url, mode.at_once as u32).await?;
        let (mut ours, mut peers) = (Vec::new(), PEERS.map(|_| Vec::new()));
        for _ in 0..TURNS {
            ours.push(drain(&store, &template, &mode).await?);
            for (peer, rates) in PEERS.iter().zip(&mut peers) {
                rates.push(run_peer(peer, &mode, &database.url).await.with_context(|| (*peer).to_owned())?);
            }
        }
        store.close().await;
        let how = match mode.together {
            1 => format!("one by one, {} at once", mode.at_once),
            together => format!("batches of {together}"),
        };
        for (peer, rates) in PEERS.iter().zip(peers) {
            section.push(
                Row::new(format!("without handlers, {how}"), Quantity::PerSecond(median(ours.clone())))
                    .beside(format!("{peer}, {}", mode.name), Quantity::PerSecond(median(rates)))
                    .ratio_at_least(1.0),
            );
        }
    }
    section.push(Row::new(
        "each in a sandbox of its own, TypeScript",
        Quantity::PerSecond(isolated(&database, &template).await?),
    ));
    database.drop().await;
    Ok(section)
}

/// Jobs in a second that are claimed and completed by so many at once.
async fn drain(store: &Store, template: &TemplateRow, mode: &Mode) -> anyhow::Result<f64> {
    let tasks = tasks(template, EVEN, mode.jobs)?;
    let batches = futures::stream::iter(tasks.chunks(BATCH).map(anyhow::Ok));
    batches
        .try_for_each_concurrent(mode.at_once, async |batch| {
            store.create_tasks(batch).await.map(drop).map_err(Into::into)
        })
        .await?;
    // A host that has been running for a while has its connections open, as the peers have theirs.
    let workers = alone(store, mode.at_once).await?;
    let start = Instant::now();
    throughput::drain(&workers, mode.together as u32, &tasks).await?;
    let took = start.elapsed();
    for store in workers {
        store.close().await;
    }
    Ok(mode.jobs as f64 / took.as_secs_f64())
}

/// The same of another queue, in a process of its own.
async fn run_peer(peer: &str, mode: &Mode, url: &str) -> anyhow::Result<f64> {
    let jobs = mode.jobs.to_string();
    let mut command = Command::new("node");
    command.arg(workspace().join("tests/peers/src/main.js")).args([peer, mode.name, &jobs, url]);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("node can't be started")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
    let measured: Measured = serde_json::from_slice(&output.stdout).context("what it prints")?;
    Ok(mode.jobs as f64 / measured.seconds)
}

/// The whole way of a job through a host: what the others leave out is a sandbox around the handler.
async fn isolated(database: &TestDatabase, template: &TemplateRow) -> anyhow::Result<f64> {
    let processes = format!("[worker]\nprocesses = {}\n", available_parallelism()?);
    let host = HostProcess::start(database, Settings { packages: &["linear"], config: &processes }).await;
    throughput::run(database, template, ISOLATED / 10).await?;
    let took = throughput::run(database, template, ISOLATED).await?;
    host.stop().await;
    Ok(ISOLATED as f64 / took.as_secs_f64())
}
