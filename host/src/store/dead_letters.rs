//! Dead letters: notes of an investigation. An entry says that a task came to a stand, why, and how it stood then;
//! resolving the entry changes nothing in the task, which is an operator's action of its own.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{DeadLetterReason, OperateError, Resolution, Store, StoreError, TaskState, states};

/// A task that came to a stand.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeadLetter {
    /// Its key.
    pub dlq_entry_uuid: Uuid,
    /// The task.
    pub task_uuid: Uuid,
    /// The task's namespace.
    pub namespace: String,
    /// The task's template.
    pub name: String,
    /// What the task rested in.
    pub original_state: TaskState,
    /// Why it was given up.
    pub dlq_reason: DeadLetterReason,
    /// When, in UTC; no time of a dead letter says so, as Tasker's do not.
    #[schema(value_type = String)]
    pub dlq_timestamp: NaiveDateTime,
    /// What came of the investigation.
    pub resolution_status: Resolution,
    /// Its notes.
    pub resolution_notes: Option<String>,
    /// When it ended.
    #[schema(value_type = Option<String>)]
    pub resolution_timestamp: Option<NaiveDateTime>,
    /// Who ended it.
    pub resolved_by: Option<String>,
    /// The task and its steps as they stood, a JSON object.
    #[schema(value_type = Object)]
    pub task_snapshot: Box<RawValue>,
    /// What else is known, a JSON object.
    #[schema(value_type = Object)]
    pub metadata: Box<RawValue>,
    /// When the entry was made.
    #[schema(value_type = String)]
    pub created_at: NaiveDateTime,
    /// When it last changed.
    #[schema(value_type = String)]
    pub updated_at: NaiveDateTime,
}

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only these.
    pub resolution_status: Option<Resolution>,
    /// Only these.
    pub dlq_reason: Option<DeadLetterReason>,
    /// Only of these namespaces.
    pub namespaces: Option<Vec<String>>,
    /// Only of this task.
    pub task_uuid: Option<Uuid>,
    /// How many at most.
    pub limit: u32,
    /// How many to pass over.
    pub offset: u32,
}

/// How many entries there are of a reason.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeadLetterStats {
    /// The reason.
    pub dlq_reason: DeadLetterReason,
    /// All entries.
    pub total_entries: i64,
    /// Those nobody resolved.
    pub pending: i64,
    /// Those whose tasks were helped on.
    pub manually_resolved: i64,
    /// Those whose tasks were given up for good.
    pub permanent_failures: i64,
    /// Those that turned out to be none.
    pub cancelled: i64,
    /// The first.
    #[schema(value_type = String)]
    pub oldest_entry: NaiveDateTime,
    /// The last.
    #[schema(value_type = String)]
    pub newest_entry: NaiveDateTime,
    /// Minutes from entry to resolution, on average.
    pub avg_resolution_time_minutes: Option<f64>,
}

/// An entry that waits for somebody to look into it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Investigation {
    /// Its key.
    pub dlq_entry_uuid: Uuid,
    /// The task.
    pub task_uuid: Uuid,
    /// What the task rested in.
    pub original_state: TaskState,
    /// Why it was given up.
    pub dlq_reason: DeadLetterReason,
    /// When.
    #[schema(value_type = String)]
    pub dlq_timestamp: NaiveDateTime,
    /// For how long it has waited.
    pub minutes_in_dlq: f64,
    /// The task's namespace.
    pub namespace_name: String,
    /// The task's template.
    pub task_name: String,
    /// The task's state.
    pub current_state: String,
    /// For how long it has been in that.
    pub time_in_state_minutes: i32,
    /// What to look into first: the highest.
    pub priority_score: f64,
}

/// What changes of an entry; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterUpdate {
    /// What came of the investigation.
    pub resolution_status: Option<Resolution>,
    /// Its notes.
    pub resolution_notes: Option<String>,
    /// Who ended it; needed when it ends.
    pub resolved_by: Option<String>,
    /// What else is known, a JSON object.
    pub metadata: Option<Box<RawValue>>,
}

