//! Many clients at once: nothing is lost, nothing is answered but what a client understands, and memory is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tasker_wasm_tests::{Answer, ApiClient, TestDatabase};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::shared::{host, linear};

const CLIENTS: usize = 50;
const TIME: Duration = Duration::from_secs(30);
const SOCKETS: usize = 200;
const BURST: usize = 500;
/// Growth of the host's memory that requests alone may bring about: well above what a run shows (printed), well below a
/// buffer that nobody bounds.
const GROWTH: u64 = 300 << 20;

/// What clients saw.
#[derive(Default)]
struct Seen {
    accepted: Mutex<Vec<Uuid>>,
    turned_away: AtomicUsize,
    creates: Mutex<Vec<Duration>>,
    polls: Mutex<Vec<Duration>>,
}

impl Seen {
    /// Creates a task; one that is turned away comes again when it is told to.
    async fn create(&self, api: &ApiClient, n: usize) -> Uuid {
        loop {
            let began = Instant::now();
            let answer = api.post("/v1/tasks", &linear(json!({"even_number": 2, "n": n}))).await;
            if self.is_accepted(&answer) {
                self.creates.lock().await.push(began.elapsed());
                let task = answer.body["task_uuid"].as_str().unwrap().parse().unwrap();
                self.accepted.lock().await.push(task);
                return task;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Anything but an answer or a 503 that says when to come again is a failure.
    fn is_accepted(&self, answer: &Answer) -> bool {
        if answer.status.as_u16() == 503 {
            assert!(["BACKPRESSURE", "SERVICE_UNAVAILABLE"].contains(&answer.code()), "{answer:?}");
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        assert!(answer.status.is_success(), "{answer:?}");
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_clients_and_a_burst_of_five_hundred_lose_nothing_and_fill_nothing() {
    let database = TestDatabase::create().await;
    let (host, api) = host(&database, "").await;
    let before = host.resident_bytes();
    let seen = Arc::<Seen>::default();
    let number = Arc::new(AtomicUsize::new(0));

    let end = Instant::now() + TIME;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (seen, number, api) = (Arc::clone(&seen), Arc::clone(&number), api.fresh());
        clients.spawn(async move {
            while Instant::now() < end {
                let task = seen.create(&api, number.fetch_add(1, Ordering::Relaxed)).await;
                let path = format!("/v1/tasks/{task}");
                loop {
                    let began = Instant::now();
                    let answer = api.get(&path).await;
                    if seen.is_accepted(&answer) {
                        seen.polls.lock().await.push(began.elapsed());
                        if answer.body["status"] == "complete" || Instant::now() >= end {
                            break;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    finished(clients).await;
    report("50 clients for 30 s", &seen).await;
    let during = host.resident_bytes();

    let burst = Arc::<Seen>::default();
    let mut sockets = JoinSet::new();
    for socket in 0..SOCKETS {
        let (burst, api) = (Arc::clone(&burst), api.fresh());
        sockets.spawn(async move {
            for n in (socket..BURST).step_by(SOCKETS) {
                burst.create(&api, 1_000_000 + n).await;
            }
        });
    }
    finished(sockets).await;
    report("500 creates on 200 sockets", &burst).await;
    let after = host.resident_bytes();
    eprintln!("memory: {} MB before, {} MB during, {} MB after the burst", before >> 20, during >> 20, after >> 20);
    assert!(after.max(during) < before + GROWTH, "the host grew from {before} to {during} and {after} bytes");

    // Whatever was accepted is there and comes to its end.
    let mut accepted = seen.accepted.lock().await.clone();
    accepted.extend(burst.accepted.lock().await.iter());
    assert!(accepted.len() >= BURST + CLIENTS);
    let all = accepted.len() as i64;
    loop {
        let done = "select count(*) from tasker.tasks where task_uuid = any ($1) and state = 'complete'";
        let done: i64 = sqlx::query_scalar(done).bind(&accepted).fetch_one(database.pool()).await.unwrap();
        if done == all {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let there: i64 = sqlx::query_scalar("select count(*) from tasker.tasks").fetch_one(database.pool()).await.unwrap();
    assert_eq!(there, all, "nothing was made that was not accepted");
    database.drop().await;
}

async fn finished(mut clients: JoinSet<()>) {
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

async fn report(what: &str, seen: &Seen) {
    let turned_away = seen.turned_away.load(Ordering::Relaxed);
    eprintln!("{what}: {} accepted, {turned_away} told to come again", seen.accepted.lock().await.len());
    for (name, times) in [("create", &seen.creates), ("poll", &seen.polls)] {
        let mut times = times.lock().await;
        times.sort();
        let at = |part: f64| {
            times.get(((times.len() as f64 - 1.0) * part) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        eprintln!(
            "  {name:<7} {:>6} requests  p50 {:>7.1} ms  p95 {:>7.1} ms  p99 {:>7.1} ms  max {:>7.1} ms",
            times.len(),
            at(0.5),
            at(0.95),
            at(0.99),
            at(1.0)
        );
    }
}
