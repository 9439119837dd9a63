//! What a host costs that has nothing to do, with many namespaces to look after.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Map;
use tasker_wasm_host::config::limits::LimitSet;
use tasker_wasm_host::grants::Asks;
use tasker_wasm_host::registry::{Digest, EngineInfo, Initialization, Manifest, SdkInfo};
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, one_step, workspace};

use super::cpu;
use super::report::{Quantity, Row, Section};

/// Namespaces, each with a component and a template.
const NAMESPACES: usize = 100;
/// What comes with the start is over by then.
const SETTLE: Duration = Duration::from_secs(3);
/// How long is watched.
const WATCH: Duration = Duration::from_secs(15);

/// Watches a host that is as it is when nobody says otherwise.
pub async fn measure() -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let components = tempfile::tempdir()?;
    let floor = wat::parse_file(workspace().join("host/src/doctor/floor.wat"))?;
    for number in 0..NAMESPACES {
        let namespace = format!("idle_{number:03}");
        write_package(&components.path().join(&namespace), &namespace, &floor)?;
        one_step(&database.store, &namespace, "floor").await?;
    }
    let cores = available_parallelism()?.get();
    let config = format!("[worker]\nprocesses = {cores}\ncomponent_path = [{:?}]\n", components.path());
    let mut host = HostProcess::start(&database, Settings { packages: &[], config: &config }).await;
    tokio::time::sleep(SETTLE).await;

    let (host_before, server_before) = (cpu::tree(host.id())?, cpu::server(database.pool()).await?);
    let start = Instant::now();
    tokio::time::sleep(WATCH).await;
    let (host_used, server_used) =
        (cpu::tree(host.id())? - host_before, cpu::server(database.pool()).await? - server_before);
    let watched = start.elapsed();

    let loaded = host.last_lines(usize::MAX).iter().filter(|line| line.contains("component loaded")).count();
    ensure!(loaded >= NAMESPACES, "{loaded} components were loaded");
    host.stop().await;
    database.drop().await;
    let share = |used: Duration| Quantity::Share(used.as_secs_f64() / watched.as_secs_f64());
    let mut section =
        Section::new(format!("an idle host of {cores} processes with {NAMESPACES} namespaces, parts of one core"));
    section.push(Row::new("the host, all its processes", share(host_used)).at_most(Quantity::Share(0.005)));
    section.push(Row::new("the database server", share(server_used)));
    Ok(section)
}

/// A package as a build leaves it.
fn write_package(folder: &Path, namespace: &str, component: &[u8]) -> anyhow::Result<()> {
    let manifest = Manifest {
        manifest_version: 1,
        name: namespace.to_owned(),
        namespace: namespace.to_owned(),
        component: "floor.wasm".to_owned(),
        component_sha256: Digest::of(component).to_string(),
        source_map: None,
        initialization: Initialization { mode: "snapshot".to_owned(), reason: "it has no state".to_owned() },
        input_hash: String::new(),
        sdk: SdkInfo { name: "none".to_owned(), version: "0.1.0".to_owned() },
        engine: EngineInfo { name: "none".to_owned(), componentize_js: String::new() },
        handlers: Vec::new(),
        settings: Map::new(),
        grants: Asks::default(),
        limits: LimitSet::default(),
    };
    fs::create_dir_all(folder)?;
    fs::write(folder.join("floor.wasm"), component)?;
    fs::write(folder.join("floor.manifest.json"), serde_json::to_vec(&manifest)?)?;
    Ok(())
}
