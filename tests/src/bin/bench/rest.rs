//! What it costs to create a task through the API of a host that runs as a process, beside the least that it must do:
//! one durable commit. The tasks are of a namespace that the host has no component for, so none of them runs meanwhile.

use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::ensure;
use futures::future::try_join_all;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tasker_wasm_host::store::TemplateRow;
use tasker_wasm_tests::{ApiClient, HostProcess, Settings, TestDatabase, one_step};
use uuid::Uuid;

use super::latency::{durable_commit, durable_table};
use super::report::{Quantity, Row, Section};
use super::samples::{Samples, median};

/// Turns of one request and one commit, one after the other.
const ALONE: usize = 1_000;
/// Turns before those, which open connections and plan statements.
const WARM_UP: usize = 50;
/// Clients that create at once, and connections that commit at once.
const CLIENTS: usize = 16;
/// Turns of all clients, then all connections.
const TURNS: usize = 3;
/// Requests of each client in a turn, and commits of each connection.
const REQUESTS: usize = 100;
const COMMITS: usize = 400;

/// Times requests and commits in turns.
pub async fn measure() -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let template = one_step(&database.store, "elsewhere", "nobody.serves_this").await?;
    let processes = format!("[worker]\nprocesses = {}\n", available_parallelism()?);
    let host = HostProcess::start(&database, Settings { packages: &["linear"], config: &processes }).await;
    let clients: Vec<ApiClient> = (0..CLIENTS).map(|_| host.api().fresh()).collect();
    let mut connections = try_join_all((0..CLIENTS).map(|_| PgConnection::connect(&database.url))).await?;
    durable_table(&mut connections[0]).await?;

    let (mut request, mut commit) = (Samples::default(), Samples::default());
    for turn in 0..WARM_UP + ALONE {
        if turn == WARM_UP {
            (request, commit) = Default::default();
        }
        request.time(create(&clients[0], &template)).await?;
        commit.time(durable_commit(&mut connections[0])).await?;
    }

    creates(&clients, &template).await?;
    let (mut requests, mut commits) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        requests.push(creates(&clients, &template).await?);
        commits.push(durable_commits(&mut connections).await?);
    }
    let created: i64 = sqlx::query_scalar("select count(*) from tasker.tasks where state = 'steps_in_process'")
        .fetch_one(database.pool())
        .await?;
    let asked = WARM_UP + ALONE + (1 + TURNS) * CLIENTS * REQUESTS;
    ensure!(usize::try_from(created)? == asked, "{created} tasks wait instead of {asked}");
    host.stop().await;
    try_join_all(connections.into_iter().map(Connection::close)).await?;
    database.drop().await;

    let mut section = Section::new("POST /v1/tasks with one step, until the answer is read");
    section.push(
        Row::new("one client on one connection, p50", request.median())
            .beside("one durable commit of one row", commit.median())
            .ratio_at_most(2.0),
    );
    section.push(
        Row::new("one client on one connection, p99", request.percentile(99))
            .beside("one durable commit of one row", commit.percentile(99)),
    );
    section.push(
        Row::new(format!("{CLIENTS} clients at once"), Quantity::PerSecond(median(requests)))
            .beside(format!("durable commits on {CLIENTS} connections"), Quantity::PerSecond(median(commits))),
    );
    Ok(section)
}

/// Creates a task that is none of those before it.
async fn create(client: &ApiClient, template: &TemplateRow) -> anyhow::Result<()> {
    let body = json!({
        "name": template.name, "namespace": template.namespace, "version": template.version,
        "context": {"even_number": 6}, "initiator": "bench", "source_system": "bench", "reason": "to be timed",
        "idempotency_key": Uuid::now_v7(),
    });
    let answer = client.post("/v1/tasks", &body).await;
    ensure!(answer.status.is_success(), "a task was not created: {answer:?}");
    Ok(())
}

/// Tasks that all clients create in a second.
async fn creates(clients: &[ApiClient], template: &TemplateRow) -> anyhow::Result<f64> {
    let start = Instant::now();
    try_join_all(clients.iter().map(async |client| {
        for _ in 0..REQUESTS {
            create(client, template).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok((clients.len() * REQUESTS) as f64 / start.elapsed().as_secs_f64())
}

/// Commits of one row that all connections make in a second.
async fn durable_commits(connections: &mut [PgConnection]) -> anyhow::Result<f64> {
    let count = connections.len() * COMMITS;
    let start = Instant::now();
    try_join_all(connections.iter_mut().map(async |connection| {
        for _ in 0..COMMITS {
            durable_commit(connection).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
