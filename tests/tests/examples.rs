//! Every example of `handlers/`, from a task to what its last step says.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use serde_json::{Value, json};
use tasker_wasm_host::store::StepView;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, error, result, step, wait_for};

/// How a task ended.
struct Ended {
    status: String,
    steps: Vec<StepView>,
}

impl Ended {
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.steps.iter().map(|step| step.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn result(&self, name: &str) -> Value {
        result(step(&self.steps, name))
    }
}

/// Runs one task for each of `contexts`, all at once, on a host that serves `package`.
async fn run(package: &str, namespace: &str, template: &str, contexts: &[Value]) -> Vec<Ended> {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &[package], config: "" }).await;
    let mut tasks = Vec::new();
    for context in contexts {
        tasks.extend(create_tasks(&database.store, namespace, template, &context.to_string(), 1).await);
    }
    let mut ended = Vec::new();
    for task in tasks {
        let view = wait_for(&database.store, task, &["complete", "blocked_by_failures"]).await;
        ended.push(Ended { status: view.status.to_string(), steps: database.store.steps(task).await.unwrap() });
    }
    database.drop().await;
    ended
}

#[tokio::test]
async fn a_tree_adds_up_in_its_root() {
    let [task] = &run("tree", "tree_workflow", "budget_allocation", &[json!({"budget_cents": 1_000_000})]).await[..]
    else {
        panic!("one task")
    };
    assert_eq!((task.status.as_str(), task.steps.len()), ("complete", 8));
    let plan = task.result("approve_plan");
    assert_eq!((&plan["allocated_cents"], &plan["unallocated_cents"]), (&json!(1_000_000), &json!(0)));
    assert_eq!(plan["teams"]["team_engineering"], json!(420_000));
}

#[tokio::test]
async fn a_graph_with_mixed_fan_in_runs_each_step_once() {
    let listing =
        |photos: Value| json!({"listing": {"sku": "L1", "title": "Lamp", "cost_cents": 1000, "photos": photos}});
    let contexts = [listing(json!(["front.jpg", "b.png"])), listing(json!([]))];
    let [published, refused] = &run("dag", "dag_workflow", "listing_publication", &contexts).await[..] else {
        panic!("two tasks")
    };
    assert_eq!((published.status.as_str(), published.steps.len()), ("complete", 7));
    assert!(published.steps.iter().all(|step| step.attempts == 1));
    let listing = published.result("publish_listing");
    assert_eq!((&listing["status"], &listing["prices"]["EUR"]), (&json!("published"), &json!(1500)));
    assert_eq!(refused.status, "blocked_by_failures");
}

#[tokio::test]
async fn a_decision_creates_the_branches_it_chose_and_their_convergence() {
    let contexts: Vec<_> =
        [500, 3000, 20_000, 60_000, 0].iter().map(|amount| json!({"amount": amount, "requester": "ada"})).collect();
    let tasks = run("approval-routing", "approval_routing", "approval_routing", &contexts).await;
    let route = |task: &Ended| {
        let last = task.result("finalize_approval");
        (last["route"].as_str().unwrap().to_owned(), last["approved"].as_bool().unwrap())
    };
    assert!(tasks.iter().all(|task| task.status == "complete"));
    assert_eq!(tasks[0].names(), ["auto_approve", "finalize_approval", "route_approval", "validate_request"]);
    assert_eq!(route(&tasks[0]), ("automatic".into(), true));
    assert_eq!(tasks[1].names(), ["finalize_approval", "manager_approval", "route_approval", "validate_request"]);
    assert_eq!(route(&tasks[1]), ("manager".into(), true));
    let both = ["finalize_approval", "finance_review", "manager_approval", "route_approval", "validate_request"];
    assert_eq!(tasks[2].names(), both);
    assert_eq!(route(&tasks[2]), ("manager_and_finance".into(), true));
    assert!(!route(&tasks[3]).1, "too much for the manager");
    assert_eq!(tasks[4].names(), ["route_approval", "validate_request"], "no branches");
}

#[tokio::test]
async fn a_batch_makes_a_worker_for_each_cursor_and_one_step_that_adds_them_up() {
    let rows: String = (1..=9).map(|row| format!("SKU{row},{row},100\n")).collect();
    let csv = |rows: &str| json!({"csv": format!("sku,quantity,price_cents\n{rows}"), "workers": 3});
    let broken = format!("{rows}SKU10,1,100,too,many\n");
    let contexts = [csv(&rows), csv(""), csv(&broken)];
    let [whole, empty, broken] = &run("csv-batch", "csv_batch", "csv_inventory", &contexts).await[..] else {
        panic!("three tasks")
    };
    assert_eq!(whole.status, "complete");
    assert_eq!(whole.names().iter().filter(|name| name.starts_with("process_csv_rows_")).count(), 3);
    let sum = whole.result("aggregate_inventory");
    assert_eq!((&sum["total_processed"], &sum["value_cents"]), (&json!(9), &json!(4500)));
    assert_eq!((&sum["worker_count"], &sum["scenario"]), (&json!(3), &json!("with_batches")));

    assert_eq!(empty.status, "complete");
    assert_eq!(empty.result("process_csv_rows_000")["no_op"], json!(true));
    assert_eq!(empty.result("aggregate_inventory")["scenario"], json!("no_batches"));

    assert_eq!(broken.status, "complete", "the batch continues on failure");
    let failed: Vec<_> = broken.steps.iter().filter(|step| step.current_state.as_str() == "error").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(broken.result("aggregate_inventory")["worker_count"], json!(2));
}

