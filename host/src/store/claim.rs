//! Claiming: taking steps from the queues, with everything their execution needs, in one round trip.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow, Row};
use uuid::Uuid;

use super::columns::column;
use super::error::is_about_unknown_queue;
use super::{Lease, MessageId, NewStep, NewTask, Planned, Store, StoreError, queues};

/// What a host asks for.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Whose steps it can run. Namespaces that nobody registered yet have none.
    pub namespaces: Vec<String>,
    /// How many steps of each at most, in the same order; empty for as many as there may be of all.
    pub places: Vec<u32>,
    /// How many steps at most: the slots it has free.
    pub limit: u32,
    /// Its name, for people.
    pub host: String,
    /// For how long the steps are its own unless renewed.
    pub lease: Duration,
}

/// A step that is ours to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimedStep {
    /// What its completion must show.
    pub lease: Lease,
    /// The template the task was planned from.
    pub template_uuid: Uuid,
    /// Joins the task to what happens elsewhere.
    pub correlation_id: Uuid,
    /// The step's name.
    pub name: String,
    /// The step of the template it was made from; none where that is its name.
    pub template_step: Option<String>,
    /// Which attempt this is: 1 for the first.
    pub attempts: i32,
    /// How many it may take.
    pub max_attempts: i32,
    /// How often its lease ran out since it last reached a verdict or a checkpoint.
    pub lapses: i32,
    /// Whether a retryable failure is tried again.
    pub retryable: bool,
    /// The `task` of the step event, a JSON object in camel case: `taskUuid`, `name`, `namespace`, `version`, `context`,
    /// `correlationId`, `priority`, `initiator`, `sourceSystem`, `reason`, `tags`, `createdAt`.
    pub task: Box<RawValue>,
    /// The step's inputs, a JSON object.
    pub inputs: Box<RawValue>,
    /// How far it came: `{cursor, items_processed, timestamp, accumulated_results}`.
    pub checkpoint: Option<Box<RawValue>>,
    /// The results of all its ancestors, a JSON object: `{name: {stepUuid, success, status, result}}`.
    pub dependency_results: Box<RawValue>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// What the steps that are created with a task have in common.
pub(crate) struct Kin<'a> {
    namespace: &'a str,
    task_uuid: Uuid,
    template_uuid: Uuid,
    correlation_id: Uuid,
    task: &'a RawValue,
    created_at: DateTime<Utc>,
    planned: Option<&'a Planned>,
}

impl ClaimedStep {
    /// What the first claims of a new task's steps will say that wait for nothing. Their leases have no messages yet.
    ///
    /// # Errors
    /// A text can't be written as JSON.
    pub fn first_of(task: &NewTask) -> Result<Vec<Self>, serde_json::Error> {
        let json = to_raw_value(&Task {
            task_uuid: task.task_uuid,
            name: &task.name,
            namespace: &task.namespace,
            version: &task.version,
            context: &task.context,
            correlation_id: task.correlation_id,
            parent_correlation_id: task.parent_correlation_id,
            priority: task.priority,
            initiator: &task.initiator,
            source_system: &task.source_system,
            reason: &task.reason,
            tags: &task.tags_json(),
            created_at: task.created_at,
        })?;
        let kin = Kin {
            namespace: &task.namespace,
            task_uuid: task.task_uuid,
            template_uuid: task.template_uuid,
            correlation_id: task.correlation_id,
            task: &json,
            created_at: task.created_at,
            planned: None,
        };
        let is_sink = |place: usize| !task.steps.iter().any(|step| step.parents.contains(&place));
        let first = task.steps.iter().enumerate().filter(|(_, step)| step.parents.is_empty());
        first
            .map(|(place, step)| {
                let guarded = task.grows || is_sink(place);
                Ok(Self::foreseen(&kin, step, step.step_uuid, guarded, RawValue::from_string("{}".to_owned())?))
            })
            .collect()
    }

