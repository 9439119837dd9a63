//! The command line as scripts use it: exit codes, JSON, and messages that say what to do.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use serde_json::{Value, json};
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, run_cli};

#[tokio::test]
async fn a_task_is_created_waited_for_shown_and_listed_as_json() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["linear"], config: "" }).await;
    let (code, out, err) = run_cli(
        Some(&database),
        &[
            "task",
            "create",
            "mathematical_sequence",
            "-n",
            "linear_workflow",
            "-c",
            r#"{"even_number": 2}"#,
            "--wait",
            "--json",
        ],
    )
    .await;
    assert_eq!(code, 0, "{err}");
    let created: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(created["status"], "complete");
    assert_eq!(created["steps"][3]["results"]["result"]["result"], 65_536);

    let task = created["task_uuid"].as_str().unwrap();
    let (code, out, _) = run_cli(Some(&database), &["task", "show", task, "--json"]).await;
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["task_uuid"].as_str()), (0, Some(task)));
    let (code, out, _) = run_cli(Some(&database), &["task", "list", "--status", "complete", "--json"]).await;
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()[0]["task_uuid"].as_str()), (0, Some(task)));
    let (code, out, _) = run_cli(Some(&database), &["task", "show", task]).await;
    assert_eq!(code, 0);
    assert!(out.contains("      └─ linear_step_4  complete"), "the steps are drawn as a tree:\n{out}");
    database.drop().await;
}

#[tokio::test]
async fn waiting_for_a_task_that_fails_ends_with_1() {
    let database = TestDatabase::create().await;
    let _host = HostProcess::start(&database, Settings { packages: &["probe"], config: "" }).await;
    let arguments = ["task", "create", "refuse", "-n", "probe", "--wait"];
    let (code, out, _) = run_cli(Some(&database), &arguments).await;
    assert_eq!(code, 1);
    assert!(out.contains("refuse failed:") && out.contains("\"error_code\": \"E_NO\""), "{out}");
    database.drop().await;
}

