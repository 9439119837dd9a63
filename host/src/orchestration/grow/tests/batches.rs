//! What batchable steps add.

use std::time::Instant;

use super::*;
use crate::store::NewBatch;
use crate::template::FailureStrategy;

fn configured(mut step: Json) -> Json {
    let config = json!({
        "batch_size": 10, "parallelism": 3, "cursor_field": "row", "worker_template": "work", "failure_strategy": "isolate",
    });
    step["batch_config"] = config;
    step
}

fn inputs(growth: &Growth, place: usize) -> Json {
    serde_json::from_str(growth.steps[place].inputs.get()).unwrap()
}

#[test]
fn a_batch_is_a_worker_for_each_cursor_and_what_waits_for_them() {
    let mut work = configured(worker("work", &["split"]));
    work["handler"]["initialization"] = json!({"mode": "fast", "cursor": "overwritten"});
    work["retry"] = json!({"max_attempts": 5});
    let mut run = Run::of(&[
        batchable("split", &[]),
        work,
        convergence("merge", &["work", "split"]),
        standard("report", &["merge"]),
        standard("each", &["work"]),
    ]);
    assert_eq!(run.names(), ["split"]);
    let growth = run.finish_with("split", &cut("work", &["001", "002"])).unwrap();
    assert_eq!(run.names(), ["each", "merge", "report", "split", "work_001", "work_002"]);
    assert_eq!(run.parents("work_002"), ["split"]);
    assert_eq!(run.parents("merge"), ["split", "work_001", "work_002"]);
    assert_eq!(run.parents("each"), ["work_001", "work_002"]);
    assert_eq!(growth.batch, Some(NewBatch { parallelism: 3, failure_strategy: FailureStrategy::Isolate }));
    let places: Vec<_> = growth.steps.iter().map(|step| (step.name.as_str(), step.batch_place)).collect();
    assert_eq!(places[..3], [("work_001", Some(0)), ("work_002", Some(1)), ("merge", None)]);
    assert_eq!((growth.steps[1].template_step.as_deref(), growth.steps[1].max_attempts), (Some("work"), 5));
    assert_eq!(
        inputs(&growth, 1),
        json!({
            "mode": "fast",
            "cursor": {"batch_id": "002", "start_cursor": 0, "end_cursor": 10, "batch_size": 10},
            "batch_metadata": {"cursor_field": "row", "failure_strategy": "isolate"},
            "is_no_op": false,
            "__template_step_name": "work",
        })
    );
}

#[test]
fn cursors_pass_through_as_the_handler_wrote_them() {
    let mut run = Run::of(&[batchable("split", &[]), worker("work", &["split"])]);
    let result = r#"{"batch_processing_outcome": {"type": "create_batches", "worker_template_name": "work",
        "worker_count": 1, "total_items": 1, "cursor_configs": [
        {"batch_id": "x", "start_cursor": {"b": 1e2, "a": 12345678901234567890123}, "end_cursor": null, "batch_size": 1}]}}"#;
    let result = serde_json::value::RawValue::from_string(result.to_owned()).unwrap();
    let directive = directive(run.template.step("split").unwrap(), &result).unwrap().unwrap();
    let growth = plan_growth(&run.template, "split", &directive, &run.state, &LIMITS).unwrap().unwrap();
    let written = growth.steps[0].inputs.get();
    assert!(
        written.contains(r#""start_cursor":{"b": 1e2, "a": 12345678901234567890123},"end_cursor":null"#),
        "{written}"
    );
    run.add("split", &growth);
}

#[test]
fn without_a_configuration_all_workers_run_at_once_and_a_failed_one_does_not_stop_the_rest() {
    let mut run = Run::of(&[batchable("split", &[]), worker("work", &["split"])]);
    let growth = run.finish_with("split", &cut("work", &["1", "2", "3"])).unwrap();
    let everything = NewBatch { parallelism: 3, failure_strategy: FailureStrategy::ContinueOnFailure };
    assert_eq!(growth.batch, Some(everything));
    assert_eq!(inputs(&growth, 0)["batch_metadata"]["cursor_field"], "id");

    let mut run = Run::of(&[configured(batchable("split", &[])), worker("work", &["split"])]);
    let growth = run.finish_with("split", &cut("work", &["1"])).unwrap();
    assert_eq!(growth.batch.unwrap().parallelism, 3, "the batchable step's configuration stands in");
}

#[test]
fn workers_see_the_result_of_their_batchable_step_without_the_cursors_of_the_others() {
    let mut run = Run::of(&[batchable("split", &[]), worker("work", &["split"])]);
    let mut result = cut("work", &["1", "2"]);
    result["rows"] = json!([{"cursor_configs": "kept"}]);
    let growth = run.finish_with("split", &result).unwrap();
    result["batch_processing_outcome"]["cursor_configs"] = json!([]);
    assert_eq!(serde_json::from_str::<Json>(growth.brief.unwrap().get()).unwrap(), result);
}

