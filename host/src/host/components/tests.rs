//! What is refused, what is told of an upgrade, and that two tenants with the same component share no grants.

use std::path::Path;

use serde_json::value::RawValue;

use super::*;
use crate::config::{Config, LoadOptions};
use crate::document::golden;
use crate::sandbox::tests::{Bench, FLOOR};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/refusals");

fn worker(settings: &str) -> Worker {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasker.toml");
    std::fs::write(&file, settings).unwrap();
    let variables = [("HOME", "/home/ann"), ("REGION", "eu"), ("STRIPE_KEY", "geheim")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let loaded = Config::load(&LoadOptions { path: Some(file), variables }).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    loaded.config.worker
}

/// A case: what the author asks for, what the operator allows, and what the build that ran before asked for.
struct Case {
    package: Package,
    settings: String,
    before: Vec<KnownComponent>,
}

fn case(bench: &Bench, text: &str) -> Case {
    let mut tables: toml::Table = toml::from_str(text).unwrap();
    let mut json = |key: &str| tables.remove(key).map(|table| serde_json::to_value(table).unwrap());
    let mut package = bench.package(&wat::parse_str(FLOOR).unwrap());
    package.asks = json("grants").map(|asks| serde_json::from_value(asks).unwrap()).unwrap_or_default();
    package.limits = json("limits").map(|limits| serde_json::from_value(limits).unwrap()).unwrap_or_default();
    (package.name, package.namespace) = ("orders".into(), "shop".into());
    let before = json("before").map(|asks| KnownComponent {
        namespace: "shop".into(),
        name: "orders".into(),
        digest: "0123456789abcdef".repeat(4),
        asks: RawValue::from_string(asks.to_string()).unwrap(),
        last_run_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    });
    Case { package, settings: toml::to_string(&tables).unwrap(), before: before.into_iter().collect() }
}

/// `SNAPSHOTS=overwrite cargo test refus` writes the expectations anew.
#[test]
fn every_refusal_shows_the_lines_to_add() {
    let bench = Bench::new();
    let seen = golden::assert_each(Path::new(FILES), "toml", "txt", |_, text| {
        let Case { package, settings, before } = case(&bench, text);
        let upgrade = Upgrade::of(&package, &before).map(|upgrade| format!("{upgrade}\n")).unwrap_or_default();
        match grant(&package, &worker(&settings)) {
            Ok(_) => format!("granted\n{upgrade}"),
            Err(refused) => {
                let package = Arc::new(package);
                let left_out = LeftOut { package, error: refused.into() };
                format!("{}\n", left_out.told(&before))
            }
        }
    });
    assert!(seen >= 6, "{seen} cases");
}

#[test]
fn a_refused_package_is_granted_when_the_lines_are_added() {
    let bench = Bench::new();
    let text = std::fs::read_to_string(Path::new(FILES).join("everything.toml")).unwrap();
    let Case { package, settings, .. } = case(&bench, &text);
    let refused = grant(&package, &worker(&settings)).unwrap_err();

    let granted = grant(&package, &worker(&refused.missing.settings_lines("shop"))).unwrap();

    assert!(granted.client && granted.events);
    assert_eq!(granted.secrets[0].value.expose(), "geheim");
    assert_eq!(granted.env, [("REGION".to_owned(), "eu".to_owned())]);
}

/// The TOML examples of the README's section on grants: the author's, and the operator's.
fn readme() -> (String, [String; 2]) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, section) = text.split_once("## Limits and grants").unwrap();
    let section = section.split_once("\n## ").unwrap().0.to_owned();
    let mut examples = section.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned());
    let both = [examples.next().unwrap(), examples.next().unwrap()];
    (section, both)
}

#[test]
fn the_example_of_the_readme_grants_what_the_readme_says() {
    use crate::grants::{Access, Destination, Scheme};

    let bench = Bench::new();
    let (section, [author, operator]) = readme();
    let mut package = case(&bench, &author).package;
    (package.name, package.namespace) = ("payments".into(), "payments".into());

    let granted = grant(&package, &worker(&operator)).unwrap();
    let at = |path| Destination::new(Scheme::Https, "api.example.com", None, path);
    assert_eq!(granted.http("GET", &at("/v1/charges")).map(|networks| networks.len()), Some(1));
    assert_eq!(granted.http("POST", &at("/v1/charges")), None);
    assert_eq!(granted.http("GET", &at("/v2")), None);
    assert_eq!((granted.mounts[0].path.as_str(), granted.mounts[0].access), ("/data", Access::ReadOnly));
    assert_eq!((granted.env.len(), granted.secrets.len(), granted.client, granted.events), (1, 1, true, true));

    package.asks = Asks { http: package.asks.http, ..Asks::default() };
    let refused = grant(&package, &worker("")).unwrap_err().to_string();
    assert!(section.contains(&refused), "{refused}");
}

