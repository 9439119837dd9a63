//! A database for a test, and short ways to write workflows.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{SubsecRound as _, Utc};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use tasker_wasm_host::store::managed::{ManagedServer, Options};
use tasker_wasm_host::store::{
    AttemptRecord, ClaimRequest, ClaimedStep, Completion, CompletionReport, Lease, NewStep, NewTask, NewTemplate,
    StepState, Store, TemplateChoice, Usage, Verdict,
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter as _;
use uuid::Uuid;

pub const NAMESPACE: &str = "bakery";
/// Long enough that no lease ends by itself in a test.
pub const LEASE: Duration = Duration::from_secs(600);

/// A fresh database; dropped with this value.
pub struct TestDatabase {
    pub url: String,
    name: String,
    server: String,
    /// Held while the test runs: the private server stops when nobody holds it.
    _private: Option<ManagedServer>,
}

/// The address of the server of `DATABASE_URL`, or of the tests' private one.
async fn server() -> (String, Option<ManagedServer>) {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return (url, None);
    }
    let data_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-postgres");
    let server = ManagedServer::start(Options {
        data_dir: Some(data_dir.into()),
        supervisor_exe: Some(env!("CARGO_BIN_EXE_tasker-wasm-host").into()),
        ..Options::default()
    });
    let server = server.await.unwrap();
    (server.url("postgres"), Some(server))
}

impl TestDatabase {
    pub async fn create() -> Self {
        let (server, private) = server().await;
        let name = format!("tasker_test_{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        admin.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
        admin.close().await.unwrap();
        Self { url: with_database(&server, &name), name, server, _private: private }
    }

    /// A connection beside the store's, to look and to meddle.
    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop = async move {
            let mut admin = PgConnection::connect(&server).await?;
            admin.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await?;
            admin.close().await
        };
        // A runtime of its own: this one may be unwinding.
        let dropped = std::thread::spawn(|| {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(drop)
        });
        if let Err(error) = dropped.join().unwrap() {
            eprintln!("the test's database is left behind: {error}");
        }
    }
}

/// Rows of tasks that the transaction of this connection has read.
pub async fn tasks_read(connection: &mut PgConnection) -> i64 {
    let read = "select coalesce(sum(pg_stat_get_xact_tuples_fetched(indexrelid)), 0)::bigint
        + pg_stat_get_xact_tuples_returned('tasker.tasks'::regclass)
        from pg_index where indrelid = 'tasker.tasks'::regclass";
    sqlx::query_scalar(read).fetch_one(connection).await.unwrap()
}

/// The same server with another database: what stands between the last slash of the path and the query.
pub fn with_database(url: &str, database: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let authority = path.split_once('/').map_or(path, |(authority, _)| authority);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}/{database}{query}")
}

/// A migrated store with one template registered.
pub struct Bench {
    pub store: Store,
    pub pool: PgPool,
    pub template: Uuid,
    _database: TestDatabase,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with_connections(4).await
    }

    pub async fn with_connections(connections: u32) -> Self {
        let database = TestDatabase::create().await;
        let store = Store::connect(&database.url, connections).await.unwrap();
        store.migrate().await.unwrap();
        let template = store.register_template(&template_of(NAMESPACE)).await.unwrap();
        let pool = database.pool().await;
        Self { store, pool, template, _database: database }
    }

    /// Creates a task whose steps are `(name, parents)`.
    pub async fn task(&self, steps: &[(&str, &[usize])]) -> NewTask {
        let task = self.plan(steps);
        self.store.create_tasks(std::slice::from_ref(&task)).await.unwrap();
        task
    }

    pub fn plan(&self, steps: &[(&str, &[usize])]) -> NewTask {
        plan(self.template, NAMESPACE, steps)
    }

    pub async fn claim(&self, limit: u32) -> Vec<ClaimedStep> {
        self.store.claim_steps(&request(&[NAMESPACE], limit)).await.unwrap()
    }

    /// Each commit of a connection that is opened from now on takes a tenth of a second.
    pub async fn slow_commits(&self) {
        let slow = "do $$ begin execute format('alter database %I set commit_delay = 100000', current_database());
            execute format('alter database %I set commit_siblings = 0', current_database()); end $$";
        self.pool.execute(slow).await.unwrap();
    }

    /// Claims the one step that is there.
    pub async fn claim_one(&self) -> ClaimedStep {
        let mut claimed = self.claim(10).await;
        assert_eq!(claimed.len(), 1, "one step may run");
        claimed.remove(0)
    }

    pub async fn complete(&self, claimed: &[ClaimedStep]) -> CompletionReport {
        let completions: Vec<_> = claimed.iter().map(succeeded).collect();
        self.store.complete_steps(&completions).await.unwrap()
    }

    /// Makes every message visible now, as if each lease had run out.
    pub async fn lapse_leases(&self) {
        self.pool.execute("update pgmq.q_worker_bakery_queue set vt = clock_timestamp()").await.unwrap();
    }

    /// The same for the messages that nobody is working on at this moment, so as to stand in nobody's way.
    pub async fn lapse_leases_if_unlocked(&self) {
        self.pool
            .execute(
                "update pgmq.q_worker_bakery_queue queue set vt = clock_timestamp() from (
                    select msg_id from pgmq.q_worker_bakery_queue for update skip locked
                ) free where queue.msg_id = free.msg_id",
            )
            .await
            .unwrap();
    }

    /// Changes columns of all namespaces.
    pub async fn set_namespaces(&self, change: &str) {
        self.pool.execute(AssertSqlSafe(format!("update tasker.namespaces set {change}"))).await.unwrap();
    }

    /// Writes the steps of tasks that nobody has begun with: tests that look at rows find them.
    pub async fn write_steps(&self) {
        self.pool
            .execute("select tasker.write_planned(array(select task_uuid from tasker.tasks), false)")
            .await
            .unwrap();
    }

    pub async fn messages(&self) -> i64 {
        self.number("select count(*) from pgmq.q_worker_bakery_queue").await
    }

    /// Ends the connections whose last statement is like this one; returns when they are gone.
    pub async fn end_connections(&self, statement: &str) {
        let ended = sqlx::query_scalar::<_, bool>(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity
            where datname = current_database() and query like $1 and pid <> pg_backend_pid()",
        );
        assert_eq!(ended.bind(statement).fetch_all(&self.pool).await.unwrap(), [true]);
    }

    pub async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    pub async fn state(&self, task: &NewTask, step: usize) -> StepState {
        let step_uuid = task.steps[step].step_uuid;
        let steps = self.store.steps(task.task_uuid).await.unwrap();
        steps.iter().find(|step| step.step_uuid == step_uuid).unwrap().current_state
    }

    /// `from>to` of every transition of a step, in order.
    pub async fn transitions(&self, step_uuid: Uuid) -> Vec<String> {
        sqlx::query_scalar(
            "select from_state || '>' || to_state from tasker.changes where step_uuid = $1 order by sequence",
        )
        .bind(step_uuid)
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }
}

