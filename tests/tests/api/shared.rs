//! What the tests of the API share.

use serde_json::{Value, json};
use tasker_wasm_tests::{ApiClient, HostProcess, Settings, TestDatabase, run_cli};

/// A request for the linear workflow.
pub(crate) fn linear(context: Value) -> Value {
    request("linear_workflow", "mathematical_sequence", context)
}

/// A request for any template.
pub(crate) fn request(namespace: &str, name: &str, context: Value) -> Value {
    json!({
        "name": name, "namespace": namespace, "version": "1.0.0", "context": context, "initiator": "ada",
        "source_system": "tests", "reason": "a test"
    })
}

/// A host of two namespaces, and a client that says nothing of itself.
pub(crate) async fn host(database: &TestDatabase, config: &str) -> (HostProcess, ApiClient) {
    let host = HostProcess::start(database, Settings { packages: &["linear", "probe"], config }).await;
    let api = host.api();
    (host, api)
}

/// Callers must say who they are.
pub(crate) const GUARDED: &str = "[orchestration.web.auth]\nenabled = true\n";

/// A key with these permissions in these namespaces.
pub(crate) async fn key(database: &TestDatabase, permissions: &str, namespaces: &[&str]) -> String {
    let mut arguments = vec!["api-key", "create", "a-test", "--permission", permissions];
    namespaces.iter().for_each(|namespace| arguments.extend(["--namespace", namespace]));
    let (code, out, err) = run_cli(Some(database), &arguments).await;
    assert_eq!(code, 0, "{err}");
    out.trim().to_owned()
}
