//! Handlers that loop, allocate, recurse, lie, flood, forge or stall (`tests/hostile/`). Each ends with an error that has
//! a name, or does no harm; it ends in time; and the next step, in the same sandbox, is as if it had never run.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod case;
mod granted;
mod plain;
mod whole_host;

use serde_json::json;
use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::registry::scan;
use tasker_wasm_tests::{Guest, package};

use case::run_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_handler_ends_as_expected_and_in_time_and_leaves_nothing_behind() {
    let guest = Guest::prepare("hostile", Granted::default()).await;

    run_all(&guest, "hostile", plain::CASES, &json!({})).await;
}

#[test]
fn every_handler_of_the_packages_is_in_a_table() {
    let mut tables: Vec<_> = granted::ALL.iter().copied().flatten().map(|case| case.handler).collect();
    tables.push("follow");
    for (package, tables) in
        [("hostile", plain::CASES.iter().map(|case| case.handler).collect::<Vec<_>>()), ("hostile/granted", tables)]
    {
        let missing: Vec<_> = listed(package).into_iter().filter(|name| !tables.contains(&name.as_str())).collect();
        assert_eq!(missing, Vec::<String>::new(), "{package}");
    }
}

/// The handlers of a built package, without the package's prefix and without the well-behaved one.
fn listed(name: &str) -> Vec<String> {
    let packages = scan(&[package(name).join("dist")]).unwrap();
    let manifest = packages[0].manifest.clone().unwrap();
    let names = manifest.handlers.iter().filter_map(|handler| handler.name.split_once('.'));
    names.map(|(_, name)| name.to_owned()).filter(|name| name != "echo").collect()
}
