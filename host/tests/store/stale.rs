use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor};
use tasker_wasm_host::store::{
    DeadLetterFilter, DeadLetterReason, DeadLetterUpdate, NewTask, NewTemplate, OperateError, Operator, Resolution,
    StaleTask, StalenessThresholds, StepState, TaskState,
};
use uuid::Uuid;

use super::grow_task::task_state;
use super::support::{Bench, LEASE, NAMESPACE, failed, plan, succeeded, tasks_read, template_of, to_be_retried};

const THRESHOLDS: StalenessThresholds =
    StalenessThresholds { waiting_for_dependencies: 60, waiting_for_retry: 30, steps_in_process: 30, lifetime: 1_440 };

fn by() -> Operator {
    Operator { actor: "grace".into(), reason: "looked into".into() }
}

impl Bench {
    /// Moves everything that happened this many minutes back.
    async fn age(&self, minutes: u32) {
        self.pool
            .execute(AssertSqlSafe(format!(
                "update tasker.tasks set created_at = created_at - interval '{minutes} min',
                    updated_at = updated_at - interval '{minutes} min';
                update tasker.steps set updated_at = updated_at - interval '{minutes} min'"
            )))
            .await
            .unwrap();
    }

    async fn detect(&self) -> Vec<StaleTask> {
        self.detect_with(THRESHOLDS, false).await
    }

    async fn detect_with(&self, thresholds: StalenessThresholds, dry_run: bool) -> Vec<StaleTask> {
        let page = self.store.detect_stale_tasks(None, 100, thresholds, dry_run).await.unwrap();
        assert_eq!(page.next, None);
        page.tasks
    }

    async fn entries(&self) -> Vec<tasker_wasm_host::store::DeadLetter> {
        self.store.dead_letters(&DeadLetterFilter { limit: 100, ..DeadLetterFilter::default() }).await.unwrap()
    }

    /// A task of a template with this lifecycle, of one step.
    async fn task_with(&self, lifecycle: &str) -> NewTask {
        let template = NewTemplate {
            configuration_json: format!(r#"{{"name":"bread","steps":[],"lifecycle":{lifecycle}}}"#),
            digest: lifecycle.into(),
            ..template_of(NAMESPACE)
        };
        let template = self.store.register_template(&template).await.unwrap();
        let task = plan(template, NAMESPACE, &[("a", &[])]);
        self.store.create_tasks(std::slice::from_ref(&task)).await.unwrap();
        task
    }
}

#[tokio::test]
async fn a_task_nobody_runs_is_given_up_with_a_dead_letter() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[0])]).await;
    bench.age(29).await;
    assert!(bench.detect().await.is_empty());
    bench.age(2).await;
    let stale = bench.detect().await.remove(0);
    assert_eq!(
        (stale.task_uuid, stale.state, stale.reason, stale.minutes, stale.allowed_minutes, stale.failed),
        (task.task_uuid, TaskState::StepsInProcess, DeadLetterReason::WorkerUnavailable, 31, 30, true)
    );
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!((view.status, view.completed_at.is_some()), (TaskState::Error, true));
    let entry = bench.entries().await.remove(0);
    assert_eq!(Some(entry.dlq_entry_uuid), stale.dlq_entry_uuid);
    assert_eq!((entry.namespace.as_str(), entry.name.as_str()), (NAMESPACE, "bread"));
    assert_eq!(entry.resolution_status, Resolution::Pending);
    let snapshot: serde_json::Value = serde_json::from_str(entry.task_snapshot.get()).unwrap();
    assert_eq!(snapshot["steps"][0]["state"], "enqueued");
    let changes = bench.store.transitions(task.task_uuid, 0).await.unwrap();
    assert_eq!(changes.last().unwrap().reason.as_deref(), Some("worker_unavailable"));

    assert!(bench.detect().await.is_empty(), "once");
    assert!(bench.claim(10).await.is_empty(), "its steps are not started any more");
    // It can be taken up again.
    bench.store.reset_task(task.task_uuid, &by()).await.unwrap();
    bench.complete(&[bench.claim_one().await]).await;
    bench.complete(&[bench.claim_one().await]).await;
    assert_eq!(task_state(&bench, &task).await, TaskState::Complete);
}

