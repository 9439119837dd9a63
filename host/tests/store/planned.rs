//! Tasks whose steps are written when they are done.

use tasker_wasm_host::store::{
    Acceptance, Checkpoint, ClaimedStep, Completion, DirectlyPublished, EagerClaim, Lease, NewDirectEvent, NewTask,
    Operator, StepState, TaskState,
};
use uuid::Uuid;

use super::support::{Bench, LEASE, NAMESPACE, failed, plan, raw, succeeded, template_of, to_be_retried};

pub(crate) const ROW: &[(&str, &[usize])] = &[("a", &[]), ("b", &[0]), ("c", &[1])];
pub(crate) const JOIN: &[(&str, &[usize])] = &[("a", &[]), ("b", &[0]), ("c", &[0]), ("d", &[1, 2])];

/// Creates planned tasks. Answers the steps as the host knows them that has begun with the first.
async fn create(bench: &Bench, tasks: &[NewTask]) -> Vec<ClaimedStep> {
    let mut first: Vec<_> = tasks.iter().flat_map(|task| known(task, |_, parents| parents.is_empty())).collect();
    let claim = EagerClaim {
        host: "host-1".into(),
        steps: first.iter().map(|step| step.lease.step_uuid).collect(),
        planned: tasks.iter().map(|task| task.task_uuid).collect(),
        lease: LEASE,
    };
    let (_, claimed) = bench.store.create_and_claim(tasks, &claim).await.unwrap();
    for step in &first {
        claimed.get(&step.lease.step_uuid).into_iter().for_each(|message| step.lease.message_id.learn(*message));
    }
    first.extend(tasks.iter().flat_map(|task| known(task, |_, parents| !parents.is_empty())));
    first
}

pub(crate) async fn created(bench: &Bench, steps: &[(&str, &[usize])]) -> (NewTask, Vec<ClaimedStep>) {
    let task = bench.plan(steps);
    let steps = create(bench, std::slice::from_ref(&task)).await;
    (task, steps)
}

/// Steps of a task as their first claims will say.
pub(crate) fn known(task: &NewTask, which: impl Fn(usize, &[usize]) -> bool) -> Vec<ClaimedStep> {
    let alone = |place: usize| {
        let mut step = task.steps[place].clone();
        step.parents.clear();
        let mut claimed = ClaimedStep::first_of(&NewTask { steps: vec![step], ..task.clone() }).unwrap().remove(0);
        claimed.lease.guarded = !task.steps.iter().any(|other| other.parents.contains(&place));
        claimed.lease.planned = task.planned("host-1");
        claimed
    };
    let places = (0..task.steps.len()).filter(|place| which(*place, &task.steps[*place].parents));
    places.map(alone).collect()
}

fn ends(steps: &[ClaimedStep]) -> Vec<Completion> {
    steps.iter().map(succeeded).collect()
}

/// Whether the tasks of these steps were completed at once.
pub(crate) async fn complete(bench: &Bench, steps: &[ClaimedStep]) -> bool {
    bench.store.complete_planned(&ends(steps)).await.unwrap()
}

pub(crate) async fn written(bench: &Bench) -> i64 {
    bench.number("select count(*) from tasker.steps").await
}

async fn task_state(bench: &Bench, task: &NewTask) -> TaskState {
    bench.store.task(task.task_uuid).await.unwrap().unwrap().status
}