#[tokio::test]
async fn a_template_that_nobody_registered_is_named_with_those_there_are() {
    let database = TestDatabase::create().await;
    let file = tasker_wasm_tests::workspace().join("tests/guests/probe/sleep.yaml");
    let register = ["task", "create", "--template", file.to_str().unwrap(), "-c", r#"{"ms": 1}"#];
    let (code, _, err) = run_cli(Some(&database), &register).await;
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = run_cli(Some(&database), &["task", "create", "sloop", "-n", "probe"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("registered there are: sleep"), "{err}");
    database.drop().await;
}

#[tokio::test]
async fn a_context_that_is_no_object_is_refused_before_anything_is_created() {
    let database = TestDatabase::create().await;
    let file = tasker_wasm_tests::workspace().join("tests/guests/probe/sleep.yaml");
    let file = file.to_str().unwrap();
    for (context, said) in [("[1]", "got an array"), ("{oops", "is not JSON"), ("@/nowhere", "can't read the context")]
    {
        let (code, _, err) = run_cli(Some(&database), &["task", "create", "--template", file, "-c", context]).await;
        assert!(code == 1 && err.contains(said), "{code} {err}");
    }
    let (_, out, _) = run_cli(Some(&database), &["task", "list", "--json"]).await;
    assert_eq!(out.trim(), "[]");
    database.drop().await;
}

#[tokio::test]
async fn the_schema_status_ends_with_1_until_it_is_migrated() {
    let database = TestDatabase::create_empty().await;
    let (code, out, _) = run_cli(Some(&database), &["db", "status"]).await;
    assert_eq!(code, 1);
    assert!(out.contains("run `tasker-wasm-host db migrate`"), "{out}");
    let (code, _, err) = run_cli(Some(&database), &["db", "migrate"]).await;
    assert_eq!(code, 0, "{err}");
    let (code, out, _) = run_cli(Some(&database), &["db", "status", "--json"]).await;
    let status: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert!(status["migrations"].as_array().unwrap().iter().all(|migration| !migration["applied_at"].is_null()));
    database.drop().await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_ends_with_3_and_tells_no_password() {
    let (code, _, err) = tasker_wasm_tests::run_cli_with(
        &[("DATABASE_URL", "postgres://ada:s3cret@127.0.0.1:1/tasker")],
        &["task", "list"],
    )
    .await;
    assert_eq!(code, 3);
    assert!(err.contains("127.0.0.1:1") && !err.contains("s3cret"), "{err}");
}

#[tokio::test]
async fn handlers_are_listed_and_inspected_without_a_database() {
    let dist = tasker_wasm_tests::package("linear").join("dist");
    let dist = dist.to_str().unwrap();
    let (code, out, err) = run_cli(None, &["handler", "list", "--components", dist, "--json"]).await;
    assert_eq!(code, 0, "{err}");
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 4);
    let callable = "LinearWorkflow.StepHandlers.LinearStep1Handler";
    let (code, out, _) = run_cli(None, &["handler", "inspect", callable, "--components", dist]).await;
    assert_eq!(code, 0);
    assert!(out.contains("starlingmonkey") && out.contains("snapshot"), "{out}");
    let (code, _, err) =
        run_cli(None, &["handler", "inspect", "Linear", "-n", "linear_workflow", "--components", dist]).await;
    assert!(code == 1 && err.contains("Linear"), "{err}");
}

#[tokio::test]
async fn a_handler_is_called_in_the_sandbox_without_a_database_and_its_outcome_log_and_usage_are_shown() {
    let dist = tasker_wasm_tests::package("linear").join("dist");
    let input = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&input, r#"{"even_number": 6}"#).unwrap();
    let (dist, input) = (dist.to_str().unwrap(), input.path().to_str().unwrap());
    let invoke = ["handler", "invoke", dist, "LinearWorkflow.StepHandlers.LinearStep1Handler"];

    let (code, out, log) = run_cli(None, &[&invoke[..], &["--input", input, "--json"]].concat()).await;
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{log}"));
    assert_eq!((code, &report["outcome"], &report["result"]), (0, &json!("completed"), &json!({"result": 36})));
    assert!(report["usage"]["fuel"].as_u64().unwrap() > 100_000, "{report}");
    assert!(log.contains("Starting the sequence"), "{log}");

    let (code, out, _) = run_cli(None, &[&invoke[..], &["--input", "{}"]].concat()).await;
    assert_eq!(code, 1);
    assert!(out.starts_with("failed: it would not be tried again\n") && out.contains("an even_number"), "{out}");

    let (code, out, _) = run_cli(None, &[&invoke[..], &["-i", input, "--limits", r#"{"fuel": 1000}"#]].concat()).await;
    assert!(code == 1 && out.starts_with("error:") && out.contains("fuel_exhausted"), "{out}");
}

#[tokio::test]
async fn a_handler_that_is_called_by_itself_goes_on_from_each_checkpoint_it_yields() {
    let dist = tasker_wasm_tests::package("checkpointed-batch").join("dist");
    let inputs = r#"{"cursor": {"batch_id": "001", "start_cursor": 0, "end_cursor": 5, "batch_size": 5}}"#;
    let invoke = [
        "handler",
        "invoke",
        dist.to_str().unwrap(),
        "CheckpointedBatch.StepHandlers.BillCustomersHandler",
        "--step-inputs",
        inputs,
        "--json",
    ];

    let (code, out, log) = run_cli(None, &invoke).await;

    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{log}"));
    assert_eq!((code, &report["outcome"]), (0, &json!("completed")), "{report}");
    let cursors: Vec<_> = report["checkpoints"].as_array().unwrap().iter().map(|at| &at["cursor"]).collect();
    assert_eq!(cursors, [2, 4]);
    assert_eq!(report["result"]["billed"], json!([0, 1, 2, 3, 4]));
}

#[tokio::test]
async fn what_keeps_a_handler_from_being_called_is_said() {
    let linear = tasker_wasm_tests::package("linear").join("dist");
    let asking = tasker_wasm_tests::package("guests/client").join("dist");
    let (linear, asking) = (linear.to_str().unwrap(), asking.to_str().unwrap());
    let callable = "LinearWorkflow.StepHandlers.LinearStep1Handler";
    for (arguments, expected) in [
        (&[linear, "No.Such"][..], "no component on the path serves \"No.Such\""),
        (&[linear, callable, "--input", "[1]"], "the input in --input is no JSON object: [1]"),
        (&[linear, callable, "--input", "input.json"], "the input in --input is not JSON, and no file has that name"),
        (&[linear, callable, "--limits", r#"{"feul": 1}"#], "there is no limit \"feul\"; did you mean `fuel`?"),
        (&["no/such.wasm", callable], "no/such.wasm does not exist"),
        (&[asking, "client.any"], "client = true"),
    ] {
        let (code, _, err) = run_cli(None, &[&["handler", "invoke"][..], arguments].concat()).await;
        assert!(code != 0 && err.contains(expected), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run_cli(None, &["completion", shell]).await;
        assert!(code == 0 && out.contains("tasker-wasm-host"), "{shell}");
    }
}

/// A task of `flaky`, which nobody runs.
async fn task_that_waits(database: &TestDatabase) -> String {
    let file = tasker_wasm_tests::workspace().join("tests/guests/probe/flaky.yaml");
    let (code, out, err) =
        run_cli(Some(database), &["task", "create", "--template", file.to_str().expect("a path in UTF-8"), "-c", "{}"])
            .await;
    assert_eq!(code, 0, "{err}");
    out.trim().to_owned()
}

#[tokio::test]
async fn a_task_is_cancelled_with_who_and_why_and_not_twice() {
    let database = TestDatabase::create().await;
    let task = task_that_waits(&database).await;
    let (code, _, err) = run_cli(Some(&database), &["task", "cancel", &task]).await;
    assert!(code == 2 && err.contains("--reason"), "{code} {err}");
    let cancel = ["task", "cancel", &task, "--reason", "not needed", "--by", "grace"];
    let (code, out, err) = run_cli(Some(&database), &cancel).await;
    assert!(code == 0 && out.contains("is cancelled"), "{out}{err}");
    let (code, _, err) = run_cli(Some(&database), &cancel).await;
    assert!(code == 1 && err.contains("can't cancel the task: it is cancelled; it is over"), "{err}");
    let changes = database.store.transitions(task.parse().unwrap(), 0).await.unwrap();
    let by_hand = changes.iter().find(|change| change.step.is_none() && change.to_state == "cancelled").unwrap();
    assert_eq!((by_hand.actor.as_deref(), by_hand.reason.as_deref()), (Some("grace"), Some("not needed")));
    database.drop().await;
}

#[tokio::test]
async fn a_step_is_completed_by_hand_by_its_name() {
    let database = TestDatabase::create().await;
    let task = task_that_waits(&database).await;
    let steps = database.store.steps(task.parse().unwrap()).await.unwrap();
    let name = steps[0].name.as_str();
    let (code, _, err) = run_cli(Some(&database), &["step", "retry", &task, "nonesuch", "--reason", "r"]).await;
    assert!(code == 1 && err.contains(&format!("its steps are: {name}")), "{err}");
    let (code, _, err) = run_cli(Some(&database), &["step", "retry", &task, name, "--reason", "r"]).await;
    assert!(code == 1 && err.contains("can't retry the step: it is enqueued"), "{err}");
    let complete = ["step", "complete", &task, name, "--result", r#"{"n": 7}"#, "--reason", "known", "--json"];
    let (code, out, err) = run_cli(Some(&database), &complete).await;
    assert_eq!(code, 0, "{err}");
    let step: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&step["current_state"], &step["results"]["result"]["n"]), (&"complete".into(), &7.into()));
    let changes = database.store.transitions(task.parse().unwrap(), 0).await.unwrap();
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
    assert!(
        changes.iter().any(|change| change.actor.as_deref() == Some(&user)),
        "the user of the process: {changes:?}"
    );
    database.drop().await;
}

#[tokio::test]
async fn a_decision_made_by_hand_adds_its_branches_or_is_refused() {
    let database = TestDatabase::create().await;
    let file = tasker_wasm_tests::workspace().join("handlers/approval-routing/template.yaml");
    let context = r#"{"amount": 10, "requester": "ada", "purpose": "flour"}"#;
    let create = ["task", "create", "--template", file.to_str().expect("a path in UTF-8"), "-c", context];
    let (code, out, err) = run_cli(Some(&database), &create).await;
    assert_eq!(code, 0, "{err}");
    let task = out.trim();
    let complete = async |step: &str, result: &str| {
        run_cli(Some(&database), &["step", "complete", task, step, "--result", result, "--reason", "known"]).await
    };
    let (code, _, err) = complete("route_approval", r#"{"route": "auto"}"#).await;
    assert!(code == 1 && err.contains("can't complete the step: decision step `route_approval`"), "{err}");
    let outcome = r#"{"decision_point_outcome": {"type": "create_steps", "step_names": ["auto_approve"]}}"#;
    let (code, _, err) = complete("route_approval", outcome).await;
    assert_eq!(code, 0, "{err}");
    let steps = database.store.steps(task.parse().unwrap()).await.unwrap();
    assert!(steps.iter().any(|step| step.name == "auto_approve"), "{steps:?}");
    database.drop().await;
}

#[tokio::test]
async fn namespaces_are_listed_paused_resumed_and_bounded() {
    let database = TestDatabase::create().await;
    task_that_waits(&database).await;
    let list = async || {
        let (code, out, err) = run_cli(Some(&database), &["namespace", "list", "--json"]).await;
        assert_eq!(code, 0, "{err}");
        serde_json::from_str::<Value>(&out).unwrap()[0].clone()
    };
    assert_eq!((&list().await["name"], &list().await["queued"]), (&"probe".into(), &1.into()));
    let (code, out, err) =
        run_cli(Some(&database), &["namespace", "pause", "probe", "--reason", "upkeep", "--by", "ada"]).await;
    assert!(code == 0 && out.contains("by ada: upkeep"), "{out}{err}");
    run_cli(Some(&database), &["namespace", "limit", "probe", "3"]).await;
    assert_eq!(list().await["max_concurrent"], 3);
    run_cli(Some(&database), &["namespace", "limit", "probe"]).await;
    run_cli(Some(&database), &["namespace", "resume", "probe"]).await;
    let now = list().await;
    assert_eq!((&now["paused_at"], &now["max_concurrent"]), (&Value::Null, &Value::Null));
    let (code, _, err) = run_cli(Some(&database), &["namespace", "resume", "prob"]).await;
    assert!(code == 1 && err.contains("there are: probe"), "{err}");
    database.drop().await;
}

#[tokio::test]
async fn a_task_that_nobody_runs_becomes_a_dead_letter_that_somebody_resolves() {
    let database = TestDatabase::create().await;
    let task = task_that_waits(&database).await;
    let age = "update tasker.tasks set created_at = now() - interval '1 hour', updated_at = now() - interval '1 hour'";
    sqlx::raw_sql(age).execute(database.pool()).await.unwrap();
    // A host for other work looks after it all the same.
    let config = "[orchestration.dlq.staleness_detection]\ndetection_interval_seconds = 1\n";
    let mut host = HostProcess::start(&database, Settings { packages: &["linear"], config }).await;
    host.wait_for_line("nothing happens in this task any more").await;
    tasker_wasm_tests::wait_for(&database.store, task.parse().unwrap(), &["error"]).await;

    let (code, out, err) = run_cli(Some(&database), &["dead-letter", "list", "--status", "pending", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    let letters: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&letters[0]["task_uuid"], &letters[0]["dlq_reason"]), (&task.into(), &"WorkerUnavailable".into()));
    let entry = letters[0]["dlq_entry_uuid"].as_str().unwrap();
    let (code, out, _) = run_cli(Some(&database), &["dead-letter", "show", entry]).await;
    assert!(code == 0 && out.contains("worker_unavailable, while it was steps_in_process"), "{out}");
    let resolve = ["dead-letter", "resolve", entry, "--notes", "no host serves probe", "--by", "grace"];
    let (code, out, err) = run_cli(Some(&database), &resolve).await;
    assert!(code == 0 && out.contains("by grace"), "{out}{err}");
    let again = ["dead-letter", "resolve", entry, "--as", "permanently_failed"];
    let (code, _, err) = run_cli(Some(&database), &again).await;
    assert!(code == 1 && err.contains("is manually_resolved already"), "{err}");
    database.drop().await;
}

#[tokio::test]
async fn doctor_says_of_each_part_whether_it_is_well_and_ends_with_1_if_one_is_not() {
    let database = TestDatabase::create_empty().await;
    let (code, out, _) = run_cli(Some(&database), &["doctor"]).await;
    assert!(code == 1 && out.contains("UNWELL database") && out.contains("`db migrate`"), "{out}");
    run_cli(Some(&database), &["db", "migrate"]).await;

    let (_, out, _) = run_cli(Some(&database), &["doctor", "--json"]).await;
    let checks: Value = serde_json::from_str(&out).unwrap();
    let well =
        |what: &str| checks.as_array().unwrap().iter().any(|check| check["what"] == what && check["well"] == true);
    assert!(well("database") && well("sandbox"), "{out}");
    database.drop().await;
}

#[tokio::test]
async fn doctor_attacks_the_sandbox_and_shows_how_each_attack_ended() {
    let (code, out, err) = run_cli(None, &["doctor", "--sandbox"]).await;
    assert_eq!(code, 0, "{out}{err}");
    for row in ["held    computing  loops for ever", "held    network    sends a secret to another host", " 0 breaches"]
    {
        assert!(out.contains(row), "{out}");
    }
}
