use sqlx::Executor;
use tasker_wasm_host::store::{ClaimedStep, CompletionReport, GoOn, StepState, TakeOver};
use uuid::Uuid;

use super::support::{Bench, LEASE, NAMESPACE, plan, request, succeeded, template_of};

/// Completes a step with room for so many others. Answers what that brought, and which of them are claimed.
async fn complete(bench: &Bench, step: &ClaimedStep, places: u32) -> (CompletionReport, Vec<ClaimedStep>) {
    let go_on = GoOn {
        namespaces: vec![NAMESPACE.into(), "elsewhere".into()],
        places: vec![places, 9],
        lease: LEASE,
        ..GoOn::default()
    };
    let mut claimed = Vec::new();
    let report = bench.store.complete_and_go_on(&[succeeded(step)], &go_on, &mut claimed).await.unwrap();
    (report, claimed)
}

fn names(steps: &[ClaimedStep]) -> Vec<&str> {
    steps.iter().map(|step| step.name.as_str()).collect()
}

#[tokio::test]
async fn a_host_goes_on_with_what_it_has_room_for_and_the_rest_is_queued() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[0]), ("e", &[1, 2, 3])]).await;

    let (report, claimed) = complete(&bench, &bench.claim_one().await, 2).await;
    assert_eq!((names(&claimed), report.enqueued), (vec!["b", "c"], 1));
    let step = &claimed[0];
    assert_eq!((step.attempts, step.lease.claim, step.lapses), (1, 1, 0));
    assert!(step.dependency_results.get().contains(r#""a""#), "{}", step.dependency_results);
    assert_eq!(bench.state(&task, 1).await, StepState::InProgress);
    // Its history is that of any other step.
    assert_eq!(bench.transitions(task.steps[1].step_uuid).await, ["pending>enqueued", "enqueued>in_progress"]);

    // Nobody else finds them, and the third is for anybody.
    let queued = bench.claim(10).await;
    assert_eq!(names(&queued), ["d"]);
    bench.complete(&[queued[0].clone(), claimed[0].clone()]).await;
    let (_, last) = complete(&bench, &claimed[1], 2).await;
    assert_eq!(names(&last), ["e"]);
    assert_eq!(complete(&bench, &last[0], 2).await.0.tasks.len(), 1);
    assert_eq!(bench.messages().await, 0);
}

#[tokio::test]
async fn what_a_host_has_begun_with_is_claimed_beside_what_it_has_room_for() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[0]), ("e", &[0, 3])]).await;
    let begun = vec![task.steps[3].step_uuid, task.steps[4].step_uuid];
    let go_on = GoOn { namespaces: vec![NAMESPACE.into()], places: vec![1], begun, lease: LEASE, ..GoOn::default() };
    let mut claimed = Vec::new();
    let first = succeeded(&bench.claim_one().await);
    bench.store.complete_and_go_on(std::slice::from_ref(&first), &go_on, &mut claimed).await.unwrap();
    assert_eq!(names(&claimed), ["b", "d"]);
    assert_eq!(names(&bench.claim(10).await), ["c"]);
    assert_eq!(bench.state(&task, 4).await, StepState::Pending);
}

#[tokio::test]
async fn a_step_whose_host_is_lost_before_it_went_on_comes_back() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[0])]).await;
    let lost = complete(&bench, &bench.claim_one().await, 1).await.1.remove(0);

    bench.lapse_leases().await;
    let again = bench.claim_one().await;
    assert_eq!((again.name.as_str(), again.attempts, again.lapses), ("b", 1, 1));
    assert_eq!(complete(&bench, &lost, 1).await.0.refused(), 1);
    assert_eq!(complete(&bench, &again, 1).await.0.tasks.len(), 1);
}

#[tokio::test]
async fn nobody_goes_on_in_a_namespace_that_is_paused_or_bounded_or_not_theirs() {
    for change in ["paused_at = now()", "max_concurrent = 5"] {
        let bench = Bench::new().await;
        bench.task(&[("a", &[]), ("b", &[0])]).await;
        let step = bench.claim_one().await;
        let bound = sqlx::AssertSqlSafe(format!("update tasker.namespaces set {change}"));
        bench.pool.execute(bound).await.unwrap();
        let (report, claimed) = complete(&bench, &step, 3).await;
        assert_eq!((claimed.len(), report.enqueued), (0, 1), "{change}");
    }
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[0])]).await;
    let (report, claimed) = complete(&bench, &bench.claim_one().await, 0).await;
    assert_eq!((claimed.len(), report.enqueued), (0, 1));
}

