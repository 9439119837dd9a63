//! Creating one task whose steps stand in its row, which is what most requests ask for.
//!
//! It takes the server less to write the rows than to begin with the statements of `tasker.create_tasks`, which takes many tasks,
//! of any kind: one statement with a parameter for each column takes half as long (callgrind, PostgreSQL 18: 0.38 million
//! instructions for 0.75). It creates such a task or nothing, and what comes of the others is said in one place.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::new_rows::Rows;
use super::queues::Queues;
use super::tasks::refusal;
use super::{EagerClaim, NewTask, Store, StoreError};

impl Store {
    /// Creates a task whose steps are written later, and has it claimed or its only first step wait in its queue. Answers the
    /// messages of its first steps.
    ///
    /// None where it was not created: its steps are not to be written later after all, it has another one's identity, its template
    /// is not the chosen one any more, or its namespace is not open to the claim. The function says then what is the matter.
    pub(super) async fn create_planned(
        &self,
        task: &NewTask,
        claim: Option<&EagerClaim>,
    ) -> Result<Option<HashMap<Uuid, i64>>, StoreError> {
        let Rows { tasks, messages, .. } = Rows::claimed(std::slice::from_ref(task), claim);
        let Some(row) = tasks.first().filter(|row| row.planned_steps.is_some()) else { return Ok(None) };
        let first_step = messages.first().map(|(_, message)| message.step_uuid);
        let messages: Vec<_> = messages.into_iter().map(|(_, message)| message).collect();
        let statement = sqlx::query_as(AssertSqlSafe(statement(row.namespace, claim.is_some())))
            .bind(row.task_uuid)
            .bind(row.template_uuid)
            .bind(row.choice)
            .bind(row.correlation_id)
            .bind(row.parent_correlation_id)
            .bind(row.created_at)
            .bind(row.sinks)
            .bind(row.priority)
            .bind(row.grows)
            .bind(row.identity)
            .bind(row.namespace)
            .bind(row.name)
            .bind(row.version)
            .bind(row.initiator)
            .bind(row.source_system)
            .bind(row.reason)
            .bind(&*row.tags)
            .bind(row.context)
            .bind(&row.planned_steps)
            .bind(&row.planned_edges)
            .bind(messages);
        let statement = match claim {
            Some(claim) => statement.bind(&claim.host).bind(claim.lease.as_secs_f64()),
            None => statement.bind(first_step),
        };
        let mut line = self.line().await?;
        let sent: Vec<(i64, Uuid)> = statement.fetch_all(line.as_mut()).await.map_err(refusal)?;
        line.keep();
        let sent: HashMap<_, _> = sent.into_iter().map(|(message, step)| (step, message)).collect();
        Ok(Some(sent).filter(|sent| !sent.is_empty()))
    }
}

/// How the task began is written for those who follow changes where it waits, as `tasker.create_tasks` does.
fn statement(namespace: &str, is_claimed: bool) -> String {
    let (host, open, began, lease) = if is_claimed {
        let open = "and exists (
            select from tasker.namespaces where name = $11 and paused_at is null and max_concurrent is null
        )";
        ("$22", open, "", Some(23))
    } else {
        let began = ", began as (
            insert into tasker.transitions (task_uuid, whole, step_uuid, from_state, to_state)
            select task_uuid, true, $22, 'pending', 'enqueued' from task
        )";
        ("null", "", began, None)
    };
    format!(
        "with task as (
            insert into tasker.tasks (
                task_uuid, template_uuid, correlation_id, parent_correlation_id, created_at, updated_at, state, sinks_left,
                priority, grows, identity, namespace, name, version, initiator, source_system, reason, planned_by, tags,
                context, planned_steps, planned_edges
            )
            select $1, $2, $4, $5, $6, $6, 'steps_in_process', $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, {host},
                $17::json, $18::json, $19, $20
            from tasker.templates own
            where own.template_uuid = $2 and own.namespace = $11 and ($3 is null or not exists (
                select from tasker.templates later
                where later.namespace = $11 and later.name = $12 and later.registered_at > own.registered_at
                    and ($3 = 'newest' or later.version = $13)
            )) {open}
            on conflict (identity) where identity is not null do nothing
            returning task_uuid
        ) {began}
        {send}",
        send = Queues::send_for_task(namespace, 21, lease),
    )
}
