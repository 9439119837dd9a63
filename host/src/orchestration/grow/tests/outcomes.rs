//! Outcomes that cannot be carried out, and what their authors are told: `outcomes.txt` holds every message.
//! `SNAPSHOTS=overwrite cargo test outcomes` writes it anew.

use snapbox::{Assert, Data, file};

use super::*;

fn steps() -> Vec<Json> {
    let mut picky = batchable("picky", &[]);
    picky["handler"]["initialization"] = json!({"worker_template_name": "wrk"});
    vec![
        standard("start", &[]),
        decision("choose", &["start"]),
        standard("left", &["choose"]),
        standard("after_left", &["left"]),
        standard("beyond", &["left", "aside"]),
        decision("aside", &["choose"]),
        decision("barren", &["start"]),
        batchable("split", &["choose"]),
        batchable("cut", &[]),
        worker("work", &["cut"]),
        standard("work_taken", &[]),
        standard("work_later", &["choose"]),
        worker("needy", &["cut", "left"]),
        batchable("alone", &[]),
        worker("other", &["split"]),
        picky,
        worker("work_of_picky", &["picky"]),
    ]
}

fn with_configs(configs: Json) -> Json {
    let mut result = cut("work", &["1"]);
    result["batch_processing_outcome"]["cursor_configs"] = configs;
    result
}

fn with_key(key: &str, value: Json) -> Json {
    let mut result = cut("work", &["1"]);
    result["batch_processing_outcome"][key] = value;
    result
}

fn cases() -> Vec<(&'static str, &'static str, Json)> {
    let long = "x".repeat(100_000);
    vec![
        ("nothing is returned", "choose", Json::Null),
        ("a list is returned", "choose", json!([1])),
        ("the outcome is of the other kind", "choose", cut("work", &["1"])),
        ("the outcome is no object", "choose", json!({"decision_point_outcome": "left"})),
        ("the outcome has no type", "choose", json!({"decision_point_outcome": {"step_names": ["left"]}})),
        ("the type is unknown", "choose", json!({"decision_point_outcome": {"type": "create_step"}})),
        (
            "the names are one text",
            "choose",
            json!({"decision_point_outcome": {"type": "create_steps", "step_names": "left"}}),
        ),
        (
            "a name is a number",
            "choose",
            json!({"decision_point_outcome": {"type": "create_steps", "step_names": [1]}}),
        ),
        ("names are missing", "choose", json!({"decision_point_outcome": {"type": "create_steps"}})),
        ("no name is given", "choose", chosen(&[])),
        ("a name is misspelt", "choose", chosen(&["left", "lfet"])),
        ("a name is enormous", "choose", chosen(&[&long])),
        ("a step does not come after the decision", "choose", chosen(&["start"])),
        ("a decision names itself", "choose", chosen(&["choose"])),
        ("nothing depends on the decision", "barren", chosen(&["left"])),
        ("a batch worker is named", "choose", chosen(&["other"])),
        ("a step needs what nobody creates", "choose", chosen(&["left", "beyond"])),
        ("nothing is returned by a batchable step", "cut", json!({})),
        ("the type of batch is unknown", "cut", with_key("type", json!("batches"))),
        ("the worker is missing", "cut", with_key("worker_template_name", Json::Null)),
        ("the count is missing", "cut", with_key("worker_count", Json::Null)),
        ("the count is wrong", "cut", with_key("worker_count", json!(2))),
        ("the count is no number", "cut", with_key("worker_count", json!(long))),
        ("the configs are missing", "cut", with_key("cursor_configs", Json::Null)),
        ("a config has no end", "cut", with_configs(json!([{"batch_id": "1", "start_cursor": 0, "batch_size": 1}]))),
        (
            "a batch has half an item",
            "cut",
            with_configs(json!([
                {"batch_id": "1", "start_cursor": 0, "end_cursor": 1, "batch_size": 0.5}
            ])),
        ),
        (
            "a batch id is a number",
            "cut",
            with_configs(json!([
                {"batch_id": 1, "start_cursor": 0, "end_cursor": 1, "batch_size": 1}
            ])),
        ),
        ("the worker is misspelt", "cut", cut("worc", &["1"])),
        ("the worker belongs to another batch", "cut", cut("other", &["1"])),
        ("the worker is no batch worker", "cut", cut("start", &["1"])),
        ("nobody works for the batchable step", "alone", cut("work", &["1"])),
        ("a batch id is empty", "cut", cut("work", &[""])),
        ("a batch id has a line break", "cut", cut("work", &["a\nb"])),
        ("a batch id is used twice", "cut", cut("work", &["1", "2", "1"])),
        ("a batch id is enormous", "cut", cut("work", &[&long])),
        ("a step has the worker's name", "cut", cut("work", &["taken"])),
        ("a step may come to have the worker's name", "cut", cut("work", &["later"])),
        ("the worker needs what does not exist", "cut", cut("needy", &["1"])),
        ("no batches, and nobody to stand in", "alone", json!({"batch_processing_outcome": {"type": "no_batches"}})),
        ("no batches, and two could stand in", "cut", json!({"batch_processing_outcome": {"type": "no_batches"}})),
        (
            "no batches, and the one named does not exist",
            "picky",
            json!({"batch_processing_outcome": {"type": "no_batches"}}),
        ),
    ]
}

