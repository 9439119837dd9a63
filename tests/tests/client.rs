//! Handlers that ask the orchestrator and publish by themselves: a real component in a real dispatch, on a real database.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasker_wasm_host::config::LimitPolicy;
use tasker_wasm_host::config::limits::{Limit, LimitSet};
use tasker_wasm_host::dispatch::{Components, Dispatch, Settings, Wake};
use tasker_wasm_host::events::{self, DomainEvent, EventComponents, Events};
use tasker_wasm_host::grants::{Allowed, Asks, Granted};
use tasker_wasm_host::host::register_template;
use tasker_wasm_host::orchestration::grow::GrowthLimits;
use tasker_wasm_host::orchestration::retry::BackoffDefaults;
use tasker_wasm_host::registry::{Package, scan};
use tasker_wasm_host::sandbox::{HttpSettings, Prepared, Sandbox, SandboxSettings};
use tasker_wasm_host::store::Store;
use tasker_wasm_host::telemetry::metrics::Metrics;
use tasker_wasm_host::template;
use tasker_wasm_tests::{
    HostProcess, Settings as HostSettings, TestDatabase, create_tasks, error, package, result, step, wait_for,
};
use tokio::sync::OnceCell;
use tokio::sync::broadcast::Receiver;
use uuid::Uuid;

/// The tenant whose handlers ask.
const OURS: &str = "client_ours";
/// A tenant that none of the handlers here serves, so that its tasks stay as they are.
const THEIRS: &str = "client_theirs";

/// One compilation serves all tests.
struct Guest {
    sandbox: Sandbox,
    package: Package,
    prepared: Arc<Prepared>,
}

async fn guest() -> &'static Guest {
    static GUEST: OnceCell<Guest> = OnceCell::const_new();
    GUEST
        .get_or_init(|| async {
            let settings = SandboxSettings {
                cache_dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-cache"),
                max_concurrent: 128,
                max_memory_bytes: 256 << 20,
                max_computing: 1,
                http: HttpSettings::default(),
            };
            let sandbox = Sandbox::new(&settings).unwrap();
            let mut package = scan(&[package("client").join("dist")]).unwrap().remove(0);
            package.namespace = OURS.to_owned();
            let asks = Asks { client: true, events: true, ..Asks::default() };
            let allowed = Allowed { client: true, events: true, ..Allowed::default() };
            let prepared = sandbox.prepare(&package, Granted::intersection(&asks, &allowed)).await.unwrap();
            Guest { sandbox, package, prepared }
        })
        .await
}

/// A host for [`OURS`], without the settings around it.
struct Running {
    database: TestDatabase,
    dispatch: Dispatch,
    events: Events,
    heard: Receiver<Arc<DomainEvent>>,
}

impl Running {
    async fn start() -> Self {
        Self::with(LimitSet::default(), 8).await
    }

    async fn with(limits: LimitSet, connections: u32) -> Self {
        let database = TestDatabase::create().await;
        for name in ["ask", "ask_for_ever", "errand"] {
            for namespace in [OURS, THEIRS] {
                let mut loaded = template::load(&package("client").join(format!("{name}.yaml"))).unwrap();
                loaded.template.namespace_name = namespace.to_owned();
                register_template(&database.store, &loaded).await.unwrap();
            }
        }
        let Guest { sandbox, package, prepared } = guest().await;
        let handlers = package.manifest.clone().unwrap().handlers;
        let mut components = Components::default();
        let package = Package { limits, ..package.clone() };
        components.add(&Arc::new(package), handlers, Arc::clone(prepared)).unwrap();
        let settings = events::Settings { buffer: 100, concurrency: 1 };
        let events = Events::start(settings, sandbox.clone(), Arc::new(EventComponents::default()));
        let store = Store::connect(&database.url, connections).await.unwrap();
        let heard = events.subscribe();
        let wake = Wake::default();
        let dispatch = Dispatch::start(
            self::settings(),
            store,
            sandbox.clone(),
            components,
            events.clone(),
            wake,
            Metrics::default(),
        );
        Self { database, dispatch, events, heard }
    }

    /// Runs a task of ours whose step makes these calls; what it read.
    async fn ask(&self, calls: Value) -> Vec<Value> {
        self.ask_with(json!({"calls": calls})).await
    }

    async fn ask_with(&self, context: Value) -> Vec<Value> {
        let (task, ..) = self.begin("ask", &context).await;
        wait_for(&self.database.store, task, &["complete"]).await;
        let steps = self.database.store.steps(task).await.unwrap();
        result(step(&steps, "ask"))["answers"].as_array().unwrap().clone()
    }

