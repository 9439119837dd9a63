//! `namespace`: what the tenants' queues hold, and how much of it runs.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::client::{Client, ReachArgs};
use super::operator::{ByArgs, OperatorArgs};
use super::{Exit, Failure, Global, output};
use crate::store::NamespaceView;

#[derive(Debug, Args)]
pub(super) struct NamespaceArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(subcommand)]
    command: NamespaceCommand,
}

#[derive(Debug, Subcommand)]
enum NamespaceCommand {
    /// List the namespaces with what waits and what runs
    List,
    /// Claim nothing from a namespace any more; what runs finishes
    Pause(PauseArgs),
    /// Claim from a namespace again
    Resume(ResumeArgs),
    /// Bound how many steps of a namespace run at once, on all hosts together
    Limit(LimitArgs),
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The namespace
    name: String,
}

#[derive(Debug, Args)]
struct PauseArgs {
    #[command(flatten)]
    namespace: NameArgs,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Args)]
struct ResumeArgs {
    #[command(flatten)]
    namespace: NameArgs,
    #[command(flatten)]
    by: ByArgs,
}

#[derive(Debug, Args)]
struct LimitArgs {
    #[command(flatten)]
    namespace: NameArgs,
    /// How many; without it the bound is lifted
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: Option<u32>,
    #[command(flatten)]
    by: ByArgs,
}

impl NamespaceArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        self.reach.speak(global, async |client| self.command.act(global, client).await).await
    }
}

impl NamespaceCommand {
    async fn act(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let name = match self {
            Self::List => None,
            Self::Pause(PauseArgs { namespace: NameArgs { name }, operator }) => {
                let by = operator.operator();
                let body = json!({"reason": by.reason, "paused_by": by.actor});
                client.send::<()>(Method::POST, &path(&name, "pause"), &body).await?;
                Some(name)
            }
            Self::Resume(ResumeArgs { namespace: NameArgs { name }, by }) => {
                let path = with_by(&path(&name, "resume"), by)?;
                client.send::<()>(Method::POST, &path, &json!({})).await?;
                Some(name)
            }
            Self::Limit(LimitArgs { namespace: NameArgs { name }, steps, by }) => {
                let path = with_by(&path(&name, "limit"), by)?;
                client.send::<()>(Method::PUT, &path, &json!({"max_concurrent": steps})).await?;
                Some(name)
            }
        };
        let mut views: Vec<NamespaceView> = client.get("/v1/namespaces").await?;
        views.retain(|view| name.as_ref().is_none_or(|name| *name == view.name));
        print(global, &views)?;
        Ok(Exit::Done)
    }
}

fn path(namespace: &str, action: &str) -> String {
    format!("/v1/namespaces/{}/{action}", super::client::segment(namespace))
}

fn with_by(path: &str, by: ByArgs) -> Result<String, Failure> {
    super::client::with_query(path, &[("by", Some(by.name()))])
}

fn print(global: &Global, views: &[NamespaceView]) -> Result<(), Failure> {
    if global.json {
        return Ok(output::json(&views)?);
    }
    println!("{:<34}  {:>8}  {:>8}  {:>8}", "namespace", "queued", "running", "limit");
    for view in views {
        let limit = view.max_concurrent.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        let paused = view.paused_at.map(|at| {
            format!(
                "  paused since {} by {}: {}",
                at.format("%Y-%m-%d %H:%M:%S"),
                view.paused_by.as_deref().unwrap_or("nobody"),
                view.pause_reason.as_deref().unwrap_or("no reason")
            )
        });
        println!(
            "{:<34}  {:>8}  {:>8}  {limit:>8}{}",
            view.name,
            view.queued,
            view.in_progress,
            paused.unwrap_or_default()
        );
    }
    if views.is_empty() {
        eprintln!("no namespace is registered yet");
    }
    Ok(())
}
