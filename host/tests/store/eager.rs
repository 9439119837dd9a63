use std::collections::HashSet;

use sqlx::Executor;
use tasker_wasm_host::store::{ClaimedStep, CreationReport, EagerClaim, NewTask, StepState};

use super::foreseen::told;
use super::support::{Bench, LEASE, plan, template_of};

/// Creates tasks with room for so many steps. Answers what that brought, and which of them are claimed.
async fn create(bench: &Bench, tasks: &[NewTask], most: usize) -> (CreationReport, Vec<ClaimedStep>) {
    let mut first: Vec<_> = tasks.iter().flat_map(|task| ClaimedStep::first_of(task).unwrap()).take(most).collect();
    let steps = first.iter().map(|step| step.lease.step_uuid).collect();
    let claim = EagerClaim { host: "bench".into(), steps, planned: HashSet::new(), lease: LEASE };
    let (report, claimed) = bench.store.create_and_claim(tasks, &claim).await.unwrap();
    first.retain(|step| {
        claimed.get(&step.lease.step_uuid).is_some_and(|message| {
            step.lease.message_id.learn(*message);
            true
        })
    });
    (report, first)
}

fn names(steps: &[ClaimedStep]) -> Vec<&str> {
    steps.iter().map(|step| step.name.as_str()).collect()
}

#[tokio::test]
async fn the_first_steps_of_a_task_are_claimed_as_far_as_there_is_room_and_the_rest_is_queued() {
    let bench = Bench::new().await;
    let task = bench.plan(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[0])]);
    let (report, claimed) = create(&bench, std::slice::from_ref(&task), 2).await;
    assert_eq!((names(&claimed), report.enqueued), (vec!["a", "b"], 1));
    assert_eq!(bench.state(&task, 0).await, StepState::InProgress);
    assert_eq!(bench.transitions(task.steps[0].step_uuid).await, ["pending>enqueued", "enqueued>in_progress"]);

    // Nobody else finds them, and the third is for anybody.
    assert_eq!(names(&bench.claim(10).await), ["c"]);
    assert_eq!(bench.complete(&claimed).await.refused(), 0);
    assert_eq!(names(&bench.claim(10).await), ["d"]);
    assert_eq!(bench.messages().await, 2);
}

#[tokio::test]
async fn a_step_that_is_claimed_with_its_task_comes_as_any_claim_would_bring_it() {
    let bench = Bench::new().await;
    let tasks = [bench.plan(&[("a", &[]), ("b", &[0])]), bench.plan(&[("a", &[])]), bench.plan(&[])];
    let (report, claimed) = create(&bench, &tasks, 9).await;
    assert_eq!((claimed.len(), report.enqueued), (2, 0));
    for step in &claimed {
        let as_claimed: ClaimedStep = sqlx::query_as("select * from tasker.claimed_steps($1, $2)")
            .bind([step.lease.message_id.get().unwrap()])
            .bind([step.lease.step_uuid])
            .fetch_one(&bench.pool)
            .await
            .unwrap();
        assert_eq!(told(step), told(&as_claimed));
        assert_eq!(step.lease, as_claimed.lease);
    }
}

#[tokio::test]
async fn a_step_whose_host_is_lost_with_the_task_it_created_comes_back() {
    let bench = Bench::new().await;
    let lost = create(&bench, &[bench.plan(&[("a", &[])])], 1).await.1;
    bench.lapse_leases().await;
    let again = bench.claim_one().await;
    assert_eq!((again.attempts, again.lapses, again.lease.claim), (1, 1, 2));
    assert_eq!(bench.complete(&lost).await.refused(), 1);
    assert_eq!(bench.complete(&[again]).await.tasks.len(), 1);
}

#[tokio::test]
async fn nothing_is_claimed_with_its_task_in_a_namespace_that_is_paused_or_bounded_and_nothing_of_several() {
    for change in ["paused_at = now()", "max_concurrent = 5"] {
        let bench = Bench::new().await;
        bench.pool.execute(sqlx::AssertSqlSafe(format!("update tasker.namespaces set {change}"))).await.unwrap();
        let (report, claimed) = create(&bench, &[bench.plan(&[("a", &[])])], 3).await;
        assert_eq!((claimed.len(), report.enqueued), (0, 1), "{change}");
    }
    let bench = Bench::new().await;
    let smithy = bench.store.register_template(&template_of("smithy")).await.unwrap();
    let tasks = [bench.plan(&[("a", &[])]), plan(smithy, "smithy", &[("b", &[])])];
    let (report, claimed) = create(&bench, &tasks, 3).await;
    assert_eq!((claimed.len(), report.enqueued), (0, 2));
}

#[tokio::test]
async fn nothing_is_claimed_of_a_task_that_is_there_already() {
    let bench = Bench::new().await;
    let identified = || NewTask { identity: Some([7; 32]), ..bench.plan(&[("a", &[])]) };
    let first = identified();
    let (_, claimed) = create(&bench, std::slice::from_ref(&first), 1).await;
    assert_eq!(claimed.len(), 1);
    let tasks = [identified(), bench.plan(&[("b", &[])])];
    let (report, claimed) = create(&bench, &tasks, 2).await;
    assert_eq!((report.duplicates, names(&claimed)), (vec![Some(first.task_uuid), None], vec!["b"]));
}
