//! The imports that are granted: the orchestration client, and events that leave at once.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use super::*;
use crate::grants::{Access, Allowed, Asks, Mount};

/// The floor guest with an import, which needs the memory before the guest has one, so it moves into a module of its own.
/// `$call` is the import, lowered.
fn importing(import: &str, core_type: &str, body: &str) -> String {
    handling(body)
        .replacen(
            "  (core module $guest\n    (memory (export \"memory\") 1)\n",
            &format!(
                r#"{import}
               (core module $libc
                 (memory (export "memory") 1)
                 (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768)))
               (core instance $libc (instantiate $libc))
               (core func $imported (canon lower (func $import)
                 (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
               (core module $guest
                 (import "libc" "memory" (memory 1))
                 (import "host" "call" (func $call {core_type}))
            "#
            ),
            1,
        )
        .replacen(
            "(instantiate $guest))\n  (alias core export $guest \"memory\"",
            "(instantiate $guest
               (with \"libc\" (instance $libc)) (with \"host\" (instance (export \"call\" (func $imported))))))
             (alias core export $libc \"memory\"",
            1,
        )
}

/// A guest whose `$call` is `client.health-check`. It brings the answer as its result, or says the error.
fn asking(before: &str) -> String {
    importing(
        r#"(import "tasker:handler/client@0.1.0" (instance $client
             (alias outer 1 $json (type $json-is))
             (export "json" (type $json (eq $json-is)))
             (type $client-error-is (record (field "message" string) (field "recoverable" bool)))
             (export "client-error" (type $client-error (eq $client-error-is)))
             (export "health-check" (func (result (result $json (error $client-error)))))))
           (alias export $client "health-check" (func $import))"#,
        "(param i32)",
        &format!(
            r#"{before}
               (call $call (i32.const 640))
               (if (i32.load8_u (i32.const 640)) (then
                 (i32.store8 (i32.const 512) (i32.const 1)) (i32.store8 (i32.const 520) (i32.const 3))
                 (i32.store (i32.const 524) (i32.load (i32.const 644)))
                 (i32.store (i32.const 528) (i32.load (i32.const 648)))
                 (return (i32.const 512))))
               (i32.store (i32.const 272) (i32.load (i32.const 644)))
               (i32.store (i32.const 276) (i32.load (i32.const 648)))
               (i32.const 256)"#
        ),
    )
}

/// A guest that publishes `times` times; it says the first error.
fn publishing(name: &str, payload: &str, metadata: &str, key: Option<&str>, times: u32) -> String {
    let lengths = [name.len(), payload.len(), metadata.len(), key.unwrap_or_default().len()];
    let [name_length, payload_length, metadata_length, key_length] = lengths;
    let keyed = i32::from(key.is_some());
    let guest = importing(
        r#"(import "tasker:handler/events@0.1.0" (instance $events
             (alias outer 1 $json (type $json-is))
             (export "json" (type $json (eq $json-is)))
             (alias outer 1 $uuid (type $uuid-is))
             (export "uuid" (type $uuid (eq $uuid-is)))
             (type $delivery-is (enum "durable" "fast" "broadcast"))
             (export "delivery" (type $delivery (eq $delivery-is)))
             (type $outgoing-event-is (record
               (field "name" string) (field "payload" $json) (field "metadata" $json) (field "delivery" $delivery)
               (field "idempotency-key" (option string))))
             (export "outgoing-event" (type $outgoing-event (eq $outgoing-event-is)))
             (type $publish-error-is (variant
               (case "not-granted") (case "invalid" string) (case "unavailable" string)))
             (export "publish-error" (type $publish-error (eq $publish-error-is)))
             (export "publish" (func
               (param "event" $outgoing-event) (result (result $uuid (error $publish-error)))))))
           (alias export $events "publish" (func $import))"#,
        "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        &format!(
            r#"(local $left i32)
               (local.set $left (i32.const {times}))
               (loop $again
                 (call $call
                   (i32.const 8192) (i32.const {name_length}) (i32.const 16384) (i32.const {payload_length})
                   (i32.const 24576) (i32.const {metadata_length}) (i32.const 2)
                   (i32.const {keyed}) (i32.const 28672) (i32.const {key_length}) (i32.const 640))
                 (if (i32.load8_u (i32.const 640)) (then
                   (i32.store8 (i32.const 512) (i32.const 1)) (i32.store8 (i32.const 520) (i32.const 3))
                   (if (i32.eqz (i32.load8_u (i32.const 644)))
                     (then (i32.store (i32.const 648) (i32.const 16)) (i32.store (i32.const 652) (i32.const 5))))
                   (i32.store (i32.const 524) (i32.load (i32.const 648)))
                   (i32.store (i32.const 528) (i32.load (i32.const 652)))
                   (return (i32.const 512))))
                 (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                 (br_if $again (local.get $left)))
               (i32.const 256)"#
        ),
    );
    let segments = [(8192, name), (16384, payload), (24576, metadata), (28672, key.unwrap_or_default())];
    let segments: String = segments.iter().map(|(at, text)| data(*at, text)).collect();
    guest.replacen(";; list of methods", &format!("{segments}\n;; list of methods"), 1)
}

/// A package that asks for both.
fn asking_package(bench: &Bench, bytes: &[u8]) -> Package {
    Package { asks: asks(), ..bench.package(bytes) }
}

fn asks() -> Asks {
    Asks { client: true, events: true, ..Asks::default() }
}

fn granted() -> Granted {
    Granted::intersection(&asks(), &Allowed { client: true, events: true, ..Allowed::default() })
}

/// Calls the guest with all grants, or as one that got here without any.
async fn call(wat: &str, is_granted: bool, invocation: Invocation) -> AttemptReport {
    let bench = Bench::new();
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"));
    let mut prepared = bench.sandbox.prepare(&asking_package(&bench, &bytes), granted()).await.unwrap();
    if !is_granted {
        Arc::get_mut(&mut prepared).unwrap().granted = Arc::default();
    }
    bench.sandbox.invoke(&prepared, invocation).await.unwrap()
}

async fn ask(wat: &str, limits: Limits, client: Option<ClientHandle>) -> AttemptReport {
    call(wat, true, Invocation { client, ..invocation(limits) }).await
}

/// Answers every call with this.
fn answering(answer: Result<String, ClientError>) -> Option<ClientHandle> {
    Some(ClientHandle::new(move |call, _bytes| {
        assert!(matches!(call, ClientCall::HealthCheck));
        let answer = answer.clone();
        async move {
            tokio::task::yield_now().await;
            answer
        }
    }))
}

fn well() -> Option<ClientHandle> {
    answering(Ok(r#"{"healthy":true}"#.to_owned()))
}

/// What the guest read, where it read an error.
fn told(report: AttemptReport) -> String {
    match report.outcome {
        Err(AttemptError::Dispatch(DispatchError::HandlerInitFailed(message))) => message,
        other => panic!("the guest should have read an error: {other:?}"),
    }
}

#[tokio::test]
async fn a_granted_guest_asks_and_is_answered() {
    let report = ask(&asking(""), Limits::default(), well()).await;

    let Ok(StepOutcome::Success(success)) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((success.result.get(), report.usage.host_calls), (r#"{"healthy":true}"#, 1));
}

#[tokio::test]
async fn a_guest_reads_why_it_was_not_answered() {
    let away = answering(Err(ClientError::recoverable("away\u{1b}[2J")));
    assert_eq!(told(ask(&asking(""), Limits::default(), away).await), "away[2J");
    assert_eq!(told(ask(&asking(""), Limits::default(), None).await), "the client can be used only while a step runs");
}

#[tokio::test]
async fn a_guest_that_got_past_the_check_of_its_imports_is_refused_all_the_same() {
    let client = Invocation { client: well(), ..invocation(Limits::default()) };
    let message = told(call(&asking(""), false, client).await);
    assert!(message.starts_with("this component was not granted `client`"), "{message}");

    let (events, sent) = sending();
    let events = Invocation { events, ..invocation(Limits::default()) };
    let message = told(call(&publishing("order.paid", "1", "{}", None, 1), false, events).await);
    assert_eq!((message.as_str(), sent.lock().unwrap().len()), ("floor", 0), "the guest's word for not-granted");
}

#[tokio::test]
async fn one_call_too_many_ends_the_attempt_whatever_the_guest_makes_of_it() {
    let limits = Limits { client_calls: 2, ..Limits::default() };
    let forever = "(loop $again (call $call (i32.const 640)) (br $again))";
    for client in [well(), answering(Err(ClientError::permanent("no"))), None] {
        let error = ask(&asking(forever), limits.clone(), client).await.outcome.unwrap_err();
        assert_eq!((error.error_type(), error.retryable()), ("client_calls_exceeded", false));
        assert!(error.to_string().contains("may have 2 calls of the orchestration client and went on to 3"), "{error}");
    }
    let twice = "(call $call (i32.const 640))";
    assert!(ask(&asking(twice), limits, well()).await.outcome.is_ok());
}

#[tokio::test]
async fn an_answer_is_no_larger_than_what_a_guest_may_hand_over() {
    let limits = Limits { result_bytes: 100, checkpoint_bytes: 100, ..Limits::default() };
    let bound = (1 << 20) + 200;
    let large = answering(Ok("1".repeat(bound + 1)));
    let message = told(ask(&asking(""), limits, large).await);
    assert!(message.starts_with("the answer has 1048777 bytes, more than the 1048776"), "{message}");
}

#[tokio::test]
async fn the_wait_for_an_answer_counts_against_the_deadline() {
    let limits = Limits { deadline: Duration::from_millis(50), ..Limits::default() };
    let never = Some(ClientHandle::new(|_, _| std::future::pending()));
    let error = ask(&asking(""), limits, never).await.outcome.unwrap_err();
    assert_eq!(error.error_type(), "timeout");
}

/// What an attempt comes to whose commit never becomes durable.
async fn held_back(wat: &str, client: Option<ClientHandle>, events: Option<DirectEventHandle>) -> AttemptError {
    let (notice, output) = OutputCommit::under_way();
    let limits = Limits { deadline: Duration::from_millis(50), ..Limits::default() };
    let report = call(wat, true, Invocation { client, events, output, ..invocation(limits) }).await;
    drop(notice);
    report.outcome.unwrap_err()
}

#[tokio::test]
async fn nothing_is_asked_and_nothing_is_published_before_the_commit_is_durable() {
    let client = Some(ClientHandle::new(|call, _| async move { panic!("asked {call:?}") }));
    assert_eq!(held_back(&asking(""), client, None).await.error_type(), "timeout");

    let (events, sent) = sending();
    let guest = publishing("order.paid", "1", "{}", None, 1);
    assert_eq!(held_back(&guest, None, events).await.error_type(), "timeout");
    assert_eq!(sent.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_guest_with_a_directory_begins_when_the_commit_is_durable() {
    let bench = Bench::new();
    let mut prepared = bench.prepare(FLOOR).await.unwrap();
    let mount = Mount { path: "/data".into(), directory: "/".into(), access: Access::ReadOnly };
    let mut granted = Granted::default();
    granted.mounts.push(mount);
    Arc::get_mut(&mut prepared).unwrap().granted = Arc::new(granted);
    let (notice, output) = OutputCommit::under_way();
    let mut attempt = pin!(bench.sandbox.invoke(&prepared, Invocation { output, ..invocation(Limits::default()) }));

    assert!(tokio::time::timeout(Duration::from_millis(50), &mut attempt).await.is_err());
    notice.durable();
    assert!(attempt.await.unwrap().outcome.is_ok());
}

type Sent = Arc<Mutex<Vec<String>>>;

/// Remembers what was sent.
fn sending() -> (Option<DirectEventHandle>, Sent) {
    let sent = Sent::default();
    let into = Arc::clone(&sent);
    let handle = DirectEventHandle::new(move |event: DirectEvent| {
        let DirectEvent { name, payload, metadata, delivery, idempotency_key } = event;
        into.lock().unwrap().push(format!("{name} {payload} {metadata} {delivery:?} {idempotency_key:?}"));
        async { Ok(Uuid::from_u128(9)) }
    });
    (Some(handle), sent)
}

async fn publish(wat: &str, limits: Limits) -> (AttemptReport, Vec<String>) {
    let (events, sent) = sending();
    let report = call(wat, true, Invocation { events, ..invocation(limits) }).await;
    let sent = sent.lock().unwrap().clone();
    (report, sent)
}

#[tokio::test]
async fn a_granted_guest_publishes() {
    let guest = publishing("order.paid", "{\"amount\":7}", "{}", Some("k-1"), 1);
    let (report, sent) = publish(&guest, Limits::default()).await;

    assert!(report.outcome.is_ok(), "{:?}", report.outcome);
    assert_eq!(sent, [r#"order.paid {"amount":7} {} Broadcast Some("k-1")"#]);
}

#[tokio::test]
async fn an_event_that_is_not_as_it_must_be_is_not_sent_and_the_guest_reads_why() {
    let long = "k".repeat(256);
    for (name, payload, metadata, key, message) in [
        ("paid", "1", "{}", None, "such as order.paid, not \"paid\""),
        ("Order.Paid", "1", "{}", None, "a dotted name of `a-z0-9_.`"),
        ("order.paid", "{oops", "{}", None, "the handler's payload is not JSON"),
        ("order.paid", r#""\u0000""#, "{}", None, "payload contains \\u0000"),
        ("order.paid", "1", "[]", None, "the handler's metadata is not a JSON object"),
        ("order.paid", r#""0123456789""#, "{}", None, "12 bytes of payload and may hand over 10"),
        ("order.paid", "1", "{}", Some(""), "1 to 255 characters"),
        ("order.paid", "1", "{}", Some(long.as_str()), "1 to 255 characters"),
    ] {
        let limits = Limits { result_bytes: 10, ..Limits::default() };
        let (report, sent) = publish(&publishing(name, payload, metadata, key, 1), limits).await;
        let error = told(report);
        assert!(error.contains(message) && sent.is_empty(), "{error:?} has no {message:?}");
    }
}

#[tokio::test]
async fn one_event_too_many_ends_the_attempt() {
    let limits = Limits { events: 3, ..Limits::default() };
    let (report, sent) = publish(&publishing("order.paid", "1", "{}", None, 1_000), limits).await;

    let error = report.outcome.unwrap_err();
    assert_eq!((error.error_type(), error.retryable(), sent.len()), ("events_exceeded", false, 3));
    assert!(error.to_string().contains("may have 3 published events and went on to 4"), "{error}");
}

#[tokio::test]
async fn a_prepared_component_says_what_it_imports() {
    let bench = Bench::new();
    let bytes = wat::parse_str(asking("")).unwrap();
    let prepared = bench.sandbox.prepare(&asking_package(&bench, &bytes), granted()).await.unwrap();
    assert_eq!(prepared.imports(), ["tasker:handler/types@0.1.0", "tasker:handler/client@0.1.0"]);
    assert!(prepared.granted().client);
}
