//! Domain events from a template's declaration to their consumers, with the publishers and subscribers of a real package.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_wasm_host::events::{DomainEvent, EventStats};
use tasker_wasm_host::host::Host;
use tasker_wasm_host::store::QueuedEvent;
use tasker_wasm_tests::{TestDatabase, config, create_tasks, run_cli, wait_for};

const NAMESPACE: &str = "order_events";

/// What became of one order.
struct Order {
    state: String,
    /// The durable events, oldest first.
    durable: Vec<Value>,
    dead: Vec<Value>,
    /// The events delivered in the process, in order.
    heard: Vec<Arc<DomainEvent>>,
    stats: EventStats,
    database: TestDatabase,
}

/// Runs one order through a host of its own, which is drained before its events are counted.
async fn order(context: Value) -> Order {
    let database = TestDatabase::create().await;
    let host = Host::start(&config(&database, &["domain-events"])).await.unwrap();
    let events = host.events().clone();
    let mut hearing = events.subscribe();
    let task = create_tasks(&database.store, NAMESPACE, "order_with_events", &context.to_string(), 1).await[0];
    let view = wait_for(&database.store, task, &["complete", "blocked_by_failures"]).await;
    host.drain().await;

    let mut heard = Vec::new();
    while let Ok(event) = hearing.try_recv() {
        heard.push(event);
    }
    let messages = |queued: Vec<QueuedEvent>| -> Vec<Value> {
        queued.iter().rev().map(|queued| serde_json::from_str(queued.event.get()).unwrap()).collect()
    };
    Order {
        state: view.status.to_string(),
        durable: messages(database.store.domain_events(NAMESPACE, 100).await.unwrap()),
        dead: messages(database.store.dead_events(NAMESPACE, 100).await.unwrap()),
        heard,
        stats: events.stats(),
        database,
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_name"].as_str().unwrap()).collect()
}

impl Order {
    fn heard(&self) -> Vec<&str> {
        self.heard.iter().map(|event| event.event_name.as_str()).collect()
    }

    fn durable(&self, name: &str) -> &Value {
        self.durable.iter().find(|event| event["event_name"] == name).unwrap_or_else(|| panic!("{name} was sent"))
    }

    fn error(&self, name: &str) -> &str {
        let dead = self.dead.iter().find(|event| event["event_name"] == name);
        dead.unwrap_or_else(|| panic!("{name} is dead"))["error"].as_str().unwrap()
    }
}

#[tokio::test]
async fn every_end_of_a_step_announces_what_its_conditions_say_where_its_modes_say() {
    let order = order(json!({"order_id": "o-1", "amount": 120, "invoice_to": "ada@example.org"})).await;

    assert_eq!(order.state, "complete");
    // The first attempt to pay fails and is tried again.
    assert_eq!(
        names(&order.durable),
        [
            "payment.attempted",
            "payment.processed",
            "payment.attempted",
            "shipment.sent",
            "invoice.issued",
            "loyalty.earned"
        ]
    );
    assert!(order.dead.is_empty(), "{:?}", order.dead);
    assert_eq!(
        order.heard(),
        ["order.validated", "payment.retried", "payment.troubled", "payment.processed", "shipment.sent"]
    );
    // `audit` hears everything, `ledger` the last two.
    assert_eq!(order.stats, EventStats { published: 5, delivered: 7, dropped: 0, failed: 0 });

    let paid = order.durable("payment.processed");
    let expected = json!({"status": "succeeded", "transaction_id": "txn-o-1", "amount": 120, "currency": "EUR"});
    assert_eq!(paid["payload"]["payload"], expected);
    assert_eq!(paid["payload"]["execution_result"]["result"]["attempt"], 2);
    assert_eq!(paid["payload"]["task_sequence_step"]["task"]["context"]["order_id"], "o-1");
    assert_eq!(paid["payload"]["task_sequence_step"]["dependency_results"]["validate_order"]["result"]["amount"], 120);
    assert_eq!(paid["metadata"]["step_name"], "process_payment");
    assert_eq!(paid["metadata"]["fired_by"], "PaymentEventPublisher");
    assert_eq!(paid["metadata"]["custom"]["declared_as"], "broadcast");
    assert_eq!(paid["event_id"], order.heard[3].event_id.to_string(), "both deliveries are of one event");
    assert_eq!(order.durable("shipment.sent")["metadata"]["custom"]["warehouse"], "order_events-1");
    assert_eq!(order.durable("loyalty.earned")["payload"]["payload"], json!({"points": 12}));

    let (exit, shown, _) = run_cli(Some(&order.database), &["event", "list", NAMESPACE, "--limit", "2"]).await;
    assert_eq!(exit, 0);
    assert!(shown.lines().count() == 2 && shown.contains("loyalty.earned") && shown.contains("ship_order"), "{shown}");
    order.database.drop().await;
}

#[tokio::test]
async fn what_cannot_be_told_is_kept_with_its_reason_and_the_task_does_not_notice() {
    let order = order(json!({"order_id": "o-2", "amount": 5, "payment_failures": 0, "silent": true})).await;

    assert_eq!(order.state, "complete");
    assert_eq!(names(&order.dead), ["invoice.issued", "loyalty.earned"]);
    let error = order.error("invoice.issued");
    assert!(error.contains("\"InvoicePublisher\" failed") && error.contains("an invoice needs invoice_to"), "{error}");
    let error = order.error("loyalty.earned");
    assert!(error.contains("does not fit the schema of \"loyalty.earned\"") && error.contains("points"), "{error}");
    // The publisher of shipment.sent decided against it.
    assert_eq!(names(&order.durable), ["payment.processed", "payment.attempted"]);

    let (_, shown, _) = run_cli(Some(&order.database), &["event", "list", NAMESPACE, "--dead"]).await;
    assert!(shown.contains("an invoice needs invoice_to"), "{shown}");
    order.database.drop().await;
}

#[tokio::test]
async fn a_step_that_fails_for_good_announces_that() {
    let order = order(json!({"order_id": "o-3", "amount": 120, "card": "declined"})).await;

    assert_eq!(order.state, "blocked_by_failures");
    assert_eq!(names(&order.durable), ["payment.failed", "payment.attempted"]);
    assert_eq!(order.durable("payment.failed")["payload"]["payload"], json!({"status": "failed", "order_id": "o-3"}));
    // Without a publisher, a failure tells its error.
    assert_eq!(order.durable("payment.attempted")["payload"]["payload"]["message"], "The card was declined");
    assert_eq!(order.heard(), ["order.validated", "payment.troubled"]);
    order.database.drop().await;
}

#[tokio::test]
async fn a_subscriber_that_fails_harms_neither_the_task_nor_the_other_subscribers() {
    let context = json!({"order_id": "o-4", "amount": 20_000, "payment_failures": 0, "invoice_to": "ada@example.org"});
    let order = order(context).await;

    assert_eq!(order.state, "complete");
    // `audit` takes all three, `ledger` refuses payment.processed and takes shipment.sent.
    assert_eq!(order.heard(), ["order.validated", "payment.processed", "shipment.sent"]);
    assert_eq!(order.stats, EventStats { published: 3, delivered: 4, dropped: 0, failed: 1 });
    order.database.drop().await;
}