    /// What the first claim of a planned step will say, that was created with its task and waits for nothing any more. Its lease
    /// has no message yet.
    pub(crate) fn foreseen(
        kin: &Kin<'_>,
        step: &NewStep,
        step_uuid: Uuid,
        guarded: bool,
        dependency_results: Box<RawValue>,
    ) -> Self {
        Self {
            lease: Lease {
                namespace: kin.namespace.to_owned(),
                message_id: MessageId::default(),
                task_uuid: kin.task_uuid,
                step_uuid,
                claim: 1,
                guarded,
                planned: kin.planned.cloned(),
            },
            template_uuid: kin.template_uuid,
            correlation_id: kin.correlation_id,
            name: step.name.clone(),
            template_step: None,
            attempts: 1,
            max_attempts: step.max_attempts,
            lapses: 0,
            retryable: step.retryable,
            task: kin.task.to_owned(),
            inputs: step.inputs.clone(),
            checkpoint: None,
            dependency_results,
            created_at: kin.created_at,
        }
    }

    /// What it has in common with the steps that were created with it.
    pub(crate) fn kin(&self) -> Kin<'_> {
        Kin {
            namespace: &self.lease.namespace,
            task_uuid: self.lease.task_uuid,
            template_uuid: self.template_uuid,
            correlation_id: self.correlation_id,
            task: &self.task,
            created_at: self.created_at,
            planned: self.lease.planned.as_ref(),
        }
    }

    /// The step of the template it was made from.
    #[must_use]
    pub fn template_step(&self) -> &str {
        self.template_step.as_deref().unwrap_or(&self.name)
    }
}

impl Store {
    /// Claims up to `limit` steps, and of each namespace no more than it has places for, shared fairly between the
    /// namespaces, oldest first within each. A step whose lease ran out is claimed again: the same attempt under a new
    /// fence. Of a task of few steps the first claim is that of all its steps, which are not written yet: see [`Lease::planned`].
    ///
    /// # Errors
    /// The database fails. Steps it claimed before the answer was lost come back when their lease runs out.
    pub async fn claim_steps(&self, request: &ClaimRequest) -> Result<Vec<ClaimedStep>, StoreError> {
        let limit = i32::try_from(request.limit).unwrap_or(i32::MAX);
        let places: Vec<_> = request.places.iter().map(|places| i32::try_from(*places).unwrap_or(i32::MAX)).collect();
        let claimed = match &request.namespaces[..] {
            [namespace] => sqlx::query_as(AssertSqlSafe(claim_from(namespace)))
                .bind(namespace)
                .bind(places.first().map_or(limit, |places| limit.min(*places)))
                .bind(&request.host)
                .bind(request.lease.as_secs_f64()),
            _ => sqlx::query_as(
                "select step.* from tasker.read_queues($1, $2, $4, $5) read
                cross join lateral tasker.take_steps(read, $3) step",
            )
            .bind(&request.namespaces)
            .bind(limit)
            .bind(&request.host)
            .bind(request.lease.as_secs_f64())
            .bind(Some(places).filter(|places| !places.is_empty())),
        };
        let mut line = self.line().await?;
        match claimed.fetch_all(line.as_mut()).await {
            Err(error) if is_about_unknown_queue(&error) => Ok(Vec::new()),
            claimed => {
                let mut claimed: Vec<ClaimedStep> = claimed?;
                line.keep();
                // Oldest first: an order in the statement for one queue would take the server longer. That for several has one.
                if request.namespaces.len() == 1 {
                    claimed.sort_unstable_by_key(|step| step.lease.message_id.get());
                }
                Ok(claimed)
            }
        }
    }
}

/// The statement that claims from one queue.
fn claim_from(namespace: &str) -> String {
    // One read in five goes by age alone, so that nothing waits for ever behind a stream of urgent work.
    let read = queues::read(namespace, fastrand::f64() >= 0.8, 1, 2, 4);
    format!(
        "with read as ({read})
        select step.* from (
            select array_agg(row (
                $1, msg_id, tasker.step_of(message ->> 'step_uuid'), tasker.step_of(message ->> 'task_uuid'), read_ct = 1
            )::tasker.read_message) as read from read
        ) found
        cross join lateral tasker.take_steps(found.read, $3) step"
    )
}

/// Which steps a statement claimed, at the same places as their messages.
#[derive(Default, FromRow)]
pub(super) struct Which {
    messages: Option<Vec<i64>>,
    steps: Option<Vec<Uuid>>,
}

