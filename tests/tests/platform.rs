//! What a component has of Node, in the real sandbox: every handler of `tests/guests/platform` tells what it saw.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::path::Path;

use serde_json::{Value, json};
use tasker_wasm_host::grants::{Access, Allowed, Asks, Granted, HttpAllowed, HttpAsk, MountAllowed, MountAsk};
use tasker_wasm_host::sandbox::{Limits, StepOutcome};
use tasker_wasm_tests::{Guest, PlainServer, package};

const PACKAGE: &str = "guests/platform";

/// What was granted: a region, a directory to read with a note in it, one to write, and requests to these servers.
async fn guest(directory: &Path, urls: &[String]) -> Guest {
    for name in ["data", "out"] {
        std::fs::create_dir(directory.join(name)).unwrap();
    }
    std::fs::write(directory.join("data/note.txt"), "a note").unwrap();
    let mounts = [("data", Access::ReadOnly), ("out", Access::ReadWrite)];
    let asks = Asks {
        http: urls.iter().map(|url| HttpAsk { url: url.parse().unwrap(), methods: Vec::new() }).collect(),
        mounts: mounts.map(|(name, access)| MountAsk { path: format!("/{name}"), access }).into(),
        env: vec!["REGION".to_owned()],
        ..Asks::default()
    };
    let loopback = vec!["127.0.0.0/8".parse().unwrap()];
    let allowed = Allowed {
        http: urls
            .iter()
            .map(|url| HttpAllowed { url: url.parse().unwrap(), methods: Vec::new(), networks: loopback.clone() })
            .collect(),
        mounts: mounts
            .map(|(name, access)| MountAllowed { path: format!("/{name}"), directory: directory.join(name), access })
            .into(),
        env: [("REGION".to_owned(), "eu-west-1".to_owned())].into(),
        ..Allowed::default()
    };
    Guest::prepare(PACKAGE, Granted::intersection(&asks, &allowed)).await
}

/// What the handler `platform.<name>` answers.
async fn answer(guest: &Guest, name: &str, input: Value) -> Value {
    let report = guest.run(&format!("platform.{name}"), input, Limits::default()).await;
    println!("{name}: {:?}", report.usage);
    match report.outcome {
        Ok(StepOutcome::Success(success)) => serde_json::from_str(success.result.get()).unwrap(),
        other => panic!("{name} should have succeeded: {other:?}"),
    }
}

