//! `namespace`: what the tenants' queues hold, and how much of it runs.

use clap::{Args, Subcommand};

use super::operator::OperatorArgs;
use super::{Exit, Failure, Global, output};
use crate::host::{Database, FEW_CONNECTIONS};
use crate::store::{NamespaceView, Store};

#[derive(Debug, Subcommand)]
pub(super) enum NamespaceCommand {
    /// List the namespaces with what waits and what runs
    List,
    /// Claim nothing from a namespace any more; what runs finishes
    Pause(PauseArgs),
    /// Claim from a namespace again
    Resume(NameArgs),
    /// Bound how many steps of a namespace run at once, on all hosts together
    Limit(LimitArgs),
}

#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// The namespace
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    namespace: NameArgs,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Args)]
pub(super) struct LimitArgs {
    #[command(flatten)]
    namespace: NameArgs,
    /// How many; without it the bound is lifted
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: Option<u32>,
}

impl NamespaceCommand {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let database = Database::open(&global.config()?, FEW_CONNECTIONS).await.map_err(Failure::cannot_start)?;
        let ended = self.act(global, &database.store).await;
        database.close().await;
        ended
    }

    async fn act(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let (name, done) = match self {
            Self::List => {
                print(global, &store.namespace_views().await?)?;
                return Ok(Exit::Done);
            }
            Self::Pause(args) => {
                let operator = args.operator.operator();
                (args.namespace.name.clone(), store.pause_namespace(&args.namespace.name, &operator).await)
            }
            Self::Resume(args) => {
                let resumed = store.resume_namespace(&args.name).await;
                if resumed.is_ok() {
                    store.notify_work().await?;
                }
                (args.name, resumed)
            }
            Self::Limit(args) => {
                let limited = store.limit_namespace(&args.namespace.name, args.steps).await;
                (args.namespace.name, limited)
            }
        };
        done.map_err(Failure::not_well)?;
        let views = store.namespace_views().await?;
        print(global, &views.into_iter().filter(|view| view.name == name).collect::<Vec<_>>())?;
        Ok(Exit::Done)
    }
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
