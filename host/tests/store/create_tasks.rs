use futures::future::join_all;
use tasker_wasm_host::host::creation::Creation;
use tasker_wasm_host::store::{NewTask, NewTemplate, StepState, StoreError, TaskState, TemplateChoice};
use uuid::Uuid;

use super::support::{Bench, NAMESPACE, plan, raw, template_of};

#[tokio::test]
async fn only_steps_without_parents_are_queued() {
    let bench = Bench::new().await;
    let task = bench.task(&[("mix", &[]), ("heat", &[]), ("bake", &[0, 1])]).await;
    assert_eq!(bench.messages().await, 2);
    assert_eq!(bench.state(&task, 0).await, StepState::Enqueued);
    assert_eq!(bench.state(&task, 2).await, StepState::Pending);
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.status, TaskState::StepsInProcess);
}

#[tokio::test]
async fn a_hundred_tasks_are_one_commit() {
    let bench = Bench::new().await;
    let tasks: Vec<_> = (0..100).map(|_| bench.plan(&[("mix", &[]), ("bake", &[0])])).collect();
    assert_eq!(bench.store.create_tasks(&tasks).await.unwrap().enqueued, 100);
    assert_eq!(bench.number("select count(distinct xmin::text) from tasker.tasks").await, 1);
    assert_eq!(bench.messages().await, 100);
}

#[tokio::test]
async fn a_task_without_steps_is_complete() {
    let bench = Bench::new().await;
    let task = bench.task(&[]).await;
    let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
    assert_eq!(view.status, TaskState::Complete);
    assert!(view.completed_at.is_some());
}

#[tokio::test]
async fn a_parent_named_twice_counts_once() {
    let bench = Bench::new().await;
    bench.task(&[("mix", &[]), ("bake", &[0, 0])]).await;
    bench.complete(&bench.claim(1).await).await;
    assert_eq!(bench.claim_one().await.name, "bake");
}

#[tokio::test]
async fn a_template_of_another_namespace_creates_nothing() {
    let bench = Bench::new().await;
    let good = bench.plan(&[("mix", &[])]);
    for bad in [plan(Uuid::now_v7(), NAMESPACE, &[]), plan(bench.template, "elsewhere", &[])] {
        let error = bench.store.create_tasks(&[good.clone(), bad]).await.unwrap_err();
        assert!(matches!(error, StoreError::UnknownTemplate { .. }), "{error}");
    }
    assert_eq!(bench.number("select count(*) from tasker.tasks").await, 0);
    assert_eq!(bench.messages().await, 0);
}

#[tokio::test]
async fn a_task_is_created_from_the_template_that_is_current_where_it_has_to_be() {
    let bench = Bench::new().await;
    let of = |template_uuid, choice| [NewTask { template_uuid, choice, ..bench.plan(&[("mix", &[])]) }];
    let register = async |version: &str| {
        let template =
            NewTemplate { version: version.into(), digest: format!("of {version}"), ..template_of(NAMESPACE) };
        bench.store.register_template(&template).await.unwrap()
    };
    let (first, any, version, newest) =
        (bench.template, TemplateChoice::Any, TemplateChoice::OfVersion, TemplateChoice::Newest);
    bench.store.create_tasks(&of(first, newest)).await.unwrap();

    let second = register("2.0.0").await;
    let replaced = bench.store.create_tasks(&of(first, newest)).await.unwrap_err();
    assert!(matches!(replaced, StoreError::TemplateReplaced { .. }), "{replaced}");
    assert!(replaced.to_string().contains("bakery/bread/1.0.0"), "{replaced}");
    for task in [of(first, version), of(first, any), of(second, newest)] {
        bench.store.create_tasks(&task).await.unwrap();
    }

    // The same version with other content.
    register("1.0.0").await;
    let replaced = bench.store.create_tasks(&of(first, version)).await.unwrap_err();
    assert!(matches!(replaced, StoreError::TemplateReplaced { .. }), "{replaced}");
    bench.store.create_tasks(&of(first, any)).await.unwrap();
    assert_eq!(bench.messages().await, 5);
}

#[tokio::test]
async fn of_requests_that_are_created_together_one_that_is_refused_takes_none_along() {
    let bench = Bench::new().await;
    let creation = Creation::start(bench.store.clone());
    let plan = |number| match number {
        7 => plan(Uuid::now_v7(), NAMESPACE, &[]),
        _ => bench.plan(&[("mix", &[])]),
    };
    let created = join_all((0..20).map(|number| creation.create(plan(number)))).await;
    for (number, created) in created.into_iter().enumerate() {
        match created {
            Ok((task, report)) => {
                assert_eq!(report.duplicate(), None);
                let view = bench.store.task(task.task_uuid).await.unwrap().unwrap();
                assert_eq!(view.created_at, task.created_at);
            }
            Err(error) => assert!(number == 7 && matches!(*error, StoreError::UnknownTemplate { .. }), "{error}"),
        }
    }
    assert_eq!(bench.number("select count(*) from tasker.tasks").await, 19);
}

