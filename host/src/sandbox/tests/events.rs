//! Publishers and subscribers: optional, checked when the component is loaded, and run under limits like handlers.

use serde_json::{Value, json};

use super::*;
use crate::registry::Subscription;

fn call(limits: Limits) -> EventCall {
    EventCall {
        task_uuid: Uuid::from_u128(1),
        step_uuid: Uuid::from_u128(2),
        correlation_id: Uuid::from_u128(3),
        limits,
    }
}

fn request(publisher: &str) -> PublishRequest {
    PublishRequest { publisher: publisher.into(), context: r#"{"stepResult":{"success":true}}"#.into() }
}

async fn prepared_event(publisher: &str, limits: Limits) -> Result<Option<Publication>, EventCallError> {
    let bench = Bench::new();
    let prepared = bench.prepare(&with_events()).await.unwrap();
    bench.sandbox.prepare_event(&prepared, &call(limits), &request(publisher)).await
}

fn attempt_error<T: std::fmt::Debug>(outcome: Result<T, EventCallError>) -> AttemptError {
    match outcome.unwrap_err() {
        EventCallError::Attempt(error) => error,
        other => panic!("the guest should have failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_component_describes_its_publishers_and_subscriptions() {
    let bench = Bench::new();
    let prepared = bench.prepare(&with_events()).await.unwrap();

    let info = bench.sandbox.describe(&prepared).await.unwrap();

    let publishers: Vec<_> = info.publishers.iter().map(|one| (one.name.as_str(), one.reports)).collect();
    assert_eq!(
        publishers,
        [("Paid", true), ("Skip", false), ("Err", false), ("Trap", false), ("Loop", false), ("Bad", false)]
    );
    let first = Subscription { subscriber: "audit".into(), patterns: vec!["order.*".into()] };
    assert_eq!((info.subscriptions.len(), &info.subscriptions[0]), (3, &first));
}

#[tokio::test]
async fn a_component_without_the_optional_exports_carries_neither_and_says_so_when_called() {
    let bench = Bench::new();
    let prepared = bench.prepare(FLOOR).await.unwrap();

    let info = bench.sandbox.describe(&prepared).await.unwrap();
    assert!(info.publishers.is_empty() && info.subscriptions.is_empty());

    let call = call(Limits::default());
    let error = bench.sandbox.prepare_event(&prepared, &call, &request("Paid")).await.unwrap_err();
    assert_eq!(error, EventCallError::NotExported("publishers"));
    let error = bench.sandbox.on_event(&prepared, &call, "audit", "{}".into()).await.unwrap_err();
    assert_eq!(error, EventCallError::NotExported("subscribers"));
}

#[tokio::test]
async fn a_publisher_says_what_an_event_tells_from_the_context_it_gets() {
    let publication = prepared_event("Paid", Limits::default()).await.unwrap().unwrap();

    let payload: Value = serde_json::from_str(publication.payload.get()).unwrap();
    assert_eq!(payload, json!({"stepResult": {"success": true}}));
    assert_eq!(publication.metadata.get(), r#"{"by":"wat"}"#);
}

#[tokio::test]
async fn a_publisher_may_decide_against_the_event_or_refuse_in_its_own_words() {
    assert!(prepared_event("Skip", Limits::default()).await.unwrap().is_none());

    let error = prepared_event("Err", Limits::default()).await.unwrap_err();
    assert_eq!(error, EventCallError::Refused("no price".into()));
}

#[tokio::test]
async fn a_publisher_that_misbehaves_fails_as_a_handler_would() {
    assert_eq!(attempt_error(prepared_event("Trap", Limits::default()).await).error_type(), "guest_trap");
    assert_eq!(attempt_error(prepared_event("Bad", Limits::default()).await).error_type(), "invalid_result");

    let limits = Limits { fuel: 5_000_000, ..Limits::default() };
    assert_eq!(attempt_error(prepared_event("Loop", limits).await).error_type(), "fuel_exhausted");
    let limits = Limits { fuel: u64::MAX, deadline: Duration::from_millis(50), ..Limits::default() };
    assert_eq!(attempt_error(prepared_event("Loop", limits).await).error_type(), "timeout");
    let limits = Limits { result_bytes: 10, ..Limits::default() };
    let error = attempt_error(prepared_event("Paid", limits).await);
    assert_eq!(error, AttemptError::ResultTooLarge { what: "payload", limit: 10, used: Some(31) });
}

#[tokio::test]
async fn a_payload_that_postgresql_cannot_store_is_refused() {
    let bench = Bench::new();
    let prepared = bench.prepare(&with_events()).await.unwrap();
    let request = PublishRequest { publisher: "Paid".into(), context: r#"{"a":"\u0000"}"#.into() };

    let outcome = bench.sandbox.prepare_event(&prepared, &call(Limits::default()), &request).await;

    let error = attempt_error(outcome);
    assert!(error.to_string().contains("the handler's payload contains \\u0000"), "{error}");
}

#[tokio::test]
async fn a_publisher_is_told_how_its_event_fared() {
    let bench = Bench::new();
    let prepared = bench.prepare(&with_events()).await.unwrap();
    let (call, request) = (call(Limits::default()), request("Paid"));
    let publication = bench.sandbox.prepare_event(&prepared, &call, &request).await.unwrap().unwrap();

    bench.sandbox.published(&prepared, &call, &request, &publication, None).await.unwrap();
    let failed = bench.sandbox.published(&prepared, &call, &request, &publication, Some("no fit")).await;
    // The guest crashes when it hears of a failure.
    assert_eq!(attempt_error(failed).error_type(), "guest_trap");
}

#[tokio::test]
async fn a_subscriber_takes_an_event_refuses_it_or_crashes() {
    let bench = Bench::new();
    let prepared = bench.prepare(&with_events()).await.unwrap();
    let call = call(Limits::default());
    let deliver = async |subscriber| bench.sandbox.on_event(&prepared, &call, subscriber, "{}".into()).await;

    deliver("audit").await.unwrap();
    assert_eq!(deliver("errs").await.unwrap_err(), EventCallError::Refused("no price".into()));
    assert_eq!(attempt_error(deliver("traps").await).error_type(), "guest_trap");
}

#[tokio::test]
async fn an_optional_export_of_another_shape_is_refused_by_name_when_the_component_is_loaded() {
    let bench = Bench::new();
    // A function is missing: seen before anything runs.
    let lacking =
        with_events().replacen(r#"(export "published" (func $published)"#, r#"(export "sent" (func $published)"#, 1);
    let error = bench.component_error(&lacking).await.to_string();
    assert!(error.contains("`tasker:handler/publishers@0.1.0` of another shape"), "{error}");
    assert!(error.contains("published") && error.contains("this host's wit/"), "{error}");

    let newer = with_events().replacen("subscribers@0.1.0", "subscribers@0.9.0", 1);
    let error = bench.component_error(&newer).await.to_string();
    assert!(error.contains("`tasker:handler/subscribers@0.1.0`") && error.contains("subscribers@0.9.0"), "{error}");

    // A type differs: seen when the component describes itself.
    let other = with_events().replace(
        r#"(param "subscriber" string) (param "event" $json) (result (result (error string)))"#,
        r#"(param "event" $json) (param "subscriber" string) (result (result (error string)))"#,
    );
    let other = other.replace(
        r#"(param "subscriber" string) (param "event" $json-named)"#,
        r#"(param "event" $json-named) (param "subscriber" string)"#,
    );
    let other = other
        .replace("(field \"name\" string) (field \"reports\" bool)", "(field \"name\" string) (field \"report\" bool)");
    let prepared = bench.prepare(&other).await.unwrap();
    let error = bench.sandbox.describe(&prepared).await.unwrap_err().to_string();
    assert!(
        error.contains("`tasker:handler/publishers@0.1.0`")
            && error.contains("expected record field named reports, found report"),
        "{error}"
    );
}

#[tokio::test]
async fn a_component_that_lists_a_publisher_twice_is_refused() {
    let bench = Bench::new();
    let twice = with_events().replacen(r#"\14\00\00\00\04"#, r#"\10\00\00\00\04"#, 1);
    let prepared = bench.prepare(&twice).await.unwrap();

    let error = bench.sandbox.describe(&prepared).await.unwrap_err().to_string();

    assert!(error.contains("it lists the publisher \"Paid\" twice"), "{error}");
}
