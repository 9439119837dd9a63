//! `event`: the durable events of a namespace, and those that could not be told. Looking takes none from its consumers.

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::{Exit, Failure, Global, output};
use crate::host::{Database, FEW_CONNECTIONS};
use crate::store::{QueuedEvent, Store};

#[derive(Debug, Subcommand)]
pub(super) enum EventCommand {
    /// List the events in a namespace's queue, newest first
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The namespace
    namespace: String,
    /// Those that could not be told, and why
    #[arg(long)]
    dead: bool,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// What a line shows of an event. Messages may come from elsewhere, so nothing need be there.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default, borrow)]
    event_name: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    metadata: Origin<'a>,
    #[serde(default, borrow)]
    error: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Origin<'a> {
    #[serde(default, borrow)]
    task_uuid: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    step_name: std::borrow::Cow<'a, str>,
}

impl EventCommand {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let Self::List(args) = self;
        let database = Database::open(&global.config()?, FEW_CONNECTIONS).await.map_err(Failure::cannot_start)?;
        let ended = args.execute(global, &database.store).await;
        database.close().await;
        ended
    }
}

impl ListArgs {
    async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let events = if self.dead {
            store.dead_events(&self.namespace, self.limit).await?
        } else {
            store.domain_events(&self.namespace, self.limit).await?
        };
        if global.json {
            output::json(&events)?;
            return Ok(Exit::Done);
        }
        events.iter().for_each(print);
        if events.is_empty() {
            eprintln!("no event waits in namespace {:?}", self.namespace);
        }
        Ok(Exit::Done)
    }
}

fn print(queued: &QueuedEvent) {
    let at = queued.enqueued_at.format("%Y-%m-%d %H:%M:%S");
    match serde_json::from_str::<Head<'_>>(queued.event.get()) {
        Ok(Head { event_name, metadata, error }) => {
            println!(
                "{:>8}  {at}  {event_name:<32}  {}  {}",
                queued.message_id, metadata.task_uuid, metadata.step_name
            );
            if let Some(error) = error {
                println!("          {error}");
            }
        }
        Err(_) => println!("{:>8}  {at}  a message of another shape", queued.message_id),
    }
}
