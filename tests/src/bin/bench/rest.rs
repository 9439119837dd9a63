//! What it costs to create a task through the API of a host that runs as a process, beside the least that it must do:
//! one durable commit. The tasks are of a namespace that the host has no component for, so none of them runs meanwhile.
//!
//! Where the time goes (perf, of 558 us; most of a commit of one row is the log, too): 24 us until the host reads the request,
//! 70 until it sends its statement, 16 until the server has that, 129 until it writes its log, 197 until the log is on disk, 33
//! until the host reads the answer, 40 until it answers, and 30 until the client has that. So it takes the time of a commit
//! twice: the statement writes a row of 22 columns and two more, with their keys, and there are two processes to wake up instead
//! of one. Of what the host computes nothing takes more than 3 %, but for its wake-ups: where a request comes alone, the code
//! for it comes from memory and not from the processor's caches.

use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{bail, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tasker_wasm_host::store::TemplateRow;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, one_step};
use tokio::net::TcpStream;
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
    let api = host.api();
    let mut clients = try_join_all((0..CLIENTS).map(|_| Client::connect(api.address()))).await?;
    let mut connections = try_join_all((0..CLIENTS).map(|_| PgConnection::connect(&database.url))).await?;
    durable_table(&mut connections[0]).await?;

    let (mut request, mut commit) = (Samples::default(), Samples::default());
    for turn in 0..WARM_UP + ALONE {
        if turn == WARM_UP {
            (request, commit) = Default::default();
        }
        request.time(clients[0].create(&template)).await?;
        commit.time(durable_commit(&mut connections[0])).await?;
    }

    creates(&mut clients, &template).await?;
    let (mut requests, mut commits) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        requests.push(creates(&mut clients, &template).await?);
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

/// A connection to the API that is driven by who waits for its answer, as the connections to the database are. One that a
/// task of its own drives wakes another thread for each request, and for each answer.
struct Client {
    requests: SendRequest<Full<Bytes>>,
    connection: http1::Connection<TokioIo<TcpStream>, Full<Bytes>>,
}

impl Client {
    async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { requests, connection })
    }

    /// Creates a task that is none of those before it.
    async fn create(&mut self, template: &TemplateRow) -> anyhow::Result<()> {
        let body = json!({
            "name": template.name, "namespace": template.namespace, "version": template.version,
            "context": {"even_number": 6}, "initiator": "bench", "source_system": "bench", "reason": "to be timed",
            "idempotency_key": Uuid::now_v7(),
        });
        let request = Request::post("/v1/tasks").header("host", "localhost").header("content-type", "application/json");
        let request = request.body(Full::from(body.to_string()))?;
        let answered = async {
            let answer = self.requests.send_request(request).await?;
            let status = answer.status();
            anyhow::Ok((status, answer.into_body().collect().await?.to_bytes()))
        };
        let (status, body) = tokio::select! {
            answered = answered => answered?,
            ended = &mut self.connection => bail!("the host ended the connection before it answered: {ended:?}"),
        };
        ensure!(status.is_success(), "a task was not created: {status}: {}", String::from_utf8_lossy(&body));
        Ok(())
    }
}

/// Tasks that all clients create in a second.
async fn creates(clients: &mut [Client], template: &TemplateRow) -> anyhow::Result<f64> {
    let count = clients.len() * REQUESTS;
    let start = Instant::now();
    try_join_all(clients.iter_mut().map(async |client| {
        for _ in 0..REQUESTS {
            client.create(template).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
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
