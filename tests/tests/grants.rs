//! What authors ask for and operators allow, from files to attempts: limits, grants, refusals and upgrades.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tasker_wasm_host::registry::Digest;
use tasker_wasm_tests::{
    HostProcess, Settings, TestDatabase, create_tasks, error, run_cli_with, step, wait_for, workspace,
};

/// A package of namespace `shop`: a hand-written component that computes without end, its manifest and its template.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn new(asks: &Value) -> Self {
        let shop = Self { folder: tempfile::tempdir().unwrap() };
        shop.build(0, asks);
        shop
    }

    /// Writes one build; another `number` is another component with the same behaviour.
    fn build(&self, number: u8, asks: &Value) {
        let floor = std::fs::read_to_string(workspace().join("host/src/doctor/floor.wat")).unwrap();
        let (before, rest) = floor.split_once(";; begin handle").unwrap();
        let (_, after) = rest.split_once(";; end handle").unwrap();
        let spin = r#"(func $handle (export "handle") (param $context i32) (result i32) (loop $again (br $again)) unreachable)"#;
        let mut bytes = wat::parse_str(format!("{before}{spin}{after}")).unwrap();
        // A custom section: its name is `n`, its content the number.
        bytes.extend([0, 3, 1, b'n', number]);
        let mut manifest = json!({
            "manifest_version": 1, "name": "orders", "namespace": "shop", "component": "orders.wasm",
            "component_sha256": Digest::of(&bytes).to_string(), "input_hash": "00",
            "initialization": {"mode": "snapshot", "reason": "-"}, "sdk": {"name": "wat", "version": "1"},
            "engine": {"name": "none", "componentize_js": "-"},
            "handlers": [{"name": "floor", "version": "1.0.0", "limits": {"fuel": 200_000, "memory_mb": 1_000}}],
            "limits": {"fuel": 300_000, "log_lines": 7}
        });
        manifest["grants"] = asks.clone();
        std::fs::write(self.folder.path().join("orders.wasm"), bytes).unwrap();
        std::fs::write(self.folder.path().join("orders.manifest.json"), manifest.to_string()).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Settings whose component and template path is this package.
    fn settings(&self, more: &str) -> String {
        let path = self.path().display();
        format!("worker.component_path = [\"{path}\"]\ncommon.task_templates.search_paths = [\"{path}\"]\n{more}")
    }

    /// Exit code, output and log of a verb of `handler`.
    async fn handler(&self, settings: &str, arguments: &[&str]) -> (i32, String, String) {
        let file = self.write("settings.toml", &self.settings(settings));
        let (file, variables) = (file.to_str().unwrap(), [("REGION", "eu"), ("STRIPE_KEY", "geheim")]);
        run_cli_with(&variables, &[&["--config", file, "handler"], arguments].concat()).await
    }
}

fn everything() -> Value {
    json!({
        "http": [{"url": "https://api.example.com", "methods": ["GET"]}], "env": ["REGION"],
        "secrets": ["STRIPE_KEY"], "client": true
    })
}

#[tokio::test]
async fn a_component_that_asks_for_more_is_refused_and_served_when_the_lines_are_added() {
    let shop = Shop::new(&everything());
    let (code, out, log) = shop.handler("", &["list"]).await;
    assert_eq!(code, 1, "{log}");
    assert!(out.is_empty() && log.contains("orders asks for what namespace shop is not allowed"), "{out}{log}");

    let at = log.find("[worker.namespaces.shop.grants]").unwrap();
    let lines = log[at..].split("\n\n").next().unwrap();
    let lines: Vec<_> = lines.lines().take_while(|line| line.starts_with('[') || line.contains(" = ")).collect();
    assert_eq!(lines.len(), 5, "{log}");

    let (code, out, log) = shop.handler(&lines.join("\n"), &["inspect", "floor"]).await;
    assert_eq!(code, 0, "{log}");
    for line in [
        "limits          fuel                       200000  asked for",
        "memory_mb                     512  lowered to the ceiling, 1000 asked for",
        "log_lines                       7  asked for",
        "timeout_ms                  30000\n",
        "grants          asked    http = [{ url = \"https://api.example.com\", methods = [\"GET\"] }]",
        "granted  http to https://api.example.com GET",
        "granted  env REGION",
        "granted  secret STRIPE_KEY, sent to https://api.example.com",
        "granted  client",
    ] {
        assert!(out.contains(line), "{line}\n\n{out}");
    }
    let lowered = "a handler's limit is above its namespace's ceiling: memory_mb is 512, not the 1000 asked for";
    assert!(log.contains(lowered), "{log}");

    let (_, json, _) = shop.handler(&lines.join("\n"), &["inspect", "floor", "--json"]).await;
    let inspected: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(inspected[0]["limits"][1], json!({"limit": "memory_mb", "value": 512, "asked": 1000}));
    assert_eq!(inspected[0]["grants"]["asked"]["secrets"], json!(["STRIPE_KEY"]));
    let secrets = json!([{"name": "STRIPE_KEY", "urls": ["https://api.example.com"]}]);
    assert_eq!(inspected[0]["grants"]["granted"]["secrets"], secrets);
    assert!(!format!("{out}{json}{log}").contains("geheim"));
}

