//! Creating tasks: many of them, with their steps and edges, in one commit.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::columns::column;
use super::error::is_about_unknown_queue;
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
    fn name(self) -> Option<&'static str> {
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
    /// How many steps were queued.
    pub enqueued: u32,
    /// For each task given, the task that has its identity already; none for those that were created.
    pub duplicates: Vec<Option<Uuid>>,
    /// When the others were created.
    pub created_at: DateTime<Utc>,
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

/// The steps and edges of all tasks, column by column.
#[derive(Default)]
struct Columns<'a> {
    sinks: Vec<i32>,
    uuids: Vec<Uuid>,
    tasks: Vec<Uuid>,
    names: Vec<&'a str>,
    parents: Vec<i32>,
    is_sink: Vec<bool>,
    guarded: Vec<bool>,
    retryable: Vec<bool>,
    max_attempts: Vec<i32>,
    inputs: Vec<&'a str>,
    edge_parents: Vec<Uuid>,
    edge_children: Vec<Uuid>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, task: &'a NewTask) {
        let mut is_sink = vec![true; task.steps.len()];
        for step in &task.steps {
            let parents = step.awaited();
            for &parent in &parents {
                is_sink[parent] = false;
                self.edge_parents.push(task.steps[parent].step_uuid);
                self.edge_children.push(step.step_uuid);
            }
            self.uuids.push(step.step_uuid);
            self.tasks.push(task.task_uuid);
            self.names.push(&step.name);
            self.parents.push(parents.len() as i32);
            self.retryable.push(step.retryable);
            self.max_attempts.push(step.max_attempts);
            self.inputs.push(step.inputs.get());
        }
        self.sinks.push(is_sink.iter().filter(|sink| **sink).count() as i32);
        self.guarded.extend(is_sink.iter().map(|sink| task.grows || *sink));
        self.is_sink.extend(is_sink);
    }
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
        let mut steps = Columns::default();
        for task in tasks {
            steps.add(task);
        }
        let tags: Vec<_> = tasks.iter().map(NewTask::tags_json).collect();
        let queues = Queues::of(tasks.iter().map(|task| task.namespace.as_str()));
        let statement = format!(
            "with created as materialized (
                select * from tasker.create_tasks($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                    $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)
            ), {}
            select coalesce(cardinality(messages), 0), duplicates, created_at from created, (select count(*) from sent) sent",
            queues.send_created(),
        );
        let created = sqlx::query_as(AssertSqlSafe(statement))
            .bind(column(tasks, |task| task.task_uuid))
            .bind(column(tasks, |task| task.template_uuid))
            .bind(column(tasks, |task| task.correlation_id))
            .bind(column(tasks, |task| task.parent_correlation_id))
            .bind(column(tasks, |task| task.priority))
            .bind(column(tasks, |task| task.grows))
            .bind(column(tasks, |task| task.identity.as_ref().map(<[u8; 32]>::as_slice)))
            .bind(column(tasks, |task| task.namespace.as_str()))
            .bind(column(tasks, |task| task.name.as_str()))
            .bind(column(tasks, |task| task.version.as_str()))
            .bind(column(tasks, |task| task.initiator.as_str()))
            .bind(column(tasks, |task| task.source_system.as_str()))
            .bind(column(tasks, |task| task.reason.as_str()))
            .bind(column(&tags, |tags| tags.get()))
            .bind(column(tasks, |task| task.context.get()))
            .bind(steps.sinks)
            .bind(column(tasks, |task| task.choice.name()))
            .bind(steps.uuids)
            .bind(steps.tasks)
            .bind(steps.names)
            .bind(steps.parents)
            .bind(steps.is_sink)
            .bind(steps.guarded)
            .bind(steps.retryable)
            .bind(steps.max_attempts)
            .bind(steps.inputs)
            .bind(steps.edge_parents)
            .bind(steps.edge_children);
        let created = created.fetch_one(&self.pool).await.map_err(|error| match is_about_unknown_queue(&error) {
            true => {
                StoreError::UnknownTemplate { reason: format!("no template of a task's namespace is known: {error}") }
            }
            false => error.into(),
        })?;
        let (enqueued, duplicates, created_at): (i32, Option<Vec<Option<Uuid>>>, _) = created;
        Ok(CreationReport {
            enqueued: enqueued.unsigned_abs(),
            duplicates: duplicates.unwrap_or_else(|| vec![None; tasks.len()]),
            created_at,
        })
    }
}
