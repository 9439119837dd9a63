//! How much longer a small task takes on a host that is half busy: tasks come at a steady pace, each created by itself
//! and whatever becomes of those before, at half the rate that the host manages when they come like that as fast as
//! they can.
//!
//! A host manages more when tasks are created many at a time; what a task takes at half of that rate is told without a
//! target. At half of what a host manages in full batches its batches are small, and server and host work two or three times
//! as much for each task: the processors are busy for four fifths of the time, not for half of it. That is why a task takes
//! longer than twice its time then. What it takes where they are busy for half of it is told beside that, and has the same
//! target.
//!
//! Of the processors' time in these streams the server takes 42 %, guests a third, the host a quarter (perf). A host whose
//! threads never interrupt others as they wake up (SCHED_BATCH) completes a sixth more tasks that are created one by one, and
//! takes as long for each at the same rate; beside neighbours the p99 is up to 1.8 times as long. So that is left to the system.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::TryStreamExt;
use futures::future::try_join;
use tasker_wasm_host::host::Host;
use tasker_wasm_host::store::{TaskState, TemplateRow};
use tasker_wasm_tests::{TestDatabase, config, stream, task};

use super::cpu::Machine;
use super::latency::run_one;
use super::report::{Quantity, Row, Section};
use super::samples::{Samples, median};
use super::setup::{EVEN, flat, tasks};

/// Turns: some tasks one after the other, then each stream for a while.
const TURNS: usize = 5;
/// Tasks of a turn that run alone.
const ALONE: usize = 200;
/// How long tasks are created in one stream of a turn.
const STREAM: Duration = Duration::from_millis(800);
/// Tasks that saturate the host.
const SATURATING: usize = 1_500;
/// How often that is measured, after once to warm up.
const SATURATED: usize = 3;

/// A part of the time that the processors are to be busy, and how often the rate for it is looked for.
const HALF: f64 = 0.5;
const LOOKS: usize = 4;

/// A way for tasks to come.
struct Way {
    name: &'static str,
    /// Tasks in a call.
    together: usize,
    /// Calls at once.
    calls: usize,
}

const WAYS: [Way; 2] =
    [Way { name: "one by one", together: 1, calls: 16 }, Way { name: "100 at a time", together: 100, calls: 1 }];

/// The stream whose rate is told without a target.
const MANY_AT_A_TIME: usize = 1;

/// Times tasks on an idle host and in each stream, in turns.
pub async fn measure() -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let host = Arc::new(Host::start(&config(&database, &["linear"])).await?);
    let template = flat(host.store()).await?;

    let mut rates = WAYS.map(|_| Vec::new());
    saturate(&host, &template, &WAYS[1]).await?;
    for _ in 0..SATURATED {
        for (way, rates) in WAYS.iter().zip(&mut rates) {
            rates.push(saturate(&host, &template, way).await?);
        }
    }
    let rates = rates.map(median);

    let half_busy = half_busy(&host, &template, rates[0] / 2.0).await?;
    let streams = [rates[0] / 2.0, rates[1] / 2.0, half_busy];
    let (mut idle, mut streams) = (Samples::default(), streams.map(Stream::at));
    for _ in 0..TURNS {
        for _ in 0..ALONE {
            idle.push(run_one(&host, &template, EVEN).await?);
        }
        for stream in &mut streams {
            stream.run(&host, &template).await?;
        }
    }
    if let Some(host) = Arc::into_inner(host) {
        host.drain().await;
    }
    database.drop().await;

    let mut section =
        Section::new("a task of one step, created to complete, while others like it come at a steady pace");
    for (way, rate) in WAYS.iter().zip(rates) {
        section.push(Row::new(format!("saturated, created {}", way.name), Quantity::PerSecond(rate)));
    }
    let names = WAYS.map(|way| format!("a stream, half of created {}", way.name));
    let names = names.into_iter().chain(["a stream that keeps the processors half busy".to_owned()]);
    for (place, (name, stream)) in names.zip(streams).enumerate() {
        section.push(
            Row::new(name, Quantity::PerSecond(median(stream.reached)))
                .beside("asked for", Quantity::PerSecond(stream.rate)),
        );
        section.push(Row::new("  the processors are busy", Quantity::Share(median(stream.busy))));
        for (percent, most) in [(50, 2.0), (99, 5.0)] {
            let row = Row::new(format!("  created to complete, p{percent}"), stream.samples.percentile(percent))
                .beside("on an idle host", idle.percentile(percent));
            section.push(if place == MANY_AT_A_TIME { row } else { row.ratio_at_most(most) });
        }
    }
    Ok(section)
}

/// Tasks that come at a steady pace, for a while in each turn.
struct Stream {
    rate: f64,
    samples: Samples,
    reached: Vec<f64>,
    /// Of the time, the part that the processors were busy.
    busy: Vec<f64>,
}

impl Stream {
    fn at(rate: f64) -> Self {
        Self { rate, samples: Samples::default(), reached: Vec::new(), busy: Vec::new() }
    }

    async fn run(&mut self, host: &Arc<Host>, template: &TemplateRow) -> anyhow::Result<()> {
        let count = (STREAM.as_secs_f64() * self.rate) as usize;
        let (start, before) = (Instant::now(), Machine::now()?);
        let took = stream(host, Duration::from_secs_f64(1.0 / self.rate), count, || task(template, EVEN)).await?;
        self.reached.push(count as f64 / start.elapsed().as_secs_f64());
        self.busy.push(Machine::now()?.busy_since(before));
        took.into_iter().for_each(|took| self.samples.push(took));
        Ok(())
    }
}

/// The rate at which the processors are busy for half of the time, near this one.
async fn half_busy(host: &Arc<Host>, template: &TemplateRow, mut rate: f64) -> anyhow::Result<f64> {
    for _ in 0..LOOKS {
        let mut look = Stream::at(rate);
        look.run(host, template).await?;
        rate *= HALF / median(look.busy);
    }
    Ok(rate)
}

/// Tasks that the host completes in a second when they come faster than that.
async fn saturate(host: &Host, template: &TemplateRow, way: &Way) -> anyhow::Result<f64> {
    let tasks = tasks(template, EVEN, SATURATING)?;
    let mut changes = host.dispatch().task_changes();
    let start = Instant::now();
    let create = async {
        let batches = futures::stream::iter(tasks.chunks(way.together).map(anyhow::Ok));
        let create = async |batch| host.create_tasks(batch).await.map(drop).map_err(Into::into);
        batches.try_for_each_concurrent(way.calls, create).await
    };
    let complete = async {
        for _ in &tasks {
            let change = changes.recv().await?;
            ensure!(change.state == TaskState::Complete, "a task came to {:?}", change.state);
        }
        Ok(())
    };
    try_join(create, complete).await?;
    Ok(SATURATING as f64 / start.elapsed().as_secs_f64())
}