    /// Creates a task of ours; its key and correlation.
    async fn begin(&self, template: &str, context: &Value) -> (Uuid, Uuid) {
        let task = create_tasks(&self.database.store, OURS, template, &context.to_string(), 1).await[0];
        (task, self.database.store.task(task).await.unwrap().unwrap().correlation_id)
    }

    /// The durable events of ours, oldest first.
    async fn queued(&self) -> Vec<Value> {
        let events = self.database.store.domain_events(OURS, 100).await.unwrap();
        events.iter().rev().map(|queued| serde_json::from_str(queued.event.get()).unwrap()).collect()
    }

    /// Ends the host; the names of the events that were delivered in the process.
    async fn stop(mut self) -> Vec<String> {
        self.dispatch.drain().await;
        self.events.drain(Duration::from_secs(5)).await;
        self.database.drop().await;
        let mut heard = Vec::new();
        while let Ok(event) = self.heard.try_recv() {
            heard.push(event.event_name.clone());
        }
        heard
    }
}

fn settings() -> Settings {
    Settings {
        worker_id: "host-1".into(),
        max_concurrent: 16,
        max_share: 1.0,
        dispatch_buffer: 16,
        completion_buffer: 16,
        lease: Duration::from_secs(30),
        poll_interval: Duration::from_millis(50),
        sweep_interval: Duration::from_secs(1),
        drain_timeout: Duration::from_secs(10),
        limits: LimitPolicy::default(),
        backoff: BackoffDefaults { base: Duration::from_millis(50), cap: Duration::from_secs(1), jitter: 0.0 },
        environment: "test".into(),
        max_lapses: 3,
        growth: GrowthLimits { max_steps_per_decision: 10, max_decision_depth: 10, max_workers: 10 },
    }
}

fn call(function: &str, arguments: Value) -> Value {
    json!({"function": function, "arguments": arguments})
}

fn errand(key: Option<&str>, context: &Value) -> Value {
    let mut request = json!({"name": "errand", "context": context.to_string(), "tags": ["t-1"], "priority": 7});
    if let Some(key) = key {
        request["idempotencyKey"] = json!(key);
    }
    call("submitTask", json!([request]))
}

fn message(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer} should be an error"))
}

