//! What a host is given that runs in the process of a test.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tasker_wasm_host::config::{Config, LoadOptions};

use super::{TestDatabase, package, workspace};

/// Where the hosts of all tests have compiled components.
#[must_use]
pub fn compiled() -> PathBuf {
    workspace().join("target/test-cache/tasker-wasm-host/components")
}

/// What a host on `database` that serves `packages` is given.
///
/// # Panics
///
/// If the defaults are not what they must be.
#[must_use]
pub fn config(database: &TestDatabase, packages: &[&str]) -> Config {
    let variables = BTreeMap::from([("DATABASE_URL".into(), database.url.clone())]);
    let loaded = Config::load(&LoadOptions { path: None, variables });
    let mut config = loaded.expect("the defaults are a configuration").config;
    let folders: Vec<_> = packages.iter().map(|name| package(name)).collect();
    config.worker.component_path = folders.iter().map(|folder| folder.join("dist")).collect();
    config.worker.sandbox.cache_dir = compiled();
    config.common.task_templates.search_paths = folders;
    config
}
