//! Steps that a task gains while it runs.
//!
//! What is added is planned by the host from the template and from what the task has ([`GrowthState`]); the database adds
//! it in the commit that finishes the deciding step, if the task has not grown since.

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::template::FailureStrategy;

/// What a task has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrowthState {
    /// How often the task has grown.
    pub version: i32,
    /// Its steps.
    pub steps: Vec<ExistingStep>,
}

/// A step that a task has.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ExistingStep {
    /// Its key.
    pub step_uuid: Uuid,
    /// Its name.
    pub name: String,
    /// The step of the template it was made from.
    pub template_step: String,
    /// Whether those that depend on it wait for it no more.
    pub finished: bool,
}

/// What a task gains.
#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    /// The [`GrowthState::version`] it was planned on.
    pub version: i32,
    /// The new steps.
    pub steps: Vec<GrownStep>,
    /// Parents and children; new steps or those the task has. Each new step has a parent.
    #[serde(serialize_with = "edges")]
    pub edges: Vec<(Uuid, Uuid)>,
    /// The batch that the new steps with a place belong to.
    pub batch: Option<NewBatch>,
    /// What workers see of the deciding step's result.
    pub brief: Option<Box<RawValue>>,
}

/// A step that a task gains.
#[derive(Debug, Clone, Serialize)]
pub struct GrownStep {
    /// Its key, a UUIDv7.
    pub step_uuid: Uuid,
    /// Its name, unique in the task.
    pub name: String,
    /// The step of the template it is made from; none where that is its name.
    pub template_step: Option<String>,
    /// Whether a retryable failure is tried again.
    pub retryable: bool,
    /// How many attempts it may take, at least one.
    pub max_attempts: i32,
    /// What its handler gets, a JSON object.
    pub inputs: Box<RawValue>,
    /// Its place in the batch, from zero; workers only.
    pub batch_place: Option<i32>,
}

/// How the workers of a batch run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NewBatch {
    /// How many of them may be released and not ended, at least one.
    pub parallelism: i32,
    /// What a worker that failed for good means for the others.
    pub failure_strategy: FailureStrategy,
}

impl Growth {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a value in memory is JSON")
    }
}

fn edges<S: serde::Serializer>(edges: &[(Uuid, Uuid)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Edge<'a> {
        parent: &'a Uuid,
        child: &'a Uuid,
    }
    serializer.collect_seq(edges.iter().map(|(parent, child)| Edge { parent, child }))
}

#[derive(sqlx::FromRow)]
struct Row {
    version: i32,
    #[sqlx(flatten)]
    step: ExistingStep,
}

impl Store {
    /// What a task has now.
    ///
    /// # Errors
    /// The database fails.
    pub async fn growth_state(&self, task: Uuid) -> Result<GrowthState, StoreError> {
        let rows: Vec<Row> =
            sqlx::query_as("select * from tasker.growth_state($1)").bind(task).fetch_all(&self.pool).await?;
        let version = rows.first().map_or(0, |row| row.version);
        Ok(GrowthState { version, steps: rows.into_iter().map(|row| row.step).collect() })
    }
}
