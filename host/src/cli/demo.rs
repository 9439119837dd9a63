//! `demo`: the example workflows, from nothing to results, in one process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::client::Client;
use super::{Exit, Failure, Global, task};
use crate::host::{self, Host};
use crate::orchestration::create::{TaskRequest, plan_task};
use crate::template;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Folder of the example packages, built
    #[arg(long, default_value = "handlers", value_name = "PATH")]
    handlers: PathBuf,
}

/// The packages that are run, each with its input.
const WORKFLOWS: [(&str, &str); 2] = [("linear", r#"{"even_number": 6}"#), ("diamond", r#"{"even_number": 6}"#)];

impl DemoArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let mut config = global.config()?;
        let folders: Vec<PathBuf> = WORKFLOWS.iter().map(|(package, _)| self.handlers.join(package)).collect();
        config.worker.component_path = folders.iter().map(|folder| folder.join("dist")).collect();
        config.common.task_templates.search_paths.clone_from(&folders);
        if let Some(missing) = config.worker.component_path.iter().find(|path| !path.exists()) {
            return Err(Failure::cannot_start(anyhow::anyhow!(
                "{} is missing: build the examples with `make handlers`, or name their folder with --handlers",
                missing.display()
            )));
        }

        let host = Host::start(&config).await.map_err(Failure::cannot_start)?;
        let client = Client::over(host.store().clone(), Arc::new(config.clone()));
        let ended = run_all(global, &host, &client, &config.common.execution.environment, &folders).await;
        host.drain().await;
        ended
    }
}

async fn run_all(
    global: &Global,
    host: &Host,
    client: &Client,
    environment: &str,
    folders: &[PathBuf],
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for (folder, (_, context)) in folders.iter().zip(WORKFLOWS) {
        let task = create(host, environment, folder, context).await?;
        if !global.json {
            println!("\n── {} ──\n", folder.display());
        }
        if task::until_at_rest(global, client, task, None).await? != Exit::Done {
            exit = Exit::NotWell;
        }
    }
    Ok(exit)
}

async fn create(host: &Host, environment: &str, folder: &Path, context: &str) -> Result<Uuid, Failure> {
    let loaded = template::load(&folder.join("template.yaml")).map_err(Failure::cannot_start)?;
    let uuid = host::register_template(host.store(), &loaded).await?;
    let registered = host.store().template(uuid).await?.ok_or_else(|| anyhow::anyhow!("template {uuid} is gone"))?;
    let request = TaskRequest {
        name: registered.name.clone(),
        namespace: registered.namespace.clone(),
        version: Some(registered.version.clone()),
        context: RawValue::from_string(context.to_owned())?,
        initiator: "demo".into(),
        source_system: "tasker-wasm-host".into(),
        reason: "to show how a workflow runs".into(),
        tags: Vec::new(),
        priority: 0,
        correlation_id: None,
        parent_correlation_id: None,
        // Every demonstration runs its workflows anew.
        idempotency_key: Some(Uuid::now_v7().to_string()),
    };
    let planned = plan_task(&registered, request, environment)?;
    host.create_tasks(std::slice::from_ref(&planned)).await?;
    Ok(planned.task_uuid)
}
