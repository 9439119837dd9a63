use sqlx::{AssertSqlSafe, Executor};
use tasker_wasm_host::store::{PgmqOrigin, Store, StoreError};

use super::support::{Bench, TestDatabase, template_of};

#[tokio::test]
async fn an_empty_database_becomes_current_and_stays_so() {
    let database = TestDatabase::create().await;
    let store = Store::connect(&database.url, 1).await.unwrap();
    let before = store.migration_status().await.unwrap();
    assert!(!before.is_current() && before.pgmq == PgmqOrigin::Absent);
    assert_eq!(before.pending(), before.migrations.len());

    let after = store.migrate().await.unwrap();
    assert!(after.is_current(), "{after:?}");
    assert!(matches!(after.pgmq, PgmqOrigin::Embedded { .. }), "{:?}", after.pgmq);
    assert!(store.migrate().await.unwrap().is_current());
}

#[tokio::test]
async fn hosts_that_start_at_once_migrate_once() {
    let database = TestDatabase::create().await;
    let starts = (0..8).map(|_| async {
        let store = Store::connect(&database.url, 1).await.unwrap();
        store.migrate().await
    });
    for outcome in futures::future::join_all(starts).await {
        assert!(outcome.unwrap().is_current());
    }
}

#[tokio::test]
async fn a_database_that_is_not_migrated_says_so() {
    let database = TestDatabase::create().await;
    let store = Store::connect(&database.url, 1).await.unwrap();
    let error = store.namespaces().await.unwrap_err();
    assert!(matches!(error, StoreError::NotMigrated { .. }), "{error}");
    let error = store.enqueue_due(1).await.unwrap_err();
    assert!(error.to_string().contains("db migrate"), "{error}");
}

#[tokio::test]
async fn pgmq_that_came_as_plain_sql_is_used_as_it_is() {
    let bench = Bench::new().await;
    // What is left is what PGMQ's own script makes.
    bench.pool.execute("drop schema tasker cascade; drop table pgmq.__pgmq_migrations").await.unwrap();
    let status = bench.store.migrate().await.unwrap();
    assert!(status.is_current() && status.pgmq == PgmqOrigin::Schema, "{status:?}");
    bench.store.register_template(&template_of("smithy")).await.unwrap();
}

#[tokio::test]
async fn pgmq_that_came_as_an_extension_is_used_as_it_is() {
    let bench = Bench::new().await;
    // The files of the extension may not be on the server; its row in the catalog is what counts.
    bench
        .pool
        .execute(
            "begin;
            drop schema tasker cascade; drop table pgmq.__pgmq_migrations;
            set local allow_system_table_mods = on;
            insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
            values (99999, 'pgmq', current_user::regrole, 'pgmq'::regnamespace, false, '1.5.1');
            commit",
        )
        .await
        .unwrap();
    let status = bench.store.migrate().await.unwrap();
    assert_eq!(status.pgmq, PgmqOrigin::Extension { version: "1.5.1".into() });
    bench.store.register_template(&template_of("smithy")).await.unwrap();
}

#[tokio::test]
async fn a_schema_called_pgmq_that_is_something_else_is_not_touched() {
    let database = TestDatabase::create().await;
    database.pool().await.execute("create schema pgmq create table letters (id int)").await.unwrap();
    let store = Store::connect(&database.url, 1).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Pgmq { .. }), "{error}");
}

#[tokio::test]
async fn a_role_without_rights_is_told_what_to_run() {
    let database = TestDatabase::create().await;
    let role = format!("tasker_{}", uuid::Uuid::now_v7().simple());
    let pool = database.pool().await;
    pool.execute(AssertSqlSafe(format!("create role {role} login password 'pw'"))).await.unwrap();
    let (_, rest) = database.url.split_once("://").unwrap();
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let store = Store::connect(&format!("postgres://{role}:pw@{rest}"), 1).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(error.to_string().contains(&format!("TO {role}")), "{error}");

    // A database that somebody else prepared needs no right to create anything.
    let owner = Store::connect(&database.url, 1).await.unwrap();
    owner.migrate().await.unwrap();
    pool.execute(AssertSqlSafe(format!(
        "grant usage on schema tasker, pgmq to {role}; grant select on all tables in schema tasker, pgmq to {role}"
    )))
    .await
    .unwrap();
    assert!(store.migrate().await.unwrap().is_current());
    store.close().await;
    pool.execute(AssertSqlSafe(format!("drop owned by {role}; drop role {role}"))).await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_build_is_told_from_one_that_is_behind() {
    let database = TestDatabase::create().await;
    let store = Store::connect(&database.url, 1).await.unwrap();
    store.migrate().await.unwrap();
    let changed = "update tasker.schema_migrations set checksum = '' where version = 1";
    let behind =
        "delete from tasker.schema_migrations where version = (select max(version) from tasker.schema_migrations)";
    let pool = database.pool().await;
    pool.execute(changed).await.unwrap();
    pool.execute(behind).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::OtherBuild { version: 1 }), "{error}");
}
