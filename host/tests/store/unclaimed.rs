//! The ends of steps that wait for each other, in one commit.

use tasker_wasm_host::store::{
    Acceptance, ClaimedStep, Completion, CompletionReport, GoOn, Lease, MessageId, NewTask, StepState, TaskState,
};

use super::support::{Bench, LEASE, NAMESPACE, failed, succeeded, to_be_retried};

/// A task, and its steps as a host knows them that has run them: the first is claimed.
async fn begun(bench: &Bench, steps: &[(&str, &[usize])]) -> (NewTask, Vec<ClaimedStep>) {
    let task = bench.task(steps).await;
    let first = bench.claim_one().await;
    let known = |(place, step): (usize, &tasker_wasm_host::store::NewStep)| match place {
        0 => first.clone(),
        _ => ClaimedStep {
            lease: Lease {
                step_uuid: step.step_uuid,
                message_id: MessageId::default(),
                guarded: !task.steps.iter().any(|other| other.parents.contains(&place)),
                planned: None,
                ..first.lease.clone()
            },
            name: step.name.clone(),
            ..first.clone()
        },
    };
    let known = task.steps.iter().enumerate().map(known).collect();
    (task, known)
}

/// Commits the end of the first step with those that follow it, with room for so many steps. Answers what that brought, and
/// which others are claimed.
async fn complete(bench: &Bench, ends: &[Completion], places: u32) -> (CompletionReport, Vec<ClaimedStep>) {
    let go_on = GoOn {
        namespaces: vec![NAMESPACE.into()],
        places: vec![places],
        lease: LEASE,
        begun: Vec::new(),
        unclaimed: ends.len() as u32 - 1,
    };
    let mut others = Vec::new();
    let report = bench.store.complete_and_go_on(ends, &go_on, &mut others).await.unwrap();
    (report, others)
}

fn ends(steps: &[ClaimedStep]) -> Vec<Completion> {
    steps.iter().map(succeeded).collect()
}

fn names(steps: &[ClaimedStep]) -> Vec<&str> {
    steps.iter().map(|step| step.name.as_str()).collect()
}

const ROW: &[(&str, &[usize])] = &[("a", &[]), ("b", &[0]), ("c", &[1]), ("d", &[2])];

#[tokio::test]
async fn steps_in_a_row_end_in_one_commit_as_they_would_in_several() {
    let bench = Bench::new().await;
    let (task, steps) = begun(&bench, ROW).await;
    let (report, others) = complete(&bench, &ends(&steps[..3]), 1).await;
    assert_eq!((report.accepted, report.enqueued), (vec![Acceptance::Accepted; 3], 0));
    for place in 0..3 {
        assert_eq!(bench.state(&task, place).await, StepState::Complete);
    }
    let history = ["pending>enqueued", "enqueued>in_progress", "in_progress>complete"];
    assert_eq!(bench.transitions(task.steps[1].step_uuid).await, history);
    assert_eq!((names(&others), bench.messages().await), (vec!["d"], 1));
    assert!(others[0].dependency_results.get().contains(r#""b""#), "{}", others[0].dependency_results);
    assert_eq!(bench.complete(&others).await.tasks.len(), 1);
    assert_eq!(bench.messages().await, 0);
}

#[tokio::test]
async fn a_whole_task_ends_in_one_commit() {
    let bench = Bench::new().await;
    let join: &[(&str, &[usize])] = &[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[1, 2]), ("e", &[0])];
    let (task, mut steps) = begun(&bench, join).await;
    steps.swap(3, 4);
    let (report, others) = complete(&bench, &ends(&steps), 3).await;
    assert_eq!((report.accepted, others.len()), (vec![Acceptance::Accepted; 5], 0));
    assert_eq!(report.tasks.iter().map(|change| change.state).collect::<Vec<_>>(), [TaskState::Complete]);
    assert_eq!((bench.state(&task, 3).await, bench.messages().await), (StepState::Complete, 0));
}

#[tokio::test]
async fn what_the_host_may_not_claim_does_not_end() {
    for change in ["paused_at = now()", "max_concurrent = 5"] {
        let bench = Bench::new().await;
        let (task, steps) = begun(&bench, ROW).await;
        bench.set_namespaces(change).await;
        let (report, others) = complete(&bench, &ends(&steps[..3]), 3).await;
        assert_eq!(report.accepted, [Acceptance::Accepted, Acceptance::Refused, Acceptance::Refused], "{change}");
        assert_eq!((report.enqueued, others.len(), bench.messages().await), (1, 0, 1), "{change}");
        assert_eq!(bench.state(&task, 1).await, StepState::Enqueued);
    }
}

#[tokio::test]
async fn what_has_ended_needs_no_room_and_what_there_is_none_for_is_queued() {
    let bench = Bench::new().await;
    let fan: &[(&str, &[usize])] = &[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[1]), ("e", &[2])];
    let (task, steps) = begun(&bench, fan).await;
    let (report, others) = complete(&bench, &ends(&steps[..3]), 1).await;
    assert_eq!(report.accepted, [Acceptance::Accepted; 3]);
    assert_eq!((names(&others), report.enqueued, bench.messages().await), (vec!["d"], 1, 2));
    assert_eq!(bench.state(&task, 4).await, StepState::Enqueued);
}

