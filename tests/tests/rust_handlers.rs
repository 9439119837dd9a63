//! The example in Rust, on a host that cannot tell it from the others.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::io::Write;

use serde_json::{Value, json};
use tasker_wasm_host::store::StepView;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, create_tasks, error, package, result, step, wait_for};

const PACKAGE: &str = "portfolio-rust";

/// Whether the example was built. Where its target could not be had, the build has said so in a file, and this says it again.
fn is_built() -> bool {
    let Ok(skipped) = std::fs::read(package(PACKAGE).join("dist/skipped.txt")) else { return true };
    // Not by `eprint!`, which shows nothing of a test that passes.
    std::io::stderr().write_all(&skipped).unwrap();
    assert!(std::env::var_os("CI").is_none(), "continuous integration runs every test");
    false
}

/// Runs `count` tasks of this context and gives the steps of each.
async fn run(database: &TestDatabase, context: &Value, count: usize, status: &str) -> Vec<Vec<StepView>> {
    let mut ended = Vec::new();
    for task in create_tasks(&database.store, "default", "portfolio_risk", &context.to_string(), count).await {
        wait_for(&database.store, task, &[status]).await;
        ended.push(database.store.steps(task).await.unwrap());
    }
    ended
}

fn position(symbol: &str, volatility: f64) -> Value {
    json!({"symbol": symbol, "value_cents": 1_000_000, "volatility": volatility})
}

#[tokio::test]
async fn a_step_in_rust_computes_from_what_the_step_before_it_returned() {
    if !is_built() {
        return;
    }
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &[PACKAGE], config: "" }).await;
    let steps = &run(&database, &json!({"positions": [position("ACME", 0.2)]}), 1, "complete").await[0];
    let losses = result(step(steps, "simulate_losses"));
    assert_eq!((&losses["scenarios"], &losses["value_cents"]), (&json!(100_000), &json!(1_000_000)));
    // Of one position the losses are normally distributed: 1.645 and 2.326 standard deviations.
    let deviation = 1_000_000.0 * 0.2 / 252_f64.sqrt();
    for (level, deviations) in [("95", 1.645), ("99", 2.326)] {
        let loss = losses["value_at_risk_cents"][level].as_f64().unwrap();
        assert!((loss / deviation - deviations).abs() < 0.05, "{level} %: {loss}");
    }
    database.drop().await;
}

#[tokio::test]
async fn a_step_in_rust_that_runs_out_of_time_goes_on_from_its_checkpoint() {
    if !is_built() {
        return;
    }
    let database = TestDatabase::create().await;
    let mut host = HostProcess::start(&database, Settings { packages: &[PACKAGE], config: "" }).await;
    let context = json!({"positions": [position("ACME", 0.2)], "scenarios": 20_000_000});
    let tasks = run(&database, &context, 2, "complete").await;
    host.wait_for_line("to be continued").await;
    let [first, second] = [0, 1].map(|task| result(step(&tasks[task], "simulate_losses")));
    assert_eq!(first["scenarios"], json!(20_000_000));
    assert_eq!(first, second, "wherever they were cut");
    database.drop().await;
}

#[tokio::test]
async fn a_step_in_rust_says_for_itself_whether_it_is_tried_again() {
    if !is_built() {
        return;
    }
    let database = TestDatabase::create().await;
    // Less than the simulation needs for its first scenarios.
    let config = "worker.namespaces.default.max_limits = { timeout_ms = 90 }";
    let _host = HostProcess::start(&database, Settings { packages: &[PACKAGE], config }).await;

    let context = json!({"positions": [position("ACME", 0.2), position("ACME", 0.3)]});
    let steps = &run(&database, &context, 1, "blocked_by_failures").await[0];
    let refused = step(steps, "check_portfolio");
    assert_eq!((&error(refused)["error_code"], refused.attempts), (&json!("duplicate_position"), 1));

    let context = json!({"positions": [position("ACME", 0.2)]});
    let steps = &run(&database, &context, 1, "blocked_by_failures").await[0];
    let hasty = step(steps, "simulate_losses");
    assert_eq!((&error(hasty)["error_code"], hasty.attempts), (&json!("too_little_time"), 3));
    database.drop().await;
}
