//! One tenant misbehaves in every slot it gets; the other, and the host, must hardly notice.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::time::Duration;

use tasker_wasm_host::store::TemplateRow;
use tasker_wasm_tests::{HostProcess, Settings, Street, TestDatabase, create_tasks, wait_for};
use tokio::sync::Mutex;

/// Each test has the machine to itself.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Steps of the quiet tenant in one turn.
const STEPS: usize = 500;
/// Tries: a machine that does something else at the same time spoils one.
const TRIES: usize = 5;

async fn hostile(street: &Street, handlers: &[&str]) -> Vec<TemplateRow> {
    let mut templates = Vec::new();
    for handler in handlers {
        templates.push(street.template("hostile", &format!("hostile.{handler}")).await.unwrap());
    }
    templates
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100 - 1]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_p99_of_a_tenant_stays_under_twice_its_calm_value_beside_a_hostile_one() {
    let _alone = ALONE.lock().await;
    // Attempts that began together end together. That is once in a turn, as it is rare by default.
    let street = Street::open(|config| {
        config.worker.mpsc_channels.handler_dispatch.handler_timeout = Duration::from_secs(5);
    })
    .await
    .unwrap();
    let templates =
        hostile(&street, &["spin", "spin_microtasks", "allocate", "log_flood", "sleep_forever", "recurse"]).await;
    street.trickle(STEPS).await.unwrap();
    street.beside(&templates, street.trickle(STEPS)).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let calm = p99(street.trickle(STEPS).await.unwrap());
        let beside = p99(street.beside(&templates, street.trickle(STEPS)).await.unwrap());
        if beside < 2 * calm {
            return street.close().await;
        }
        seen.push(format!("{beside:.2?} instead of {calm:.2?}"));
    }
    panic!("the p99 beside the hostile tenant is {}", seen.join(", then "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_holds_every_slot_it_gets_does_not_keep_another_from_starting() {
    let _alone = ALONE.lock().await;
    let street = Street::open(|config| {
        config.worker.mpsc_channels.handler_dispatch.max_concurrent_handlers = 8;
        config.worker.mpsc_channels.handler_dispatch.handler_timeout = Duration::from_secs(600);
    })
    .await
    .unwrap();
    let templates = hostile(&street, &["sleep_forever", "spin"]).await;
    street.let_loose(&templates).await.unwrap();
    // Three quarters of eight.
    while street.hostile_in("in_progress").await.unwrap().len() < 6 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    street.trickle(20).await.unwrap();

    // None of them has ended, and they got no slot more.
    assert_eq!(street.hostile_in("in_progress").await.unwrap().len(), 6);
    street.close().await;
}

#[tokio::test]
async fn a_flood_of_log_records_that_nobody_reads_stops_no_step() {
    let _alone = ALONE.lock().await;
    let database = TestDatabase::create().await;
    let host = HostProcess::start(&database, Settings { packages: &["hostile", "linear"], config: "" }).await;
    host.stop_reading();
    create_tasks(&database.store, "hostile", "every_misbehaviour", r#"{"lines": 2000}"#, 8).await;

    let context = r#"{"even_number": 6}"#;
    for task in create_tasks(&database.store, "linear_workflow", "mathematical_sequence", context, 50).await {
        wait_for(&database.store, task, &["complete"]).await;
    }
    database.drop().await;
}