#[tokio::test]
async fn a_completion_that_is_refused_goes_on_with_nothing() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[0])]).await;
    let stale = bench.claim_one().await;
    bench.lapse_leases().await;
    bench.claim_one().await;
    let (report, claimed) = complete(&bench, &stale, 3).await;
    assert_eq!((report.refused(), claimed.len()), (1, 0));
}

#[tokio::test]
async fn what_a_host_goes_on_with_has_a_message_even_where_the_one_before_has_lost_its_own() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[0])]).await;
    let step = bench.claim_one().await;
    bench.pool.execute("delete from pgmq.q_worker_bakery_queue").await.unwrap();
    let (_, claimed) = complete(&bench, &step, 1).await;
    assert_eq!((names(&claimed), bench.messages().await), (vec!["b"], 1));

    bench.lapse_leases().await;
    let again = bench.claim_one().await;
    assert_eq!((again.name.as_str(), &again.lease.message_id), ("b", &claimed[0].lease.message_id));
}

#[tokio::test]
async fn steps_of_several_namespaces_go_on_in_one_commit_each_with_a_message_of_its_own_queue() {
    let bench = Bench::new().await;
    let smithy = bench.store.register_template(&template_of("smithy")).await.unwrap();
    let of_smithy: &[(&str, &[usize])] = &[("c", &[]), ("d", &[0]), ("e", &[0])];
    bench
        .store
        .create_tasks(&[bench.plan(&[("a", &[]), ("b", &[0])]), plan(smithy, "smithy", of_smithy)])
        .await
        .unwrap();
    let claimed = bench.store.claim_steps(&request(&[NAMESPACE, "smithy"], 10)).await.unwrap();

    let go_on = GoOn {
        namespaces: vec![NAMESPACE.into(), "smithy".into()],
        places: vec![9, 1],
        lease: LEASE,
        ..GoOn::default()
    };
    let ends: Vec<_> = claimed.iter().map(succeeded).collect();
    let mut claimed = Vec::new();
    let report = bench.store.complete_and_go_on(&ends, &go_on, &mut claimed).await.unwrap();
    claimed.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!((names(&claimed), report.enqueued), (vec!["b", "d"], 1));
    for (step, queue) in claimed.iter().zip(["bakery", "smithy"]) {
        assert_eq!(step.lease.namespace, queue);
        let message = format!("select message ->> 'step_uuid' from pgmq.q_worker_{queue}_queue where msg_id = $1");
        let of: String = sqlx::query_scalar(sqlx::AssertSqlSafe(message))
            .bind(step.lease.message_id.get())
            .fetch_one(&bench.pool)
            .await
            .unwrap();
        assert_eq!(of, step.lease.step_uuid.to_string());
    }
    let queued = bench.store.claim_steps(&request(&["smithy"], 10)).await.unwrap();
    assert_eq!(names(&queued), ["e"]);
}

/// Looks, from elsewhere, at whether each step it gets is claimed for others too.
struct Onlooker<'a> {
    bench: &'a Bench,
    seen: Vec<StepState>,
}

impl TakeOver for Onlooker<'_> {
    fn has_begun(&mut self, _: Uuid, _: i64) -> bool {
        false
    }

    async fn take(&mut self, step: ClaimedStep) {
        let steps = self.bench.store.steps(step.lease.task_uuid).await.unwrap();
        self.seen.extend(steps.iter().filter(|seen| seen.name == step.name).map(|seen| seen.current_state));
    }
}

#[tokio::test]
async fn a_host_has_what_it_goes_on_with_while_the_commit_is_on_its_way_to_the_disk() {
    let bench = Bench::new().await;
    bench.slow_commits().await;
    let store = bench.store.alone();
    let go_on = GoOn { namespaces: vec![NAMESPACE.into()], places: vec![9], lease: LEASE, ..GoOn::default() };
    let mut onlooker = Onlooker { bench: &bench, seen: Vec::new() };
    // A machine that stands still for so long may miss one of them.
    for _ in 0..10 {
        bench.task(&[("a", &[]), ("b", &[0])]).await;
        let ends = [succeeded(&bench.claim_one().await)];
        store.complete_and_go_on(&ends, &go_on, &mut onlooker).await.unwrap();
    }
    assert_eq!(onlooker.seen.len(), 10);
    assert!(onlooker.seen.contains(&StepState::Pending), "{:?}", onlooker.seen);
}