impl Which {
    /// Each step with its message.
    pub(super) fn pairs(self) -> impl Iterator<Item = (Uuid, i64)> {
        self.steps.unwrap_or_default().into_iter().zip(self.messages.unwrap_or_default())
    }
}

/// What the execution of claimed steps needs; of each its key and its message are known.
pub(super) async fn claimed(
    connection: &mut PgConnection,
    steps: &[(Uuid, i64)],
) -> Result<Vec<ClaimedStep>, sqlx::Error> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as("select * from tasker.claimed_steps($1, $2)")
        .bind(column(steps, |(_, message)| *message))
        .bind(column(steps, |(step, _)| *step))
        .fetch_all(connection)
        .await
}

impl<'r> FromRow<'r, PgRow> for ClaimedStep {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let lease = Lease {
            namespace: row.try_get("namespace")?,
            message_id: row.try_get::<i64, _>("message_id")?.into(),
            task_uuid: row.try_get("task_uuid")?,
            step_uuid: row.try_get("step_uuid")?,
            claim: row.try_get("claim")?,
            guarded: row.try_get("guarded")?,
            planned: match row.try_get("planned")? {
                Some(steps) => Planned::new(steps, row.try_get("claimed_by")?),
                None => None,
            },
        };
        let correlation_id = row.try_get("correlation_id")?;
        let Json(context) = row.try_get("task_context")?;
        let Json(tags) = row.try_get("task_tags")?;
        let task = Task {
            task_uuid: lease.task_uuid,
            name: row.try_get("task_name")?,
            namespace: &lease.namespace,
            version: row.try_get("task_version")?,
            context,
            correlation_id,
            parent_correlation_id: row.try_get("parent_correlation_id")?,
            priority: row.try_get("task_priority")?,
            initiator: row.try_get("task_initiator")?,
            source_system: row.try_get("task_source_system")?,
            reason: row.try_get("task_reason")?,
            tags,
            created_at: row.try_get("task_created_at")?,
        };
        let results = Results {
            names: row.try_get::<Option<_>, _>("result_names")?.unwrap_or_default(),
            steps: row.try_get::<Option<_>, _>("result_steps")?.unwrap_or_default(),
            results: row.try_get::<Option<_>, _>("results")?.unwrap_or_default(),
        };
        Ok(Self {
            template_uuid: row.try_get("template_uuid")?,
            correlation_id,
            name: row.try_get("name")?,
            template_step: row.try_get("template_step")?,
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            lapses: row.try_get("lapses")?,
            retryable: row.try_get("retryable")?,
            task: json(&task)?,
            inputs: row.try_get("inputs")?,
            checkpoint: row.try_get("checkpoint")?,
            dependency_results: json(&results)?,
            created_at: row.try_get("created_at")?,
            lease,
        })
    }
}

/// What handlers see of a task. Put together here, because the server takes three times as long for it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Task<'a> {
    task_uuid: Uuid,
    name: &'a str,
    namespace: &'a str,
    version: &'a str,
    context: &'a RawValue,
    correlation_id: Uuid,
    parent_correlation_id: Option<Uuid>,
    priority: i32,
    initiator: &'a str,
    source_system: &'a str,
    reason: &'a str,
    tags: &'a RawValue,
    created_at: DateTime<Utc>,
}

/// What the steps before it brought: the same places of all three. A step that was resolved by hand has no result.
struct Results {
    names: Vec<String>,
    steps: Vec<Uuid>,
    results: Vec<Option<Json<Box<RawValue>>>>,
}

/// What handlers see of a step before theirs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepResult<'a> {
    step_uuid: Uuid,
    success: bool,
    status: &'static str,
    result: Option<&'a RawValue>,
}

impl<'a> StepResult<'a> {
    pub(crate) fn new(step_uuid: Uuid, result: Option<&'a RawValue>) -> Self {
        Self { step_uuid, success: true, status: "completed", result }
    }
}

impl Serialize for Results {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let results = self.steps.iter().zip(&self.results);
        let results =
            results.map(|(step, result)| StepResult::new(*step, result.as_ref().map(|Json(result)| &**result)));
        serializer.collect_map(self.names.iter().zip(results))
    }
}

fn json(value: &impl Serialize) -> Result<Box<RawValue>, sqlx::Error> {
    to_raw_value(value).map_err(|error| sqlx::Error::Decode(error.into()))
}
