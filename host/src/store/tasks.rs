//! Creating tasks: many of them, with their steps and edges, in one commit.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::claim::Which;
use super::error::is_about_unknown_queue;
use super::new_rows::Rows;
use super::queues::Queues;
use super::{Store, StoreError};

/// Which of the templates of a name a task was planned from. A request does not have to look for it first: whether what
/// an earlier one found is still right is seen when the task is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateChoice {
    /// Any; it need not be the current one.
    Any,
    /// The one that was registered last of those of its version.
    OfVersion,
    /// The one that was registered last.
    Newest,
}

impl TemplateChoice {
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::OfVersion => Some("version"),
            Self::Newest => Some("newest"),
        }
    }
}

/// A task that was planned and is to be created.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its key, a UUIDv7.
    pub task_uuid: Uuid,
    /// The registered template it was planned from.
    pub template_uuid: Uuid,
    /// Which one of its name that must be when the task is created.
    pub choice: TemplateChoice,
    /// The template's namespace.
    pub namespace: String,
    /// The template's name.
    pub name: String,
    /// The template's version.
    pub version: String,
    /// The input of the task, a JSON value.
    pub context: Box<RawValue>,
    /// Who asked for it.
    pub initiator: String,
    /// The system they asked through.
    pub source_system: String,
    /// Why.
    pub reason: String,
    /// When it was planned, in whole microseconds.
    pub created_at: DateTime<Utc>,
    /// Labels.
    pub tags: Vec<String>,
    /// -100 to 100; 0 is ordinary.
    pub priority: i32,
    /// Joins the task to what happens elsewhere.
    pub correlation_id: Uuid,
    /// The correlation of what caused it.
    pub parent_correlation_id: Option<Uuid>,
    /// What makes it a duplicate of another task; none if every request is a new task.
    pub identity: Option<[u8; 32]>,
    /// Whether some of its steps decide over others, so that it may gain steps.
    pub grows: bool,
    /// Its steps, each after its parents or not: their order is the order they are shown in.
    pub steps: Vec<NewStep>,
}

impl NewTask {
    /// The namespace that all of these are of.
    pub(crate) fn common_namespace(tasks: &[Self]) -> Option<&str> {
        let first = &tasks.first()?.namespace;
        tasks.iter().all(|task| task.namespace == *first).then_some(first)
    }

    /// Its labels as they are stored, a JSON array.
    pub(super) fn tags_json(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(&self.tags).expect("texts are JSON")
    }
}

/// A step of a [`NewTask`].
#[derive(Debug, Clone)]
pub struct NewStep {
    /// Its key, a UUIDv7.
    pub step_uuid: Uuid,
    /// Its name, unique in the task.
    pub name: String,
    /// The steps it waits for, as places in [`NewTask::steps`]; a place named twice counts once.
    pub parents: Vec<usize>,
    /// How many attempts it may take, at least one.
    pub max_attempts: i32,
    /// Whether a retryable failure is tried again.
    pub retryable: bool,
    /// The handler's initialization, a JSON object.
    pub inputs: Box<RawValue>,
}

impl NewStep {
    /// The places of the steps it waits for, each once.
    pub(super) fn awaited(&self) -> Vec<usize> {
        let mut parents = self.parents.clone();
        parents.sort_unstable();
        parents.dedup();
        parents
    }
}

/// What came of a call that creates tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreationReport {
    /// How many steps are queued and not claimed.
    pub enqueued: u32,
    /// For each task given, the task that has its identity already; none for those that were created.
    pub duplicates: Vec<Option<Uuid>>,
}

impl CreationReport {
    /// What it says of the task at this place alone.
    #[must_use]
    pub fn of(&self, place: usize) -> Self {
        Self { duplicates: vec![self.duplicates.get(place).copied().flatten()], ..self.clone() }
    }

    /// The task that has the identity of the first already.
    #[must_use]
    pub fn duplicate(&self) -> Option<Uuid> {
        self.duplicates.first().copied().flatten()
    }
}

/// What a host claims of the tasks it creates.
#[derive(Debug, Clone)]
pub struct EagerClaim {
    /// Its name, for people.
    pub host: String,
    /// Steps of the tasks that wait for nothing.
    pub steps: HashSet<Uuid>,
    /// Tasks all of whose first steps are among these, and whose steps are written later: their [leases](super::Lease::planned) say
    /// so.
    pub planned: HashSet<Uuid>,
    /// For how long the steps are its own unless renewed.
    pub lease: Duration,
}