#[test]
fn one_worker_stands_in_when_there_is_nothing_to_do() {
    let steps = [batchable("split", &[]), worker("work", &["split"]), convergence("merge", &["work"])];
    let nothing = json!({"batch_processing_outcome": {"type": "no_batches"}, "reason": "empty file"});
    for result in [nothing.clone(), cut("work", NO_BATCH)] {
        let mut run = Run::of(&steps);
        let growth = run.finish_with("split", &result).unwrap();
        assert_eq!(run.names(), ["merge", "split", "work_000"]);
        assert_eq!(run.parents("merge"), ["work_000"]);
        assert_eq!(growth.batch.unwrap().parallelism, 1);
        assert!(growth.brief.is_none(), "there is nothing to leave out");
        assert_eq!(
            inputs(&growth, 0),
            json!({
                "cursor": {"batch_id": "000", "start_cursor": 0, "end_cursor": 0, "batch_size": 0},
                "batch_metadata": {"cursor_field": "id", "failure_strategy": "continue_on_failure"},
                "is_no_op": true,
                "__template_step_name": "work",
            })
        );
    }
    let mut named = batchable("split", &[]);
    named["handler"]["initialization"] = json!({"worker_template_name": "other"});
    let mut run = Run::of(&[named, worker("work", &["split"]), worker("other", &["split"])]);
    run.finish_with("split", &nothing);
    assert_eq!(run.names(), ["other_000", "split"]);
}

#[test]
fn two_batches_meet_in_one_convergence() {
    let mut run = Run::of(&[
        batchable("one", &[]),
        batchable("two", &[]),
        worker("w1", &["one"]),
        worker("w2", &["two"]),
        convergence("merge", &["w1", "w2"]),
    ]);
    run.finish_with("one", &cut("w1", &["1", "2"]));
    assert_eq!(run.parents("merge"), ["two", "w1_1", "w1_2"]);
    run.finish(&["w1_1", "w1_2"]);
    run.finish_with("two", &cut("w2", &["1"]));
    assert_eq!(run.parents("merge"), ["two", "w1_1", "w1_2", "w2_1"]);
    run.finish(&["w2_1", "merge"]);
}

#[test]
fn a_batch_under_a_decision_comes_with_its_branch() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("choose", &["start"]),
        batchable("split", &["choose"]),
        worker("work", &["split", "start"]),
        standard("small", &["choose"]),
        convergence("merge", &["work", "small"]),
        standard("end", &["merge"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("choose", &chosen(&["split", "small"]));
    assert_eq!(run.names(), ["choose", "end", "merge", "small", "split", "start"]);
    assert_eq!(run.parents("merge"), ["small", "split"], "`split` may still make workers");
    run.finish(&["small"]);
    run.finish_with("split", &cut("work", &["1", "2"]));
    assert_eq!(run.parents("work_1"), ["split", "start"]);
    assert_eq!(run.parents("merge"), ["small", "split", "work_1", "work_2"]);
    run.finish(&["work_1", "work_2", "merge", "end"]);
}

#[test]
fn a_decision_after_a_batch_waits_for_all_of_it() {
    let mut run = Run::of(&[
        batchable("split", &[]),
        worker("work", &["split"]),
        decision("choose", &["work"]),
        standard("left", &["choose"]),
    ]);
    run.finish_with("split", &cut("work", &["1", "2"]));
    assert_eq!(run.parents("choose"), ["work_1", "work_2"]);
    run.finish(&["work_1", "work_2"]);
    run.finish_with("choose", &chosen(&["left"]));
    run.finish(&["left"]);
}

#[test]
fn ten_thousand_workers_are_one_growth() {
    let run = Run::of(&[batchable("split", &[]), worker("work", &["split"]), convergence("merge", &["work"])]);
    let growth = run.grow("split", &cut("work", &batch_ids(10_000))).unwrap().unwrap();
    assert_eq!((growth.steps.len(), growth.edges.len()), (10_001, 20_000));
    assert_eq!(growth.steps[9_999].batch_place, Some(9_999));
    assert!(growth.brief.unwrap().get().len() < 200);
}

#[test]
fn a_hundred_times_the_workers_take_about_a_hundred_times_as_long() {
    let run = Run::of(&[batchable("split", &[]), worker("work", &["split"]), convergence("merge", &["work"])]);
    let limits = GrowthLimits { max_workers: 100_000, ..LIMITS };
    let timed = |workers: usize| {
        let result = serde_json::value::to_raw_value(&cut("work", &batch_ids(workers))).unwrap();
        let started = Instant::now();
        let directive = directive(run.template.step("split").unwrap(), &result).unwrap().unwrap();
        plan_growth(&run.template, "split", &directive, &run.state, &limits).unwrap().unwrap();
        started.elapsed()
    };
    let thousand = (0..5).map(|_| timed(1_000)).min().unwrap();
    let hundred_thousand = timed(100_000);
    // Quadratic work would make it ten thousand times; a busy machine makes it a few hundred.
    assert!(hundred_thousand < thousand * 2_000, "{thousand:?} and {hundred_thousand:?}");
}

fn batch_ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:05}")).collect()
}