#[tokio::test]
async fn a_handler_creates_a_task_and_reads_what_became_of_it() {
    let host = Running::start().await;
    let context = json!({"calls": [errand(Some("e-1"), &json!({"order": 7}))]});
    let (asking, cause) = host.begin("ask", &context).await;
    wait_for(&host.database.store, asking, &["complete"]).await;
    let steps = host.database.store.steps(asking).await.unwrap();
    let created = result(step(&steps, "ask"))["answers"][0].clone();

    assert_eq!((&created["name"], &created["namespace"]), (&json!("errand"), &json!(OURS)));
    assert_eq!((&created["priority"], &created["tags"]), (&json!(7), &json!(["t-1"])));
    assert_eq!(created["initiator"], "handler:client.ask");
    assert_eq!(created["parent_correlation_id"], json!(cause));
    assert_eq!((&created["context"], &created["total_steps"]), (&json!({"order": 7}), &json!(1)));

    let task: Uuid = serde_json::from_value(created["task_uuid"].clone()).unwrap();
    wait_for(&host.database.store, task, &["complete"]).await;
    let errand = host.database.store.steps(task).await.unwrap()[0].step_uuid;
    let answers = host
        .ask(json!([
            call("getTask", json!([task])),
            call("listTaskSteps", json!([task])),
            call("getStep", json!([task, errand])),
            call("getStepAuditHistory", json!([task, errand])),
            call("listTasks", json!([{"limit": 2}])),
            call("listTasks", json!([{"limit": 2, "offset": 2, "namespace": OURS, "status": "complete"}])),
            call("healthCheck", json!([])),
        ]))
        .await;
    assert_eq!((&answers[0]["status"], &answers[0]["completed_steps"]), (&json!("complete"), &json!(1)));
    assert_eq!(answers[1], json!([answers[2]]));
    assert_eq!(answers[2]["results"]["result"], json!({"input": {"order": 7}}));
    assert_eq!((&answers[2]["current_state"], &answers[2]["attempts"]), (&json!("complete"), &json!(1)));
    let changes: Vec<_> = answers[3].as_array().unwrap().iter().map(|change| change["to_state"].clone()).collect();
    assert_eq!(changes, ["enqueued", "in_progress", "complete"]);
    // The newest is the one that asks, then what it submitted, then the one that submitted.
    assert_eq!(answers[4]["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(answers[4]["tasks"][1]["task_uuid"], json!(task));
    let pagination = json!({"page": 1, "per_page": 2, "has_next": true, "has_previous": false});
    assert_eq!(answers[4]["pagination"], pagination);
    assert_eq!(
        answers[5],
        json!({
            "tasks": [], "pagination": {"page": 2, "per_page": 2, "has_next": false, "has_previous": true},
        })
    );
    assert_eq!(answers[6]["status"], "healthy");
    host.stop().await;
}

#[tokio::test]
async fn a_task_of_another_tenant_can_not_be_told_from_one_that_is_not_there() {
    let host = Running::start().await;
    let store = &host.database.store;
    let theirs = create_tasks(store, THEIRS, "errand", r#"{"secret": "theirs"}"#, 1).await[0];
    let their_step = store.steps(theirs).await.unwrap()[0].step_uuid;
    let (ours, _) = host.begin("errand", &json!({})).await;
    let our_step = store.steps(ours).await.unwrap()[0].step_uuid;
    let nobodys = Uuid::now_v7();

    let calls = |task: Uuid, step: Uuid| {
        vec![
            call("getTask", json!([task])),
            call("cancelTask", json!([task])),
            call("listTaskSteps", json!([task])),
            call("getStep", json!([task, step])),
            call("getStepAuditHistory", json!([task, step])),
            // Their step, said to be of a task that we may see, and the other way round.
            call("getStep", json!([ours, step])),
            call("getStep", json!([task, our_step])),
        ]
    };
    let asked = [calls(theirs, their_step), calls(nobodys, nobodys)].map(|calls| host.ask(json!(calls)));
    let [of_theirs, of_nobodys] = futures_of(asked).await;
    for (of_theirs, of_nobodys) in of_theirs.iter().zip(&of_nobodys) {
        let anonymous = |answer: &Value, task: Uuid, step: Uuid| {
            message(answer).replace(&step.to_string(), "STEP").replace(&task.to_string(), "TASK")
        };
        assert_eq!(of_theirs["error"]["recoverable"], json!(false));
        let told = anonymous(of_theirs, theirs, their_step);
        assert!(told.starts_with("there is no "), "{told}");
        assert_eq!(told.replace("STEP", "TASK"), anonymous(of_nobodys, nobodys, nobodys).replace("STEP", "TASK"));
    }

    let key = "same-key";
    let in_theirs = json!([{"name": "errand", "namespace": THEIRS, "context": "{}", "tags": []}]);
    let in_nobodys = json!([{"name": "errand", "namespace": "nobodys", "context": "{}", "tags": []}]);
    let answers = host
        .ask(json!([
            call("submitTask", in_theirs),
            call("submitTask", in_nobodys),
            call("listTasks", json!([{"namespace": THEIRS}])),
            call("listTasks", json!([{}])),
            errand(Some(key), &json!({})),
        ]))
        .await;
    let refused = format!("a handler of namespace {OURS:?} can't reach tasks of namespace {THEIRS:?}");
    assert!(message(&answers[0]).starts_with(&refused), "{}", answers[0]);
    assert_eq!(message(&answers[1]), message(&answers[0]).replace(THEIRS, "nobodys"));
    assert_eq!(answers[2], answers[0]);
    let listed = answers[3]["tasks"].as_array().unwrap();
    assert!(!listed.is_empty() && listed.iter().all(|task| task["namespace"] == OURS), "{listed:?}");
    assert_eq!(answers[4]["namespace"], OURS);

    let view = store.task(theirs).await.unwrap().unwrap();
    assert_eq!((view.status.as_str(), view.in_progress_steps), ("steps_in_process", 1), "nobody touched it");
    assert!(!json!([of_theirs, answers]).to_string().contains("secret"));
    host.stop().await;
}

/// Waits for both.
async fn futures_of<T>([first, second]: [impl Future<Output = T>; 2]) -> [T; 2] {
    let (first, second) = tokio::join!(first, second);
    [first, second]
}

#[tokio::test]
async fn a_step_that_is_tried_again_does_not_submit_or_publish_twice_under_a_key() {
    let mut host = Running::start().await;
    let event = |name: &str, delivery: &str, key: Option<&str>| {
        let mut event =
            json!({"name": name, "payload": "{\"n\":1}", "metadata": "{\"by\":\"test\"}", "delivery": delivery});
        if let Some(key) = key {
            event["idempotencyKey"] = json!(key);
        }
        call("publish", json!([event]))
    };
    let calls = json!([
        errand(Some("once"), &json!({"n": 1})),
        event("order.paid", "durable", Some("paid")),
        event("order.sent", "broadcast", Some("sent")),
        event("order.seen", "fast", Some("seen")),
        event("order.tried", "broadcast", None),
        event("order.paid", "durable", Some("paid")),
    ]);
    let (task, correlation) = host.begin("ask", &json!({"calls": calls, "failures": 1})).await;
    wait_for(&host.database.store, task, &["complete"]).await;
    let steps = host.database.store.steps(task).await.unwrap();
    let asked = step(&steps, "ask");
    assert_eq!(asked.attempts, 2);
    let answers = result(asked)["answers"].clone();

    let submitted: Vec<(String,)> = sqlx::query_as("select task_uuid::text from tasker.tasks where name = 'errand'")
        .fetch_all(host.database.pool())
        .await
        .unwrap();
    assert_eq!(json!(submitted[0].0), answers[0]["task_uuid"]);
    assert_eq!(submitted.len(), 1);

    let queued = host.queued().await;
    let names: Vec<_> = queued.iter().map(|event| event["event_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["order.paid", "order.sent", "order.tried", "order.tried"]);
    assert_eq!(answers[1], queued[0]["event_id"], "a later attempt is answered the first one's id");
    assert_eq!(answers[5], answers[1]);
    assert_eq!(answers[2], queued[1]["event_id"]);
    assert_eq!(answers[4], queued[3]["event_id"]);
    let paid = &queued[0];
    assert_eq!(paid["payload"]["payload"], json!({"n": 1}));
    assert_eq!(paid["payload"]["execution_result"], Value::Null);
    assert_eq!(paid["payload"]["task_sequence_step"]["workflow_step"]["name"], "ask");
    assert_eq!(paid["payload"]["task_sequence_step"]["task"]["namespace"], OURS);
    assert_eq!(paid["metadata"]["task_uuid"], json!(task));
    assert_eq!(paid["metadata"]["step_uuid"], json!(asked.step_uuid));
    assert_eq!(paid["metadata"]["correlation_id"], json!(correlation));
    assert_eq!(paid["metadata"]["fired_by"], "handler:client.ask");
    assert_eq!(paid["metadata"]["custom"], json!({"by": "test"}));

    let sent = host.heard.recv().await.unwrap();
    assert_eq!(json!(sent.event_id), answers[2], "both deliveries are of one event");
    assert_eq!(host.stop().await, ["order.seen", "order.tried", "order.tried"]);
}

#[tokio::test]
async fn what_a_handler_asks_wrongly_it_reads_and_goes_on() {
    let host = Running::start().await;
    let submit = |change: Value| {
        let mut request = json!({"name": "errand", "context": "{}", "tags": []});
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        call("submitTask", json!([request]))
    };
    let answers = host
        .ask(json!([
            call("getTask", json!(["'; drop table tasker.tasks; --"])),
            submit(json!({"name": "errands"})),
            submit(json!({"version": "9\u{0}"})),
            submit(json!({"context": "[]"})),
            submit(json!({"context": "{oops"})),
            submit(json!({"context": json!({"long": "x".repeat(1 << 20)}).to_string()})),
            submit(json!({"priority": 101})),
            submit(json!({"reason": ""})),
            submit(json!({"correlationId": "7"})),
            call("listTasks", json!([{"limit": 101}])),
            call("listTasks", json!([{"offset": 1001}])),
            call("listTasks", json!([{"status": "finished"}])),
            submit(json!({})),
            submit(json!({})),
        ]))
        .await;
    for (answer, part) in answers.iter().zip([
        "`task` must be a UUID, not \"'; drop",
        "there is no template \"errands\" in namespace \"client_ours\" (there are: ask, ask_for_ever, errand)",
        "there is no template \"errand\" \"9",
        "the handler's context is not a JSON object",
        "the handler's context is not JSON",
        "bytes of context and may hand over 1048576",
        "`priority` is 101; give it a number from -100 to 100",
        "`reason` has 0 characters",
        "`correlation-id` must be a UUID, not \"7\"",
        "`limit` is 101; give it a number from 1 to 100",
        "`offset` is 1001; give it a number from 0 to 1000",
        "`status` is \"finished\", which no task has",
    ]) {
        assert!(message(answer).contains(part), "{answer} has no {part:?}");
        assert_eq!(answer["error"]["recoverable"], json!(false));
    }
    let existing = answers[12]["task_uuid"].as_str().unwrap();
    let duplicate = format!("task {existing} was created from template {OURS}/errand/1.0.0 with the same context");
    assert!(message(&answers[13]).starts_with(&duplicate), "{}", answers[13]);
    host.stop().await;
}

#[tokio::test]
async fn a_handler_cancels_a_task_and_is_named_for_it() {
    let host = Running::start().await;
    // Nobody serves its step, so the task rests where it can be cancelled.
    let mut unserved = template::load(&package("client").join("errand.yaml")).unwrap();
    unserved.template.namespace_name = OURS.to_owned();
    unserved.template.name = "unserved".to_owned();
    unserved.template.steps[0].handler.callable = "client.nobody".to_owned();
    register_template(&host.database.store, &unserved).await.unwrap();
    let (held, _) = host.begin("unserved", &json!({})).await;
    wait_for(&host.database.store, held, &["blocked_by_failures"]).await;
    let (over, _) = host.begin("errand", &json!({})).await;
    wait_for(&host.database.store, over, &["complete"]).await;

    let answers = host.ask(json!([call("cancelTask", json!([held])), call("cancelTask", json!([over]))])).await;
    assert_eq!((&answers[0]["task_uuid"], &answers[0]["status"]), (&json!(held), &json!("cancelled")));
    let changes = host.database.store.transitions(held, 0).await.unwrap();
    let cancelled = changes.iter().find(|change| change.to_state == "cancelled").unwrap();
    assert_eq!(cancelled.actor.as_deref(), Some("handler:client.ask"));
    assert_eq!(cancelled.reason.as_deref(), Some("a handler asked for it"));
    assert!(message(&answers[1]).starts_with("can't cancel the task: it is complete"), "{}", answers[1]);
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_asks_for_ever_is_ended_at_its_limit() {
    let host = Running::with(LimitSet::default().with(Limit::ClientCalls, 20), 8).await;
    let started = Instant::now();
    let (task, _) = host.begin("ask_for_ever", &json!({})).await;
    wait_for(&host.database.store, task, &["blocked_by_failures"]).await;
    assert!(started.elapsed() < Duration::from_secs(10), "long before its deadline of 30 s");
    let steps = host.database.store.steps(task).await.unwrap();
    let failed = step(&steps, "ask_for_ever");
    let told = error(failed);
    assert_eq!((&told["error_type"], failed.attempts), (&json!("client_calls_exceeded"), 1));
    assert!(told["message"].as_str().unwrap().contains("may have 20 calls"), "{told}");
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_publishes_too_much_is_ended_and_what_left_has_left() {
    let host = Running::with(LimitSet::default().with(Limit::Events, 3), 8).await;
    let event = json!([{"name": "a.b", "payload": "1", "metadata": "{}", "delivery": "durable"}]);
    let calls: Vec<_> = (0..10).map(|_| call("publish", event.clone())).collect();
    let (task, _) = host.begin("ask", &json!({"calls": calls})).await;
    wait_for(&host.database.store, task, &["blocked_by_failures"]).await;
    let steps = host.database.store.steps(task).await.unwrap();
    assert_eq!(error(step(&steps, "ask"))["error_type"], json!("events_exceeded"));
    assert_eq!(host.queued().await.len(), 3);
    host.stop().await;
}

#[tokio::test]
async fn handlers_that_ask_at_once_do_not_hold_each_other_up_for_want_of_connections() {
    let host = Running::with(LimitSet::default(), 2).await;
    let calls: Vec<_> = (0..20).map(|_| call("listTasks", json!([{}]))).collect();
    let context = json!({"calls": calls}).to_string();
    let tasks = create_tasks(&host.database.store, OURS, "ask", &context, 32).await;
    for task in tasks {
        wait_for(&host.database.store, task, &["complete"]).await;
    }
    host.stop().await;
}

#[tokio::test]
async fn a_host_whose_operator_allows_it_answers() {
    let database = TestDatabase::create().await;
    let config = "[worker.namespaces.client_test.grants]\nclient = true\nevents = true\n";
    let _host = HostProcess::start(&database, HostSettings { packages: &["client"], config }).await;
    let event = json!([{"name": "a.b", "payload": "1", "metadata": "{}", "delivery": "durable"}]);
    let context = json!({"calls": [call("healthCheck", json!([])), call("publish", event)]}).to_string();
    let task = create_tasks(&database.store, "client_test", "ask", &context, 1).await[0];
    wait_for(&database.store, task, &["complete"]).await;
    let steps = database.store.steps(task).await.unwrap();
    let answers = &result(step(&steps, "ask"))["answers"];
    assert_eq!(answers[0]["healthy"], true, "{answers}");
    assert!(answers[1].is_string(), "{answers}");
    assert_eq!(database.store.domain_events("client_test", 10).await.unwrap().len(), 1);
    database.drop().await;
}
