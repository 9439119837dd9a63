//! Steps in a second while there is always work: the database alone beside raw PGMQ, and the whole host beside what its
//! parts cost.
//!
//! A task of four steps is claimed by its message alone, and written when all have ended: for each step its row, its attempt,
//! and its edge, and for the task its row, one of its history and its message. A message of PGMQ is written three times.
//!
//! The whole leaves no processor idle. What its gap is made of (perf, two processes, of 516 us a step; a call alone took 303):
//! guests take 388 in their threads, of which 178 in their code, where they take 140 alone, and 66 to reset what they wrote,
//! where it is 45: server, host and the other guests take turns with them in a cache of 1 MiB. The host's own thread takes 123,
//! in nothing that stands out: 36 in the kernel, for wake-ups most of all, 30 in the allocator and copies, the rest in small parts.
//! In the dispatch without guests it takes a tenth of that, with batches of a hundred and everything in the cache. Other allocators
//! (jemalloc, mimalloc), one thread instead of two for the host, and guests that go on before others begin made no difference.
//! Where ends are told together (`telling`) that is 46 less. Workers whose threads never interrupt others as they wake up
//! (SCHED_BATCH) gained less than that, and were slower beside neighbours.
//!
//! The limit is what a call takes alone, with the caches to itself. On one virtual machine that is 205 us at some hours and 335 at
//! others, as others use the cache that all processors of its machine share. The whole differs less, it takes turns in them
//! anyway. So its ratio is 0.6 where the limit is at its highest, and above 0.7 where it is not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use sqlx::PgPool;
use tasker_wasm_host::sandbox::{Invocation, Limits};
use tasker_wasm_host::store::{NewTask, Store, TemplateRow};
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, all_succeeded, claim_of};
use uuid::Uuid;

use super::cpu;
use super::report::{Quantity, Row, Section};
use super::samples::{Samples, median};
use super::sandbox::linear_step;
use super::setup::{EVEN, Setup, alone, registered, tasks};

/// Turns; the one in the middle counts.
const TURNS: usize = 3;
/// Tasks of four steps in a turn.
const TASKS: usize = 2_000;
/// Steps or messages in one statement.
const BATCH: usize = 100;
/// Connections that do the same at the same time.
const AT_ONCE: usize = 4;
/// Calls that a step's cost in the sandbox is taken from.
const CALLS: usize = 1_000;

/// What one turn of a host brought.
struct Turn {
    per_second: f64,
    host_cpu: Duration,
    server_cpu: Duration,
}

/// Measures all of it in turns.
pub async fn measure(setup: &Setup) -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let template = registered(&database.store, "linear").await?;
    sqlx::query("select pgmq.create('raw')").execute(database.pool()).await?;

    let workers = alone(&database.store, AT_ONCE).await?;
    // The log of a fresh server is written into new files, which takes longer than into those that are used again.
    dispatch(&workers, &database, &template).await?;
    let (mut dispatched, mut raw, mut server_cpu, mut call) = (Vec::new(), Vec::new(), Vec::new(), Samples::default());
    for _ in 0..TURNS {
        let (per_second, server) = dispatch(&workers, &database, &template).await?;
        dispatched.push(per_second);
        server_cpu.push(server.as_secs_f64());
        raw.push(raw_messages(database.pool()).await?);
        for _ in 0..CALLS {
            let invocation = Invocation::new(linear_step(), Limits::default());
            call.time(setup.sandbox.invoke(&setup.linear, invocation)).await?.outcome?;
        }
    }
    for store in workers {
        store.close().await;
    }

    let cores = available_parallelism()?.get();
    let mut hosts = vec![Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (processes, turns) in [1, cores].iter().zip(&mut hosts) {
            turns.push(host(&database, &template, *processes).await?);
        }
    }
    database.drop().await;

    let mut section = Section::new(format!("steps in a second, saturated, {TASKS} tasks of four steps a turn"));
    section.push(
        Row::new(format!("dispatch without handlers, batch {BATCH}"), Quantity::PerSecond(median(dispatched)))
            .beside("PGMQ send, read, delete", Quantity::PerSecond(median(raw)))
            .ratio_at_least(0.8),
    );
    let server_cpu = Duration::from_secs_f64(median(server_cpu));
    section.push(Row::new("  the server's time for a step", server_cpu));
    section.push(Row::new("  a call in the sandbox", call.median()));
    let limit = cores as f64 / (server_cpu + call.median()).as_secs_f64();
    for (processes, turns) in [1, cores].iter().zip(&hosts) {
        let of = |part: fn(&Turn) -> f64| median(turns.iter().map(part).collect());
        let row =
            Row::new(format!("end to end, {processes} processes"), Quantity::PerSecond(of(|turn| turn.per_second)))
                .beside("both on every core", Quantity::PerSecond(limit));
        let meant = *processes == cores;
        section.push(if meant { row.ratio_at_least(0.7).at_least(Quantity::PerSecond(2_500.0)) } else { row });
        section
            .push(Row::new("  the host's time for a step", Quantity::Seconds(of(|turn| turn.host_cpu.as_secs_f64()))));
        section.push(Row::new("  the server's time", Quantity::Seconds(of(|turn| turn.server_cpu.as_secs_f64()))));
    }
    Ok(section)
}

