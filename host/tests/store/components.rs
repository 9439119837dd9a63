use serde_json::{Value, json};
use tasker_wasm_host::store::{FoundComponent, KnownComponent};

use super::support::Bench;

fn found(namespace: &str, name: &str, digest: &str, asks: Value, runs: bool) -> FoundComponent {
    FoundComponent {
        namespace: namespace.into(),
        name: name.into(),
        digest: digest.into(),
        asks_json: asks.to_string(),
        runs,
    }
}

fn seen(known: &[KnownComponent]) -> Vec<(&str, &str, &str, Value)> {
    let asks = |one: &KnownComponent| serde_json::from_str(one.asks.get()).unwrap();
    known.iter().map(|one| (one.namespace.as_str(), one.name.as_str(), one.digest.as_str(), asks(one))).collect()
}

#[tokio::test]
async fn a_component_is_recorded_and_what_was_there_before_is_answered() {
    let bench = Bench::new().await;
    let first =
        [found("bakery", "oven", "aa", json!({"env": ["HEAT"]}), true), found("smithy", "oven", "bb", json!({}), true)];
    assert!(bench.store.record_components(&first).await.unwrap().is_empty());

    let second = [found("bakery", "oven", "cc", json!({"client": true}), true)];
    let before = bench.store.record_components(&second).await.unwrap();
    assert_eq!(seen(&before), [("bakery", "oven", "aa", json!({"env": ["HEAT"]}))]);

    let again = bench.store.record_components(&second).await.unwrap();
    assert_eq!(seen(&again), [("bakery", "oven", "cc", json!({"client": true}))]);
    assert!(again[0].last_run_at > before[0].last_run_at);
    assert_eq!(bench.number("select count(*) from tasker.components").await, 2);
}

#[tokio::test]
async fn the_time_of_a_change_is_kept_until_the_next_change() {
    let bench = Bench::new().await;
    let changed = "select (extract(epoch from changed_at) * 1000000)::bigint from tasker.components";
    let first = bench.number("select (extract(epoch from clock_timestamp()) * 1000000)::bigint").await;
    bench.store.record_components(&[found("bakery", "oven", "aa", json!({}), true)]).await.unwrap();
    let recorded = bench.number(changed).await;
    assert!(recorded >= first);
    bench.store.record_components(&[found("bakery", "oven", "aa", json!({}), true)]).await.unwrap();
    assert_eq!(bench.number(changed).await, recorded);
    bench.store.record_components(&[found("bakery", "oven", "bb", json!({}), true)]).await.unwrap();
    assert!(bench.number(changed).await > recorded);
}

#[tokio::test]
async fn one_that_does_not_run_is_compared_and_not_recorded() {
    let bench = Bench::new().await;
    bench.store.record_components(&[found("bakery", "oven", "aa", json!({}), true)]).await.unwrap();

    let refused = [
        found("bakery", "oven", "bb", json!({"client": true}), false),
        found("bakery", "mixer", "cc", json!({}), false),
    ];
    for _ in 0..2 {
        let before = bench.store.record_components(&refused).await.unwrap();
        assert_eq!(seen(&before), [("bakery", "oven", "aa", json!({}))]);
    }
}

#[tokio::test]
async fn a_package_that_is_found_twice_is_recorded_once_and_as_what_runs() {
    let bench = Bench::new().await;
    let twice = [
        found("bakery", "oven", "bb", json!({}), true),
        found("bakery", "oven", "cc", json!({}), false),
        found("bakery", "oven", "aa", json!({}), true),
    ];
    bench.store.record_components(&twice).await.unwrap();
    let before = bench.store.record_components(&twice).await.unwrap();
    assert_eq!(seen(&before), [("bakery", "oven", "bb", json!({}))]);
}

#[tokio::test]
async fn hosts_that_start_at_once_do_not_lock_each_other_out() {
    let bench = Bench::new().await;
    let names: Vec<String> = (0..20).map(|number| format!("package_{number}")).collect();
    let starts = (0..8).map(|host| {
        let mut all: Vec<_> =
            names.iter().map(|name| found("bakery", name, &format!("{host}"), json!({}), true)).collect();
        if host % 2 == 0 {
            all.reverse();
        }
        let store = bench.store.clone();
        async move { store.record_components(&all).await }
    });
    for outcome in futures::future::join_all(starts).await {
        outcome.unwrap();
    }
    assert_eq!(bench.number("select count(*) from tasker.components").await, 20);
}
