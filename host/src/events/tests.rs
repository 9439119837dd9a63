//! Publishing and delivery with real components: hand-written ones, whose publishers and subscribers behave as
//! `sandbox/tests/events.wat` says.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use snapbox::Data;
use snapbox::data::DataFormat;
use uuid::Uuid;

use super::envelope::{self, EventMetadata};
use super::outbox::Delivery;
use super::step_event::{MAX_PART, step_event};
use super::*;
use crate::sandbox::Limits;
use crate::sandbox::tests::{Bench, with_events};
use crate::store::{AttemptRecord, Lease, StepExecutionResult, Usage, Verdict};
use crate::template::StepDefinition;

const PLENTY: Duration = Duration::from_secs(60);

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

fn parsed(text: &RawValue) -> Value {
    serde_json::from_str(text.get()).unwrap()
}

fn at(second: u32) -> DateTime<Utc> {
    format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()
}

fn step(namespace: &str) -> ClaimedStep {
    ClaimedStep {
        lease: Lease {
            namespace: namespace.into(),
            message_id: 1.into(),
            task_uuid: Uuid::from_u128(1),
            step_uuid: Uuid::from_u128(2),
            claim: 1,
            guarded: false,
            planned: None,
        },
        template_uuid: Uuid::from_u128(4),
        correlation_id: Uuid::from_u128(3),
        name: "pay".into(),
        template_step: None,
        attempts: 1,
        max_attempts: 3,
        lapses: 0,
        retryable: true,
        task: raw(&json!({
            "taskUuid": Uuid::from_u128(1), "name": "order", "namespace": namespace, "version": "1.0.0",
            "context": {"orderId": 7, "aKey": "stays"}, "sourceSystem": "shop"
        })),
        inputs: raw(&json!({"currency": "EUR"})),
        checkpoint: None,
        dependency_results: raw(&json!({
            "reserveStock": {"stepUuid": Uuid::from_u128(5), "success": true, "status": "completed", "result": {"n": 1}}
        })),
        created_at: at(1),
    }
}

/// A step of the template that declares these events.
fn declaring(events: &Value) -> Declarations {
    let definition: StepDefinition = serde_json::from_value(json!({
        "name": "pay", "handler": {"callable": "Pay"}, "publishes_events": events
    }))
    .unwrap();
    Declarations::of(&definition).unwrap()
}

/// `order.paid`, delivered like this, of a payload that must be an object.
fn declaration(mode: &str, publisher: Option<&str>) -> Value {
    json!([{
        "name": "order.paid", "description": "Somebody paid", "schema": {"type": "object"}, "delivery_mode": mode,
        "publisher": publisher
    }])
}

fn ended(step: &ClaimedStep, verdict: Verdict) -> Completion {
    let error_type = match verdict {
        Verdict::Complete { .. } => None,
        Verdict::Retry { .. } | Verdict::Error { .. } => Some("payment_declined".to_owned()),
    };
    Completion {
        lease: step.lease.clone(),
        verdict,
        metadata: raw(&json!({"bank": "north"})),
        attempt: AttemptRecord {
            outcome: "completed".into(),
            error_type,
            host: "host-1".into(),
            started_at: at(2),
            finished_at: at(3),
            usage: Usage { total_us: 12_345, ..Usage::default() },
            log: None,
        },
        growth: None,
        events: None,
    }
}

fn succeeded(step: &ClaimedStep) -> Completion {
    ended(step, Verdict::Complete { result: raw(&json!({"paid": 100})) })
}

fn failed(step: &ClaimedStep) -> Completion {
    let error = json!({"message": "no", "error_type": "payment_declined", "error_code": "E7", "retryable": false});
    ended(step, Verdict::Error { error: raw(&error) })
}

/// A host whose namespace `shop` has the component with publishers and subscribers.
struct Shop {
    events: Events,
    _bench: Bench,
}

impl Shop {
    async fn open() -> Self {
        Self::with(&with_events(), limits(), 1_000).await
    }