impl Store {
    /// Creates tasks and queues the steps that wait for nothing, in one commit. A task whose identity another one has is
    /// left out. A task without steps is complete at once.
    ///
    /// # Errors
    /// A template is not registered in its task's namespace or is not the chosen one any more, two steps of a task have one name, a key exists already, or
    /// the database fails; nothing is created then.
    ///
    /// # Panics
    /// A step names a parent that its task does not have.
    pub async fn create_tasks(&self, tasks: &[NewTask]) -> Result<CreationReport, StoreError> {
        if let [task] = tasks
            && task.may_wait_planned()
            && self.create_planned(task, None).await?.is_some()
        {
            return Ok(CreationReport { enqueued: 1, duplicates: vec![None] });
        }
        let queues = Queues::of(tasks.iter().map(|task| task.namespace.as_str()));
        let statement = format!(
            "with created as materialized (
                select * from tasker.create_tasks($1, $2, $3, null, $4, $5, null)
            ), {}
            select coalesce(cardinality(messages), 0) as enqueued, duplicates from created{}",
            queues.send_created(),
            queues.and_does("sent"),
        );
        let Rows { tasks: rows, steps, edges, messages } = Rows::of(tasks);
        let (namespaces, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let steps = Rows::unplanned(&rows, steps);
        let created =
            sqlx::query_as(AssertSqlSafe(statement)).bind(rows).bind(steps).bind(edges).bind(namespaces).bind(messages);
        let mut line = self.line().await?;
        let created: Created = created.fetch_one(line.as_mut()).await.map_err(refusal)?;
        line.keep();
        Ok(created.report(tasks.len()))
    }

    /// The same for tasks of one namespace, and in the same commit steps are claimed that wait for nothing: all that are asked
    /// for of the tasks that are created, unless the namespace is paused or its steps in progress are bounded. Answers their
    /// messages.
    ///
    /// # Errors
    /// As [`Store::create_tasks`]. Steps that were claimed before the answer was lost come back when their lease runs out.
    pub async fn create_and_claim(
        &self,
        tasks: &[NewTask],
        claim: &EagerClaim,
    ) -> Result<(CreationReport, HashMap<Uuid, i64>), StoreError> {
        let Some(namespace) = NewTask::common_namespace(tasks) else {
            return Ok((self.create_tasks(tasks).await?, HashMap::new()));
        };
        if let [task] = tasks
            && claim.planned.contains(&task.task_uuid)
            && let Some(claimed) = self.create_planned(task, Some(claim)).await?
        {
            return Ok((CreationReport { enqueued: 0, duplicates: vec![None] }, claimed));
        }
        let statement = format!(
            "with created as materialized (
                select * from tasker.create_tasks($1, $2, $3, $4, $5, $6, $7)
            ), {}
            select coalesce(cardinality(created.messages), 0) as enqueued, duplicates, claimed.*
            from created
            cross join (select array_agg(msg_id) as messages, array_agg(step_uuid) as steps from held) claimed",
            Queues::send_taken(namespace, 8),
        );
        let Rows { tasks: rows, steps, edges, messages } = Rows::claimed(tasks, Some(claim));
        let is_taken = |step: Uuid| claim.steps.contains(&step);
        let steps = Rows::unplanned(&rows, steps);
        let (taken, messages): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|(_, message)| is_taken(message.step_uuid));
        let taken: Vec<_> = taken.into_iter().map(|(_, message)| message).collect();
        let (namespaces, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let mut line = self.line().await?;
        let answer = sqlx::query(AssertSqlSafe(statement))
            .bind(rows)
            .bind(steps)
            .bind(edges)
            .bind(&claim.host)
            .bind(namespaces)
            .bind(messages)
            .bind(taken)
            .bind(claim.lease.as_secs_f64())
            .fetch_one(line.as_mut())
            .await
            .map_err(refusal)?;
        line.keep();
        Ok((Created::from_row(&answer)?.report(tasks.len()), Which::from_row(&answer)?.pairs().collect()))
    }
}

#[derive(sqlx::FromRow)]
struct Created {
    enqueued: i32,
    duplicates: Option<Vec<Option<Uuid>>>,
}

impl Created {
    fn report(self, given: usize) -> CreationReport {
        CreationReport {
            enqueued: self.enqueued.unsigned_abs(),
            duplicates: self.duplicates.unwrap_or_else(|| vec![None; given]),
        }
    }
}

/// Why nothing was created.
pub(super) fn refusal(error: sqlx::Error) -> StoreError {
    match is_about_unknown_queue(&error) {
        true => StoreError::UnknownTemplate { reason: format!("no template of a task's namespace is known: {error}") },
        false => error.into(),
    }
}
