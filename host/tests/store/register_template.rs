use tasker_wasm_host::store::StoreError;

use super::support::{Bench, template_of};

#[tokio::test]
async fn the_same_content_keeps_its_row() {
    let bench = Bench::new().await;
    assert_eq!(bench.store.register_template(&template_of("bakery")).await.unwrap(), bench.template);
}

#[tokio::test]
async fn content_that_comes_back_is_current_again() {
    let bench = Bench::new().await;
    let mut other = template_of("bakery");
    other.digest = "d2".into();
    let other = bench.store.register_template(&other).await.unwrap();
    assert_ne!(other, bench.template);
    let current =
        || async { bench.store.find_template("bakery", "bread", Some("1.0.0")).await.unwrap().unwrap().template_uuid };
    assert_eq!(current().await, other);

    bench.store.register_template(&template_of("bakery")).await.unwrap();
    assert_eq!(current().await, bench.template);
}

#[tokio::test]
async fn without_a_version_the_one_registered_last_is_found() {
    let bench = Bench::new().await;
    let mut newer = template_of("bakery");
    newer.version = "2.0.0".into();
    let newer = bench.store.register_template(&newer).await.unwrap();
    let found = bench.store.find_template("bakery", "bread", None).await.unwrap().unwrap();
    assert_eq!(found.template_uuid, newer);
    assert_eq!(bench.store.template(newer).await.unwrap().unwrap().version, "2.0.0");
    assert!(bench.store.find_template("bakery", "cake", None).await.unwrap().is_none());
}

#[tokio::test]
async fn many_hosts_may_register_the_same_template_at_once() {
    let bench = Bench::with_connections(8).await;
    let template = template_of("smithy");
    let registered = futures::future::join_all((0..8).map(|_| bench.store.register_template(&template))).await;
    let first = *registered[0].as_ref().unwrap();
    assert!(registered.into_iter().all(|uuid| uuid.unwrap() == first));
    assert_eq!(bench.store.namespaces().await.unwrap(), ["bakery", "smithy"]);
}

/// Which of two hosts is first is a matter of microseconds, so they race for many namespaces.
#[tokio::test]
async fn many_hosts_may_make_the_same_namespace_at_once() {
    const HOSTS: usize = 4;
    let bench = Bench::with_connections(HOSTS as u32).await;
    for round in 0..60 {
        let mut template = template_of(&format!("smithy_{round}"));
        template.configuration_json = r#"{"steps": []}"#.into();
        let registered = futures::future::join_all((0..HOSTS).map(|_| async {
            bench.store.register_template(&template).await?;
            bench.store.create_event_queues(&template.namespace).await
        }));
        for registered in registered.await {
            registered.unwrap();
        }
    }
}

#[tokio::test]
async fn a_namespace_that_cannot_name_a_queue_is_refused() {
    let bench = Bench::new().await;
    for namespace in ["bäckerei", "", "BAKERY", "a-b", &"x".repeat(35)] {
        let error = bench.store.register_template(&template_of(namespace)).await.unwrap_err();
        assert!(matches!(error, StoreError::BadNamespace { .. }), "{namespace}: {error}");
    }
}
