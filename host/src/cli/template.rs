//! `template`: what can be run.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::client::{Client, ReachArgs, segment};
use super::{Exit, Failure, Global, output};

#[derive(Debug, Args)]
pub(super) struct TemplateArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(subcommand)]
    command: TemplateCommand,
}

#[derive(Debug, Subcommand)]
enum TemplateCommand {
    /// List the registered templates
    List(ListArgs),
    /// Show one as it was registered
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only of this namespace
    #[arg(long, short)]
    namespace: Option<String>,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Its name
    name: String,
    /// Its version
    version: String,
    /// Its namespace
    #[arg(long, short, default_value = "default")]
    namespace: String,
}

#[derive(Deserialize)]
struct Templates {
    templates: Vec<Template>,
}

#[derive(Serialize, Deserialize)]
struct Template {
    name: String,
    namespace: String,
    version: String,
    description: Option<String>,
    step_count: usize,
}

impl TemplateArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let act = async |client: &Client| match self.command {
            TemplateCommand::List(args) => args.execute(global, client).await,
            TemplateCommand::Show(args) => args.execute(global, client).await,
        };
        self.reach.speak(global, act).await
    }
}

impl ListArgs {
    async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let Templates { templates } = client.find("/v1/templates", &[("namespace", self.namespace)]).await?;
        if global.json {
            output::json(&templates)?;
            return Ok(Exit::Done);
        }
        for Template { name, namespace, version, description, step_count } in &templates {
            let description = description.as_deref().unwrap_or_default();
            println!("{namespace:<24} {name:<32} {version:<10} {step_count:>4} steps  {description}");
        }
        if templates.is_empty() {
            eprintln!("no template is registered");
        }
        Ok(Exit::Done)
    }
}

impl ShowArgs {
    async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let path =
            format!("/v1/templates/{}/{}/{}", segment(&self.namespace), segment(&self.name), segment(&self.version));
        let template: serde_json::Value = client.get(&path).await?;
        output::json(if global.json { &template } else { &template["configuration"] })?;
        Ok(Exit::Done)
    }
}
