//! New tasks as the database takes them: their rows, with their steps in them or apart, and the messages of the steps that may
//! run.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::columns::composite;
use super::{EagerClaim, NewStep, NewTask};

/// A [`NewTask`] as the database takes it.
#[derive(sqlx::Encode)]
pub(super) struct TaskRow<'a> {
    pub(super) task_uuid: Uuid,
    pub(super) template_uuid: Uuid,
    pub(super) choice: Option<&'static str>,
    pub(super) correlation_id: Uuid,
    pub(super) parent_correlation_id: Option<Uuid>,
    pub(super) sinks: i32,
    pub(super) priority: i32,
    pub(super) grows: bool,
    pub(super) identity: Option<&'a [u8]>,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) initiator: &'a str,
    pub(super) source_system: &'a str,
    pub(super) reason: &'a str,
    pub(super) created_at: DateTime<Utc>,
    pub(super) tags: Box<str>,
    pub(super) context: &'a str,
    pub(super) planned_steps: Option<Vec<StepRow<'a>>>,
    pub(super) planned_edges: Option<Vec<EdgeRow>>,
}

composite!(TaskRow<'a>, "tasker.new_task");

/// A [`NewStep`] as the database takes it.
#[derive(sqlx::Encode)]
pub(super) struct StepRow<'a> {
    step_uuid: Uuid,
    task_uuid: Uuid,
    parents: i32,
    max_attempts: i32,
    is_sink: bool,
    guarded: bool,
    retryable: bool,
    room: bool,
    created_at: DateTime<Utc>,
    name: &'a str,
    inputs: &'a str,
}

composite!(StepRow<'a>, "tasker.new_step");

/// That a step waits for another, as the database takes it.
#[derive(sqlx::Encode)]
pub(super) struct EdgeRow {
    parent_uuid: Uuid,
    child_uuid: Uuid,
}

composite!(EdgeRow, "tasker.new_edge");

/// The message of a step, as `tasker.step_message` makes it.
#[derive(Serialize)]
pub(super) struct StepMessage {
    task_uuid: Uuid,
    pub(super) step_uuid: Uuid,
    correlation_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i32>,
}

/// Tasks with all their steps and edges, and the messages of the steps that may run.
#[derive(Default)]
pub(super) struct Rows<'a> {
    pub(super) tasks: Vec<TaskRow<'a>>,
    pub(super) steps: Vec<StepRow<'a>>,
    pub(super) edges: Vec<EdgeRow>,
    pub(super) messages: Vec<(&'a str, Json<StepMessage>)>,
}

impl StepMessage {
    fn of(task: &NewTask, step: &NewStep) -> Self {
        let NewTask { task_uuid, correlation_id, priority, .. } = *task;
        Self { task_uuid, step_uuid: step.step_uuid, correlation_id, priority: Some(priority).filter(|at| *at != 0) }
    }
}

impl<'a> Rows<'a> {
    pub(super) fn of(tasks: &'a [NewTask]) -> Self {
        Self::claimed(tasks, None)
    }

    /// Those of tasks of which first steps are claimed as they are created.
    pub(super) fn claimed(tasks: &'a [NewTask], claim: Option<&EagerClaim>) -> Self {
        let mut rows = Self::default();
        tasks.iter().for_each(|task| rows.add(task, claim));
        // Two senders meet the queues in one order.
        rows.messages.sort_by_key(|(namespace, _)| *namespace);
        rows
    }

    fn add(&mut self, task: &'a NewTask, claim: Option<&EagerClaim>) {
        let is_claimed = |step: &NewStep| claim.is_some_and(|claim| claim.steps.contains(&step.step_uuid));
        let is_planned = if task.steps.iter().any(is_claimed) {
            claim.is_some_and(|claim| claim.planned.contains(&task.task_uuid))
        } else {
            task.may_wait_planned()
        };
        let (mut rows, mut edges) = (Vec::with_capacity(task.steps.len()), Vec::new());
        for step in &task.steps {
            rows.push(StepRow {
                step_uuid: step.step_uuid,
                task_uuid: task.task_uuid,
                parents: 0,
                max_attempts: step.max_attempts,
                is_sink: true,
                guarded: true,
                retryable: step.retryable,
                room: step.parents.is_empty() && is_claimed(step),
                created_at: task.created_at,
                name: &step.name,
                inputs: step.inputs.get(),
            });
        }
        let waits_for_none = task.steps.iter().filter(|step| step.parents.is_empty());
        self.messages.extend(waits_for_none.map(|step| (&*task.namespace, Json(StepMessage::of(task, step)))));
        for (child, step) in task.steps.iter().enumerate() {
            for parent in step.awaited() {
                rows[child].parents += 1;
                rows[parent].is_sink = false;
                rows[parent].guarded = task.grows;
                edges.push(EdgeRow { parent_uuid: rows[parent].step_uuid, child_uuid: step.step_uuid });
            }
        }
        let sinks = rows.iter().filter(|step| step.is_sink).count() as i32;
        let (planned_steps, planned_edges) = if is_planned {
            (Some(rows), Some(edges).filter(|edges| !edges.is_empty()))
        } else {
            self.steps.append(&mut rows);
            self.edges.append(&mut edges);
            (None, None)
        };
        self.tasks.push(TaskRow {
            task_uuid: task.task_uuid,
            template_uuid: task.template_uuid,
            choice: task.choice.name(),
            correlation_id: task.correlation_id,
            parent_correlation_id: task.parent_correlation_id,
            sinks,
            priority: task.priority,
            grows: task.grows,
            identity: task.identity.as_ref().map(<[u8; 32]>::as_slice),
            namespace: &task.namespace,
            name: &task.name,
            version: &task.version,
            initiator: &task.initiator,
            source_system: &task.source_system,
            reason: &task.reason,
            created_at: task.created_at,
            tags: task.tags_json().into(),
            context: task.context.get(),
            planned_steps,
            planned_edges,
        });
    }

    /// The steps that do not stand in their tasks' rows; none where all do.
    pub(super) fn unplanned(tasks: &[TaskRow<'_>], steps: Vec<StepRow<'a>>) -> Option<Vec<StepRow<'a>>> {
        tasks.iter().any(|task| task.planned_steps.is_none()).then_some(steps)
    }
}
