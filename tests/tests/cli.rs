//! The command line as scripts use it: exit codes, JSON, and messages that say what to do.

use serde_json::Value;
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
async fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run_cli(None, &["completion", shell]).await;
        assert!(code == 0 && out.contains("tasker-wasm-host"), "{shell}");
    }
}