#[tokio::test]
async fn a_step_that_runs_on_a_live_lease_makes_no_task_stale_but_its_lifetime_does() {
    let bench = Bench::new().await;
    let task = bench.task(&[("slow", &[])]).await;
    let slow = bench.claim_one().await;
    bench.store.write_planned(&[task.task_uuid], "host-1").await.unwrap();
    bench.age(1_000).await;
    assert!(bench.detect().await.is_empty());
    bench.age(500).await;
    let stale = bench.detect().await.remove(0);
    assert_eq!((stale.reason, stale.allowed_minutes), (DeadLetterReason::StalenessTimeout, 1_440));
    // What runs may finish.
    assert_eq!(bench.complete(&[slow]).await.refused(), 0);
    assert_eq!(bench.state(&task, 0).await, StepState::Complete);
    assert_eq!(task_state(&bench, &task).await, TaskState::Error);
    let operated = bench.store.reset_task(task.task_uuid, &by()).await.unwrap();
    assert_eq!(operated.task_state, TaskState::Complete, "nothing is left to do");
}

#[tokio::test]
async fn a_lease_that_ended_long_ago_means_that_nobody_is_there() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    bench.claim_one().await;
    bench.age(31).await;
    bench.lapse_leases().await;
    assert_eq!(bench.detect().await.remove(0).reason, DeadLetterReason::WorkerUnavailable);
}

#[tokio::test]
async fn a_step_that_waits_its_turn_in_a_busy_queue_is_not_stale() {
    let bench = Bench::new().await;
    bench.task(&[("first", &[])]).await;
    let waiting = bench.task(&[("second", &[])]).await;
    let busy = bench.claim(1).await;
    bench.age(40).await;
    assert!(bench.detect().await.is_empty());
    bench.complete(&busy).await;
    let stale = bench.detect().await;
    assert_eq!(stale.iter().map(|task| task.task_uuid).collect::<Vec<_>>(), [waiting.task_uuid]);
}

#[tokio::test]
async fn a_step_whose_message_is_lost_is_found() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    bench.pool.execute("delete from pgmq.q_worker_bakery_queue").await.unwrap();
    bench.task(&[("b", &[])]).await;
    bench.claim_one().await;
    bench.age(31).await;
    let stale = bench.detect().await;
    assert_eq!((stale.len(), stale[0].reason), (1, DeadLetterReason::StalenessTimeout));
}

#[tokio::test]
async fn what_a_task_rests_in_decides_how_long_it_may() {
    let bench = Bench::new().await;
    let retrying = bench.task(&[("a", &[])]).await;
    let retry = to_be_retried(&bench.claim_one().await, Duration::from_secs(90_000));
    bench.store.complete_steps(&[retry]).await.unwrap();
    assert_eq!(task_state(&bench, &retrying).await, TaskState::WaitingForRetry);
    let waiting = bench.task(&[("b", &[])]).await;
    bench.write_steps().await;
    // No function brings this about; it is what the detection is a backstop for.
    bench.pool.execute("delete from pgmq.q_worker_bakery_queue").await.unwrap();
    bench
        .pool
        .execute(AssertSqlSafe(format!(
            "alter table tasker.steps disable trigger step_transitions;
            update tasker.steps set state = 'pending', pending_parents = 1 where task_uuid = '{}';
            alter table tasker.steps enable trigger step_transitions",
            waiting.task_uuid
        )))
        .await
        .unwrap();
    assert_eq!(task_state(&bench, &waiting).await, TaskState::WaitingForDependencies);

    bench.age(31).await;
    let stale = bench.detect().await;
    assert_eq!((stale.len(), stale[0].task_uuid, stale[0].state), (1, retrying.task_uuid, TaskState::WaitingForRetry));
    bench.age(30).await;
    let stale = bench.detect().await;
    assert_eq!(
        (stale.len(), stale[0].task_uuid, stale[0].state, stale[0].allowed_minutes),
        (1, waiting.task_uuid, TaskState::WaitingForDependencies, 60)
    );
}