const ENTRY: &str = "select d.*, t.namespace, t.name from tasker.dead_letters d
    join tasker.tasks t on t.task_uuid = d.task_uuid";

impl Store {
    /// The newest entries that the filter lets through, newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, StoreError> {
        let found = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{ENTRY} where ($1::text is null or d.resolution_status = $1) and ($2::text is null or d.dlq_reason = $2)
                and ($3::text[] is null or t.namespace = any ($3)) and ($4::uuid is null or d.task_uuid = $4)
            order by d.dlq_timestamp desc, d.dlq_entry_uuid desc limit $5 offset $6"
        )))
        .bind(filter.resolution_status.map(Resolution::as_str))
        .bind(filter.dlq_reason.map(DeadLetterReason::as_str))
        .bind(filter.namespaces.as_deref())
        .bind(filter.task_uuid)
        .bind(i64::from(filter.limit))
        .bind(i64::from(filter.offset));
        Ok(found.fetch_all(&self.pool).await?)
    }

    /// An entry; none if there is no such entry.
    ///
    /// # Errors
    /// The database fails.
    pub async fn dead_letter(&self, entry: Uuid) -> Result<Option<DeadLetter>, StoreError> {
        let found = sqlx::query_as(sqlx::AssertSqlSafe(format!("{ENTRY} where d.dlq_entry_uuid = $1"))).bind(entry);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// How many entries of these namespaces, or of all, there are of each reason that has any.
    ///
    /// # Errors
    /// The database fails.
    pub async fn dead_letter_stats(&self, namespaces: Option<&[String]>) -> Result<Vec<DeadLetterStats>, StoreError> {
        let counted = sqlx::query_as(
            "select dlq_reason, count(*) as total_entries,
                count(*) filter (where resolution_status = 'pending') as pending,
                count(*) filter (where resolution_status = 'manually_resolved') as manually_resolved,
                count(*) filter (where resolution_status = 'permanently_failed') as permanent_failures,
                count(*) filter (where resolution_status = 'cancelled') as cancelled,
                min(dlq_timestamp) as oldest_entry, max(dlq_timestamp) as newest_entry,
                (avg(extract(epoch from resolution_timestamp - dlq_timestamp)) / 60)::double precision
                    as avg_resolution_time_minutes
            from tasker.dead_letters d join tasker.tasks t using (task_uuid)
            where $1::text[] is null or t.namespace = any ($1)
            group by dlq_reason order by dlq_reason",
        );
        Ok(counted.bind(namespaces).fetch_all(&self.pool).await?)
    }

    /// The entries of these namespaces, or of all, that nobody resolved, those first that should be looked into first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn investigation_queue(
        &self,
        namespaces: Option<&[String]>,
        limit: u32,
    ) -> Result<Vec<Investigation>, StoreError> {
        let waiting = sqlx::query_as(
            "select * from tasker.investigation_queue
            where $1::text[] is null or namespace_name = any ($1)
            order by priority_score desc, dlq_timestamp, dlq_entry_uuid limit $2",
        );
        Ok(waiting.bind(namespaces).bind(i64::from(limit)).fetch_all(&self.pool).await?)
    }

    /// Notes what came of an investigation. Once resolved, an entry's status stays.
    ///
    /// # Errors
    /// There is no such entry, it was resolved in another way, nobody says who resolves it, or the database fails.
    pub async fn update_dead_letter(
        &self,
        entry: Uuid,
        update: &DeadLetterUpdate,
        actor: &str,
    ) -> Result<DeadLetter, OperateError> {
        let resolves = update.resolution_status.is_some_and(|status| status != Resolution::Pending);
        if resolves && update.resolved_by.as_deref().is_none_or(|by| by.trim().is_empty()) {
            return Err(OperateError::NotSaid { what: "who" });
        }
        let changed = sqlx::query(
            "with changed as (update tasker.dead_letters
            set resolution_status = coalesce($2, resolution_status),
                resolution_notes = coalesce($3, resolution_notes), resolved_by = coalesce($4, resolved_by),
                resolution_timestamp = case when coalesce($2, resolution_status) <> 'pending'
                    then coalesce(resolution_timestamp, clock_timestamp()) end,
                metadata = coalesce($5::json, metadata), updated_at = clock_timestamp()
            where dlq_entry_uuid = $1 and (resolution_status = 'pending' or resolution_status = coalesce($2, resolution_status))
            returning dlq_entry_uuid, task_uuid, resolution_status)
            insert into tasker.operator_actions (actor, action, kind, namespace, subject, reason)
            select $6, 'note ' || changed.resolution_status, 'dead_letter', t.namespace, changed.dlq_entry_uuid::text, $3
            from changed join tasker.tasks t on t.task_uuid = changed.task_uuid",
        )
        .bind(entry)
        .bind(update.resolution_status.map(Resolution::as_str))
        .bind(update.resolution_notes.as_deref())
        .bind(update.resolved_by.as_deref())
        .bind(update.metadata.as_deref().map(RawValue::get))
        .bind(actor)
        .execute(&self.pool)
        .await?;
        let found = self.dead_letter(entry).await?.ok_or(OperateError::UnknownDeadLetter { entry })?;
        if changed.rows_affected() == 0 {
            return Err(OperateError::Resolved { entry, status: found.resolution_status });
        }
        Ok(found)
    }
}