#[tokio::test]
async fn a_worker_that_fails_after_a_checkpoint_goes_on_from_it_and_repeats_nothing() {
    let contexts = [
        json!({"customers": 10}),
        json!({"customers": 10, "fail_after": 3}),
        json!({"customers": 10, "fail_after": 3, "checkpoint_by": "save"}),
        json!({"customers": 0}),
    ];
    let tasks = run("checkpointed-batch", "checkpointed_batch", "monthly_billing", &contexts).await;
    for task in &tasks[..3] {
        let month = task.result("close_month");
        assert_eq!((&month["customers_billed"], &month["billed_twice"]), (&json!(10), &json!([])));
        assert_eq!((&month["billed_cents"], &month["worker_count"]), (&json!(450), &json!(2)));
    }
    let worker = |task: &Ended| step(&task.steps, "bill_customers_batch_000").attempts;
    assert_eq!((worker(&tasks[0]), worker(&tasks[1]), worker(&tasks[2])), (1, 2, 2), "yields spend no attempt");
    assert_ne!(tasks[1].result("bill_customers_batch_000")["resumed_from"], Value::Null);
    assert_eq!(tasks[3].status, "complete", "no customers, no batches");
}

#[tokio::test]
async fn every_backoff_and_every_hint_brings_a_step_back() {
    let [task] = &run("retries", "retries", "recovering_calls", &[json!({})]).await[..] else { panic!("one task") };
    assert_eq!(task.status, "complete");
    for name in ["without_wait", "linear_wait", "exponential_wait", "fibonacci_wait"] {
        assert_eq!(step(&task.steps, name).attempts, 3, "{name}");
    }
    for name in ["retry_after_seconds", "retry_after_date", "backoff_hint", "retry_after_metadata"] {
        let step = step(&task.steps, name);
        let attempt = step.last_attempt.as_ref().unwrap();
        let waited = attempt.started_at - step.last_failure_at.unwrap();
        assert_eq!(step.attempts, 2, "{name}");
        // The template's own backoff is 50 ms; each hint asks for at least a second, a date for a whole one.
        assert!(waited.num_milliseconds() >= 900, "{name} waited {waited}");
    }
}

#[tokio::test]
async fn each_way_to_fail_for_good_is_told_apart() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["retries"], config: "" }).await;
    let task = create_tasks(&database.store, "retries", "failing_calls", "{}", 1).await[0];
    wait_for(&database.store, task, &["blocked_by_failures"]).await;
    let steps = loop {
        let steps = database.store.steps(task).await.unwrap();
        if steps.iter().all(|step| step.current_state.as_str() == "error") {
            break steps;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let ended = |name: &str| {
        let step = step(&steps, name);
        (error(step)["error_type"].as_str().unwrap().to_owned(), step.attempts)
    };
    assert_eq!(ended("permanent_error"), ("PermanentError".into(), 1));
    assert_eq!(ended("validation_error"), ("validation_error".into(), 1));
    assert_eq!(ended("exhausted"), ("RetryableError".into(), 3));
    assert_eq!(ended("never_retried"), ("RetryableError".into(), 1));
    database.drop().await;
}

#[tokio::test]
async fn an_order_is_paid_shipped_or_held_as_its_decisions_say() {
    let order = |payment: Value, quantity: u32, price_cents: u32| {
        json!({"order": {
            "order_id": "o-1", "customer": {"email": "ada@example.org", "country": "DE"},
            "items": [{"sku": "MUG", "quantity": quantity, "price_cents": price_cents}],
            "payment": payment, "ship_to": {"country": "FR"},
        }})
    };
    let contexts = [
        order(json!({"method": "card", "card": "4111111111111111"}), 2, 900),
        order(json!({"method": "invoice"}), 2, 900),
        order(json!({"method": "invoice"}), 2, 90_000),
        order(json!({"method": "card", "card": "4000000000000119"}), 1, 900),
        order(json!({"method": "card", "card": "4000000000000002"}), 1, 900),
        order(json!({"method": "invoice"}), 11, 900),
    ];
    let tasks = run("order-fulfilment", "order_fulfilment", "order_fulfilment", &contexts).await;
    let status = |task: &Ended| task.result("notify_customer")["status"].as_str().unwrap().to_owned();
    assert_eq!(status(&tasks[0]), "shipped");
    assert!(tasks[0].names().contains(&"charge_card") && !tasks[0].names().contains(&"send_invoice"));
    assert_eq!(status(&tasks[1]), "shipped");
    assert!(tasks[1].names().contains(&"send_invoice") && !tasks[1].names().contains(&"charge_card"));
    assert_eq!(status(&tasks[2]), "held");
    assert!(tasks[2].names().contains(&"hold_order") && !tasks[2].names().contains(&"ship_order"));
    assert_eq!((status(&tasks[3]), step(&tasks[3].steps, "charge_card").attempts), ("shipped".into(), 2));
    assert_eq!(error(step(&tasks[4].steps, "charge_card"))["error_code"], json!("card_declined"));
    assert_eq!((tasks[4].status.as_str(), tasks[5].status.as_str()), ("blocked_by_failures", "blocked_by_failures"));
}
