//! `task create`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::{Exit, Failure, Global, input, output};
use super::wait;
use crate::store::{TaskView, TemplateRow};
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

/// A request for a task, as the API takes it.
#[derive(Serialize)]
struct NewTask<'a> {
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    context: &'a RawValue,
    initiator: String,
    source_system: &'static str,
    reason: &'a str,
    tags: &'a [String],
    priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

impl CreateArgs {
    pub(super) async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let context = input::json(&self.context, "--context", "the context").map_err(Failure::not_well)?;
        let registered = match &self.template {
            Some(file) => Some(register(client, file).await?),
            None => None,
        };
        let (namespace, name, version) = match &registered {
            Some(template) => (&template.namespace, template.name.as_str(), Some(template.version.as_str())),
            None => (&self.namespace, self.name.as_deref().unwrap_or_default(), self.version.as_deref()),
        };
        let request = NewTask {
            name,
            namespace,
            version,
            context: &context,
            initiator: std::env::var("USER").unwrap_or_else(|_| "cli".into()),
            source_system: "tasker-wasm-host",
            reason: &self.reason,
            tags: &self.tags,
            priority: self.priority,
            idempotency_key: self.idempotency_key.as_deref(),
        };
        let task: TaskView = client.send(Method::POST, "/v1/tasks", &request).await?;
        if self.wait {
            return wait::until_at_rest(global, client, task.task_uuid, None).await;
        }
        if global.json {
            output::json(&task)?;
        } else {
            println!("{}", task.task_uuid);
        }
        Ok(Exit::Done)
    }
}

async fn register(client: &Client, file: &Path) -> Result<TemplateRow, Failure> {
    let store = client.store()?;
    let loaded = template::load(file).map_err(Failure::not_well)?;
    let uuid = host::register_template(store, &loaded).await?;
    let registered = store.template(uuid).await?;
    registered.context("the template that was just registered is gone").map_err(Failure::from)
}