const STEPS: usize = 4 * TASKS;

async fn create(store: &Store, template: &TemplateRow, count: usize) -> anyhow::Result<Vec<NewTask>> {
    let tasks = tasks(template, EVEN, count)?;
    for batch in tasks.chunks(BATCH) {
        store.create_tasks(batch).await?;
    }
    Ok(tasks)
}

/// Claims and completes every step without a handler; how many in a second, and the server's time for each.
async fn dispatch(
    workers: &[Store],
    database: &TestDatabase,
    template: &TemplateRow,
) -> anyhow::Result<(f64, Duration)> {
    let tasks = create(&database.store, template, TASKS).await?;
    let (before, start) = (cpu::server(database.pool()).await?, Instant::now());
    drain(workers, BATCH as u32, &tasks).await?;
    let took = start.elapsed();
    let used = cpu::server(database.pool()).await? - before;
    ensure!(!some_unfinished(database.pool()).await?, "tasks are left");
    Ok((STEPS as f64 / took.as_secs_f64(), used / STEPS as u32))
}

/// Claims and completes tasks without handlers, each with all its steps, all workers at once.
pub async fn drain(workers: &[Store], together: u32, tasks: &[NewTask]) -> anyhow::Result<()> {
    let Some(first) = tasks.first() else { return Ok(()) };
    let request = claim_of(&first.namespace, together);
    let tasks: HashMap<_, _> = tasks.iter().map(|task| (task.task_uuid, task)).collect();
    let done = AtomicUsize::new(0);
    try_join_all(workers.iter().map(async |store| {
        let mut idle = 0;
        while done.load(Ordering::Relaxed) < tasks.len() {
            let claimed = store.claim_steps(&request).await?;
            if claimed.is_empty() {
                idle += 1;
                ensure!(idle < 10_000, "there are steps that nobody gets");
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            let ends: Vec<_> =
                claimed.iter().flat_map(|step| all_succeeded(step, tasks[&step.lease.task_uuid])).collect();
            ensure!(store.complete_planned(&ends).await?, "a task was not completed");
            done.fetch_add(claimed.len(), Ordering::Relaxed);
        }
        anyhow::Ok(())
    }))
    .await?;
    let done = done.into_inner();
    ensure!(done == tasks.len(), "{done} tasks were done instead of {}", tasks.len());
    Ok(())
}

/// As many messages as there are steps, sent, read and deleted by PGMQ's own functions. Those who read at the same time
/// pass over what others hold, so some read less than there is.
async fn raw_messages(pool: &PgPool) -> anyhow::Result<f64> {
    let start = Instant::now();
    let deleted = try_join_all((0..AT_ONCE).map(|_| async {
        let mut connection = pool.acquire().await?;
        let (mut to_send, mut deleted) = (STEPS / AT_ONCE, 0);
        loop {
            if to_send > 0 {
                let message = format!(r#"{{"step_uuid": "{}"}}"#, Uuid::now_v7());
                let send = sqlx::query("select pgmq.send_batch('raw', $1::text[]::jsonb[])").bind(vec![message; BATCH]);
                send.execute(&mut *connection).await?;
                to_send -= BATCH;
            }
            let read = sqlx::query_scalar("select msg_id from pgmq.read('raw', 30, $1)").bind(BATCH as i32);
            let read: Vec<i64> = read.fetch_all(&mut *connection).await?;
            if read.is_empty() && to_send == 0 {
                return anyhow::Ok(deleted);
            }
            deleted += read.len();
            sqlx::query("select pgmq.delete('raw', $1)").bind(read).execute(&mut *connection).await?;
        }
    }))
    .await?;
    let took = start.elapsed();
    ensure!(deleted.iter().sum::<usize>() == STEPS, "{deleted:?} messages were deleted instead of {STEPS}");
    Ok(STEPS as f64 / took.as_secs_f64())
}

/// The whole way: `tasker-wasm-host run` with so many processes.
async fn host(database: &TestDatabase, template: &TemplateRow, processes: usize) -> anyhow::Result<Turn> {
    let settings = Settings { packages: &["linear"], config: &format!("[worker]\nprocesses = {processes}\n") };
    let host = HostProcess::start(database, settings).await;
    run(database, template, TASKS / 10).await?;
    create_waiting(&database.store, database.pool(), template, TASKS).await?;
    let (host_before, server_before) = (cpu::tree(host.id())?, cpu::server(database.pool()).await?);
    let took = finish(database, template).await?;
    let turn = Turn {
        per_second: STEPS as f64 / took.as_secs_f64(),
        host_cpu: (cpu::tree(host.id())? - host_before) / STEPS as u32,
        server_cpu: (cpu::server(database.pool()).await? - server_before) / STEPS as u32,
    };
    host.stop().await;
    Ok(turn)
}

/// Tasks that wait until all are there; gives how long they took from then on.
pub async fn run(database: &TestDatabase, template: &TemplateRow, count: usize) -> anyhow::Result<Duration> {
    create_waiting(&database.store, database.pool(), template, count).await?;
    finish(database, template).await
}

/// Gives how long the tasks took that waited.
async fn finish(database: &TestDatabase, template: &TemplateRow) -> anyhow::Result<Duration> {
    let start = Instant::now();
    finish_waiting(&database.store, database.pool(), template, Duration::from_millis(20)).await?;
    Ok(start.elapsed())
}

/// Creates tasks of which nothing runs yet.
pub async fn create_waiting(store: &Store, pool: &PgPool, template: &TemplateRow, count: usize) -> anyhow::Result<()> {
    pause(pool, template, true).await?;
    create(store, template, count).await?;
    Ok(())
}

/// Lets hosts run what waits, and looks now and then until all tasks are complete.
pub async fn finish_waiting(
    store: &Store,
    pool: &PgPool,
    template: &TemplateRow,
    look: Duration,
) -> anyhow::Result<()> {
    pause(pool, template, false).await?;
    store.notify_work().await?;
    while some_unfinished(pool).await.context("looking for tasks")? {
        tokio::time::sleep(look).await;
    }
    Ok(())
}

async fn pause(pool: &PgPool, template: &TemplateRow, paused: bool) -> anyhow::Result<()> {
    let pause = "update tasker.namespaces set paused_at = case when $2 then now() end where name = $1";
    sqlx::query(pause).bind(&template.namespace).bind(paused).execute(pool).await?;
    Ok(())
}

/// Not how many: to count them is work for the server that is measured.
async fn some_unfinished(pool: &PgPool) -> anyhow::Result<bool> {
    let some = "select exists (select from tasker.tasks where state <> 'complete')";
    Ok(sqlx::query_scalar(some).fetch_one(pool).await?)
}
