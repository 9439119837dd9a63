//! What the end-to-end tests share: the built program, a database of their own, and a host process they may kill.
//!
//! Tests run in any order and in parallel. They share one private PostgreSQL server, which the first of them starts and
//! the last one leaves, and each has a database of its own in it.

mod api_client;
mod attempts;
mod config;
mod database;
mod neighbours;
mod plain_server;
mod process;
mod server;
mod steps;
mod stream;
mod tasks;

pub use api_client::{Answer, ApiClient, EventStream, StreamEvent};
pub use attempts::{Guest, built_package};
pub use config::{compiled, config};
pub use database::TestDatabase;
pub use neighbours::Street;
pub use plain_server::PlainServer;
pub use process::{HostProcess, Settings, run_cli, run_cli_with};
pub use server::OwnServer;
pub use steps::{error, result, step};
pub use stream::stream;
pub use tasks::{LEASE, all_succeeded, claim_of, create_tasks, one_step, registered, succeeded, task, wait_for};

use std::path::PathBuf;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// The built program.
///
/// # Panics
///
/// If it has not been built.
pub fn host_binary() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows its own path");
    while path.file_name().is_some_and(|name| name != "debug") {
        assert!(path.pop(), "the test does not run from a target directory");
    }
    path.push("tasker-wasm-host");
    assert!(path.exists(), "{} is missing: run `cargo build --workspace` or `make build` first", path.display());
    path
}

/// The folder of a package, built: one below `handlers/`, `tests/guests/` or `tests/`, such as `hostile` and `hostile/granted`.
///
/// # Panics
///
/// If its component has not been built.
pub fn package(name: &str) -> PathBuf {
    let found = ["handlers", "tests/guests", "tests"].map(|parent| workspace().join(parent).join(name));
    let folder =
        found.into_iter().find(|folder| folder.exists()).unwrap_or_else(|| panic!("there is no package {name}"));
    assert!(folder.join("dist").exists(), "{} has not been built: run `make build` first", folder.display());
    folder
}
