use serde_json::json;
use tasker_wasm_host::store::{Completion, NewTask, TaskFilter, TaskState, Verdict, Within};
use uuid::Uuid;

use super::support::{Bench, NAMESPACE, finished, plan, raw, template_of};

const PLENTY: usize = 1 << 20;

impl Bench {
    /// A task of another namespace.
    async fn task_elsewhere(&self) -> NewTask {
        let template = self.store.register_template(&template_of("smithy")).await.unwrap();
        let task = plan(template, "smithy", &[("a", &[])]);
        self.store.create_tasks(std::slice::from_ref(&task)).await.unwrap();
        task
    }
}

fn mine() -> TaskFilter {
    TaskFilter { namespaces: Some(vec![NAMESPACE.into()]), limit: 100, ..TaskFilter::default() }
}

pub(super) fn all<T>(within: Within<Vec<T>>) -> Vec<T> {
    match within {
        Within::Found(found) => found,
        _ => panic!("something should have been found"),
    }
}

#[tokio::test]
async fn what_belongs_to_another_namespace_is_not_there() {
    let bench = Bench::new().await;
    let (ours, theirs) = (bench.task(&[("a", &[])]).await, bench.task_elsewhere().await);
    let nobodys = Uuid::now_v7();

    for (task, step, known) in [
        (ours.task_uuid, ours.steps[0].step_uuid, true),
        (theirs.task_uuid, theirs.steps[0].step_uuid, false),
        (nobodys, nobodys, false),
    ] {
        let store = &bench.store;
        assert_eq!(store.has_task_in(Some(&[NAMESPACE.into()]), task).await.unwrap(), known);
        let found = store.task_within(NAMESPACE, task, PLENTY).await.unwrap();
        assert_eq!(matches!(found, Within::Found(_)), known);
        for step in [None, Some(step)] {
            let found = store.steps_within(Some(&[NAMESPACE.into()]), task, step, PLENTY).await.unwrap();
            assert_eq!(matches!(found, Within::Found(_)), known);
            assert_eq!(matches!(found, Within::Unknown), !known);
        }
        let found = store.step_transitions_within(NAMESPACE, task, step).await.unwrap();
        assert_eq!(matches!(found, Within::Found(_)), known);
    }
    let wrong_task = bench
        .store
        .steps_within(Some(&[NAMESPACE.into()]), ours.task_uuid, Some(theirs.steps[0].step_uuid), PLENTY)
        .await;
    assert!(matches!(wrong_task.unwrap(), Within::Unknown));
    let listed = all(bench.store.tasks_within(&mine(), PLENTY).await.unwrap());
    assert_eq!(listed.iter().map(|task| task.task_uuid).collect::<Vec<_>>(), [ours.task_uuid]);
}

#[tokio::test]
async fn tasks_are_listed_page_by_page_newest_first() {
    let bench = Bench::new().await;
    let mut tasks = Vec::new();
    for _ in 0..5 {
        tasks.insert(0, bench.task(&[("a", &[])]).await.task_uuid);
    }
    let page = async |limit, offset| {
        let filter = TaskFilter { limit, offset, ..mine() };
        let page = all(bench.store.tasks_within(&filter, PLENTY).await.unwrap());
        page.iter().map(|task| task.task_uuid).collect::<Vec<_>>()
    };
    assert_eq!(page(2, 0).await, tasks[..2]);
    assert_eq!(page(2, 4).await, tasks[4..]);
    assert!(page(2, 5).await.is_empty());
    let complete = TaskFilter { status: Some(TaskState::Complete), ..mine() };
    assert!(all(bench.store.tasks_within(&complete, PLENTY).await.unwrap()).is_empty());
}

