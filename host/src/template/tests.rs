//! Templates as people write them, good and bad: each file under `tests/template/` stands beside what it gives.
//! `SNAPSHOTS=overwrite cargo test template` writes the expectations anew.

use std::{fs, path::Path};

use super::*;
use crate::config::limits::Limit;
use crate::document::golden;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/template");

#[test]
fn every_bad_template_is_refused_with_all_that_is_wrong() {
    let seen =
        golden::assert_each(Path::new(FILES).join("invalid"), "yaml", "err", |name, text| match parse(name, text) {
            Ok(parsed) => panic!("{name} is accepted as {}", parsed.template),
            Err(error) => format!("{error}\n"),
        });
    assert!(seen >= 47, "{seen} bad templates");
}

#[test]
fn every_good_template_is_read_with_its_defaults_and_warnings() {
    golden::assert_each(Path::new(FILES).join("valid"), "yaml", "json", |name, text| {
        let parsed = parse(name, text).unwrap_or_else(|error| panic!("{error}"));
        let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
        let stored = serde_json::to_value(&parsed.template).unwrap();
        assert_eq!(serde_json::from_value::<Template>(stored.clone()).unwrap(), parsed.template, "{name} is read back");
        format!("{:#}\n", serde_json::json!({ "template": stored, "warnings": warnings }))
    });
}

fn template(steps: &[(&str, &[&str])]) -> Template {
    let steps: Vec<_> = steps
        .iter()
        .map(|(name, dependencies)| serde_json::json!({"name": name, "handler": {"callable": "H"}, "dependencies": dependencies}))
        .collect();
    let json = serde_json::json!({"name": "order", "namespace_name": "shop", "version": "1.0.0", "steps": steps});
    serde_json::from_value(json).unwrap()
}

#[test]
fn a_plan_puts_parents_before_children_and_keeps_the_written_order_otherwise() {
    let diamond =
        template(&[("join", &["right", "left"]), ("start", &[]), ("left", &["start"]), ("right", &["start"])]);
    let plan = plan(&diamond).unwrap();
    let steps: Vec<_> =
        plan.steps.iter().map(|step| (step.definition.name.as_str(), step.parents.as_slice())).collect();
    assert_eq!(steps, [("start", &[][..]), ("left", &[0][..]), ("right", &[0][..]), ("join", &[1, 2][..])]);
}

#[test]
fn a_template_without_steps_plans_to_nothing() {
    assert_eq!(plan(&template(&[])), Ok(Plan { steps: Vec::new(), grows: false }));
}

#[test]
fn a_plan_leaves_out_what_a_decision_or_a_batch_decides_over() {
    let text = fs::read_to_string(Path::new(FILES).join("valid/dynamic.yaml")).unwrap();
    let template = parse("dynamic.yaml", &text).unwrap().template;
    let planned = plan(&template).unwrap();
    let steps: Vec<_> =
        planned.steps.iter().map(|step| (step.definition.name.as_str(), step.parents.as_slice())).collect();
    assert_eq!(
        steps,
        [
            ("start", &[][..]),
            ("choose", &[0][..]),
            ("aside", &[0][..]),
            ("meet", &[0, 2][..]),
            ("cut", &[2][..]),
            ("after_cut", &[4][..]),
        ]
    );
    assert!(planned.grows);
}

#[test]
fn a_stored_template_that_was_changed_by_hand_is_refused_not_looped_over() {
    let cycle = plan(&template(&[("a", &["b"]), ("b", &["a"])])).unwrap_err();
    assert!(matches!(&cycle, PlanError::Cycle { cycle, .. } if cycle == &["a", "b", "a"]), "{cycle}");
    let unknown = plan(&template(&[("a", &["b"])])).unwrap_err();
    assert!(matches!(&unknown, PlanError::UnknownDependency { dependency, .. } if dependency == "b"), "{unknown}");
}

