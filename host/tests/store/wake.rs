use super::support::Bench;

#[tokio::test]
async fn a_notification_wakes_every_listener() {
    let bench = Bench::new().await;
    let mut one = bench.store.wake_listener().await.unwrap();
    let mut other = bench.store.wake_listener().await.unwrap();
    bench.store.notify_work().await.unwrap();
    one.woken().await.unwrap();
    other.woken().await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_wakes_because_something_may_have_been_missed() {
    let bench = Bench::new().await;
    let mut listener = bench.store.wake_listener().await.unwrap();
    let ended = bench
        .number(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and query like 'LISTEN%'",
        )
        .await;
    assert_eq!(ended, 1);
    listener.woken().await.unwrap();
    bench.store.notify_work().await.unwrap();
    listener.woken().await.unwrap();
}