#[tokio::test]
async fn a_component_answers_what_node_answers() {
    let directory = tempfile::tempdir().unwrap();
    let guest = guest(directory.path(), &[]).await;
    let expected = std::fs::read_to_string(package(PACKAGE).join("expected/alike.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();

    let seen = answer(&guest, "alike", json!({})).await;

    for (area, answers) in expected.as_object().unwrap() {
        assert_eq!(seen[area], *answers, "{area}");
    }
}

#[tokio::test]
async fn a_component_says_what_it_is_and_sees_what_it_was_granted_of_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let guest = guest(directory.path(), &[]).await;

    let seen = answer(&guest, "environment", json!({})).await;

    assert_eq!(
        seen,
        json!({
            "env": {"REGION": "eu-west-1"},
            "imported": "eu-west-1",
            "here": ["wasi", "wasm32", 1, "/", "/tmp", "\n"],
            "versions": ["tasker_guest"],
            "time": true,
            "memory": 0,
            "global": true,
            "exit": "SandboxUnsupportedError: process.exit does not work in a component: return a result, or throw an \
                     error, to end the step",
        })
    );
}

#[tokio::test]
async fn a_component_reads_and_writes_the_directories_it_was_granted() {
    let directory = tempfile::tempdir().unwrap();
    let guest = guest(directory.path(), &[]).await;

    let seen = answer(&guest, "files", json!({})).await;

    assert_eq!(
        seen,
        json!({
            "note": "a note",
            "link": true,
            "written": "one\ntwo\n",
            "size": 8,
            "recent": true,
            "chunks": [true, 200_000],
            "slice": "e\nt",
            "streamed": "ab",
            "listed": ["big.bin", "deep", "deep/er", "deep/er/note.txt", "moved.txt", "streamed.txt"],
            "kinds": [["big.bin", false], ["deep", true], ["moved.txt", false], ["streamed.txt", false]],
            "root": ["data", "out"],
            "exists": [true, true, false, false],
            "refused": {
                "absent": "ENOENT",
                "ungranted": "ENOENT",
                "upwards": "ENOENT",
                "readOnly": "EPERM",
                "directory": "EISDIR",
                "notEmpty": "ENOTEMPTY",
                "exclusive": "EEXIST",
                "exists": "EEXIST",
                "notDirectory": "ENOTDIR",
            },
            "promised": "ENOENT: no such file or directory, open '/data/none'",
            "calledBack": "ENOENT",
            "accessible": ["EACCES", "done"],
            "left": [],
        })
    );
}

#[tokio::test]
async fn what_the_engine_lacks_of_the_language_is_there_where_it_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let guest = guest(directory.path(), &[]).await;

    let seen = answer(&guest, "language", json!({})).await;

    assert_eq!(
        seen,
        json!({
            "words": ["größe", "ελλάδα"],
            "capitals": ["Ä", "ß"],
            "insensitive": true,
            "normal": ["é", 2, "fi"],
            "sorted": ["a", "Ä", "b", "C"],
            "number": "1,234,567.891",
            "money": "$12.50",
            "date": "January 2, 2024",
            "time": "3:04:05 PM",
            "both": "Jan 2, 2024, 3:04 PM",
            "plural": "two",
        })
    );
}

#[tokio::test]
async fn requests_follow_redirects_as_far_as_they_are_granted_and_axios_sends_them_too() {
    let (server, elsewhere, ungranted) =
        (PlainServer::start().await, PlainServer::start().await, PlainServer::start().await);
    let directory = tempfile::tempdir().unwrap();
    let guest = guest(directory.path(), &[server.url(""), elsewhere.url("")]).await;
    let input = json!({"url": server.url(""), "elsewhere": elsewhere.url(""), "ungranted": ungranted.url("")});

    let seen = answer(&guest, "requests", input).await;

    let ended = |url: String| json!({"status": 200, "redirected": true, "url": url, "text": "ok"});
    assert_eq!(seen["direct"], json!({"status": 200, "redirected": false, "url": server.url("/direct"), "text": "ok"}));
    for followed in ["followed", "request", "looked_up"] {
        assert_eq!(seen[followed], ended(server.url("/end")), "{followed}");
    }
    assert_eq!(seen["elsewhere"], ended(elsewhere.url("/end")));
    assert_eq!((&seen["manual"]["status"], &seen["manual"]["redirected"]), (&json!(302), &json!(false)));
    assert!(seen["error"].as_str().unwrap().contains("redirect is 'error'"), "{seen}");
    assert!(seen["ungranted"].as_str().unwrap().starts_with("TypeError"), "{seen}");
    assert_eq!(ungranted.received(), Vec::<String>::new());
    assert_eq!(seen["axios"], json!("ok"));
    assert_eq!(seen["axios_followed"], json!({"status": 200, "data": "ok"}));

    let received = server.received();
    let ends: Vec<_> = received.iter().filter(|request| request.contains(" /end ")).collect();
    assert!(ends.iter().all(|request| request.starts_with("GET ") && !request.contains("a body")), "{ends:?}");
    assert!(ends[0].contains("authorization: Bearer x") && !ends[0].contains("content-type"), "{}", ends[0]);
    let [stranger] = elsewhere.received().try_into().unwrap();
    assert!(stranger.contains("x-own: kept") && !stranger.contains("authorization"), "{stranger}");
    let axios = received.iter().find(|request| request.starts_with("POST /axios")).unwrap();
    assert!(axios.contains("x-own: axios") && axios.ends_with(r#"{"a":1}"#), "{axios}");
}