impl<'r> FromRow<'r, PgRow> for DeadLetter {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            dlq_entry_uuid: row.try_get("dlq_entry_uuid")?,
            task_uuid: row.try_get("task_uuid")?,
            namespace: row.try_get("namespace")?,
            name: row.try_get("name")?,
            original_state: states::read(row.try_get("original_state")?)?,
            dlq_reason: states::read(row.try_get("dlq_reason")?)?,
            dlq_timestamp: naive(row, "dlq_timestamp")?,
            resolution_status: states::read(row.try_get("resolution_status")?)?,
            resolution_notes: row.try_get("resolution_notes")?,
            resolution_timestamp: row
                .try_get::<Option<DateTime<Utc>>, _>("resolution_timestamp")?
                .map(|at| at.naive_utc()),
            resolved_by: row.try_get("resolved_by")?,
            task_snapshot: row.try_get("task_snapshot")?,
            metadata: row.try_get("metadata")?,
            created_at: naive(row, "created_at")?,
            updated_at: naive(row, "updated_at")?,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for DeadLetterStats {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            dlq_reason: states::read(row.try_get("dlq_reason")?)?,
            total_entries: row.try_get("total_entries")?,
            pending: row.try_get("pending")?,
            manually_resolved: row.try_get("manually_resolved")?,
            permanent_failures: row.try_get("permanent_failures")?,
            cancelled: row.try_get("cancelled")?,
            oldest_entry: naive(row, "oldest_entry")?,
            newest_entry: naive(row, "newest_entry")?,
            avg_resolution_time_minutes: row.try_get("avg_resolution_time_minutes")?,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for Investigation {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            dlq_entry_uuid: row.try_get("dlq_entry_uuid")?,
            task_uuid: row.try_get("task_uuid")?,
            original_state: states::read(row.try_get("original_state")?)?,
            dlq_reason: states::read(row.try_get("dlq_reason")?)?,
            dlq_timestamp: naive(row, "dlq_timestamp")?,
            minutes_in_dlq: row.try_get("minutes_in_dlq")?,
            namespace_name: row.try_get("namespace_name")?,
            task_name: row.try_get("task_name")?,
            current_state: row.try_get("current_state")?,
            time_in_state_minutes: row.try_get("time_in_state_minutes")?,
            priority_score: row.try_get("priority_score")?,
        })
    }
}

fn naive(row: &PgRow, column: &str) -> Result<NaiveDateTime, sqlx::Error> {
    Ok(row.try_get::<DateTime<Utc>, _>(column)?.naive_utc())
}
