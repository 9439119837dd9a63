//! What a host knows of the steps that follow before they are claimed, beside what the database says once they are.

use serde_json::json;
use serde_json::value::RawValue;
use tasker_wasm_host::orchestration::create::{TaskRequest, plan_task};
use tasker_wasm_host::orchestration::successors::{Done, Successors};
use tasker_wasm_host::store::{ClaimedStep, GoOn, NewTemplate, TakeOver};
use tasker_wasm_host::template::Template;
use uuid::Uuid;

use super::support::{Bench, LEASE, NAMESPACE, succeeded, template_of};

/// A template with these steps and a task of it.
async fn task_of(bench: &Bench, steps: serde_json::Value) -> Successors {
    let template = json!({"name": "t", "namespace_name": NAMESPACE, "version": "1.0.0", "steps": steps});
    let known = NewTemplate { name: "t".into(), configuration_json: template.to_string(), ..template_of(NAMESPACE) };
    let known = bench.store.register_template(&known).await.unwrap();
    let asked: TaskRequest = serde_json::from_value(json!({
        "name": "t", "namespace": NAMESPACE, "context": {"loaves": 3}, "idempotency_key": Uuid::now_v7(),
        "initiator": "ada", "source_system": "test", "reason": "hunger", "tags": ["rye"], "priority": 7,
    }))
    .unwrap();
    let known = bench.store.template(known).await.unwrap().unwrap();
    let task = plan_task(&known, asked, "test").unwrap();
    bench.store.create_tasks(&[task]).await.unwrap();
    Successors::of(&serde_json::from_value::<Template>(template).unwrap()).unwrap()
}

fn step(name: &str, dependencies: &[&str]) -> serde_json::Value {
    json!({
        "name": name, "dependencies": dependencies, "retry": {"max_attempts": 5},
        "handler": {"callable": "Bake", "initialization": {"oven": name}},
    })
}

/// What the step's execution needs and its completion shows, but for its message.
pub fn told(step: &ClaimedStep) -> serde_json::Value {
    let json = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get()).unwrap();
    let ClaimedStep { lease, task, inputs, checkpoint, dependency_results, .. } = step;
    json!([
        [lease.namespace, lease.task_uuid, lease.step_uuid, lease.claim, lease.guarded],
        [step.template_uuid, step.correlation_id, step.name, step.template_step, step.attempts, step.max_attempts],
        [step.lapses, step.retryable, step.created_at, checkpoint],
        [task.get(), inputs.get(), json(dependency_results)],
    ])
}

fn foreseen(successors: &Successors, ended: &[ClaimedStep]) -> Vec<ClaimedStep> {
    foreseen_after(successors, ended, &[])
}

/// The same where others ended before.
fn foreseen_after(successors: &Successors, ended: &[ClaimedStep], before: &[ClaimedStep]) -> Vec<ClaimedStep> {
    let results = |ended: &[ClaimedStep]| Vec::from_iter(ended.iter().map(result));
    let (ended_results, before_results) = (results(ended), results(before));
    let done = ended.iter().zip(&ended_results).map(|(step, result)| Done { step, result });
    let before = before.iter().zip(&before_results).map(|(step, result)| Done { step, result });
    successors.foresee(&Vec::from_iter(done), &Vec::from_iter(before), 10).unwrap()
}

/// What [`succeeded`] brings.
fn result(step: &ClaimedStep) -> Box<RawValue> {
    match succeeded(step).verdict {
        tasker_wasm_host::store::Verdict::Complete { result } => result,
        other => panic!("{other:?}"),
    }
}

fn sorted(mut steps: Vec<ClaimedStep>) -> Vec<serde_json::Value> {
    steps.sort_by(|a, b| a.name.cmp(&b.name));
    steps.iter().map(told).collect()
}

#[tokio::test]
async fn what_is_foreseen_of_a_step_is_what_its_claim_says() {
    let bench = Bench::new().await;
    let successors = task_of(
        &bench,
        json!([
            step("a", &[]),
            step("b", &["a"]),
            step("c", &["a"]),
            step("d", &["b", "c"]),
            step("e", &["a", "d"]),
            step("f", &["c"]),
        ]),
    )
    .await;
    let mut names = Vec::new();
    let mut claimed = bench.claim(10).await;
    while !claimed.is_empty() {
        let expected = foreseen(&successors, &claimed);
        bench.complete(&claimed).await;
        claimed = bench.claim(10).await;
        names.extend(expected.iter().map(|step| step.name.clone()));
        assert_eq!(sorted(expected), sorted(claimed.clone()));
    }
    assert_eq!(names, ["b", "c", "d", "f", "e"]);
}

