//! The command line over a server.

use serde_json::{Value, json};
use tasker_wasm_tests::{TestDatabase, run_cli_with};

use super::shared::{GUARDED, host, key};

#[tokio::test]
async fn every_verb_works_over_a_server_with_a_key_as_on_the_database_itself() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    let url = api.url("");
    let secret = key(&database, "*", &[]).await;
    let run = async |arguments: &[&str]| {
        let variables = [("TASKER_SERVER", url.as_str()), ("TASKER_API_KEY", secret.as_str())];
        run_cli_with(&variables, arguments).await
    };
    let create = [
        "task",
        "create",
        "mathematical_sequence",
        "-n",
        "linear_workflow",
        "-c",
        r#"{"even_number": 6}"#,
        "--wait",
        "--json",
    ];
    let (code, out, err) = run(&create).await;
    assert_eq!(code, 0, "{err}");
    let task: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(task["status"], "complete");
    let uuid = task["task_uuid"].as_str().unwrap();

    let (code, out, _) = run(&["task", "wait", uuid]).await;
    assert!(code == 0 && out.contains("linear_step_4") && out.contains("→ complete"), "{out}");
    let (code, out, _) = run(&["task", "show", uuid]).await;
    assert!(code == 0 && out.contains("4 of 4 steps"), "{out}");
    let (code, out, _) = run(&["task", "logs", uuid, "--step", "linear_step_1"]).await;
    assert!(code == 0 && out.contains("Starting the sequence"), "{out}");
    let (code, out, _) = run(&["task", "list", "-n", "linear_workflow", "--json"]).await;
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()[0]["task_uuid"].as_str()), (0, Some(uuid)));
    let (code, _, err) = run(&["task", "cancel", uuid, "--reason", "late"]).await;
    assert!(code == 1 && err.contains("can't cancel the task: it is complete"), "{err}");
    let (code, out, _) = run(&["template", "list"]).await;
    assert!(code == 0 && out.contains("mathematical_sequence"), "{out}");
    let (code, out, _) = run(&["template", "show", "mathematical_sequence", "1.0.0", "-n", "linear_workflow"]).await;
    assert!(code == 0 && out.contains("\"steps\""), "{out}");
    let (code, out, _) = run(&["handler", "list"]).await;
    assert!(code == 0 && out.contains("linear_workflow"), "{out}");
    let (code, out, _) = run(&["usage"]).await;
    assert!(code == 0 && out.contains("linear_step_1"), "{out}");
    let (code, out, _) = run(&["namespace", "pause", "probe", "--reason", "upkeep", "--by", "ada"]).await;
    assert!(code == 0 && out.contains("by ada (key:a-test): upkeep"), "{out}");

    let (code, out, _) = run(&["task", "create", "sleep", "-n", "probe", "-c", r#"{"ms": 1}"#]).await;
    assert_eq!(code, 0);
    let sleeping = out.trim().to_owned();
    let (code, _, err) = run(&["task", "wait", &sleeping, "--timeout", "1"]).await;
    assert!(code == 1 && err.contains("is still steps_in_process after 1 s"), "{err}");
    let (code, out, err) = run(&["step", "resolve", &sleeping, "sleep", "--reason", "done", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["current_state"], json!("resolved_manually"));
    let (code, out, _) = run(&["audit", "--json"]).await;
    assert!(code == 0 && out.contains("upkeep"), "{out}");
    let (code, out, _) = run(&["dead-letter", "list", "--json"]).await;
    assert_eq!((code, out.trim()), (0, "[]"));

    let (code, _, err) = run(&["task", "create", "--template", "handlers/linear/template.yaml"]).await;
    assert!(code == 1 && err.contains("needs the database itself"), "{err}");
    database.drop().await;
}

#[tokio::test]
async fn what_keeps_the_command_line_from_a_server_is_told() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    let url = api.url("");
    for (server, secret, said) in [
        (url.as_str(), "", "this address asks who you are"),
        (&url, "twh_nobodys", "this API key is unknown"),
        ("http://127.0.0.1:1", "", "can't reach http://127.0.0.1:1"),
        ("ftp://127.0.0.1", "", "give it a URL such as http://127.0.0.1:8080"),
    ] {
        let (code, _, err) = run_cli_with(&[("TASKER_API_KEY", secret)], &["task", "list", "--server", server]).await;
        assert!(code != 0 && err.contains(said), "{server}: {err}");
    }
    database.drop().await;
}