#[tokio::test]
async fn two_tenants_with_the_same_component_have_grants_of_their_own() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let bytes = wat::parse_str(FLOOR).unwrap();
    for (namespace, grants) in [("poor", "{}"), ("rich", r#"{"client":true}"#), ("greedy", r#"{"client":true}"#)] {
        let dist = folder.path().join(namespace);
        std::fs::create_dir(&dist).unwrap();
        std::fs::write(dist.join("floor.wasm"), &bytes).unwrap();
        let manifest = format!(
            r#"{{"manifest_version":1,"name":"floor","namespace":"{namespace}","component":"floor.wasm",
                "component_sha256":"{}","initialization":{{"mode":"snapshot","reason":"-"}},"input_hash":"00",
                "sdk":{{"name":"wat","version":"1"}},"engine":{{"name":"none","componentize_js":"-"}},
                "grants":{grants},"limits":{{"memory_mb":1024,"fuel":5}}}}"#,
            registry::Digest::of(&bytes)
        );
        std::fs::write(dist.join("floor.manifest.json"), manifest).unwrap();
    }
    let mut worker = worker("worker.namespaces.rich = { grants = { client = true }, max_limits = { fuel = 3 } }");
    worker.component_path = vec![folder.path().to_owned()];

    let loaded = load_components(&bench.sandbox, &worker).await.unwrap();

    let [left_out] = &loaded.left_out[..] else { panic!("{:?}", loaded.left_out) };
    assert_eq!(left_out.package.namespace, "greedy");
    assert!(left_out.error.to_string().contains("[worker.namespaces.greedy.grants]\nclient = true"), "{left_out:?}");
    let policy = worker.limit_policy();
    for (namespace, client, fuel) in [("poor", false, 5), ("rich", true, 3)] {
        let handler = loaded.components.table().find(namespace, "floor").unwrap();
        assert_eq!(loaded.components.prepared(&handler.package).unwrap().granted().client, client, "{namespace}");
        let limits = Limits::from(&policy.effective(namespace, &handler.limits()));
        assert_eq!((limits.fuel, limits.memory_bytes), (fuel, 512 << 20), "{namespace}");
        assert_eq!(limits_of_events(&handler.package, &policy).deadline, EVENT_DEADLINE);
    }
    let found: Vec<_> = loaded.found().unwrap().into_iter().map(|found| (found.namespace, found.runs)).collect();
    assert_eq!(found, [("poor".to_owned(), true), ("rich".to_owned(), true), ("greedy".to_owned(), false)]);
}

#[tokio::test]
async fn a_mount_of_a_directory_that_is_not_there_leaves_the_component_out() {
    let bench = Bench::new();
    let text = std::fs::read_to_string(Path::new(FILES).join("everything.toml")).unwrap();
    let Case { mut package, .. } = case(&bench, &text);
    package.asks = Asks { mounts: package.asks.mounts, ..Asks::default() };
    let settings = r#"worker.namespaces."*".grants.mounts = [{ path = "/data", directory = "/nowhere/data" }]"#;
    let (worker, package) = (worker(settings), Arc::new(package));

    let (limits, mut loaded) = (worker.limit_policy(), Loaded::default());

    let error = load(&bench.sandbox, &worker, &limits, &package, &mut loaded).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the directory /nowhere/data of the mount /data is not there, or is none; make it, or correct `mounts` in the \
         grants of namespace shop"
    );
}

#[test]
fn a_slot_is_as_large_as_the_greatest_ceiling_of_any_namespace() {
    let greatest = |settings: &str| greatest_memory(&worker(settings).limit_policy()) >> 20;
    assert_eq!(greatest(""), 512);
    assert_eq!(greatest("worker.namespaces.shop.max_limits.memory_mb = 2048"), 2048);
    assert_eq!(greatest("worker.namespaces.shop.max_limits.memory_mb = 64"), 512);
    assert_eq!(greatest("worker.namespaces.\"*\".max_limits.memory_mb = 64"), 64);
}
