//! The tests of the guest SDK, inside a component: what holds under Node holds in the engine that runs handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::sandbox::{Limits, StepOutcome};
use tasker_wasm_tests::{Guest, package, workspace};

/// What a handler says of the test file it ran.
#[derive(Deserialize)]
struct Report {
    passed: usize,
    failed: Vec<FailedTest>,
}

#[derive(Deserialize)]
struct FailedTest {
    name: String,
    error: String,
}

#[tokio::test]
async fn the_tests_of_the_sdk_pass_in_a_component() {
    let guest = Guest::prepare("contract", Granted::default()).await;
    let limits = Limits {
        fuel: u64::MAX,
        deadline: Duration::from_secs(300),
        log_lines: 100_000,
        log_bytes: 16 << 20,
        ..Limits::default()
    };
    let mut failures = Vec::new();

    for file in in_the_component() {
        let report = guest.run(&format!("contract.{file}"), json!({}), limits.clone()).await;
        match report.outcome {
            Ok(StepOutcome::Success(success)) => {
                let Report { passed, failed } = serde_json::from_str(success.result.get()).expect("a report");
                if passed + failed.len() == 0 {
                    failures.push(format!("{file} declared no tests"));
                }
                failures
                    .extend(failed.into_iter().map(|FailedTest { name, error }| format!("{file}: {name}\n{error}")));
            }
            other => failures.push(format!("{file} was not run: {other:?}")),
        }
    }

    assert!(failures.is_empty(), "{} failed in the component:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_test_file_of_the_sdk_is_in_the_component_or_left_out_for_a_reason() {
    let mut known = in_the_component();
    for (file, reason) in left_out() {
        assert!(reason.len() > 20, "left-out.json gives no reason for {file}");
        assert!(known.insert(file.clone()), "{file} is left out and in the component");
    }

    assert_eq!(known, test_files(&workspace().join("guest-ts/tests"), ""));
}

/// The files that the component's handlers run.
fn in_the_component() -> BTreeSet<String> {
    let manifest: Value = read(&package("contract").join("dist/contract.manifest.json"));
    let handlers = manifest["handlers"].as_array().expect("handlers");
    let names = handlers.iter().map(|handler| handler["name"].as_str().expect("a name"));
    names.map(|name| name.strip_prefix("contract.").expect("the prefix").to_owned()).collect()
}

/// Files that cannot run in a component, and why.
fn left_out() -> BTreeMap<String, String> {
    read(&package("contract").join("left-out.json"))
}

/// `api/results` for `api/results.test.ts`.
fn test_files(directory: &Path, below: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("the tests of the SDK").map(|entry| entry.expect("an entry"));
    entries
        .flat_map(|entry| {
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                return test_files(&entry.path(), &format!("{name}/"));
            }
            name.strip_suffix(".test.ts").map(str::to_owned).into_iter().collect()
        })
        .collect()
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> T {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
