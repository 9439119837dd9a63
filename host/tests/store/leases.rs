use std::time::Duration;

use tasker_wasm_host::store::StepState;

use super::support::{Bench, LEASE, succeeded};

#[tokio::test]
async fn a_renewed_lease_holds() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    let step = bench.claim_one().await;
    bench.lapse_leases().await;
    let lost = bench.store.renew_leases(std::slice::from_ref(&step.lease), LEASE).await.unwrap();
    assert!(lost.is_empty());
    assert!(bench.claim(1).await.is_empty());
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    let step = bench.claim_one().await;
    bench.store.renew_leases(std::slice::from_ref(&step.lease), Duration::from_millis(1)).await.unwrap();
    let again = loop {
        if let Some(step) = bench.claim(1).await.pop() {
            break step;
        }
    };
    assert_eq!(again.lease.step_uuid, step.lease.step_uuid);
}

#[tokio::test]
async fn a_lost_lease_is_told_and_not_renewed() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[]), ("c", &[])]).await;
    let first = bench.claim(3).await;
    bench.complete(&first[1..2]).await;
    bench.lapse_leases().await;
    let second = bench.claim(1).await.remove(0);
    assert_eq!(second.name, "a");

    let leases: Vec<_> = first.iter().map(|step| step.lease.clone()).collect();
    let mut lost = bench.store.renew_leases(&leases, LEASE).await.unwrap();
    lost.sort();
    assert_eq!(lost, [leases[0].step_uuid, leases[1].step_uuid]);
}

#[tokio::test]
async fn a_step_put_back_is_there_at_once_and_has_spent_nothing() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    let first = bench.claim_one().await;
    assert_eq!(bench.store.release_steps(std::slice::from_ref(&first.lease)).await.unwrap(), 1);
    assert_eq!(bench.state(&task, 0).await, StepState::Enqueued);
    let second = bench.claim_one().await;
    assert_eq!((first.attempts, second.attempts), (1, 1));
    assert_eq!(second.lease.message_id, first.lease.message_id, "its place in the queue is kept");
    assert_eq!(bench.number("select count(*) from tasker.attempts").await, 0);
}

#[tokio::test]
async fn a_step_put_back_can_not_be_completed_or_put_back_again() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    let step = bench.claim_one().await;
    let lease = std::slice::from_ref(&step.lease);
    bench.store.release_steps(lease).await.unwrap();
    assert_eq!(bench.store.release_steps(lease).await.unwrap(), 0);
    assert_eq!(bench.store.complete_steps(&[succeeded(&step)]).await.unwrap().refused(), 1);
    bench.claim_one().await;
    assert_eq!(bench.store.release_steps(lease).await.unwrap(), 0);
    assert_eq!(bench.store.complete_steps(&[succeeded(&step)]).await.unwrap().refused(), 1);
}