/// What this thread logs, from now on.
pub struct Logged {
    text: &'static Mutex<Vec<u8>>,
    _here: DefaultGuard,
}

impl Logged {
    pub fn here() -> Self {
        let text: &Mutex<Vec<u8>> = Box::leak(Box::default());
        let subscriber = tracing_subscriber::fmt().with_writer(move || text.make_writer()).with_ansi(false).finish();
        Self { text, _here: tracing::subscriber::set_default(subscriber) }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

pub fn template_of(namespace: &str) -> NewTemplate {
    NewTemplate {
        namespace: namespace.into(),
        name: "bread".into(),
        version: "1.0.0".into(),
        description: Some("flour to loaf".into()),
        configuration_json: r#"{"name":"bread","steps":[]}"#.into(),
        digest: "d1".into(),
    }
}

pub fn plan(template_uuid: Uuid, namespace: &str, steps: &[(&str, &[usize])]) -> NewTask {
    NewTask {
        task_uuid: Uuid::now_v7(),
        template_uuid,
        choice: TemplateChoice::Any,
        namespace: namespace.into(),
        name: "bread".into(),
        version: "1.0.0".into(),
        context: raw(r#"{"loaves": 3}"#),
        initiator: "ada".into(),
        source_system: "test".into(),
        created_at: Utc::now().trunc_subsecs(6),
        reason: "hunger".into(),
        tags: vec!["rye".into()],
        priority: 0,
        correlation_id: Uuid::now_v7(),
        parent_correlation_id: None,
        identity: None,
        grows: false,
        steps: steps
            .iter()
            .map(|(name, parents)| NewStep {
                step_uuid: Uuid::now_v7(),
                name: (*name).into(),
                parents: parents.to_vec(),
                max_attempts: 3,
                retryable: true,
                inputs: raw(r#"{"oven":"hot"}"#),
            })
            .collect(),
    }
}

pub fn request(namespaces: &[&str], limit: u32) -> ClaimRequest {
    ClaimRequest {
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        places: Vec::new(),
        limit,
        host: "host-1".into(),
        lease: LEASE,
    }
}

pub fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

pub fn succeeded(claimed: &ClaimedStep) -> Completion {
    let result = raw(&format!(r#"{{"made by":"{}"}}"#, claimed.name));
    finished(&claimed.lease, Verdict::Complete { result }, None)
}

pub fn failed(claimed: &ClaimedStep) -> Completion {
    finished(&claimed.lease, Verdict::Error { error: failure() }, Some("permanent_error"))
}

pub fn to_be_retried(claimed: &ClaimedStep, after: Duration) -> Completion {
    finished(&claimed.lease, Verdict::Retry { after, error: failure() }, Some("retryable_error"))
}

fn failure() -> Box<RawValue> {
    raw(r#"{"message":"burnt","error_type":"burnt","error_code":"E7","retryable":true,"backtrace":["at oven.ts:3"]}"#)
}

pub fn finished(lease: &Lease, verdict: Verdict, error_type: Option<&str>) -> Completion {
    Completion {
        lease: lease.clone(),
        verdict,
        metadata: raw(r#"{"crust":"thin"}"#),
        attempt: AttemptRecord {
            outcome: error_type.map_or("success", |_| "failure").into(),
            error_type: error_type.map(Into::into),
            host: "host-1".into(),
            started_at: Utc::now(),
            finished_at: Utc::now(),
            usage: Usage {
                fuel: 1_000,
                peak_memory_bytes: 65_536,
                instantiate_us: 20,
                guest_us: 200,
                total_us: 3_000,
                host_calls: 2,
            },
            log: None,
        },
        growth: None,
        events: None,
    }
}
