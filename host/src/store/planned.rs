//! Tasks whose steps are written when they are done, all at once: see `tasker.tasks.planned_steps`.

use std::borrow::Borrow;
use std::num::NonZero;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::columns::column;
use super::completion::{Completion, CompletionRow};
use super::queues::Queues;
use super::{Lease, NewTask, Store, StoreError};

/// Most steps of a task that is planned: as many as may be done in a short while, and as the numbers of `tasker.transitions`
/// leave room for. Their keys are in the order of their places, and the first of them waits for none.
const MOST_STEPS: usize = 32;

/// What a host knows of a task whose steps are not written yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// How many they are.
    pub steps: NonZero<u32>,
    /// The host that has begun with it.
    pub host: String,
    /// When it did, or when it was told that it has.
    #[serde(skip, default = "Instant::now")]
    pub since: Instant,
}

impl Planned {
    /// A task of so many steps; none where there are none.
    pub(super) fn new(steps: i32, host: String) -> Option<Self> {
        Some(Self { steps: NonZero::new(u32::try_from(steps).ok()?)?, host, since: Instant::now() })
    }
}

impl NewTask {
    /// What `host` knows of it that begins with all of its first steps now, if its steps may be written later than the task.
    #[must_use]
    pub fn planned(&self, host: &str) -> Option<Planned> {
        if self.may_be_planned() { Planned::new(self.steps.len() as i32, host.to_owned()) } else { None }
    }

    /// Whether its steps may be written later than the task while it waits in its queue: one message says then that nobody has
    /// begun with any of them.
    pub(super) fn may_wait_planned(&self) -> bool {
        self.may_be_planned() && self.steps.iter().filter(|step| step.parents.is_empty()).count() == 1
    }

    fn may_be_planned(&self) -> bool {
        !self.grows
            && self.steps.len() <= MOST_STEPS
            && self.steps.first().is_some_and(|first| first.parents.is_empty())
            && self.steps.is_sorted_by_key(|step| step.step_uuid)
    }
}

impl Store {
    /// Completes planned tasks with all their steps, in one transaction that is on disk when this returns: the completions are
    /// of all steps of these tasks, each successful. Does nothing where the steps of one are written by now, or a value cannot
    /// be stored: then the answer is false, and they are to be completed like others.
    ///
    /// # Errors
    /// The database fails. Whether the commit happened is then unknown; sending the same completions again is safe.
    pub async fn complete_planned(&self, completions: &[impl Borrow<Completion>]) -> Result<bool, StoreError> {
        let mut completions: Vec<&Completion> = completions.iter().map(Borrow::borrow).collect();
        completions.sort_unstable_by_key(|done| (done.lease.task_uuid, done.lease.step_uuid));
        let mut tasks = column(&completions, |done| done.lease.task_uuid);
        tasks.dedup();
        let have_events = completions.iter().any(|done| done.events.is_some());
        let done = match tasks[..] {
            [task] if !have_events => self.complete_planned_task(task, &completions).await,
            _ => self.complete_planned_tasks(&tasks, completions, have_events).await,
        };
        match done {
            Err(error) if error.is_about_data() => Ok(false),
            done => done,
        }
    }

    async fn complete_planned_tasks(
        &self,
        tasks: &[Uuid],
        mut completions: Vec<&Completion>,
        have_events: bool,
    ) -> Result<bool, StoreError> {
        let rows = column(&completions, |done| CompletionRow::from(*done));
        completions.sort_by_key(|done| &done.lease.namespace);
        let queues = Queues::of(completions.iter().map(|done| done.lease.namespace.as_str()));
        let spent = completions.iter().filter_map(|done| Some((&*done.lease.namespace, done.lease.message_id.get()?)));
        let (namespaces, messages): (Vec<_>, Vec<_>) = spent.unzip();
        let statement = format!(
            "with done as materialized (select tasker.complete_planned($1, $2, $3) as done), {}
            select done from done{}",
            queues.follow_planned(4, 5),
            queues.and_does("followed")
        );
        let mut line = self.line().await?;
        let done = sqlx::query_scalar(AssertSqlSafe(statement))
            .bind(tasks)
            .bind(rows)
            .bind(have_events)
            .bind(messages)
            .bind(namespaces)
            .fetch_one(line.as_mut())
            .await?;
        line.keep();
        Ok(done)
    }

