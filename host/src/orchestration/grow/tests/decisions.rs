//! What decisions add.

use super::*;

#[test]
fn a_decision_creates_what_it_names_and_what_only_waited_for_that() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("choose", &["start"]),
        standard("left", &["choose"]),
        standard("after_left", &["left", "start"]),
        standard("last_left", &["after_left"]),
        standard("right", &["choose"]),
        standard("after_right", &["right"]),
        standard("both", &["left", "right"]),
    ]);
    assert_eq!(run.names(), ["choose", "start"]);
    run.finish(&["start"]);
    run.finish_with("choose", &chosen(&["left"]));
    assert_eq!(run.names(), ["after_left", "choose", "last_left", "left", "start"]);
    assert_eq!(run.parents("left"), ["choose"]);
    assert_eq!(run.parents("after_left"), ["left", "start"]);
    run.finish(&["left", "after_left", "last_left"]);
    assert_eq!(run.ready(), [""; 0]);
}

#[test]
fn a_grown_step_keeps_the_settings_of_its_template() {
    let mut left = standard("left", &["choose"]);
    left["handler"]["initialization"] = json!({"k": [1]});
    left["retry"] = json!({"max_attempts": 7, "retryable": false});
    let mut run = Run::of(&[standard("start", &[]), decision("choose", &["start"]), left]);
    run.finish(&["start"]);
    let growth = run.finish_with("choose", &chosen(&["left", "left"])).unwrap();
    let [left] = &growth.steps[..] else { panic!("{growth:?}") };
    assert_eq!((left.name.as_str(), &left.template_step, left.batch_place), ("left", &None, None));
    assert_eq!((left.max_attempts, left.retryable, left.inputs.get()), (7, false, r#"{"k":[1]}"#));
    assert!(growth.batch.is_none() && growth.brief.is_none());
}

#[test]
fn a_decision_for_nothing_adds_nothing() {
    let steps = [
        standard("start", &[]),
        decision("choose", &["start"]),
        standard("left", &["choose"]),
        convergence("join", &["left"]),
    ];
    let mut run = Run::of(&steps);
    run.finish(&["start"]);
    let none = json!({"decision_point_outcome": {"type": "no_branches"}, "reason": "closed"});
    assert!(run.finish_with("choose", &none).is_none());
    assert_eq!(run.names(), ["choose", "start"]);
}

#[test]
fn a_convergence_step_waits_for_those_of_its_dependencies_that_came_into_being() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("choose", &["start"]),
        standard("a", &["choose"]),
        standard("b", &["choose"]),
        standard("c", &["choose"]),
        convergence("join", &["a", "b", "c", "start"]),
        standard("end", &["join"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("choose", &chosen(&["c", "a"]));
    assert_eq!(run.names(), ["a", "c", "choose", "end", "join", "start"]);
    assert_eq!(run.parents("join"), ["a", "c", "start"]);
    assert_eq!(run.parents("end"), ["join"]);
}

#[test]
fn two_decisions_feed_one_convergence_whichever_comes_first() {
    let steps = [
        standard("start", &[]),
        decision("one", &["start"]),
        decision("two", &["start"]),
        standard("a", &["one"]),
        standard("b", &["two"]),
        convergence("join", &["a", "b"]),
    ];
    let mut run = Run::of(&steps);
    run.finish(&["start"]);
    run.finish_with("one", &chosen(&["a"]));
    assert_eq!(run.parents("join"), ["a", "two"], "it must not start while `two` may still create `b`");
    run.finish(&["a"]);
    run.finish_with("two", &chosen(&["b"]));
    assert_eq!(run.parents("join"), ["a", "b", "two"]);
    run.finish(&["b", "join"]);

    let mut run = Run::of(&steps);
    run.finish(&["start"]);
    run.finish_with("two", &json!({"decision_point_outcome": {"type": "no_branches"}}));
    run.finish_with("one", &chosen(&["a"]));
    assert_eq!(run.parents("join"), ["a"], "nobody can create `b` any more");
}

#[test]
fn a_convergence_step_waits_for_a_decision_that_another_decision_may_create() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("outer", &["start"]),
        decision("other", &["start"]),
        standard("way", &["outer"]),
        decision("inner", &["way"]),
        standard("deep", &["inner"]),
        standard("flat", &["other"]),
        convergence("join", &["deep", "flat"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("other", &chosen(&["flat"]));
    assert_eq!(run.parents("join"), ["flat", "outer"]);
    run.finish(&["flat"]);
    run.finish_with("outer", &chosen(&["way"]));
    assert_eq!(run.parents("inner"), ["way"], "`inner` depends on no decision directly");
    assert_eq!(run.parents("join"), ["flat", "inner", "outer"]);
    run.finish(&["way"]);
    run.finish_with("inner", &chosen(&["deep"]));
    assert_eq!(run.parents("join"), ["deep", "flat", "inner", "outer"]);
    run.finish(&["deep", "join"]);
}

#[test]
fn a_decision_that_depends_on_a_decision_is_a_choice_like_any_other() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("outer", &["start"]),
        decision("inner", &["outer"]),
        standard("deep", &["inner"]),
        standard("flat", &["outer"]),
        convergence("join", &["deep", "flat"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("outer", &chosen(&["flat", "inner"]));
    assert_eq!(run.names(), ["flat", "inner", "join", "outer", "start"]);
    assert_eq!(run.parents("join"), ["flat", "inner"]);
    run.finish(&["flat"]);
    run.finish_with("inner", &chosen(&["deep"]));
    run.finish(&["deep", "join"]);
}

#[test]
fn a_decision_may_name_steps_further_down_together_with_what_they_need() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("choose", &["start"]),
        standard("near", &["choose"]),
        standard("far", &["near"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("choose", &chosen(&["far", "near"]));
    assert_eq!(run.parents("far"), ["near"]);
}

#[test]
fn convergence_follows_convergence_and_steps_follow_both() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("one", &["start"]),
        decision("two", &["start"]),
        standard("a", &["one"]),
        standard("b", &["one"]),
        standard("c", &["two"]),
        convergence("first", &["a", "b"]),
        convergence("second", &["first", "c"]),
        standard("between", &["first"]),
        standard("end", &["second", "between"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("one", &chosen(&["b"]));
    assert_eq!(run.parents("first"), ["b"]);
    assert_eq!(run.parents("second"), ["first", "two"]);
    assert_eq!(run.parents("end"), ["between", "second"]);
    run.finish(&["b", "first", "between"]);
    run.finish_with("two", &chosen(&["c"]));
    run.finish(&["c", "second", "end"]);
}

#[test]
fn a_convergence_step_that_is_named_alone_waits_for_the_decision() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("choose", &["start"]),
        standard("a", &["choose"]),
        convergence("join", &["a"]),
        convergence("direct", &["choose"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("choose", &chosen(&["join", "direct"]));
    assert_eq!((run.parents("join"), run.parents("direct")), (vec!["choose"], vec!["choose"]));
}

#[test]
fn a_step_whose_other_parents_are_done_waits_for_the_decision_that_made_it() {
    let mut run = Run::of(&[
        standard("start", &[]),
        standard("done", &[]),
        decision("choose", &["start"]),
        standard("a", &["choose"]),
        convergence("join", &["done", "a"]),
    ]);
    run.finish(&["start", "done"]);
    run.finish_with("choose", &chosen(&["join"]));
    assert_eq!(run.parents("join"), ["choose", "done"], "`done` is done, and releases nobody any more");
}

#[test]
fn a_step_waits_for_the_decision_that_made_it_beside_one_that_may_end_before_the_growth_is_committed() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("one", &["start"]),
        decision("two", &["start"]),
        standard("a", &["one"]),
        standard("b", &["two"]),
        convergence("join", &["a", "b"]),
    ]);
    run.finish(&["start"]);
    let planned = run.grow("one", &chosen(&["join"])).unwrap().unwrap();
    // It adds nothing, so the growth of the other is not planned again.
    run.finish_with("two", &json!({"decision_point_outcome": {"type": "no_branches"}}));
    run.add("one", &planned);
    assert_eq!(run.parents("join"), ["one", "two"]);
    assert!(!run.is_ready("join"), "and so the end of `one` releases it");
}

#[test]
fn what_exists_already_is_not_created_again() {
    let mut run = Run::of(&[
        standard("start", &[]),
        decision("one", &["start"]),
        decision("two", &["start"]),
        standard("shared", &["one", "two"]),
        standard("after", &["shared"]),
    ]);
    run.finish(&["start"]);
    run.finish_with("one", &chosen(&["shared"]));
    assert_eq!(run.parents("shared"), ["one", "two"]);
    assert!(run.finish_with("two", &chosen(&["shared"])).is_none());
    run.finish(&["shared", "after"]);
}
