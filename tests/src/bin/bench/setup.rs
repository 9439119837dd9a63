//! What several parts start from: the sandbox with its components, and the packages that a host serves.

use std::sync::Arc;

use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::{HttpSettings, Prepared, Sandbox, SandboxSettings};
use tasker_wasm_host::store::{NewTask, Store, TemplateRow};
use tasker_wasm_host::template;
use tasker_wasm_tests::{compiled, one_step, package, task, workspace};

/// A sandbox as a host has it, and components in it.
pub struct Setup {
    pub sandbox: Sandbox,
    /// Small handlers in TypeScript; one does nothing.
    pub probe: Arc<Prepared>,
    /// The example of four steps in a row.
    pub linear: Arc<Prepared>,
    /// A component without a language inside, which does nothing.
    pub floor: Arc<Prepared>,
}

impl Setup {
    pub async fn new() -> anyhow::Result<Self> {
        let sandbox = Sandbox::new(&SandboxSettings {
            cache_dir: compiled(),
            max_concurrent: 33,
            max_memory_bytes: 128 << 20,
            max_computing: 1,
            http: HttpSettings::default(),
        })?;
        let folder = tempfile::tempdir()?;
        let floor = folder.path().join("floor.wasm");
        std::fs::write(&floor, wat::parse_file(workspace().join("host/src/doctor/floor.wat"))?)?;
        let prepare = async |file| anyhow::Ok(sandbox.prepare(&Package::load(file)?, Granted::default()).await?);
        Ok(Self {
            probe: prepare(&package("probe").join("dist/probe.wasm")).await?,
            linear: prepare(&package("linear").join("dist/linear.wasm")).await?,
            floor: prepare(&floor).await?,
            sandbox,
        })
    }
}

/// The template of a package, registered if it is new.
pub async fn registered(store: &Store, package_name: &str) -> anyhow::Result<TemplateRow> {
    tasker_wasm_tests::registered(store, &template::load(&package(package_name).join("template.yaml"))?).await
}

/// What the tasks of the linear example are given.
pub const EVEN: &str = r#"{"even_number": 6}"#;

/// The first step of the linear example as a task of its own.
pub async fn flat(store: &Store) -> anyhow::Result<TemplateRow> {
    one_step(store, "linear_workflow", "LinearWorkflow.StepHandlers.LinearStep1Handler").await
}

/// So many tasks of a template.
pub fn tasks(template: &TemplateRow, context: &str, count: usize) -> anyhow::Result<Vec<NewTask>> {
    (0..count).map(|_| task(template, context)).collect()
}

/// So many stores with an open connection of their own, as the stages of hosts have.
pub async fn alone(store: &Store, count: usize) -> anyhow::Result<Vec<Store>> {
    let stores = Vec::from_iter((0..count).map(|_| store.alone()));
    for store in &stores {
        store.ping().await?;
    }
    Ok(stores)
}
