//! `task create`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::value::RawValue;

use super::super::{Exit, Failure, Global, output};
use super::wait;
use crate::orchestration::create::{TaskRequest, plan_task};
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
    /// Input of the task: a JSON object, @FILE, or - for standard input
    #[arg(long, short, default_value = "{}", value_name = "JSON")]
    context: String,
    /// Why the task is created
    #[arg(long, default_value = "created on the command line")]
    reason: String,
    /// −100 to 100; higher is more urgent
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-100..=100))]
    priority: i32,
    /// Labels
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Wait until the task has come to rest
    #[arg(long, short)]
    wait: bool,
}

impl CreateArgs {
    pub(super) async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let context = read_context(&self.context).map_err(Failure::not_well)?;
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
        };
        let task = plan_task(&registered, request).map_err(Failure::not_well)?;
        store.create_tasks(std::slice::from_ref(&task)).await?;
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

fn read_context(given: &str) -> anyhow::Result<Box<RawValue>> {
    let (from, text) = match given {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("can't read the context from standard input")?;
            ("standard input".to_owned(), text)
        }
        given => match given.strip_prefix('@') {
            Some(file) => {
                let text =
                    std::fs::read_to_string(file).with_context(|| format!("can't read the context from {file}"))?;
                (file.to_owned(), text)
            }
            None => ("--context".to_owned(), given.to_owned()),
        },
    };
    serde_json::from_str(text.trim()).with_context(|| format!("the context in {from} is not JSON"))
}
