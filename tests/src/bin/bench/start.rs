//! How long it takes until a component can be called, and until a host that was just started has run a step.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::{HttpSettings, Sandbox, SandboxSettings};
use tasker_wasm_host::store::TemplateRow;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, compiled, one_step, package, task, workspace};

use super::bare;
use super::report::{Row, Section};
use super::samples::Samples;
use super::setup::Setup;

/// Turns in which compiled code is opened.
const TURNS: usize = 20;
/// Starts of a host of each kind.
const STARTS: usize = 3;

/// Times both.
pub async fn measure(setup: &Setup) -> anyhow::Result<Section> {
    let mut section = Section::new("start: a TypeScript component, and a host that serves it");
    components(setup, &mut section).await?;
    hosts(&mut section).await?;
    Ok(section)
}

async fn components(setup: &Setup, section: &mut Section) -> anyhow::Result<()> {
    let facts = setup.sandbox.facts();
    let closed = Permissions::from_mode(0o700);
    let cache = tempfile::Builder::new().permissions(closed).tempdir_in(workspace().join("target/test-cache"))?;
    let settings = SandboxSettings {
        cache_dir: cache.path().to_owned(),
        max_concurrent: facts.slots,
        max_memory_bytes: facts.max_memory_bytes,
        max_computing: 1,
        http: HttpSettings::default(),
    };
    let probe = Package::load(&package("probe").join("dist/probe.wasm"))?;
    let bytes = fs::read(&probe.path)?;
    let engine = bare::engine(facts, true)?;

    // Seconds of computing on all cores need no turns.
    let (mut ours, mut bare_took) = (Samples::default(), Samples::default());
    ours.time(Sandbox::new(&settings)?.prepare(&probe, Granted::default())).await?;
    bare_took.time(async { bare::compile(&engine, &bytes) }).await?;
    section.push(
        Row::new("component never seen, until it can be called", ours.median())
            .beside("wasmtime compiles it", bare_took.median()),
    );

    let mut files = fs::read_dir(cache.path())?.filter_map(|file| Some(file.ok()?.path()));
    let code = files.find(|file| file.extension().is_some_and(|kind| kind == "cwasm")).context("compiled code")?;
    (ours, bare_took) = Default::default();
    for _ in 0..TURNS {
        let sandbox = Sandbox::new(&settings)?;
        ours.time(sandbox.prepare(&probe, Granted::default())).await?;
        // Refuses code of an engine that is set up in another way.
        bare_took.time(async { bare::map(&engine, &code) }).await?;
    }
    section.push(
        Row::new("component compiled before, p50", ours.median())
            .beside("wasmtime maps its code", bare_took.median())
            .at_most(Duration::from_millis(5)),
    );
    Ok(())
}

async fn hosts(section: &mut Section) -> anyhow::Result<()> {
    let database = TestDatabase::create().await;
    let template = one_step(&database.store, "probe", "probe.empty").await?;
    let cores = available_parallelism()?.get();
    let mut took = vec![Samples::default(), Samples::default()];
    for _ in 0..STARTS {
        for (processes, took) in [1, cores].iter().zip(&mut took) {
            took.push(first_step(&database, &template, *processes).await?);
        }
    }
    database.drop().await;
    for (processes, took) in [1, cores].iter().zip(&took) {
        let row = Row::new(format!("host until its first step is done, processes = {processes}"), took.median());
        section.push(if *processes == cores { row.at_most(Duration::from_secs(1)) } else { row });
    }
    Ok(())
}

/// From the start of a host until a step is done that waits for it.
async fn first_step(database: &TestDatabase, template: &TemplateRow, processes: usize) -> anyhow::Result<Duration> {
    let task = task(template, "{}")?;
    database.store.create_tasks(std::slice::from_ref(&task)).await?;
    let config = format!("[worker]\nprocesses = {processes}\nsandbox.cache_dir = {:?}\n", compiled());
    let settings = Settings { packages: &["probe"], config: &config };
    let start = Instant::now();
    let mut host = HostProcess::launch(&database.url, &settings);
    loop {
        let state: String = sqlx::query_scalar("select state::text from tasker.tasks where task_uuid = $1")
            .bind(task.task_uuid)
            .fetch_one(database.pool())
            .await?;
        match state.as_str() {
            "complete" => break,
            "blocked_by_failures" => anyhow::bail!("the step failed"),
            _ => ensure!(!host.has_ended(), "the host ended: {:?}", host.last_lines(5)),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = start.elapsed();
    host.wait_for_line("claiming steps").await;
    host.stop().await;
    Ok(took)
}