#[tokio::test]
async fn what_is_too_large_is_measured_and_not_sent() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[])]).await;
    let context = task.context.get().len() + r#"["rye"]"#.len();
    let too_large = |bytes| Within::TooLarge { bytes };
    let found = bench.store.task_within(NAMESPACE, task.task_uuid, context - 1).await.unwrap();
    assert!(matches!(found, Within::TooLarge { bytes } if bytes == context as u64));
    assert!(matches!(bench.store.task_within(NAMESPACE, task.task_uuid, context).await.unwrap(), Within::Found(_)));
    let listed = bench.store.tasks_within(&mine(), context - 1).await.unwrap();
    assert!(matches!(listed, Within::TooLarge { .. }));

    for claimed in bench.claim(2).await {
        let verdict = Verdict::Complete { result: raw(&json!("x".repeat(1_000)).to_string()) };
        let completion = Completion { metadata: raw("{}"), ..finished(&claimed.lease, verdict, None) };
        bench.store.complete_steps(&[completion]).await.unwrap();
    }
    let steps = async |step, bytes| {
        bench.store.steps_within(Some(&[NAMESPACE.into()]), task.task_uuid, step, bytes).await.unwrap()
    };
    // The text of a result, its quotes and the metadata.
    let one = 1_000 + 2 + 2;
    assert_eq!(steps(None, 2 * one - 1).await.map_to_len(), too_large(2 * one as u64));
    assert_eq!(steps(None, 2 * one).await.map_to_len(), Within::Found(2));
    assert_eq!(steps(Some(task.steps[0].step_uuid), one).await.map_to_len(), Within::Found(1));
    assert_eq!(steps(Some(task.steps[0].step_uuid), one - 1).await.map_to_len(), too_large(one as u64));
}

#[tokio::test]
async fn a_task_without_steps_is_there_and_has_none() {
    let bench = Bench::new().await;
    let task = bench.task(&[]).await;
    let steps = bench.store.steps_within(Some(&[NAMESPACE.into()]), task.task_uuid, None, PLENTY).await.unwrap();
    assert!(all(steps).is_empty());
}

#[tokio::test]
async fn the_changes_of_one_step_are_shown_oldest_first() {
    let bench = Bench::new().await;
    let task = bench.task(&[("a", &[]), ("b", &[])]).await;
    let claimed = bench.claim(2).await;
    bench.complete(&claimed).await;
    let step = task.steps[1].step_uuid;
    let changes = all(bench.store.step_transitions_within(NAMESPACE, task.task_uuid, step).await.unwrap());
    let changes: Vec<_> = changes.iter().map(|change| format!("{}>{}", change.from_state, change.to_state)).collect();
    assert_eq!(changes, bench.transitions(step).await);
    assert_eq!(changes.last().unwrap(), "in_progress>complete");
}

#[tokio::test]
async fn guests_share_a_part_of_the_connections_and_what_they_began_runs_to_its_end() {
    let bench = Bench::with_connections(4).await;
    let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let begun = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let go = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let asked: Vec<_> = (0..3)
        .map(|number| {
            let (store, done) = (bench.store.clone(), done.clone());
            let (begun, go) = (begun.clone(), go.clone());
            tokio::spawn(async move {
                let asked = async move {
                    begun.add_permits(1);
                    go.acquire().await.unwrap().forget();
                    done.send(number).unwrap();
                };
                store.for_guest(asked).await;
            })
        })
        .collect();
    begun.acquire_many(2).await.unwrap().forget();
    assert!(begun.try_acquire().is_err(), "two of four connections are for guests");

    asked.iter().for_each(tokio::task::JoinHandle::abort);
    go.add_permits(3);
    let finished = [ended.recv().await.unwrap(), ended.recv().await.unwrap()];
    drop(done);
    assert!(ended.recv().await.is_none(), "the third gave up before it had begun");
    assert_ne!(finished[0], finished[1]);
    let free = bench.store.for_guest(async { "free" });
    assert_eq!(free.await, "free");
}

/// The same with how many there are in place of what there is.
trait MapToLen {
    fn map_to_len(self) -> Within<usize>;
}

impl<T> MapToLen for Within<Vec<T>> {
    fn map_to_len(self) -> Within<usize> {
        match self {
            Self::Found(found) => Within::Found(found.len()),
            Self::Unknown => Within::Unknown,
            Self::TooLarge { bytes } => Within::TooLarge { bytes },
        }
    }
}
