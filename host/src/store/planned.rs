//! Tasks whose steps are written when they are done, all at once: see `tasker.tasks.planned_steps`.

use std::borrow::Borrow;
use std::num::NonZero;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::columns::column;
use super::completion::{Completion, CompletionRow};
use super::queues::Queues;
use super::{Lease, NewTask, Store, StoreError};

/// Most steps of a task that is planned: as many as may be done in a short while. Their keys are in the order of their places.
const MOST_STEPS: usize = 32;

impl NewTask {
    /// How many steps it has, if they may be written later than the task: see [`Lease::planned`].
    #[must_use]
    pub fn planned(&self) -> Option<NonZero<u32>> {
        let steps = NonZero::new(u32::try_from(self.steps.len()).ok()?)?;
        let are_in_order = self.steps.is_sorted_by_key(|step| step.step_uuid);
        (!self.grows && self.steps.len() <= MOST_STEPS && are_in_order).then_some(steps)
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
        let rows = column(&completions, |done| CompletionRow::from(*done));
        completions.sort_by_key(|done| &done.lease.namespace);
        let queues = Queues::of(completions.iter().map(|done| done.lease.namespace.as_str()));
        let spent = completions.iter().filter_map(|done| Some((&*done.lease.namespace, done.lease.message_id.get()?)));
        let (namespaces, messages): (Vec<_>, Vec<_>) = spent.unzip();
        let statement = format!(
            "with done as materialized (select tasker.complete_planned($1, $2, $3) as done), {}
            select done from done, (select count(*) from followed) followed",
            queues.follow_planned(4, 5)
        );
        let mut line = self.line().await?;
        let done = sqlx::query_scalar(AssertSqlSafe(statement))
            .bind(tasks)
            .bind(rows)
            .bind(have_events)
            .bind(messages)
            .bind(namespaces)
            .fetch_one(line.as_mut())
            .await
            .map_err(StoreError::from);
        match done {
            Ok(done) => {
                line.keep();
                Ok(done)
            }
            Err(error) if error.is_about_data() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the steps of those of these tasks that are planned.
    ///
    /// # Errors
    /// The database fails.
    pub async fn write_planned(&self, tasks: &[Uuid]) -> Result<(), StoreError> {
        sqlx::query("select tasker.write_planned($1)").bind(tasks).execute(&self.pool).await?;
        Ok(())
    }

    /// Writes the steps of the tasks of these leases, so that something can be said of them.
    pub(super) async fn write_planned_of(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let planned: Vec<_> =
            leases.iter().filter(|lease| lease.planned.is_some()).map(|lease| lease.task_uuid).collect();
        if planned.is_empty() { Ok(()) } else { self.write_planned(&planned).await }
    }
}