#[tokio::test]
async fn a_blocked_task_waits_for_a_person_until_its_lifetime_is_over() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    bench.store.complete_steps(&[failed(&bench.claim_one().await)]).await.unwrap();
    bench.age(1_400).await;
    assert!(bench.detect().await.is_empty());
    bench.age(60).await;
    let stale = bench.detect().await.remove(0);
    assert_eq!((stale.state, stale.reason), (TaskState::BlockedByFailures, DeadLetterReason::StalenessTimeout));
}

#[tokio::test]
async fn the_lifecycle_of_a_template_goes_before_the_settings() {
    let bench = Bench::new().await;
    let patient = bench.task_with(r#"{"max_steps_in_process_minutes":90,"max_duration_minutes":120}"#).await;
    let hasty = bench.task_with(r#"{"max_steps_in_process_minutes":5}"#).await;
    bench.age(10).await;
    let stale = bench.detect().await;
    assert_eq!((stale.len(), stale[0].task_uuid, stale[0].allowed_minutes), (1, hasty.task_uuid, 5));
    bench.age(70).await;
    assert!(bench.detect().await.is_empty());
    bench.age(20).await;
    let stale = bench.detect().await;
    assert_eq!((stale.len(), stale[0].task_uuid, stale[0].allowed_minutes), (1, patient.task_uuid, 90));
}

#[tokio::test]
async fn the_staleness_action_says_what_becomes_of_the_task() {
    let bench = Bench::new().await;
    let cases = [
        (r#"{"staleness_action":"dlq"}"#, Some((true, true))),
        (r#"{"staleness_action":"error"}"#, Some((false, true))),
        (r#"{"staleness_action":"none"}"#, None),
        (r#"{"staleness_action":"dlq","auto_fail_on_timeout":false}"#, Some((true, false))),
        (r#"{"staleness_action":"error","auto_dlq_on_timeout":true}"#, Some((true, true))),
        (r#"{"staleness_action":"none","auto_fail_on_timeout":true}"#, Some((false, true))),
        (r#"{"staleness_action":null,"auto_dlq_on_timeout":null}"#, Some((true, true))),
    ];
    let mut tasks = Vec::new();
    for (lifecycle, _) in cases {
        tasks.push(bench.task_with(lifecycle).await);
    }
    bench.age(31).await;
    let stale = bench.detect().await;
    for ((lifecycle, expected), task) in cases.iter().zip(&tasks) {
        let found = stale.iter().find(|stale| stale.task_uuid == task.task_uuid);
        assert_eq!(found.map(|stale| (stale.dlq_entry_uuid.is_some(), stale.failed)), *expected, "{lifecycle}");
        let state = task_state(&bench, task).await;
        assert_eq!(state == TaskState::Error, expected.is_some_and(|(_, fails)| fails), "{lifecycle}");
    }
    // The one that goes on in spite of its entry gets no second one, neither now nor when the first is resolved.
    assert!(bench.detect().await.is_empty());
    let entry = stale.iter().find(|stale| !stale.failed).unwrap().dlq_entry_uuid.unwrap();
    let resolved = DeadLetterUpdate {
        resolution_status: Some(Resolution::Cancelled),
        resolved_by: Some("grace".into()),
        ..DeadLetterUpdate::default()
    };
    bench.store.update_dead_letter(entry, &resolved, "grace").await.unwrap();
    assert!(bench.detect().await.is_empty());
}

#[tokio::test]
async fn a_paused_namespace_holds_no_stale_task_and_time_begins_when_it_is_resumed() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    bench.store.pause_namespace(NAMESPACE, &by()).await.unwrap();
    bench.age(200).await;
    assert!(bench.detect().await.is_empty());
    bench.store.resume_namespace(NAMESPACE, "ada").await.unwrap();
    assert!(bench.detect().await.is_empty());
    bench.pool.execute("update tasker.namespaces set resumed_at = resumed_at - interval '31 min'").await.unwrap();
    assert_eq!(bench.detect().await.len(), 1);
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[])]).await;
    bench.age(31).await;
    let told = bench.detect_with(THRESHOLDS, true).await.remove(0);
    assert_eq!((told.task_uuid, told.failed, told.dlq_entry_uuid), (task.task_uuid, true, None));
    assert_eq!(task_state(&bench, &task).await, TaskState::StepsInProcess);
    assert!(bench.entries().await.is_empty());
}

#[tokio::test]
async fn many_hosts_give_every_task_up_once_page_by_page() {
    let bench = Bench::with_connections(8).await;
    let tasks: Vec<_> = (0..45).map(|_| bench.plan(&[("a", &[])])).collect();
    bench.store.create_tasks(&tasks).await.unwrap();
    bench.age(31).await;
    let hosts = (0..6).map(|_| async {
        let (mut after, mut given_up) = (None, 0);
        loop {
            let page = bench.store.detect_stale_tasks(after, 10, THRESHOLDS, false).await.unwrap();
            given_up += page.tasks.len();
            match page.next {
                None => return given_up,
                next => after = next,
            }
        }
    });
    let given_up: usize = futures::future::join_all(hosts).await.into_iter().sum();
    assert_eq!((given_up, bench.entries().await.len()), (45, 45));
    assert_eq!(bench.number("select count(*) from tasker.tasks where state <> 'error'").await, 0);
}

#[tokio::test]
async fn the_look_reads_the_index_of_what_is_active_and_nothing_of_what_is_over() {
    let bench = Bench::new().await;
    let over: Vec<_> = (0..300).map(|_| bench.plan(&[])).collect();
    bench.store.create_tasks(&over).await.unwrap();
    bench.task(&[("a", &[])]).await;
    bench.age(31).await;
    bench.pool.execute("vacuum analyze tasker.tasks").await.unwrap();
    let mut connection = bench.pool.acquire().await.unwrap();
    connection.execute("begin").await.unwrap();
    let before = tasks_read(&mut connection).await;
    sqlx::query("select * from tasker.detect_stale_tasks(null, array[gen_random_uuid()], true, 60, 30, 30, 1440)")
        .execute(&mut *connection)
        .await
        .unwrap();
    let after = tasks_read(&mut connection).await;
    connection.execute("rollback").await.unwrap();
    assert!(after - before < 20, "{} rows of tasks were read", after - before);
}

#[tokio::test]
async fn dead_letters_are_filtered_counted_and_queued_by_urgency() {
    let bench = Bench::new().await;
    let smithy = bench.store.register_template(&template_of("smithy")).await.unwrap();
    bench.task(&[("lost", &[])]).await;
    bench.pool.execute("delete from pgmq.q_worker_bakery_queue").await.unwrap();
    let unavailable = plan(smithy, "smithy", &[("b", &[])]);
    bench.store.create_tasks(std::slice::from_ref(&unavailable)).await.unwrap();
    bench.age(31).await;
    assert_eq!(bench.detect().await.len(), 2);

    let list = |filter: DeadLetterFilter| {
        let store = bench.store.clone();
        async move { store.dead_letters(&DeadLetterFilter { limit: 10, ..filter }).await.unwrap().len() }
    };
    let all = DeadLetterFilter::default();
    assert_eq!(list(all.clone()).await, 2);
    assert_eq!(list(DeadLetterFilter { namespaces: Some(vec!["smithy".into()]), ..all.clone() }).await, 1);
    assert_eq!(list(DeadLetterFilter { task_uuid: Some(unavailable.task_uuid), ..all.clone() }).await, 1);
    let reason = Some(DeadLetterReason::StalenessTimeout);
    assert_eq!(list(DeadLetterFilter { dlq_reason: reason, ..all.clone() }).await, 1);
    assert_eq!(list(DeadLetterFilter { resolution_status: Some(Resolution::Cancelled), ..all.clone() }).await, 0);
    assert_eq!(list(DeadLetterFilter { offset: 1, ..all }).await, 1);

    let queue = bench.store.investigation_queue(None, 10).await.unwrap();
    assert_eq!(queue[0].dlq_reason, DeadLetterReason::WorkerUnavailable);
    assert_eq!(queue[1].dlq_reason, DeadLetterReason::StalenessTimeout);
    // Age outweighs the reason in time.
    bench
        .pool
        .execute(
            "update tasker.dead_letters set dlq_timestamp = now() - interval '10 h' where dlq_reason like 'stale%'",
        )
        .await
        .unwrap();
    let queue = bench.store.investigation_queue(None, 1).await.unwrap();
    assert_eq!((queue[0].dlq_reason, queue[0].minutes_in_dlq as i64), (DeadLetterReason::StalenessTimeout, 600));
    let stats = bench.store.dead_letter_stats(None).await.unwrap();
    assert_eq!(stats.iter().map(|of| (of.total_entries, of.pending)).collect::<Vec<_>>(), [(1, 1), (1, 1)]);
}

#[tokio::test]
async fn an_entry_is_resolved_once_by_somebody_and_its_notes_go_on() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    bench.age(31).await;
    let entry = bench.detect().await.remove(0).dlq_entry_uuid.unwrap();
    let update = |status, notes: &str, by: Option<&str>| DeadLetterUpdate {
        resolution_status: status,
        resolution_notes: Some(notes.into()),
        resolved_by: by.map(Into::into),
        metadata: None,
    };
    let nobody =
        bench.store.update_dead_letter(entry, &update(Some(Resolution::ManuallyResolved), "", None), "grace").await;
    assert!(matches!(nobody, Err(OperateError::NotSaid { what: "who" })), "{nobody:?}");
    let noted = bench.store.update_dead_letter(entry, &update(None, "looking", None), "grace").await.unwrap();
    assert_eq!((noted.resolution_status, noted.resolution_timestamp), (Resolution::Pending, None));
    let resolved = update(Some(Resolution::ManuallyResolved), "a host was down", Some("grace"));
    let resolved = bench.store.update_dead_letter(entry, &resolved, "grace").await.unwrap();
    assert_eq!(resolved.resolved_by.as_deref(), Some("grace"));
    assert!(resolved.resolution_timestamp.is_some());
    let other = update(Some(Resolution::PermanentlyFailed), "", Some("ada"));
    let refusal = bench.store.update_dead_letter(entry, &other, "ada").await.unwrap_err();
    assert!(matches!(refusal, OperateError::Resolved { status: Resolution::ManuallyResolved, .. }), "{refusal}");
    let noted = bench.store.update_dead_letter(entry, &update(None, "two hosts", None), "grace").await.unwrap();
    assert_eq!(noted.resolution_notes.as_deref(), Some("two hosts"));
    assert_eq!(noted.resolution_timestamp, resolved.resolution_timestamp);
    let unknown =
        bench.store.update_dead_letter(Uuid::now_v7(), &DeadLetterUpdate::default(), "ada").await.unwrap_err();
    assert!(matches!(unknown, OperateError::UnknownDeadLetter { .. }), "{unknown}");
}

#[tokio::test]
async fn a_renewed_lease_keeps_its_task_alive() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    let step = bench.claim_one().await;
    bench.age(31).await;
    bench.lapse_leases().await;
    bench.store.renew_leases(std::slice::from_ref(&step.lease), LEASE).await.unwrap();
    assert!(bench.detect().await.is_empty());
    bench.store.complete_steps(&[succeeded(&step)]).await.unwrap();
}