#[tokio::test]
async fn requests_that_come_while_others_are_created_share_a_commit() {
    let bench = Bench::new().await;
    let creation = Creation::start(bench.store.clone());
    let created = join_all((0..20).map(|_| creation.create(bench.plan(&[("mix", &[])])))).await;
    assert!(created.iter().all(Result::is_ok));
    let commits = bench.number("select count(distinct xmin::text) from tasker.tasks").await;
    assert!(commits < 20, "{commits} commits");
}

#[tokio::test]
async fn what_jsonb_would_refuse_comes_back_as_it_was() {
    let bench = Bench::new().await;
    let mut task = bench.plan(&[("mix", &[])]);
    let strange = r#"{"b":"\u0000","a":"\ud800","n":1.00e2}"#;
    task.context = raw(strange);
    bench.store.create_tasks(&[task]).await.unwrap();
    let claimed = bench.claim_one().await;
    assert!(claimed.task.get().contains(strange), "{}", claimed.task);
}

#[tokio::test]
async fn a_task_with_the_identity_of_another_is_left_out_and_the_other_named() {
    let bench = Bench::new().await;
    let identified =
        |identity: u8| NewTask { identity: Some([identity; 32]), ..bench.plan(&[("mix", &[]), ("bake", &[0])]) };
    let (first, same, other) = (identified(1), identified(1), identified(2));
    let report = bench.store.create_tasks(&[first.clone(), same, other.clone()]).await.unwrap();
    assert_eq!((report.enqueued, report.duplicates), (2, vec![None, Some(first.task_uuid), None]));
    let report = bench.store.create_tasks(&[identified(2)]).await.unwrap();
    assert_eq!((report.enqueued, report.duplicates), (0, vec![Some(other.task_uuid)]));
    bench.write_steps().await;
    assert_eq!(bench.number("select count(*) from tasker.tasks").await, 2);
    assert_eq!(bench.number("select count(*) from tasker.steps").await, 4);
    assert_eq!(bench.number("select count(*) from tasker.edges").await, 2);
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_may_be_sent_again() {
    let bench = Bench::new().await;
    let identified =
        |identity: u8| NewTask { identity: Some([identity; 32]), ..bench.plan(&[("mix", &[]), ("bake", &[0])]) };
    let (first, second) = (identified(1), identified(2));
    bench.store.create_tasks(std::slice::from_ref(&first)).await.unwrap();
    let report = bench.store.create_tasks(&[first.clone(), second.clone()]).await.unwrap();
    assert_eq!((report.enqueued, report.duplicates), (1, vec![Some(first.task_uuid), None]));
    let report = bench.store.create_tasks(&[first.clone(), second.clone()]).await.unwrap();
    assert_eq!((report.enqueued, report.duplicates), (0, vec![Some(first.task_uuid), Some(second.task_uuid)]));
    bench.write_steps().await;
    assert_eq!(bench.number("select count(*) from tasker.steps").await, 4);
}

#[tokio::test]
async fn of_many_that_create_one_task_at_once_one_does() {
    let bench = Bench::with_connections(8).await;
    let tasks: Vec<_> = (0..8).map(|_| [NewTask { identity: Some([7; 32]), ..bench.plan(&[("mix", &[])]) }]).collect();
    let reports = futures::future::join_all(tasks.iter().map(|task| bench.store.create_tasks(task))).await;
    let reports: Vec<_> = reports.into_iter().map(Result::unwrap).collect();
    let created: Vec<_> = tasks.iter().zip(&reports).filter(|(_, report)| report.duplicates[0].is_none()).collect();
    let [(winner, _)] = created[..] else { panic!("{reports:?}") };
    assert!(reports.iter().all(|report| report.duplicates[0].is_none_or(|of| of == winner[0].task_uuid)));
    assert_eq!(bench.messages().await, 1);
}

#[tokio::test]
async fn tasks_without_an_identity_are_never_duplicates() {
    let bench = Bench::new().await;
    let report = bench.store.create_tasks(&[bench.plan(&[]), bench.plan(&[])]).await.unwrap();
    assert_eq!(report.duplicates, [None, None]);
}