    async fn with(wat: &str, limits: Limits, buffer: usize) -> Self {
        let bench = Bench::new();
        let prepared = bench.prepare(wat).await.unwrap();
        let described = bench.sandbox.describe(&prepared).await.unwrap();
        let mut package = bench.package(&wat::parse_str(wat).unwrap());
        package.namespace = "shop".into();
        let mut components = EventComponents::default();
        let package = Arc::new(package);
        components.add(&package, described.publishers, described.subscriptions, prepared, limits).unwrap();
        let events = Events::start(Settings { buffer, concurrency: 2 }, bench.sandbox.clone(), Arc::new(components));
        Self { events, _bench: bench }
    }

    /// What a successful step of namespace `shop` with this declaration announces.
    async fn announce(&self, events: &Value) -> Announced {
        let step = step("shop");
        self.events.announce(&step, &declaring(events), &succeeded(&step)).await
    }

    /// Publishes fast events of these names.
    async fn fire(&self, names: &[&str]) {
        for name in names {
            let mut events = declaration("fast", None);
            events[0]["name"] = json!(name);
            self.events.committed(self.announce(&events).await.outbox);
        }
    }
}

fn limits() -> Limits {
    Limits { fuel: u64::MAX, deadline: Duration::from_millis(200), ..Limits::default() }
}

/// The durable and the dead messages.
fn stored(announced: &Announced) -> (Vec<Value>, Vec<Value>) {
    let stored = announced.stored.as_deref().map_or(json!({"durable": [], "dead": []}), parsed);
    let list = |key: &str| stored[key].as_array().unwrap().clone();
    (list("durable"), list("dead"))
}

/// The one dead message, and nothing else.
fn dead(announced: &Announced) -> Value {
    let (durable, mut dead) = stored(announced);
    assert!(durable.is_empty() && dead.len() == 1, "{announced:?}");
    assert!(!announced.outbox.0.iter().any(|delivery| matches!(delivery, Delivery::Event(_))), "{announced:?}");
    dead.remove(0)
}

fn assert_golden(name: &str, text: &str) {
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(text).unwrap()).unwrap() + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/events").join(name);
    let expected = Data::read_from(&path, Some(DataFormat::Text)).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(Data::text(pretty).raw(), expected);
}

/// The event of a completion, with nothing of chance in it.
fn golden_event(step: &ClaimedStep, completion: &Completion) -> (DomainEvent, StepExecutionResult) {
    let result = StepExecutionResult::of(completion);
    let custom = Some(raw(&json!({"by": "wat"})));
    let event = DomainEvent {
        event_id: Uuid::from_u128(9),
        event_name: "order.paid".into(),
        payload: raw(&json!({"amount": 100})),
        metadata: EventMetadata { custom, ..EventMetadata::of(step, at(4), "Paid") },
        execution_result: envelope::guest_result(&result).unwrap(),
    };
    (event, result)
}

#[test]
fn a_durable_message_has_the_contracts_envelope() {
    let step = step("shop");
    let (event, result) = golden_event(&step, &succeeded(&step));
    let step_event = step_event(&step, &declaring(&json!([])).step_definition, MAX_PART).unwrap();
    let carried = envelope::Step { event: &step_event, result: Some(&result) };

    assert_golden("durable.json", envelope::message(&event, &carried, None).unwrap().get());
}

#[test]
fn a_dead_message_says_why() {
    let step = step("shop");
    let (event, result) = golden_event(&step, &failed(&step));
    let step_event = step_event(&step, &declaring(&json!([])).step_definition, MAX_PART).unwrap();
    let carried = envelope::Step { event: &step_event, result: Some(&result) };

    assert_golden("dead.json", envelope::message(&event, &carried, Some("no price")).unwrap().get());
}

#[test]
fn guests_see_camel_case() {
    let step = step("shop");
    let (event, result) = golden_event(&step, &failed(&step));
    let declared = declaring(&declaration("broadcast", Some("Paid")));
    let step_result = envelope::guest_result(&result).unwrap();

    assert_golden("subscriber.json", &envelope::guest_event(&event).unwrap());
    let context = envelope::publish_context(&declared.events[0].shown, &step_result, &step).unwrap();
    assert_golden("publisher.json", &context);
}

