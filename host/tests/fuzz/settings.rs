//! Settings: any file is settings or a list of problems.

use std::collections::BTreeMap;

use tasker_wasm_host::config::{Config, LoadOptions};

use crate::edit::edited_text;
use crate::target;

const LAYERS: &[&str] = &[
    include_str!("../../../config/tasker/base/common.toml"),
    include_str!("../../../config/tasker/base/orchestration.toml"),
    include_str!("../../../config/tasker/base/worker.toml"),
];

const WORDS: &[&str] = &[
    "[worker.namespaces.shop.grants]\n",
    "http = [{ url = \"https://*\", networks = [\"10.0.0.0/8\"] }]\n",
    "[worker.sandbox.limits]\nfuel = 1\n",
    "mounts = [{ path = \"/data\", directory = \"/srv\" }]\n",
    "${HOME}",
    "${",
    "${A:-b}",
    "}",
    "[[",
    "]]",
    "= ",
    "\n",
    "\"\"\"",
    "'''",
    "-1",
    "1e999",
    "9223372036854775808",
    "nan",
    "1979-05-27",
    "true",
    ".",
    "\"",
    "[",
    "{",
];

#[test]
fn settings() {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    let path = file.path().to_owned();
    target!(move |input: &[u8]| {
        let Some((which, edits)) = input.split_first() else { return };
        std::fs::write(&path, edited_text(LAYERS[usize::from(*which) % LAYERS.len()], edits, WORDS)).unwrap();
        let options = LoadOptions { path: Some(path.clone()), variables: BTreeMap::new() };
        if let Err(error) = Config::load(&options) {
            assert!(!error.problems.is_empty() && !error.to_string().is_empty());
        }
    });
}
