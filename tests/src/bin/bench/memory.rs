//! What memory hosts take: at rest, for steps that run, and after a long life.
//!
//! A page counts as a whole in the resident memory (RSS) of everyone who has it, and in parts in their proportional memory
//! (PSS). Pages of files, code above all, are there once for all processes and can be read again when memory is short, so
//! what a process costs is what it has without them.

use std::fs;
use std::iter::Sum;
use std::ops::Add;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, ensure};
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, compiled};

use super::report::{Quantity, Row, Section};
use super::setup::{registered, tasks};
use super::throughput;

/// Steps that sleep at the same time: as many as a host runs at once when nobody says otherwise.
const SLEEPERS: usize = 32;
/// Milliseconds they sleep.
const SLEEP: u64 = 3_000;
/// What comes with the start is over by then.
const SETTLE: Duration = Duration::from_secs(1);
/// Tasks of four steps after which memory is looked at first.
const FEW: usize = 250;
/// And after which it is looked at again.
const MANY: usize = 10_000;

/// What processes have, in bytes.
#[derive(Clone, Copy, Default)]
struct Memory {
    resident: f64,
    proportional: f64,
    /// Without pages of files.
    own: f64,
}

impl Memory {
    fn of(process: u32) -> anyhow::Result<Self> {
        let file = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&file).with_context(|| file.clone())?;
        let bytes = |name: &str| -> anyhow::Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            Ok(number.with_context(|| format!("no {name} in {file}"))?.parse::<f64>()? * 1024.0)
        };
        Ok(Self { resident: bytes("Rss")?, proportional: bytes("Pss")?, own: bytes("Anonymous")? })
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            resident: self.resident + other.resident,
            proportional: self.proportional + other.proportional,
            own: self.own + other.own,
        }
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// Looks at hosts of all kinds.
pub async fn measure() -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let mut section = Section::new("memory of hosts");
    let cores = available_parallelism()?.get();
    for processes in [1, cores] {
        idle(&database, processes, &mut section).await?;
    }
    sleepers(&database, &mut section).await?;
    long_life(&database, &mut section).await?;
    database.drop().await;
    Ok(section)
}

async fn idle(database: &TestDatabase, processes: usize, section: &mut Section) -> anyhow::Result<()> {
    let config = format!("[worker]\nprocesses = {processes}\ncomponent_path = []\n");
    let mut host = HostProcess::start(database, Settings { packages: &[], config: &config }).await;
    tokio::time::sleep(SETTLE).await;
    let memory = all(&mut host)?;
    host.stop().await;
    let together: Memory = memory.iter().copied().sum();
    let largest = memory.iter().map(|memory| memory.own).fold(0.0, f64::max);
    section.push(Row::new(format!("idle host, processes = {processes}, RSS"), Quantity::Bytes(together.resident)));
    section.push(Row::new("  PSS", Quantity::Bytes(together.proportional)));
    section.push(
        Row::new("  largest process, RSS without pages of files", Quantity::Bytes(largest))
            .at_most(Quantity::Bytes(60e6)),
    );
    Ok(())
}

/// The memory of a host's first process and of its workers.
fn all(host: &mut HostProcess) -> anyhow::Result<Vec<Memory>> {
    let workers: Vec<_> = host.workers().iter().map(|worker| worker.as_raw().unsigned_abs()).collect();
    [host.id()].into_iter().chain(workers).map(Memory::of).collect()
}

/// What a step takes that is under way.
async fn sleepers(database: &TestDatabase, section: &mut Section) -> anyhow::Result<()> {
    // Compiling would leave its traces.
    let config = format!(
        "[worker]\nprocesses = 1\nsandbox.cache_dir = {:?}\n\
         mpsc_channels.handler_dispatch.max_concurrent_handlers = {SLEEPERS}\n",
        compiled()
    );
    let host = HostProcess::start(database, Settings { packages: &["probe"], config: &config }).await;
    tokio::time::sleep(SETTLE).await;
    let before = Memory::of(host.id())?;
    let template = database.store.find_template("probe", "sleep", None).await?.context("the template is registered")?;
    database.store.create_tasks(&tasks(&template, &format!(r#"{{"ms": {SLEEP}}}"#), SLEEPERS)?).await?;
    database.store.notify_work().await?;
    tokio::time::sleep(Duration::from_millis(SLEEP / 2)).await;
    let running: i64 = sqlx::query_scalar("select count(*) from tasker.steps where state = 'in_progress'")
        .fetch_one(database.pool())
        .await?;
    ensure!(running == SLEEPERS as i64, "{running} steps sleep");
    let during = Memory::of(host.id())?;
    host.stop().await;
    let each = |of: fn(&Memory) -> f64| Quantity::Bytes((of(&during) - of(&before)) / SLEEPERS as f64);
    section.push(Row::new("host with a component, processes = 1, RSS", Quantity::Bytes(before.resident)));
    section.push(Row::new(format!("each of {SLEEPERS} steps that wait, RSS"), each(|memory| memory.resident)));
    section.push(Row::new("  PSS", each(|memory| memory.proportional)));
    section.push(Row::new("  RSS without pages of files", each(|memory| memory.own)));
    Ok(())
}

/// Whether a host grows by what it does.
async fn long_life(database: &TestDatabase, section: &mut Section) -> anyhow::Result<()> {
    let template = registered(&database.store, "linear").await?;
    let processes = available_parallelism()?;
    let config = format!("[worker]\nprocesses = {processes}\nsandbox.cache_dir = {:?}\n", compiled());
    let mut host = HostProcess::start(database, Settings { packages: &["linear"], config: &config }).await;
    throughput::run(database, &template, FEW).await?;
    let few: Memory = all(&mut host)?.into_iter().sum();
    throughput::run(database, &template, MANY - FEW).await?;
    let many: Memory = all(&mut host)?.into_iter().sum();
    host.stop().await;
    let beside = format!("after {} steps", 4 * FEW);
    section.push(
        Row::new(format!("host after {} steps, RSS", 4 * MANY), Quantity::Bytes(many.resident))
            .beside(&beside, Quantity::Bytes(few.resident))
            .ratio_at_most(1.1),
    );
    section.push(
        Row::new("  RSS without pages of files", Quantity::Bytes(many.own)).beside(beside, Quantity::Bytes(few.own)),
    );
    Ok(())
}