#[tokio::test]
async fn a_step_gets_what_is_asked_nearest_to_it_and_no_more_than_its_namespace_may_have() {
    let database = TestDatabase::create().await;
    let shop = Shop::new(&json!({}));
    let steps = "
  - {name: of_the_handler, handler: {callable: floor}}
  - {name: of_the_step, handler: {callable: floor}, limits: {fuel: 150000}}
  - {name: above_the_ceiling, handler: {callable: floor}, limits: {fuel: 500000}}
  - {name: of_the_environment, handler: {callable: floor}, limits: {fuel: 500000}}
environments: {development: {steps: [{name: of_the_environment, limits: {fuel: 120000}}]}}";
    shop.write("template.yaml", &format!("name: spin\nnamespace_name: shop\nversion: 1.0.0\nsteps:{steps}\n"));
    let ceiling = "worker.namespaces.shop.max_limits = { fuel = 250000 }";
    let config = shop.settings(ceiling);
    let mut host = HostProcess::launch(&database.url, &Settings { packages: &[], config: &config });
    host.wait_for_line("fuel is 250000, not the 500000 asked for").await;
    host.wait_for_line("claiming steps").await;

    let task = create_tasks(&database.store, "shop", "spin", "{}", 1).await[0];
    wait_for(&database.store, task, &["blocked_by_failures", "error"]).await;
    let mut steps = database.store.steps(task).await.unwrap();
    // The first failure is the task's.
    while steps.iter().any(|step| step.results.is_none()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        steps = database.store.steps(task).await.unwrap();
    }

    for (name, fuel) in [
        ("of_the_handler", 200_000),
        ("of_the_step", 150_000),
        ("above_the_ceiling", 250_000),
        ("of_the_environment", 120_000),
    ] {
        let error = error(step(&steps, name));
        assert_eq!(error["error_type"], "fuel_exhausted", "{name}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("all of its {fuel} units of fuel")), "{name}: {message}");
        assert!(message.ends_with("; it is not retried"), "{message}");
    }
    database.drop().await;
}

#[tokio::test]
async fn an_upgrade_that_asks_for_more_is_told_with_the_difference() {
    let database = TestDatabase::create().await;
    let shop = Shop::new(&json!({"env": ["REGION"]}));
    let allowed = "worker.namespaces.shop.grants.env = { REGION = \"eu\" }\n";
    let start = async |more: &str, line: &str| {
        let config = shop.settings(&format!("{allowed}{more}"));
        let mut host = HostProcess::launch(&database.url, &Settings { packages: &[], config: &config });
        host.wait_for_line(line).await;
        host.wait_for_line("claiming steps").await;
        host.signal(nix::sys::signal::Signal::SIGTERM);
        host.ended().await.1
    };
    let log = start("", "component loaded").await;
    assert!(!log.contains("New since"), "{log}");

    shop.build(1, &json!({"env": ["REGION"], "client": true}));
    let refused = "New since the build that ran before";
    for _ in 0..2 {
        let log = start("", refused).await;
        assert!(log.contains("this component is left out") && log.contains("\n+ client = true"), "{log}");
        assert!(!log.contains("+ env"), "{log}");
    }

    let client = "worker.namespaces.shop.grants.client = true";
    let log = start(client, refused).await;
    assert!(log.contains("orders asks for more, and is allowed it.") && log.contains("\n+ client = true"), "{log}");
    let log = start(client, "component loaded").await;
    assert!(!log.contains("New since"), "told once: {log}");
    database.drop().await;
}