#[tokio::test]
async fn a_step_does_not_end_before_all_that_it_waits_for() {
    let bench = Bench::new().await;
    let join: &[(&str, &[usize])] = &[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[1, 2])];
    let (task, mut steps) = begun(&bench, join).await;
    steps.remove(2);
    let (report, others) = complete(&bench, &ends(&steps), 3).await;
    assert_eq!(report.accepted, [Acceptance::Accepted, Acceptance::Refused, Acceptance::Refused]);
    assert_eq!((others.len(), report.enqueued), (0, 2));
    assert_eq!(bench.state(&task, 3).await, StepState::Pending);
}

#[tokio::test]
async fn nothing_ends_after_a_step_whose_lease_is_lost() {
    let bench = Bench::new().await;
    let (task, steps) = begun(&bench, ROW).await;
    bench.lapse_leases().await;
    let again = bench.claim_one().await;
    let (report, others) = complete(&bench, &ends(&steps), 3).await;
    assert_eq!((report.refused(), others.len()), (4, 0));
    assert_eq!(bench.state(&task, 1).await, StepState::Pending);
    assert_eq!(bench.complete(&[again]).await.refused(), 0);
}

#[tokio::test]
async fn a_step_that_another_host_has_claimed_meanwhile_is_not_ended_by_one_that_ran_it_before() {
    let bench = Bench::new().await;
    let (task, steps) = begun(&bench, ROW).await;
    bench.lapse_leases().await;
    let again = bench.claim_one().await;
    let other = bench.task(&[("x", &[])]).await;
    let x = bench.claim_one().await;
    // Its claim has the number that this one would have had.
    let (report, theirs) = complete(&bench, &[succeeded(&again)], 1).await;
    assert_eq!((report.refused(), names(&theirs)), (0, vec!["b"]));
    let mine = [succeeded(&x), succeeded(&steps[0]), succeeded(&steps[1])];
    let go_on = GoOn { unclaimed: 1, ..GoOn::default() };
    let report = bench.store.complete_and_go_on(&mine, &go_on, &mut Vec::new()).await.unwrap();
    assert_eq!(report.accepted, [Acceptance::Accepted, Acceptance::Refused, Acceptance::Refused]);
    assert_eq!(
        (bench.state(&other, 0).await, bench.state(&task, 1).await),
        (StepState::Complete, StepState::InProgress)
    );
    assert_eq!(bench.complete(&theirs).await.refused(), 0);
}

#[tokio::test]
async fn a_step_that_fails_or_is_tried_again_may_do_so_in_the_same_commit() {
    let bench = Bench::new().await;
    let (task, steps) = begun(&bench, ROW).await;
    let (report, _) = complete(&bench, &[succeeded(&steps[0]), to_be_retried(&steps[1], LEASE)], 3).await;
    assert_eq!(report.refused(), 0);
    assert!(report.next_retry.is_some());
    assert_eq!((bench.state(&task, 1).await, bench.messages().await), (StepState::WaitingForRetry, 0));

    let (task, steps) = begun(&bench, ROW).await;
    let (report, _) = complete(&bench, &[succeeded(&steps[0]), failed(&steps[1])], 3).await;
    assert_eq!(report.tasks.iter().map(|change| change.state).collect::<Vec<_>>(), [TaskState::BlockedByFailures]);
    assert_eq!((bench.state(&task, 1).await, bench.messages().await), (StepState::Error, 0));
}

#[tokio::test]
async fn what_cannot_be_stored_costs_no_end_before_it() {
    let bench = Bench::new().await;
    let (task, steps) = begun(&bench, ROW).await;
    let mut unstorable = succeeded(&steps[1]);
    unstorable.attempt.error_type = Some("\0".into());
    let (report, _) = complete(&bench, &[succeeded(&steps[0]), unstorable], 3).await;
    assert_eq!(report.accepted, [Acceptance::Accepted, Acceptance::Refused]);
    assert_eq!((report.enqueued, bench.state(&task, 1).await), (1, StepState::Enqueued));
}
