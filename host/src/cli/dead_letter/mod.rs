//! `dead-letter`: tasks that came to a stand, and what came of looking into them.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;
use uuid::Uuid;

use super::client::{Client, ReachArgs};
use super::operator::ByArgs;
use super::{Exit, Failure, Global, output};
use crate::store::{DeadLetter, DeadLetterReason, Resolution};

#[derive(Debug, Args)]
pub(super) struct DeadLetterArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(subcommand)]
    command: DeadLetterCommand,
}

#[derive(Debug, Subcommand)]
enum DeadLetterCommand {
    /// List dead letters, newest first
    List(ListArgs),
    /// Show one with the task as it stood
    Show(EntryArgs),
    /// Note what came of looking into one; the task is another matter, see `step` and `task`
    Resolve(ResolveArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those resolved so: pending, manually_resolved, permanently_failed, cancelled
    #[arg(long, short)]
    status: Option<Resolution>,
    /// Only those with this reason, such as worker_unavailable
    #[arg(long)]
    reason: Option<DeadLetterReason>,
    /// Only tasks of this namespace
    #[arg(long, short)]
    namespace: Option<String>,
    /// Only those of this task
    #[arg(long)]
    task: Option<Uuid>,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct EntryArgs {
    /// The dead letter
    entry: Uuid,
}

#[derive(Debug, Args)]
pub(super) struct ResolveArgs {
    #[command(flatten)]
    letter: EntryArgs,
    /// What came of it: manually_resolved, permanently_failed, or cancelled (it was none)
    #[arg(long = "as", value_name = "STATUS", default_value = "manually_resolved", value_parser = resolution)]
    status: Resolution,
    /// What was found and done
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    #[command(flatten)]
    by: ByArgs,
}

fn resolution(name: &str) -> Result<Resolution, String> {
    match name.parse() {
        Ok(Resolution::Pending) => Err("a resolved dead letter is not pending".into()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

impl DeadLetterArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let act = async |client: &Client| match self.command {
            DeadLetterCommand::List(args) => args.execute(global, client).await,
            DeadLetterCommand::Show(args) => show(global, client, args.entry).await,
            DeadLetterCommand::Resolve(args) => args.execute(global, client).await,
        };
        self.reach.speak(global, act).await
    }
}

impl ListArgs {
    async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let query = [
            ("resolution_status", self.status.map(|status| status.to_string())),
            ("dlq_reason", self.reason.map(|reason| reason.to_string())),
            ("namespace", self.namespace),
            ("task_uuid", self.task.map(|task| task.to_string())),
            ("limit", Some(self.limit.to_string())),
        ];
        let letters: Vec<DeadLetter> = client.find("/v1/dlq", &query).await?;
        if global.json {
            output::json(&letters)?;
            return Ok(Exit::Done);
        }
        for letter in &letters {
            println!(
                "{}  {:<18}  {:<18}  {}  {}/{}  task {}",
                letter.dlq_entry_uuid,
                letter.resolution_status,
                letter.dlq_reason,
                letter.dlq_timestamp.format("%Y-%m-%d %H:%M:%S"),
                letter.namespace,
                letter.name,
                letter.task_uuid
            );
        }
        if letters.is_empty() {
            eprintln!("no dead letter matches");
        }
        Ok(Exit::Done)
    }
}

async fn show(global: &Global, client: &Client, entry: Uuid) -> Result<Exit, Failure> {
    print(global, &client.get(&format!("/v1/dlq/entry/{entry}")).await?)?;
    Ok(Exit::Done)
}

impl ResolveArgs {
    async fn execute(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let entry = self.letter.entry;
        let update = json!({
            "resolution_status": self.status,
            "resolution_notes": self.notes,
            "resolved_by": self.by.name(),
        });
        let _: serde_json::Value = client.send(Method::PATCH, &format!("/v1/dlq/entry/{entry}"), &update).await?;
        show(global, client, entry).await
    }
}

fn print(global: &Global, letter: &DeadLetter) -> Result<(), Failure> {
    if global.json {
        return Ok(output::json(letter)?);
    }
    println!("{}  {}", letter.dlq_entry_uuid, letter.resolution_status);
    println!("  task        {}  {}/{}", letter.task_uuid, letter.namespace, letter.name);
    println!("  reason      {}, while it was {}", letter.dlq_reason, letter.original_state);
    println!("  since       {}", letter.dlq_timestamp.format("%Y-%m-%d %H:%M:%S"));
    if let (Some(at), Some(by)) = (letter.resolution_timestamp, &letter.resolved_by) {
        println!("  resolved    {} by {by}", at.format("%Y-%m-%d %H:%M:%S"));
    }
    if let Some(notes) = &letter.resolution_notes {
        println!("  notes       {notes}");
    }
    println!("  the task as it stood:\n{}", output::indented(letter.task_snapshot.get()));
    Ok(())
}
