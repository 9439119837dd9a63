//! `step`: help a step that can't help itself.

mod complete;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::operator::OperatorArgs;
use super::{Exit, Failure, Global, output};
use crate::host::{Database, FEW_CONNECTIONS};
use crate::store::{Operated, StepView, Store};

#[derive(Debug, Subcommand)]
pub(super) enum StepCommand {
    /// Try a failed step again, with all its attempts before it
    Retry(StepArgs),
    /// Take an unfinished step for done, without a result, so that what depends on it goes on
    Resolve(StepArgs),
    /// Give an unfinished step the result it should have brought
    Complete(complete::CompleteArgs),
}

#[derive(Debug, Args)]
pub(super) struct StepArgs {
    #[command(flatten)]
    step: Named,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// A step as people name it.
#[derive(Debug, Args)]
struct Named {
    /// The task
    task: Uuid,
    /// The step: its name in the task, or its key
    step: String,
}

impl StepCommand {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let database = Database::open(&global.config()?, FEW_CONNECTIONS).await.map_err(Failure::cannot_start)?;
        let ended = match self {
            Self::Retry(args) => args.retry(global, &database.store).await,
            Self::Resolve(args) => args.resolve(global, &database.store).await,
            Self::Complete(args) => args.execute(global, &database.store).await,
        };
        database.close().await;
        ended
    }
}

impl StepArgs {
    async fn retry(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let step = self.step.find(store).await?;
        let operated = store.reset_step_for_retry(step.step_uuid, &self.operator.operator()).await;
        self.step.done(global, store, operated.map_err(Failure::not_well)?).await
    }

    async fn resolve(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let step = self.step.find(store).await?;
        let operated = store.resolve_step_manually(step.step_uuid, &self.operator.operator()).await;
        self.step.done(global, store, operated.map_err(Failure::not_well)?).await
    }
}

impl Named {
    async fn find(&self, store: &Store) -> Result<StepView, Failure> {
        let steps = store.steps(self.task).await?;
        if steps.is_empty() {
            super::task::existing(store, self.task).await?;
        }
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        let error =
            anyhow::anyhow!("task {} has no step {:?}; its steps are: {}", self.task, self.step, names.join(", "));
        let found = steps.into_iter().find(|step| step.name == self.step || step.step_uuid.to_string() == self.step);
        found.ok_or_else(|| Failure::not_well(error))
    }

    /// Wakes the hosts for what was queued, and says how things stand.
    async fn done(&self, global: &Global, store: &Store, operated: Operated) -> Result<Exit, Failure> {
        if operated.enqueued > 0 {
            store.notify_work().await?;
        }
        let step = self.find(store).await?;
        if global.json {
            output::json(&step)?;
        } else {
            println!("{} is {}, its task is {}", step.name, step.current_state, operated.task_state);
        }
        Ok(Exit::Done)
    }
}
