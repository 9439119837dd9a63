use tasker_wasm_host::store::{Store, StoreError};

use super::support::{Bench, TestDatabase, with_database};

#[tokio::test]
async fn every_connection_is_open_before_the_first_use() {
    let database = TestDatabase::create().await;
    let _store = Store::connect(&database.url, 5).await.unwrap();
    let pool = database.pool().await;
    let open: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'tasker-wasm-host' and state = 'idle'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(open, 5);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Store::connect(&format!("postgres://ada:s3cret@127.0.0.1:{port}/work"), 1).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{text}");
    assert!(text.contains(&format!("ada@127.0.0.1:{port}/work")) && !text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_missing_database_is_said_to_be_missing() {
    let database = TestDatabase::create().await;
    let error = Store::connect(&with_database(&database.url, "nowhere"), 1).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::Refused { .. }) && text.contains("nowhere"), "{text}");
    assert!(text.contains("create the database"), "{text}");
}

#[tokio::test]
async fn a_store_says_where_it_is_without_its_password() {
    let database = TestDatabase::create().await;
    let store = Store::connect(&database.url, 1).await.unwrap();
    assert!(!format!("{store:?}").contains("password"), "{store:?}");
    assert!(store.target().contains("tasker_test_"));
}

#[tokio::test]
async fn broken_connections_are_replaced_and_their_errors_transient() {
    let bench = Bench::with_connections(2).await;
    let ended = bench
        .number(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and application_name = 'tasker-wasm-host'",
        )
        .await;
    assert_eq!(ended, 2);
    // Each connection can fail at most once.
    for _ in 0..2 {
        if let Err(error) = bench.store.namespaces().await {
            assert!(error.is_transient(), "{error:?}");
        }
    }
    assert_eq!(bench.store.namespaces().await.unwrap(), ["bakery"]);
}
