//! Every change of a step with the attempt that brought it: Tasker's audit of results, and what people did.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// Changes of a step that are shown: the newest.
const NEWEST: i64 = 1_000;

/// A change of a step.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepAudit {
    /// Its key, made of the step's and its number.
    pub audit_uuid: Uuid,
    /// The step.
    pub workflow_step_uuid: Uuid,
    /// The same as `audit_uuid`: a change is its own record.
    pub transition_uuid: Uuid,
    /// The step's task.
    pub task_uuid: Uuid,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// The host that ran the attempt, where one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_uuid: Option<String>,
    /// The task's correlation.
    pub correlation_id: Uuid,
    /// Whether the step is done with it.
    pub success: bool,
    /// Milliseconds of the attempt, where one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_time_ms: Option<i64>,
    /// The attempt's error, or the result that the step has by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Box<RawValue>>,
    /// The step's name.
    pub step_name: String,
    /// The state it left.
    pub from_state: String,
    /// The state it came to.
    pub to_state: String,
    /// The attempt, where there was one.
    pub attempt: Option<i32>,
    /// Why, where it was not the ordinary course.
    pub reason: Option<String>,
    /// The person who asked for it; none for the system.
    pub actor: Option<String>,
}

impl Store {
    /// The changes of a step of one of these namespaces, or of any, newest first, the newest thousand of them; none if
    /// there is no such step.
    ///
    /// # Errors
    /// The database fails.
    pub async fn step_audit(
        &self,
        namespaces: Option<&[String]>,
        task: Uuid,
        step: Uuid,
    ) -> Result<Option<Vec<StepAudit>>, StoreError> {
        let changes: Vec<StepAudit> = sqlx::query_as(
            "select c.sequence, c.at, c.attempt, c.from_state, c.to_state, c.reason, c.actor, s.step_uuid, s.name,
                    t.task_uuid, t.correlation_id, a.host, a.total_us / 1000 as millis,
                    case when c.to_state = 'complete' and s.state = 'complete' then s.result else a.error end as result
                from tasker.tasks t
                cross join lateral tasker.steps_of(t.task_uuid) s
                join tasker.changes c on c.task_uuid = t.task_uuid and c.step_uuid = s.step_uuid
                left join lateral (
                    select * from tasker.attempts ended
                    where c.from_state = 'in_progress' and c.actor is null and ended.step_uuid = s.step_uuid
                        and ended.attempt = c.attempt and ended.finished_at <= c.at
                    order by ended.claim desc limit 1
                ) a on true
                where t.task_uuid = $1 and ($2::text[] is null or t.namespace = any ($2)) and s.step_uuid = $3
                order by c.sequence desc
                limit $4",
        )
        .bind(task)
        .bind(namespaces)
        .bind(step)
        .bind(NEWEST)
        .fetch_all(&self.pool)
        .await?;
        // A step has changed at least once by the time it can be asked about: it waits, or it was queued.
        if changes.is_empty() && !self.has_step_in(namespaces, task, step).await? {
            return Ok(None);
        }
        Ok(Some(changes))
    }

    /// Whether one of these namespaces, or any, has this step of this task.
    ///
    /// # Errors
    /// The database fails.
    pub async fn has_step_in(&self, namespaces: Option<&[String]>, task: Uuid, step: Uuid) -> Result<bool, StoreError> {
        let has = sqlx::query_scalar(
            "select exists (
                select from tasker.tasks t cross join lateral tasker.steps_of(t.task_uuid) s
                where t.task_uuid = $1 and ($2::text[] is null or t.namespace = any ($2)) and s.step_uuid = $3
            )",
        );
        Ok(has.bind(task).bind(namespaces).bind(step).fetch_one(&self.pool).await?)
    }
}

impl<'r> FromRow<'r, PgRow> for StepAudit {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let step: Uuid = row.try_get("step_uuid")?;
        let number: i64 = row.try_get("sequence")?;
        let key = Uuid::new_v5(&step, &number.to_be_bytes());
        let to_state: String = row.try_get("to_state")?;
        Ok(Self {
            audit_uuid: key,
            workflow_step_uuid: step,
            transition_uuid: key,
            task_uuid: row.try_get("task_uuid")?,
            recorded_at: row.try_get("at")?,
            worker_uuid: row.try_get("host")?,
            correlation_id: row.try_get("correlation_id")?,
            success: matches!(to_state.as_str(), "complete" | "resolved_manually"),
            execution_time_ms: row.try_get("millis")?,
            result: row.try_get("result")?,
            step_name: row.try_get("name")?,
            from_state: row.try_get("from_state")?,
            to_state,
            attempt: row.try_get("attempt")?,
            reason: row.try_get("reason")?,
            actor: row.try_get("actor")?,
        })
    }
}