/// Everything that rows say of a task but times and keys, and who began with it.
async fn record(bench: &Bench, task: &NewTask) -> Vec<String> {
    let said = "
        select row_to_json(t)::jsonb - array[
            'task_uuid', 'correlation_id', 'created_at', 'updated_at', 'completed_at', 'planned_by'
        ]
        from tasker.tasks t where task_uuid = $1
        union all (
            select row_to_json(s)::jsonb - array['step_uuid', 'task_uuid', 'created_at', 'updated_at', 'claimed_at']
            from tasker.steps s where task_uuid = $1 order by step_uuid
        ) union all (
            select row_to_json(a)::jsonb - array['step_uuid', 'started_at', 'finished_at']
            from tasker.attempts a join tasker.steps s using (step_uuid) where task_uuid = $1 order by step_uuid
        ) union all (
            select jsonb_build_array(parent.name, child.name)
            from tasker.edges join tasker.steps parent on parent.step_uuid = parent_uuid
            join tasker.steps child on child.step_uuid = child_uuid
            where parent.task_uuid = $1 order by parent.name, child.name
        ) union all (
            select jsonb_build_array(s.name, t.attempt, from_state, to_state, reason, actor)
            from tasker.changes t left join tasker.steps s using (step_uuid)
            where t.task_uuid = $1 order by s.name nulls first, sequence
        )";
    let rows: Vec<serde_json::Value> =
        sqlx::query_scalar(said).bind(task.task_uuid).fetch_all(&bench.pool).await.unwrap();
    rows.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_task_that_is_completed_at_once_is_written_as_if_it_had_been_step_by_step() {
    let bench = Bench::new().await;
    for shape in [&JOIN[..1], ROW, JOIN] {
        let (whole, steps) = created(&bench, shape).await;
        assert_eq!((task_state(&bench, &whole).await, bench.messages().await), (TaskState::StepsInProcess, 1));
        assert!(complete(&bench, &steps).await);
        assert_eq!((task_state(&bench, &whole).await, bench.messages().await), (TaskState::Complete, 0));

        let found = bench.task(shape).await;
        let first = bench.claim_one().await;
        let mut steps = known(&found, |place, _| place > 0);
        steps.insert(0, first);
        assert!(complete(&bench, &steps).await);
        assert_eq!(bench.messages().await, 0);

        let by_steps = bench.task(shape).await;
        bench.write_steps().await;
        loop {
            let claimed = bench.claim(10).await;
            if claimed.is_empty() {
                break;
            }
            bench.complete(&claimed).await;
        }
        let by_steps = record(&bench, &by_steps).await;
        assert_eq!((record(&bench, &whole).await, record(&bench, &found).await), (by_steps.clone(), by_steps));
    }
}

#[tokio::test]
async fn many_tasks_of_several_namespaces_are_completed_at_once() {
    let bench = Bench::new().await;
    let elsewhere = bench.store.register_template(&template_of("Attic")).await.unwrap();
    let here: Vec<_> = [JOIN, ROW, JOIN].iter().map(|shape| bench.plan(shape)).collect();
    let there: Vec<_> = [ROW, JOIN].iter().map(|shape| plan(elsewhere, "Attic", shape)).collect();
    let mut steps = create(&bench, &here).await;
    steps.extend(create(&bench, &there).await);
    steps.reverse();
    assert!(complete(&bench, &steps).await);
    for task in here.iter().chain(&there) {
        assert_eq!(task_state(&bench, task).await, TaskState::Complete);
    }
    let left =
        "select (select count(*) from pgmq.q_worker_bakery_queue) + (select count(*) from pgmq.q_worker_attic_queue)";
    assert_eq!((written(&bench).await, bench.number(left).await), (18, 0));
    let results = "select count(*) from tasker.steps where result ->> 'made by' = name";
    assert_eq!(bench.number(results).await, 18);
}

#[tokio::test]
async fn the_steps_are_counted_before_they_are_written() {
    let bench = Bench::new().await;
    let (task, _) = created(&bench, &[("a", &[]), ("b", &[]), ("c", &[0])]).await;
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!((view.total_steps, view.in_progress_steps, view.pending_steps), (3, 2, 1));
    assert_eq!((view.status, written(&bench).await), (TaskState::StepsInProcess, 0));
}

#[tokio::test]
async fn who_asks_for_the_steps_is_told_of_them_before_they_are_written() {
    let bench = Bench::new().await;
    let (begun, steps) = created(&bench, JOIN).await;
    let waiting = bench.task(JOIN).await;
    for (task, first) in [(&begun, StepState::InProgress), (&waiting, StepState::Enqueued)] {
        let seen = bench.store.steps(task.task_uuid).await.unwrap();
        let told: Vec<_> = seen.iter().map(|step| (step.name.as_str(), step.dependencies.join("+"))).collect();
        let expected = [("a", ""), ("b", "a"), ("c", "a"), ("d", "b+c")];
        assert_eq!(told, expected.map(|(name, parents)| (name, parents.to_owned())));
        assert_eq!((seen[0].current_state, seen[1].current_state), (first, StepState::Pending));
        let readiness = bench.store.step_readiness(task.task_uuid).await.unwrap();
        assert_eq!(readiness.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    }
    assert_eq!(written(&bench).await, 0);
    assert!(complete(&bench, &steps).await);
}

#[tokio::test]
async fn the_steps_are_the_same_before_and_after_they_are_written() {
    let bench = Bench::new().await;
    let task = bench.task(JOIN).await;
    let seen = async || serde_json::to_value(bench.store.steps(task.task_uuid).await.unwrap()).unwrap();
    let counts = async || {
        let task = bench.store.task(task.task_uuid).await.unwrap().unwrap();
        let states = bench.store.state_counts(None).await.unwrap();
        let there = bench.store.has_step_in(None, task.task_uuid, steps_of(&bench, &task.task_uuid).await[1]).await;
        (task.total_steps, task.pending_steps, task.in_progress_steps, format!("{states:?}"), there.unwrap())
    };
    let before = (seen().await, counts().await);
    bench.write_steps().await;
    assert_eq!((seen().await, counts().await), before);
}

async fn steps_of(bench: &Bench, task: &Uuid) -> Vec<Uuid> {
    bench.store.steps(*task).await.unwrap().iter().map(|step| step.step_uuid).collect()
}

#[tokio::test]
async fn a_task_that_was_written_meanwhile_keeps_others_from_nothing_but_the_same_commit() {
    let bench = Bench::new().await;
    let tasks = [bench.plan(ROW), bench.plan(ROW)];
    let steps = create(&bench, &tasks).await;
    bench.store.write_planned(&[tasks[1].task_uuid], "host-1").await.unwrap();
    assert!(!complete(&bench, &steps).await);
    let (of_first, of_second): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| step.lease.task_uuid == tasks[0].task_uuid);
    assert!(complete(&bench, &of_first).await);
    assert_eq!(bench.complete(&of_second[..1]).await.refused(), 0);
}

#[tokio::test]
async fn an_end_that_is_no_success_finds_the_steps_written() {
    let bench = Bench::new().await;
    let (failing, steps) = created(&bench, ROW).await;
    let report = bench.store.complete_steps(&[failed(&steps[0])]).await.unwrap();
    assert_eq!(report.accepted, [Acceptance::Accepted]);
    assert_eq!(task_state(&bench, &failing).await, TaskState::BlockedByFailures);

    let (retried, steps) = created(&bench, ROW).await;
    let report = bench.store.complete_steps(&[to_be_retried(&steps[0], LEASE)]).await.unwrap();
    assert_eq!(report.accepted, [Acceptance::Accepted]);
    assert_eq!(bench.state(&retried, 0).await, StepState::WaitingForRetry);
}

#[tokio::test]
async fn the_task_of_a_host_that_died_is_begun_again_when_its_lease_has_lapsed() {
    let bench = Bench::new().await;
    let (task, steps) = created(&bench, ROW).await;
    assert_eq!(bench.claim(10).await.len(), 0);
    bench.lapse_leases().await;
    let again = bench.claim_one().await;
    assert_eq!((again.name.as_str(), again.attempts, again.lapses, again.lease.claim), ("a", 1, 1, 2));

    assert!(!complete(&bench, &steps).await);
    assert_eq!(bench.complete(&steps[..1]).await.refused(), 1);
    assert_eq!(bench.complete(&[again]).await.refused(), 0);
    assert_eq!(bench.state(&task, 0).await, StepState::Complete);
}

#[tokio::test]
async fn a_claim_waits_for_nobody_who_holds_the_task_and_keeps_its_messages() {
    let bench = Bench::new().await;
    created(&bench, &[("a", &[]), ("b", &[])]).await;
    bench.lapse_leases().await;
    let mut held = bench.pool.begin().await.unwrap();
    sqlx::query("select from tasker.tasks for update").execute(&mut *held).await.unwrap();
    assert_eq!((bench.claim(10).await.len(), bench.messages().await, written(&bench).await), (0, 2, 0));
    held.rollback().await.unwrap();
    assert_eq!((bench.claim(10).await.len(), written(&bench).await), (2, 2));
    assert_eq!(bench.number("select count(*) from pgmq.a_worker_bakery_queue").await, 0);
}

#[tokio::test]
async fn a_message_that_names_nothing_is_cleared_away_beside_one_of_a_planned_task() {
    let bench = Bench::new().await;
    created(&bench, ROW).await;
    let stray = format!(r#"{{"task_uuid": "{}", "step_uuid": "{}"}}"#, Uuid::now_v7(), Uuid::now_v7());
    sqlx::query(
        "insert into pgmq.q_worker_bakery_queue (vt, message) values (now(), $1::jsonb), (now(), '{\"task_uuid\": 7}')",
    )
    .bind(stray)
    .execute(&bench.pool)
    .await
    .unwrap();
    bench.lapse_leases().await;
    assert_eq!((bench.claim_one().await.name.as_str(), bench.messages().await), ("a", 1));
    assert_eq!(bench.number("select count(*) from pgmq.a_worker_bakery_queue").await, 2);
}

#[tokio::test]
async fn a_cancelled_task_ends_with_its_steps_and_takes_no_results() {
    let bench = Bench::new().await;
    let (task, steps) = created(&bench, ROW).await;
    let operator = Operator { actor: "ada".into(), reason: "burnt".into() };
    bench.store.cancel_task(task.task_uuid, &operator).await.unwrap();
    assert!(!complete(&bench, &steps).await);
    assert_eq!(bench.complete(&steps[..1]).await.refused(), 1);
    for place in 0..3 {
        assert_eq!(bench.state(&task, place).await, StepState::Cancelled);
    }
}

#[tokio::test]
async fn what_the_host_may_not_claim_is_written_and_queued() {
    for change in ["paused_at = now()", "max_concurrent = 5"] {
        let bench = Bench::new().await;
        bench.set_namespaces(change).await;
        let (task, steps) = created(&bench, ROW).await;
        assert_eq!((bench.state(&task, 0).await, bench.messages().await), (StepState::Enqueued, 1), "{change}");
        assert!(!complete(&bench, &steps).await);
        assert_eq!(bench.complete(&steps[..1]).await.refused(), 1);
        bench.set_namespaces("paused_at = null, max_concurrent = null").await;
        assert_eq!(bench.claim_one().await.name, "a");
    }
}

#[tokio::test]
async fn what_follows_the_first_steps_is_not_completed_where_the_host_may_not_claim_it_any_more() {
    for change in ["paused_at = now()", "max_concurrent = 5"] {
        let bench = Bench::new().await;
        let (_, alone) = created(&bench, &ROW[..1]).await;
        let (task, steps) = created(&bench, ROW).await;
        bench.set_namespaces(change).await;
        assert!(complete(&bench, &alone).await);
        assert!(!complete(&bench, &steps).await);
        assert_eq!(bench.complete(&steps[..1]).await.refused(), 0);
        assert_eq!(bench.state(&task, 1).await, StepState::Enqueued);
    }
}

#[tokio::test]
async fn a_running_step_may_store_progress_publish_renew_its_lease_and_be_put_back() {
    let bench = Bench::new().await;
    let (task, steps) = created(&bench, ROW).await;
    let progress = Checkpoint { cursor: raw("7"), items_processed: 7, accumulated_results: None };
    assert!(bench.store.save_checkpoint(&steps[0].lease, &progress).await.unwrap().is_some());

    let (_, publishing) = created(&bench, ROW).await;
    let event = NewDirectEvent { event_id: Uuid::now_v7(), idempotency_key: None, message: None };
    let published = bench.store.publish_event(&publishing[0].lease, &event).await.unwrap();
    assert_eq!(published, DirectlyPublished::Sent);

    let (_, renewed) = created(&bench, ROW).await;
    assert!(bench.store.renew_leases(&[renewed[0].lease.clone()], LEASE).await.unwrap().is_empty());

    let (_, put_back) = created(&bench, ROW).await;
    assert_eq!(bench.store.release_steps(&[put_back[0].lease.clone()]).await.unwrap(), 1);
    let again = bench.claim_one().await;
    assert_eq!((again.lease.step_uuid, again.attempts), (put_back[0].lease.step_uuid, 1));
    assert_eq!(bench.state(&task, 0).await, StepState::InProgress);
}

#[tokio::test]
async fn a_value_that_cannot_be_stored_leaves_the_task_for_its_ends_one_by_one() {
    let bench = Bench::new().await;
    let (task, steps) = created(&bench, ROW).await;
    let mut completions = ends(&steps);
    completions[0].attempt.host = "\0".into();
    assert!(!bench.store.complete_planned(&completions).await.unwrap());
    assert_eq!((written(&bench).await, bench.messages().await), (0, 1));
    assert_eq!(bench.complete(&steps[..1]).await.refused(), 0);
    assert_eq!(bench.state(&task, 0).await, StepState::Complete);
}

#[tokio::test]
async fn ends_that_are_sent_again_change_nothing() {
    let bench = Bench::new().await;
    let (task, steps) = created(&bench, JOIN).await;
    assert!(complete(&bench, &steps).await);
    let before = record(&bench, &task).await;
    assert!(!complete(&bench, &steps).await);
    assert_eq!(bench.complete(&steps).await.refused(), 4);
    assert_eq!(record(&bench, &task).await, before);
}

#[tokio::test]
async fn ends_that_are_not_those_of_all_steps_are_refused_whole() {
    let bench = Bench::new().await;
    let (task, mut steps) = created(&bench, ROW).await;
    steps[2].lease.step_uuid = Uuid::now_v7();
    let error = bench.store.complete_planned(&ends(&steps)).await.unwrap_err();
    assert!(error.to_string().contains("step_uuid"), "{error}");
    let (_, others) = created(&bench, ROW).await;
    steps.extend(others);
    let error = bench.store.complete_planned(&ends(&steps)).await.unwrap_err();
    assert!(error.to_string().contains("not those of all steps"), "{error}");
    assert_eq!((written(&bench).await, task_state(&bench, &task).await), (0, TaskState::StepsInProcess));
}

#[tokio::test]
async fn a_duplicate_of_a_planned_task_is_left_out() {
    let bench = Bench::new().await;
    let first = NewTask { identity: Some([7; 32]), ..bench.plan(ROW) };
    let second = NewTask { identity: Some([7; 32]), ..bench.plan(ROW) };
    let steps = create(&bench, &[first.clone(), second.clone()]).await;
    assert_eq!(bench.messages().await, 1);
    assert!(bench.store.task(second.task_uuid).await.unwrap().is_none());
    let of_first: Vec<_> = steps.into_iter().filter(|step| step.lease.task_uuid == first.task_uuid).collect();
    assert!(complete(&bench, &of_first).await);
}

#[test]
fn only_small_tasks_that_do_not_grow_are_planned() {
    let template = Uuid::now_v7();
    let names: Vec<_> = (0..33).map(|place| place.to_string()).collect();
    let steps: Vec<(&str, &[usize])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let planned = |task: NewTask| task.planned("host-1").map(|planned| planned.steps.get());
    assert_eq!(planned(plan(template, NAMESPACE, &steps[..32])), Some(32));
    assert_eq!(planned(plan(template, NAMESPACE, &steps)), None);
    assert_eq!(planned(plan(template, NAMESPACE, &[])), None);
    assert_eq!(planned(NewTask { grows: true, ..plan(template, NAMESPACE, ROW) }), None);
    assert_eq!(planned(plan(template, NAMESPACE, &[("b", &[1]), ("a", &[])])), None);
    let mut out_of_order = plan(template, NAMESPACE, &[("a", &[]), ("b", &[])]);
    out_of_order.steps.reverse();
    assert_eq!(planned(out_of_order), None);
}

#[tokio::test]
async fn a_waiting_task_is_claimed_whole_and_nothing_of_it_is_written() {
    let bench = Bench::new().await;
    let task = bench.task(JOIN).await;
    let claimed = bench.claim_one().await;
    let known = known(&task, |place, _| place == 0).remove(0);
    let told = |step: &ClaimedStep| {
        let Lease { claim, guarded, ref planned, .. } = step.lease;
        let planned = planned.as_ref().map(|planned| (planned.steps, planned.host.clone()));
        let task: serde_json::Value = serde_json::from_str(step.task.get()).unwrap();
        (claim, guarded, planned, step.name.clone(), step.attempts, task, step.inputs.get().to_owned())
    };
    assert_eq!(told(&claimed), told(&known));
    let changed = "select count(*) from tasker.changes where to_state = 'in_progress'";
    assert_eq!((written(&bench).await, bench.number(changed).await), (0, 0));
    assert!(bench.claim(10).await.is_empty());
}

#[tokio::test]
async fn what_happens_to_a_task_that_was_found_waiting_is_done_to_written_steps() {
    let bench = Bench::new().await;
    let progress = Checkpoint { cursor: raw("7"), items_processed: 7, accumulated_results: None };
    let found = async || {
        let task = bench.task(ROW).await;
        (task, bench.claim_one().await)
    };
    let (task, claimed) = found().await;
    assert!(bench.store.save_checkpoint(&claimed.lease, &progress).await.unwrap().is_some());
    let step = bench.store.steps(task.task_uuid).await.unwrap().remove(0);
    assert_eq!((step.current_state, step.claimed_by.as_deref()), (StepState::InProgress, Some("host-1")));

    let (_, claimed) = found().await;
    assert!(bench.store.renew_leases(&[claimed.lease], LEASE).await.unwrap().is_empty());

    let (task, claimed) = found().await;
    bench.store.complete_steps(&[failed(&claimed)]).await.unwrap();
    assert_eq!(task_state(&bench, &task).await, TaskState::BlockedByFailures);

    let (_, claimed) = found().await;
    assert_eq!(bench.store.release_steps(std::slice::from_ref(&claimed.lease)).await.unwrap(), 1);
    let again = bench.claim_one().await;
    assert_eq!((again.lease.step_uuid, again.lease.claim, again.lapses), (claimed.lease.step_uuid, 2, 0));
    assert_eq!(bench.complete(&[claimed]).await.refused(), 1);
}

#[tokio::test]
async fn a_waiting_task_whose_host_died_is_claimed_by_the_next_one() {
    let bench = Bench::new().await;
    let task = bench.task(ROW).await;
    let mut lost = known(&task, |place, _| place > 0);
    lost.insert(0, bench.claim_one().await);
    bench.lapse_leases().await;
    let again = bench.claim_one().await;
    assert_eq!((again.attempts, again.lapses, again.lease.claim), (1, 1, 2));
    assert!(!complete(&bench, &lost).await);
    assert_eq!(bench.complete(&lost[..1]).await.refused(), 1);
    assert_eq!(bench.complete(&[again]).await.refused(), 0);
}

#[tokio::test]
async fn a_person_who_acts_on_a_waiting_task_has_the_last_word() {
    let bench = Bench::new().await;
    let operator = Operator { actor: "ada".into(), reason: "burnt".into() };
    for is_claimed in [false, true] {
        let task = bench.task(ROW).await;
        let claimed = if is_claimed { bench.claim(10).await } else { Vec::new() };
        let operated = bench.store.resolve_step_manually(task.task_uuid, task.steps[2].step_uuid, &operator).await;
        assert_eq!(operated.unwrap().task_state, TaskState::Complete);
        assert_eq!(bench.complete(&claimed).await.refused(), claimed.len());

        let task = bench.task(JOIN).await;
        let claimed = if is_claimed { bench.claim(10).await } else { Vec::new() };
        bench.store.resolve_step_manually(task.task_uuid, task.steps[1].step_uuid, &operator).await.unwrap();
        assert_eq!(bench.complete(&claimed).await.refused(), claimed.len());
        let first = bench.claim_one().await;
        assert_eq!((first.name.as_str(), first.lease.claim, first.lapses), ("a", 2, 0));
        assert_eq!(bench.complete(&[first]).await.refused(), 0);
        assert_eq!(bench.claim_one().await.name, "c");
        bench.store.cancel_task(task.task_uuid, &operator).await.unwrap();

        let task = bench.task(ROW).await;
        let claimed = if is_claimed { bench.claim(10).await } else { Vec::new() };
        bench.store.resolve_step_manually(task.task_uuid, task.steps[0].step_uuid, &operator).await.unwrap();
        assert_eq!(bench.complete(&claimed).await.refused(), claimed.len());
        let next = bench.claim_one().await;
        assert_eq!((next.name.as_str(), next.lease.claim), ("b", 1));
        assert_eq!(bench.complete(&[next]).await.refused(), 0);
        bench.store.cancel_task(task.task_uuid, &operator).await.unwrap();
        bench.lapse_leases().await;
        assert!(bench.claim(10).await.is_empty());
    }
}
