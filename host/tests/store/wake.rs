use tasker_wasm_host::store::Heard;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::support::{Bench, Logged};

#[tokio::test]
async fn a_notification_wakes_every_listener() {
    let bench = Bench::new().await;
    let mut one = bench.store.wake_listener().await.unwrap();
    let mut other = bench.store.wake_listener().await.unwrap();
    bench.store.notify_work().await.unwrap();
    assert!(one.hear().await.unwrap().work);
    assert!(other.hear().await.unwrap().work);
}

#[tokio::test]
async fn a_lost_connection_wakes_because_something_may_have_been_missed() {
    let bench = Bench::new().await;
    let mut listener = bench.store.wake_listener().await.unwrap();
    bench.end_connections("LISTEN%").await;
    assert!(listener.hear().await.unwrap().work);
    bench.store.notify_work().await.unwrap();
    assert!(listener.hear().await.unwrap().work);
}

#[tokio::test]
async fn a_cancelled_task_is_told_by_its_key() {
    let bench = Bench::new().await;
    let mut listener = bench.store.wake_listener().await.unwrap();
    let task = Uuid::now_v7();
    sqlx::query("select pg_notify('tasker_cancel', $1::text)").bind(task).execute(&bench.pool).await.unwrap();
    let heard = listener.hear().await.unwrap();
    assert_eq!(heard, Heard { work: false, cancelled: vec![task] });
}

#[tokio::test]
async fn a_listener_that_goes_when_its_server_does_warns_of_nothing() {
    let bench = Bench::new().await;
    let logged = Logged::here();
    let tasks = Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    let listener = bench.store.wake_listener().await.unwrap();
    bench.end_connections("LISTEN%").await;
    drop(listener);
    while tasks.num_alive_tasks() > before {
        tokio::task::yield_now().await;
    }
    assert_eq!(logged.text(), "");
}