#[test]
fn overrides_of_an_environment_apply_in_order_merging_initialization_and_replacing_retry() {
    let text = fs::read_to_string(Path::new(FILES).join("valid/everything.yaml")).unwrap();
    let written = parse("everything.yaml", &text).unwrap().template;
    let resolved = written.for_environment("test");
    let (before, after) = (written.step("validate").unwrap(), resolved.step("validate").unwrap());
    assert_eq!(after.handler.initialization["limits"], serde_json::json!([]));
    assert_eq!(after.handler.initialization["nested"], before.handler.initialization["nested"]);
    assert_eq!((after.retry.max_attempts, after.retry.backoff_base_ms), (1, None), "retry is replaced as a whole");
    assert!(resolved.steps.iter().all(|step| step.all_limits().get(Limit::TimeoutMs) == Some(5_000)), "ALL is all");
    assert_eq!(written.for_environment("production"), written);
    assert_eq!(written.for_environment("unheard of"), written);
}

#[test]
fn overrides_lay_limits_over_those_of_the_step_and_the_time_replaces_the_time_however_it_is_written() {
    let text = fs::read_to_string(Path::new(FILES).join("valid/limits.yaml")).unwrap();
    let written = parse("limits.yaml", &text).unwrap().template;
    let limits = |environment: &str| {
        let resolved = written.for_environment(environment);
        let limits: Vec<_> = resolved.steps.iter().map(|step| format!("{:?}", step.all_limits())).collect();
        limits.join(" ")
    };
    assert_eq!(
        limits("development"),
        r#"{"fuel": 1000000000, "memory_mb": 64, "timeout_ms": 2500} {"timeout_ms": 7000} {}"#
    );
    assert_eq!(
        limits("test"),
        r#"{"fuel": 5, "memory_mb": 64, "timeout_ms": 1000} {"fuel": 5, "timeout_ms": 250} {"fuel": 5}"#
    );
}

#[test]
fn a_digest_sees_what_a_template_says_and_not_how_it_is_written() {
    let one = "name: order\nnamespace_name: shop\nversion: 1.0.0\nsteps:\n  - name: pay\n    handler: {callable: Pay, initialization: {a: 1, b: 2}}\n";
    let same = "# A comment.\nversion: \"1.0.0\"\nname: order\nnamespace_name: shop\nsteps: [{handler: {initialization: {b: 2, a: 1}, callable: Pay}, step_type: standard, name: pay}]\n";
    let digest_of = |text: &str| digest(&parse("order.yaml", text).unwrap().template);
    assert_eq!(digest_of(one), digest_of(same));
    assert_ne!(digest_of(one), digest_of(&one.replace("a: 1", "a: 3")));
    assert_eq!(digest_of(one).len(), 64);
}

#[test]
fn a_scan_finds_templates_and_passes_over_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let named = |name: &str| format!("name: {name}\nnamespace_name: shop\nversion: 1.0.0\nsteps: []\n");
    write("b/template.yml", &named("b"));
    write("a/deep/er/template.yaml", &named("a"));
    write("copy/template.yaml", &named("a"));
    write("changed/template.yaml", &named("b").replace("steps: []", "description: other"));
    write("broken/template.yaml", "namespace_name: shop\nsteps: [\n");
    write("bad/template.yaml", "namespace_name: shop\n");
    write("compose.yaml", "services: {db: {image: postgres}}\n");
    write("list.yaml", "- 1\n");
    write("kubernetes.yaml", "kind: A\n---\nkind: B\n");
    write("notes.txt", &named("text"));
    for skipped in ["node_modules/x", "dist", "target/debug", ".git"] {
        write(&format!("{skipped}/template.yaml"), &named("skipped"));
    }
    let scan = scan(folder.path());
    let found: Vec<_> = scan.templates.iter().map(|loaded| loaded.template.to_string()).collect();
    assert_eq!(found, ["shop/a/1.0.0", "shop/b/1.0.0"]);
    assert_eq!(scan.templates[0].path, folder.path().join("a/deep/er/template.yaml"));
    let errors: Vec<_> = scan.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert!(errors[0].contains("bad/template.yaml:1:1: `name` is missing"), "{}", errors[0]);
    assert!(errors[1].contains("broken/template.yaml:"), "{}", errors[1]);
    assert!(errors[2].contains("changed/template.yaml: template shop/b/1.0.0 is already defined"), "{}", errors[2]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_not_an_empty_scan() {
    let folder = tempfile::tempdir().unwrap();
    let scan = scan(&folder.path().join("nowhere"));
    assert!(scan.templates.is_empty());
    assert!(scan.errors[0].to_string().contains("nowhere: cannot be read"), "{}", scan.errors[0]);
}
