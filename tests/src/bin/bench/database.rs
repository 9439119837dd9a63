//! What a host makes the database do for a step, counted and not timed: while there is always work, and for one task of
//! four steps on an idle host. Each statement that a host sends is a transaction of its own, so round trips and commits
//! are one number.
//!
//! Statements are counted by `pg_stat_statements`, which a server must have from its start, so there is one of its own
//! here. The host is told from this program by the user's name.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::PgPool;
use tasker_wasm_host::store::{Store, TemplateRow};
use tasker_wasm_tests::{HostProcess, OwnServer, Settings};

use super::report::{Quantity, Row, Section};
use super::samples::median;
use super::setup::registered;
use super::throughput::{create_waiting, finish_waiting};

/// Tasks that wait when a host may begin.
const SATURATING: usize = 1_000;
/// Tasks that run alone, one after the other.
const ALONE: usize = 20;
/// Steps of each.
const STEPS: usize = 4;
/// Between two looks whether all are complete.
const LOOK: Duration = Duration::from_millis(5);
/// For the server to come back, and for connections to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts for one host that has nothing to do, one with a task now and then, and one with much.
pub async fn measure() -> anyhow::Result<Section> {
    let server = OwnServer::start().await;
    let watched = Watched::open(&server).await.context("a server that counts statements")?;
    let ((), started) = watched.life(async || Ok(())).await?;
    let (alone, flushed_alone) = watched
        .life(async || {
            let mut all = Vec::new();
            for _ in 0..ALONE {
                all.push(watched.count(1).await?);
            }
            Ok(all)
        })
        .await?;
    let (saturated, flushed) = watched.life(async || Ok(vec![watched.count(SATURATING).await?])).await?;
    watched.close().await;
    server.stop().await;

    let mut section = Section::new("what the database does for a step of a task of four steps in a row");
    for (when, tasks, counted, flushed) in [
        ("on a saturated host", SATURATING, saturated, flushed - started),
        ("of a task on an idle host", ALONE, alone, flushed_alone - started),
    ] {
        let of = |part: fn(&Counted) -> f64| median(counted.iter().map(part).collect());
        section.push(
            Row::new(format!("round trips, {when}"), Quantity::Count(of(|all| all.round_trips)))
                .at_most(Quantity::Count(2.0)),
        );
        section.push(
            Row::new("  commits that wait for the disk", Quantity::Count(flushed / (tasks * STEPS) as f64))
                .at_most(Quantity::Count(1.0)),
        );
        section.push(Row::new("  statements inside functions", Quantity::Count(of(|all| all.inside))));
        section.push(Row::new("  written to the log", Quantity::Bytes(of(|all| all.log_bytes))));
    }
    Ok(section)
}

/// What was counted, for each step.
struct Counted {
    round_trips: f64,
    inside: f64,
    log_bytes: f64,
}

/// A server that counts statements, and another user's connections to it that never wait for the disk.
struct Watched {
    url: String,
    store: Store,
    pool: PgPool,
    template: TemplateRow,
}

impl Watched {
    async fn open(server: &OwnServer) -> anyhow::Result<Self> {
        const LIBRARY: &str = "pg_stat_statements";
        let there = "select exists (select from pg_available_extensions where name = $1)";
        let there: bool = sqlx::query_scalar(there).bind(LIBRARY).fetch_one(&server.pool).await?;
        ensure!(there, "it has no {LIBRARY}: install PostgreSQL's contrib modules");
        sqlx::query("alter system set shared_preload_libraries = 'pg_stat_statements'").execute(&server.pool).await?;
        ensure!(server.kill(), "it does not run");
        let asked = Instant::now();
        let loaded = || sqlx::query_scalar::<_, bool>("select current_setting('shared_preload_libraries') <> ''");
        while !loaded().fetch_one(&server.pool).await.unwrap_or(false) {
            ensure!(asked.elapsed() < PATIENCE, "it did not come back");
            tokio::time::sleep(LOOK).await;
        }
        for statement in [
            "create extension pg_stat_statements schema public",
            "create role watcher superuser login",
            "alter role watcher set synchronous_commit = off",
            "alter role tasker set pg_stat_statements.track = 'all'",
        ] {
            sqlx::query(statement).execute(&server.pool).await.context(statement)?;
        }
        server.store.close().await;
        server.pool.close().await;
        let own = server.url.replacen("//tasker@", "//watcher@", 1);
        let store = Store::connect(&own, 1).await?;
        let template = registered(&store, "linear").await?;
        Ok(Self { url: server.url.clone(), pool: PgPool::connect(&own).await?, store, template })
    }

    async fn close(self) {
        self.store.close().await;
        self.pool.close().await;
    }

    /// Does `work` while a host runs; gives how often the host waited until the log was on disk, from its start to its
    /// end: connections that are open have not told yet.
    async fn life<T>(&self, work: impl AsyncFnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, f64)> {
        self.alone().await?;
        let before = self.flushes().await?;
        let processes = format!("[worker]\nprocesses = {}\n", available_parallelism()?);
        let mut host = HostProcess::launch(&self.url, &Settings { packages: &["linear"], config: &processes });
        host.wait_for_line("claiming steps").await;
        let done = work().await?;
        host.stop().await;
        self.alone().await?;
        Ok((done, self.flushes().await? - before))
    }

    /// Counts from when `count` tasks may begin until they are complete.
    async fn count(&self, count: usize) -> anyhow::Result<Counted> {
        create_waiting(&self.store, &self.pool, &self.template, count).await?;
        sqlx::query("select pg_stat_statements_reset()").execute(&self.pool).await?;
        let log = "select (pg_current_wal_insert_lsn() - '0/0')::float8";
        let before: f64 = sqlx::query_scalar(log).fetch_one(&self.pool).await?;
        finish_waiting(&self.store, &self.pool, &self.template, LOOK).await?;
        let after: f64 = sqlx::query_scalar(log).fetch_one(&self.pool).await?;
        let (round_trips, inside): (f64, f64) = sqlx::query_as(
            "select coalesce(sum(calls) filter (where toplevel), 0)::float8,
                coalesce(sum(calls) filter (where not toplevel), 0)::float8
            from pg_stat_statements where userid <> current_user::regrole",
        )
        .fetch_one(&self.pool)
        .await?;
        ensure!(inside > 0.0, "no statement was counted inside a function");
        let steps = (count * STEPS) as f64;
        Ok(Counted { round_trips: round_trips / steps, inside: inside / steps, log_bytes: (after - before) / steps })
    }

    /// How often connections have flushed the log so far.
    async fn flushes(&self) -> anyhow::Result<f64> {
        let version: i32 =
            sqlx::query_scalar("select current_setting('server_version_num')::int").fetch_one(&self.pool).await?;
        let flushes = if version >= 180_000 {
            "select sum(fsyncs)::float8 from pg_stat_io
            where object = 'wal' and context = 'normal' and backend_type = 'client backend'"
        } else {
            // With those of the server's own processes.
            "select wal_sync::float8 from pg_stat_wal"
        };
        Ok(sqlx::query_scalar(flushes).fetch_one(&self.pool).await?)
    }

    /// Waits until no connection of a host is left.
    async fn alone(&self) -> anyhow::Result<()> {
        let others =
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and usename <> current_user";
        let asked = Instant::now();
        while sqlx::query_scalar::<_, i64>(others).fetch_one(&self.pool).await? > 0 {
            ensure!(asked.elapsed() < PATIENCE, "connections stay open");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}