#[tokio::test]
async fn a_step_that_waits_for_several_is_foreseen_when_the_last_of_them_ends() {
    let bench = Bench::new().await;
    let steps =
        json!([step("a", &[]), step("b", &["a"]), step("c", &["a"]), step("d", &["b", "c"]), step("e", &["b"])]);
    let successors = task_of(&bench, steps).await;
    bench.complete(&bench.claim(1).await).await;
    let mut both = bench.claim(10).await;
    both.sort_by(|one, other| one.name.cmp(&other.name));
    let (b, c) = both.split_at(1);
    let names = |steps: &[ClaimedStep]| Vec::from_iter(steps.iter().map(|step| step.name.clone()));
    assert_eq!(names(&foreseen(&successors, b)), ["e"]);
    assert!(foreseen(&successors, c).is_empty());
    assert_eq!(names(&foreseen(&successors, &both)), ["d", "e"]);

    bench.complete(b).await;
    let last = foreseen_after(&successors, c, b);
    assert_eq!(bench.claim_one().await.name, "e");
    bench.complete(c).await;
    assert_eq!(sorted(last), sorted(bench.claim(10).await));
}

#[tokio::test]
async fn nothing_is_foreseen_of_a_task_that_was_planned_otherwise_or_whose_step_was_claimed_before() {
    let bench = Bench::new().await;
    let successors = task_of(&bench, json!([step("a", &[]), step("b", &["a"])])).await;
    let first = bench.claim_one().await;
    assert_eq!(foreseen(&successors, std::slice::from_ref(&first)).len(), 1);

    let other = json!({"name": "t", "namespace_name": NAMESPACE, "version": "1.0.0", "steps": [
        step("a", &[]), {"name": "b", "dependencies": ["a"], "handler": {"callable": "Bake"}},
    ]});
    let other = Successors::of(&serde_json::from_value::<Template>(other).unwrap()).unwrap();
    assert!(foreseen(&other, &[first]).is_empty());

    bench.lapse_leases().await;
    assert!(foreseen(&successors, &[bench.claim_one().await]).is_empty());
}

#[test]
fn nothing_is_foreseen_where_steps_are_added_while_a_task_runs() {
    let template = json!({"name": "t", "namespace_name": "n", "version": "1.0.0", "steps": [
        {"name": "choose", "type": "decision", "handler": {"callable": "C"}},
        {"name": "left", "dependencies": ["choose"], "handler": {"callable": "L"}},
    ]});
    assert!(Successors::of(&serde_json::from_value::<Template>(template).unwrap()).is_none());
}

/// Has begun with one step, and takes the others.
struct Begun {
    step: Uuid,
    message: Option<i64>,
    taken: Vec<ClaimedStep>,
}

impl TakeOver for Begun {
    fn has_begun(&mut self, step: Uuid, message: i64) -> bool {
        let is_it = step == self.step;
        self.message = self.message.or(is_it.then_some(message));
        is_it
    }

    async fn take(&mut self, step: ClaimedStep) {
        self.taken.push(step);
    }
}

#[tokio::test]
async fn a_host_learns_the_message_of_the_step_it_has_begun_with_and_all_of_the_others_it_goes_on_with() {
    let bench = Bench::new().await;
    let successors = task_of(&bench, json!([step("a", &[]), step("b", &["a"]), step("c", &["a"])])).await;
    let first = bench.claim_one().await;
    let [b, c] = &foreseen(&successors, std::slice::from_ref(&first))[..] else { panic!("two follow") };
    let mut begun = Begun { step: b.lease.step_uuid, message: None, taken: Vec::new() };
    let go_on = GoOn {
        namespaces: vec![NAMESPACE.into()],
        places: vec![9],
        lease: LEASE,
        begun: vec![b.lease.step_uuid],
        unclaimed: 0,
    };
    bench.store.complete_and_go_on(&[succeeded(&first)], &go_on, &mut begun).await.unwrap();
    assert_eq!(sorted(begun.taken.clone()), sorted(vec![c.clone()]));

    assert_eq!(b.lease.message_id.get(), None);
    b.lease.message_id.learn(begun.message.unwrap());
    assert_eq!(bench.complete(&[b.clone(), begun.taken[0].clone()]).await.refused(), 0);
    assert_eq!(bench.messages().await, 0, "each spent its own");
}

#[tokio::test]
async fn a_claim_can_be_told_as_text() {
    let bench = Bench::new().await;
    task_of(&bench, json!([step("a", &[])])).await;
    let claimed = bench.claim_one().await;
    let read: ClaimedStep = serde_json::from_str(&serde_json::to_string(&claimed).unwrap()).unwrap();
    let lease = |step: &ClaimedStep| serde_json::to_value(&step.lease).unwrap();
    assert_eq!((told(&read), lease(&read)), (told(&claimed), lease(&claimed)));
}
