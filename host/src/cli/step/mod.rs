//! `step`: help a step that can't help itself.

mod complete;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;
use uuid::Uuid;

use super::client::{Client, ReachArgs};
use super::operator::OperatorArgs;
use super::{Exit, Failure, Global, output};
use crate::store::{StepReadiness, StepView, TaskState};

#[derive(Debug, Args)]
pub(super) struct StepArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(subcommand)]
    command: StepCommand,
}

#[derive(Debug, Subcommand)]
enum StepCommand {
    /// Try a failed step again, with all its attempts before it
    Retry(ActArgs),
    /// Take an unfinished step for done, without a result, so that what depends on it goes on
    Resolve(ActArgs),
    /// Give an unfinished step the result it should have brought
    Complete(complete::CompleteArgs),
}

#[derive(Debug, Args)]
struct ActArgs {
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

/// What the API tells of a task here.
#[derive(serde::Deserialize)]
struct Task {
    status: TaskState,
    steps: Vec<StepReadiness>,
}

impl StepArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        self.reach.speak(global, async |client| self.command.act(global, client).await).await
    }
}

impl StepCommand {
    async fn act(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        match self {
            Self::Retry(ActArgs { step, operator }) => {
                let by = operator.operator();
                let action = json!({"action_type": "reset_for_retry", "reason": by.reason, "reset_by": by.actor});
                step.act(global, client, &action).await
            }
            Self::Resolve(ActArgs { step, operator }) => {
                let by = operator.operator();
                let action = json!({"action_type": "resolve_manually", "reason": by.reason, "resolved_by": by.actor});
                step.act(global, client, &action).await
            }
            Self::Complete(args) => args.execute(global, client).await,
        }
    }
}

impl Named {
    /// Does something with the step, and says how things stand.
    async fn act(&self, global: &Global, client: &Client, action: &serde_json::Value) -> Result<Exit, Failure> {
        let path = format!("/v1/tasks/{}/workflow_steps/{}", self.task, self.find(client).await?);
        let step: StepView = client.send(Method::PATCH, &path, action).await?;
        if global.json {
            output::json(&step)?;
        } else {
            let task: Task = client.get(&format!("/v1/tasks/{}", self.task)).await?;
            println!("{} is {}, its task is {}", step.name, step.current_state, task.status);
        }
        Ok(Exit::Done)
    }

    async fn find(&self, client: &Client) -> Result<Uuid, Failure> {
        let Task { steps, .. } = client.get(&format!("/v1/tasks/{}", self.task)).await?;
        let named = |step: &&StepReadiness| step.name == self.step || step.workflow_step_uuid.to_string() == self.step;
        let found = steps.iter().find(named).map(|step| step.workflow_step_uuid);
        found.ok_or_else(|| {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            let (task, step) = (self.task, &self.step);
            Failure::not_well(anyhow::anyhow!("task {task} has no step {step:?}; its steps are: {}", names.join(", ")))
        })
    }
}