#[test]
fn what_a_queue_cannot_hold_is_left_out_of_the_step_and_no_event_is_lost_for_it() {
    let mut step = step("shop");
    step.task = RawValue::from_string(r#"{"context":{"text":"\u0000"}}"#.into()).unwrap();
    step.dependency_results = raw(&json!({"big": {"result": "x".repeat(2 << 20)}}));

    let event = step_event(&step, &declaring(&json!([])).step_definition, MAX_PART).unwrap();

    assert!(event.get().len() < 10_000);
    let event = parsed(&event);
    assert_eq!((&event["task"], &event["dependency_results"]), (&Value::Null, &Value::Null));
    assert_eq!(event["workflow_step"]["inputs"], json!({"currency": "EUR"}));
}

#[tokio::test]
async fn without_a_publisher_an_event_tells_what_the_step_brought() {
    let shop = Shop::open().await;

    let (durable, dead) = stored(&shop.announce(&declaration("durable", None)).await);
    assert_eq!((durable.len(), dead.len()), (1, 0));
    assert_eq!(durable[0]["payload"]["payload"], json!({"paid": 100}));
    assert_eq!(durable[0]["metadata"]["fired_by"], "default");
    assert_eq!(durable[0]["event_id"].as_str().unwrap().parse::<Uuid>().unwrap().get_version_num(), 7);

    let mut events = declaration("durable", Some("default"));
    events[0]["condition"] = json!("failure");
    let step = step("shop");
    let announced = shop.events.announce(&step, &declaring(&events), &failed(&step)).await;
    assert_eq!(stored(&announced).0[0]["payload"]["payload"]["error_code"], "E7");
}

#[tokio::test]
async fn the_delivery_mode_says_where_an_event_goes() {
    let shop = Shop::open().await;
    for (mode, durable, in_process) in [("durable", 1, 0), ("fast", 0, 1), ("broadcast", 1, 1)] {
        let announced = shop.announce(&declaration(mode, None)).await;
        assert_eq!((stored(&announced).0.len(), announced.outbox.0.len()), (durable, in_process), "{mode}");
    }
}

#[tokio::test]
async fn an_end_that_no_condition_fits_announces_nothing() {
    let shop = Shop::open().await;
    let step = step("shop");

    let announced = shop.events.announce(&step, &declaring(&declaration("broadcast", None)), &failed(&step)).await;

    assert!(announced.stored.is_none() && announced.outbox.is_empty());
}

#[tokio::test]
async fn a_publisher_says_what_is_sent_and_hears_of_it() {
    let announced = Shop::open().await.announce(&declaration("durable", Some("Paid"))).await;

    let (durable, _) = stored(&announced);
    // This one publishes the context it is given.
    let payload = &durable[0]["payload"]["payload"];
    assert_eq!(payload["stepResult"]["result"], json!({"paid": 100}));
    assert_eq!(payload["declaration"]["name"], "order.paid");
    assert_eq!(durable[0]["metadata"]["custom"], json!({"by": "wat"}));
    let [Delivery::Report(report)] = &announced.outbox.0[..] else { panic!("{announced:?}") };
    assert!(report.failure.is_none());
}

#[tokio::test]
async fn a_publisher_that_decides_against_the_event_sends_none() {
    let announced = Shop::open().await.announce(&declaration("broadcast", Some("Skip"))).await;

    assert!(announced.stored.is_none() && announced.outbox.is_empty());
}

#[tokio::test]
async fn a_payload_that_does_not_fit_its_schema_is_a_dead_event_and_its_publisher_hears_why() {
    let mut events = declaration("broadcast", Some("Paid"));
    events[0]["schema"] = json!({"type": "object", "required": ["amount"]});

    let announced = Shop::open().await.announce(&events).await;

    let message = dead(&announced);
    let error = message["error"].as_str().unwrap();
    assert!(error.contains("does not fit the schema of \"order.paid\"") && error.contains("amount"), "{error}");
    assert_eq!(message["payload"]["payload"]["stepResult"]["success"], true);
    let [Delivery::Report(report)] = &announced.outbox.0[..] else { panic!("{announced:?}") };
    assert_eq!(report.failure.as_deref(), Some(error));
}

#[tokio::test]
async fn a_publisher_that_fails_makes_a_dead_event_that_names_it() {
    let shop = Shop::open().await;
    for (publisher, expected) in [
        ("Err", "the publisher \"Err\" failed: no price"),
        ("Trap", "the publisher \"Trap\" failed: the handler crashed"),
        ("Loop", "the publisher \"Loop\" failed: the handler did not finish within 0.2 s"),
        ("Bad", "the publisher \"Bad\" failed: the handler's payload is not JSON"),
        ("Gone", "no component of namespace \"shop\" carries the publisher \"Gone\"; this host has Bad, Err,"),
    ] {
        let message = dead(&shop.announce(&declaration("broadcast", Some(publisher))).await);
        let error = message["error"].as_str().unwrap();
        assert!(error.contains(expected), "{error}");
        assert_eq!(
            (&message["payload"]["payload"], &message["metadata"]["fired_by"]),
            (&Value::Null, &json!(publisher))
        );
    }
}

#[tokio::test]
async fn a_schema_that_is_none_makes_dead_events() {
    let mut events = declaration("fast", None);
    events[0]["schema"] = json!({"type": "nonsense"});

    let message = dead(&Shop::open().await.announce(&events).await);

    assert!(message["error"].as_str().unwrap().contains("the schema of \"order.paid\" can't be used"), "{message}");
}

#[tokio::test]
async fn another_namespace_has_neither_publishers_nor_subscribers_here() {
    let shop = Shop::open().await;
    let other = step("other");

    let events = declaring(&declaration("broadcast", Some("Paid")));
    let message = dead(&shop.events.announce(&other, &events, &succeeded(&other)).await);
    let error = message["error"].as_str().unwrap();
    assert!(error.ends_with("this host has none"), "one tenant must not learn of another's publishers: {error}");

    let fast = declaring(&declaration("fast", None));
    shop.events.committed(shop.events.announce(&other, &fast, &succeeded(&other)).await.outbox);
    shop.events.drain(PLENTY).await;
    assert_eq!(shop.events.stats(), EventStats { published: 1, ..EventStats::default() });
}

#[tokio::test]
async fn subscribers_hear_what_their_patterns_cover_and_their_failures_are_counted() {
    let shop = Shop::open().await;

    // `audit` hears order.*, and takes it; `errs` and `traps` hear everything, and fail.
    shop.fire(&["order.paid", "stock.low"]).await;
    shop.events.drain(PLENTY).await;

    assert_eq!(shop.events.stats(), EventStats { published: 2, delivered: 1, dropped: 0, failed: 4 });
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted_and_nobody_waits() {
    let shop = Shop::with(&with_events(), limits(), 2).await;
    let mut outboxes = Vec::new();
    for _ in 0..5 {
        outboxes.push(shop.announce(&declaration("fast", None)).await.outbox);
    }

    // Nothing takes from the queue before this test waits.
    outboxes.into_iter().for_each(|outbox| shop.events.committed(outbox));
    assert_eq!(shop.events.stats(), EventStats { published: 5, dropped: 3, ..EventStats::default() });

    shop.events.drain(PLENTY).await;
    assert_eq!(shop.events.stats(), EventStats { published: 5, delivered: 2, dropped: 3, failed: 4 });
}

#[tokio::test]
async fn a_drain_takes_no_more_and_gives_up_on_subscribers_that_do_not_end() {
    let patient = Limits { deadline: PLENTY, ..limits() };
    // `errs` becomes a subscriber that loops.
    let looping = with_events().replacen(r#"(data (i32.const 96) "errs")"#, r#"(data (i32.const 96) "loop")"#, 1);
    let shop = Shop::with(&looping, patient, 100).await;
    shop.fire(&["a.b"; 10]).await;

    shop.events.drain(Duration::from_millis(300)).await;
    let drained = shop.events.stats();
    assert!((1..=9).contains(&drained.dropped), "{drained:?}");

    shop.fire(&["a.b"]).await;
    assert_eq!(shop.events.stats().dropped, drained.dropped + 1);
}

#[tokio::test]
async fn programs_that_embed_the_host_hear_fast_and_broadcast_events() {
    let shop = Shop::open().await;
    let mut heard = shop.events.subscribe();

    shop.events.committed(shop.announce(&declaration("durable", None)).await.outbox);
    shop.events.committed(shop.announce(&declaration("broadcast", None)).await.outbox);

    let event = heard.recv().await.unwrap();
    assert_eq!((event.event_name.as_str(), event.metadata.namespace.as_str()), ("order.paid", "shop"));
    assert!(heard.is_empty());
}