#[test]
fn every_invalid_outcome_has_a_message_that_says_what_to_do() {
    let run = Run::of(&steps());
    let mut told = String::new();
    for (case, step, result) in cases() {
        let Err(invalid) = run.grow(step, &result) else { panic!("{case}: {result} is carried out") };
        let kind = if run.template.step(step).unwrap().name.starts_with(['c', 'b']) && step != "cut" {
            "decision"
        } else {
            "batch"
        };
        assert_eq!(invalid.error_type, format!("invalid_{kind}_outcome"), "{case}");
        assert!(invalid.message.chars().count() < 1_000, "{case}: {} characters", invalid.message.chars().count());
        told.push_str(&format!("# {case}\n{invalid}\n\n"));
    }
    Assert::new().action_env("SNAPSHOTS").eq(Data::text(told).raw(), file!["outcomes.txt"].raw());
}

#[test]
fn what_the_settings_allow_is_named_when_it_is_not_enough() {
    let run = Run::of(&steps());
    let refused = |step: &str, result: &Json, limits: GrowthLimits| {
        let result = serde_json::value::to_raw_value(result).unwrap();
        let directive = directive(run.template.step(step).unwrap(), &result).unwrap().unwrap();
        plan_growth(&run.template, step, &directive, &run.state, &limits).unwrap_err().message
    };
    assert_eq!(
        refused("choose", &chosen(&["left", "after_left"]), GrowthLimits { max_steps_per_decision: 1, ..LIMITS }),
        "decision step `choose` names 2 steps, and the setting `max_steps_per_decision` allows 1; name fewer, or make \
         batches"
    );
    assert_eq!(
        refused("aside", &chosen(&["beyond"]), GrowthLimits { max_decision_depth: 1, ..LIMITS }),
        "decision step `aside` is decision number 2 on its way, and the setting `max_decision_depth` allows 1; let one \
         decision choose among more steps"
    );
    assert_eq!(
        refused("cut", &cut("work", &["1", "2"]), GrowthLimits { max_workers: 1, ..LIMITS }),
        "batchable step `cut` returned 2 batches, and the setting `max_workers` allows 1; make larger batches"
    );
}

#[test]
fn a_batch_that_would_swell_the_database_is_refused() {
    let mut work = worker("work", &["split"]);
    work["handler"]["initialization"] = json!({"table": "x".repeat(100_000)});
    let run = Run::of(&[batchable("split", &[]), work]);
    let ids: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    let invalid = run.grow("split", &cut("work", &ids)).unwrap_err();
    assert_eq!(
        invalid.message,
        "the inputs of the workers of batchable step `split` take more than 64 MiB; make fewer batches, smaller cursors, or \
         a smaller `handler.initialization` of step `work`"
    );

    let mut steps = vec![batchable("split", &[]), worker("work", &["split"])];
    steps.extend((0..200).map(|n| standard(&format!("after_{n}"), &["work"])));
    let ids: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let invalid = Run::of(&steps).grow("split", &cut("work", &ids)).unwrap_err();
    assert_eq!(
        invalid.message,
        "what step `split` creates has more than 1000000 dependencies; make fewer batches, or let one deferred_convergence \
         step wait for the workers and the others for it"
    );
}

#[test]
fn steps_that_decide_nothing_are_not_asked() {
    let run = Run::of(&[standard("start", &[]), convergence("join", &["start"])]);
    for step in ["start", "join"] {
        assert!(run.grow(step, &chosen(&["join"])).unwrap().is_none());
    }
}