    /// The same for the completions of one task, in the order of its steps, without a function: it takes the server longer to begin
    /// with the statements of `tasker.complete_planned` than to write the rows (callgrind, PostgreSQL 18: 0.60 million instructions
    /// for 0.75 where there is one step).
    async fn complete_planned_task(&self, task: Uuid, completions: &[&Completion]) -> Result<bool, StoreError> {
        let Some(first) = completions.first() else { return Ok(false) };
        let namespace = &*first.lease.namespace;
        let spent: Vec<_> = completions.iter().filter_map(|done| done.lease.message_id.get()).collect();
        let rows = column(completions, |done| CompletionRow::from(*done));
        let mut line = self.line().await?;
        let done = sqlx::query(AssertSqlSafe(completion_of_task(namespace, completions.len() > 1)))
            .bind(task)
            .bind(rows)
            .bind(spent)
            .bind(namespace)
            .fetch_optional(line.as_mut())
            .await?;
        line.keep();
        Ok(done.is_some())
    }

    /// Writes the steps of those of these tasks that are planned, of which `host` has begun with the first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn write_planned(&self, tasks: &[Uuid], host: &str) -> Result<(), StoreError> {
        sqlx::query("select tasker.write_planned($1, true, $2)").bind(tasks).bind(host).execute(&self.pool).await?;
        Ok(())
    }

    /// Writes the steps of the tasks of these leases, which are all one host's, so that something can be said of them.
    pub(super) async fn write_planned_of(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let planned = leases.iter().filter_map(|lease| Some((lease.task_uuid, &lease.planned.as_ref()?.host)));
        let (tasks, hosts): (Vec<_>, Vec<_>) = planned.unzip();
        match hosts.first() {
            Some(host) => self.write_planned(&tasks, host).await,
            None => Ok(()),
        }
    }
}

/// The statement that completes one planned task, of one step or of `several`, as `tasker.complete_planned` does. A completion that
/// is not of its step makes the row's key null, which the table refuses.
fn completion_of_task(namespace: &str, several: bool) -> String {
    let (open, edges) = if several {
        let open = "and not exists (
            select from tasker.namespaces where name = $4 and (paused_at is not null or max_concurrent is not null)
        )";
        let edges = "written_edges as (
            insert into tasker.edges (parent_uuid, child_uuid)
            select (it).parent_uuid, (it).child_uuid from (select unnest(planned_edges) as it from task) each
        ),";
        (open, edges)
    } else {
        // It has to be named for the server to know its type.
        ("and $4::text is not null", "")
    };
    format!(
        "with task as materialized (
            select task_uuid, planned_by, planned_steps, planned_edges from tasker.tasks
            where task_uuid = $1 and cardinality(planned_steps) = cardinality($2) {open}
            for update
        ), given as materialized (
            select unnest(planned_steps) as step, unnest($2) as it from task
        ), done as (
            update tasker.tasks
            set state = 'complete', sinks_left = 0, updated_at = now(), completed_at = now(), planned_steps = null,
                planned_edges = null
            where task_uuid = (select task_uuid from task)
        ), {edges} measured as (
            insert into tasker.attempts (
                step_uuid, claim, attempt, host_calls, fuel, peak_memory_bytes, instantiate_us, guest_us, total_us,
                started_at, finished_at, outcome, error_type, host, error, log
            )
            select (it).step_uuid, 1, 1, (it).host_calls, (it).fuel, (it).peak_memory_bytes, (it).instantiate_us,
                (it).guest_us, (it).total_us, (it).started_at, (it).finished_at, (it).outcome, (it).error_type, (it).host,
                (it).error::json, (it).log::json
            from given
        ), ended as (
            insert into tasker.steps (
                step_uuid, task_uuid, created_at, updated_at, claimed_at, state, pending_parents, attempts, max_attempts,
                claims, is_sink, guarded, retryable, name, claimed_by, inputs, result, metadata
            )
            select case when (step).step_uuid = (it).step_uuid then (it).step_uuid end, (step).task_uuid,
                (step).created_at, now(), (it).started_at, 'complete', 0, 1, (step).max_attempts, 1, (step).is_sink,
                (step).guarded, (step).retryable, (step).name, (it).host, (step).inputs::json, (it).result::json,
                (it).metadata::json
            from given
        ), logged as (
            insert into tasker.transitions (task_uuid, whole, at, from_state, to_state)
            select task_uuid, true, now(), case when planned_by is null then 'steps_in_process' else 'pending' end,
                'complete'
            from task
        ), {}
        select from task",
        Queues::delete_for_task(namespace, 3)
    )
}
