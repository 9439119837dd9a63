//! `task create`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::super::{Exit, Failure, Global, input, output};
use super::wait;
use crate::orchestration::create::{Duplicate, TaskRequest, plan_task};
use crate::store::{Store, TemplateRow};
use crate::{host, template};

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// Name of the template
    #[arg(required_unless_present = "template")]
    name: Option<String>,
    /// Namespace of the template
    #[arg(long, short, default_value = "default")]
    namespace: String,
    /// Version of the template [default: the one registered last]
    #[arg(long = "template-version", value_name = "X.Y.Z")]
    version: Option<String>,
    /// Register this template file and create the task from it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "version"])]
    template: Option<PathBuf>,
    /// Input of the task: a JSON object, a file with one, or - for standard input
    #[arg(long, short, default_value = "{}", value_name = "JSON")]
    context: String,
    /// Why the task is created
    #[arg(long, default_value = "created on the command line")]
    reason: String,
    /// −100 to 100; higher is more urgent
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-100..=100))]
    priority: i32,
    /// The same key is the same task: a second request with it creates none
    #[arg(long = "key", value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Labels
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Wait until the task has come to rest
    #[arg(long, short)]
    wait: bool,
}

impl CreateArgs {
    pub(super) async fn execute(self, global: &Global, store: &Store, environment: &str) -> Result<Exit, Failure> {
        let context = input::json(&self.context, "--context", "the context").map_err(Failure::not_well)?;
        let registered = self.registered(store).await?;
        let request = TaskRequest {
            name: registered.name.clone(),
            namespace: registered.namespace.clone(),
            version: Some(registered.version.clone()),
            context,
            initiator: std::env::var("USER").unwrap_or_else(|_| "cli".into()),
            source_system: "tasker-wasm-host".into(),
            reason: self.reason,
            tags: self.tags,
            priority: self.priority,
            correlation_id: None,
            parent_correlation_id: None,
            idempotency_key: self.idempotency_key,
        };
        let by_key = request.idempotency_key.is_some();
        let task = plan_task(&registered, request, environment).map_err(Failure::not_well)?;
        let created = store.create_tasks(std::slice::from_ref(&task)).await?;
        if let Some(existing) = created.duplicates[0] {
            let template = format!("{}/{}/{}", task.namespace, task.name, task.version);
            return Err(Failure::not_well(Duplicate { existing, template, by_key }));
        }
        store.notify_work().await?;
        if self.wait {
            return wait::until_at_rest(global, store, task.task_uuid, None).await;
        }
        if global.json {
            output::json(&store.task(task.task_uuid).await?)?;
        } else {
            println!("{}", task.task_uuid);
        }
        Ok(Exit::Done)
    }

    async fn registered(&self, store: &Store) -> Result<TemplateRow, Failure> {
        if let Some(file) = &self.template {
            let loaded = template::load(file).map_err(Failure::not_well)?;
            let uuid = host::register_template(store, &loaded).await?;
            return store
                .template(uuid)
                .await?
                .context("the template that was just registered is gone")
                .map_err(Failure::from);
        }
        let (namespace, name) = (&self.namespace, self.name.as_deref().unwrap_or_default());
        if let Some(found) = store.find_template(namespace, name, self.version.as_deref()).await? {
            return Ok(found);
        }
        let (known, namespaces) = (store.template_names(namespace).await?, store.namespaces().await?);
        let hint = if !known.is_empty() {
            format!("registered there are: {}", known.join(", "))
        } else if !namespaces.is_empty() {
            format!("none is registered there; namespaces are: {}", namespaces.join(", "))
        } else {
            "none is registered yet".to_owned()
        };
        let version = self.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        Err(Failure::not_well(anyhow::anyhow!(
            "there is no template {name:?}{version} in namespace {namespace:?} ({hint}): start a host whose template path \
             holds it, or name its file with --template"
        )))
    }
}
