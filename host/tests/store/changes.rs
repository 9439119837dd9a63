//! What is told of tasks that are written at once: no less than of others.

use tasker_wasm_host::store::{Change, ChangePoint};

use super::planned::{JOIN, ROW, complete, created, known, written};
use super::support::Bench;

/// All changes, asked for so many at a time. Nothing is told while an older transaction is open, which may be one of another test.
async fn followed(bench: &Bench, at_a_time: u32, count: usize) -> Vec<Change> {
    let (mut point, mut changes) = (ChangePoint::BEGINNING, Vec::new());
    while changes.len() < count {
        changes.extend(bench.store.changes_after(point, None, None, at_a_time).await.unwrap());
        point = changes.last().map_or(point, Change::point);
    }
    assert!(bench.store.changes_after(point, None, None, at_a_time).await.unwrap().is_empty());
    changes
}

#[tokio::test]
async fn how_a_waiting_task_began_is_told_before_its_steps_are_written() {
    let bench = Bench::new().await;
    let task = bench.task(ROW).await;
    let told = bench.store.transitions(task.task_uuid, 0).await.unwrap();
    let told: Vec<_> = told.iter().map(|change| (change.step.as_deref(), change.to_state.as_str())).collect();
    assert_eq!(told, [(None, "steps_in_process"), (Some("a"), "enqueued")]);
    let changes = "select coalesce(step, '') || '>' || to_state from tasker.changes_after(0, 0, null, null, 10)";
    let mut followed: Vec<String> = Vec::new();
    // Nothing is told while an older transaction is open, which may be one of another test.
    while followed.is_empty() {
        followed = sqlx::query_scalar(changes).fetch_all(&bench.pool).await.unwrap();
    }
    assert_eq!((followed, written(&bench).await), (vec![">steps_in_process".to_owned(), "a>enqueued".to_owned()], 0));
    bench.write_steps().await;
    assert_eq!(bench.transitions(task.steps[0].step_uuid).await, ["pending>enqueued"]);
}

#[tokio::test]
async fn a_follower_is_told_each_change_of_a_task_that_ended_at_once_wherever_it_goes_on() {
    let bench = Bench::new().await;
    let (_, begun) = created(&bench, JOIN).await;
    assert!(complete(&bench, &begun).await);
    let task = bench.task(ROW).await;
    let mut found = vec![bench.claim_one().await];
    found.extend(known(&task, |place, _| place > 0));
    assert!(complete(&bench, &found).await);

    // The task and its first step begin, each other step is enqueued, and all are claimed and end.
    let count = (2 + 3 + 4 * 2 + 1) + (2 + 2 + 3 * 2 + 1);
    let all = followed(&bench, 1_000, count).await;
    let seen =
        |changes: &[Change]| changes.iter().map(|change| serde_json::to_value(change).unwrap()).collect::<Vec<_>>();
    for at_a_time in [1, 2, 7] {
        assert_eq!(seen(&followed(&bench, at_a_time, count).await), seen(&all));
    }
    for of_task in all.chunk_by(|a, b| a.task_uuid == b.task_uuid) {
        let told = bench.store.transitions(of_task[0].task_uuid, 0).await.unwrap();
        let told: Vec<_> = told.into_iter().map(|change| (change.sequence, change.at, change.step)).collect();
        let followed: Vec<_> = of_task.iter().map(|change| (change.sequence, change.at, change.step.clone())).collect();
        assert_eq!(told, followed);
        for step in [None, Some("a"), Some("b"), Some("c")] {
            let of_step: Vec<_> = of_task.iter().filter(|change| change.step.as_deref() == step).collect();
            assert_eq!(of_step[0].from_state, "pending");
            assert!(of_step.windows(2).all(|pair| pair[0].to_state == pair[1].from_state && pair[0].at <= pair[1].at));
            assert_eq!(of_step.last().unwrap().to_state, "complete");
        }
    }
}
