//! Dead letters: notes of an investigation. An entry says that a task came to a stand, why, and how it stood then;
//! resolving the entry changes nothing in the task, which is an operator's action of its own.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{DeadLetterReason, OperateError, Resolution, Store, StoreError, TaskState, states};

/// A task that came to a stand.
#[derive(Debug, Clone, Serialize)]
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
    /// When.
    pub dlq_timestamp: DateTime<Utc>,
    /// What came of the investigation.
    pub resolution_status: Resolution,
    /// Its notes.
    pub resolution_notes: Option<String>,
    /// When it ended.
    pub resolution_timestamp: Option<DateTime<Utc>>,
    /// Who ended it.
    pub resolved_by: Option<String>,
    /// The task and its steps as they stood, a JSON object.
    pub task_snapshot: Box<RawValue>,
    /// What else is known, a JSON object.
    pub metadata: Box<RawValue>,
    /// When the entry was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only these.
    pub resolution_status: Option<Resolution>,
    /// Only these.
    pub dlq_reason: Option<DeadLetterReason>,
    /// Only of this namespace.
    pub namespace: Option<String>,
    /// Only of this task.
    pub task_uuid: Option<Uuid>,
    /// How many at most.
    pub limit: u32,
    /// How many to pass over.
    pub offset: u32,
}

/// How many entries there are of a reason.
#[derive(Debug, Clone, Serialize)]
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
    pub oldest_entry: DateTime<Utc>,
    /// The last.
    pub newest_entry: DateTime<Utc>,
    /// Minutes from entry to resolution, on average.
    pub avg_resolution_minutes: Option<f64>,
}

/// An entry that waits for somebody to look into it.
#[derive(Debug, Clone, Serialize)]
pub struct Investigation {
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
    /// When.
    pub dlq_timestamp: DateTime<Utc>,
    /// For how long it has waited.
    pub minutes_waiting: i64,
    /// What to look into first: the highest.
    pub priority_score: i64,
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
                and ($3::text is null or t.namespace = $3) and ($4::uuid is null or d.task_uuid = $4)
            order by d.dlq_timestamp desc, d.dlq_entry_uuid desc limit $5 offset $6"
        )))
        .bind(filter.resolution_status.map(Resolution::as_str))
        .bind(filter.dlq_reason.map(DeadLetterReason::as_str))
        .bind(filter.namespace.as_deref())
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

    /// How many entries there are of each reason that has any.
    ///
    /// # Errors
    /// The database fails.
    pub async fn dead_letter_stats(&self) -> Result<Vec<DeadLetterStats>, StoreError> {
        let counted = sqlx::query_as(
            "select dlq_reason, count(*) as total_entries,
                count(*) filter (where resolution_status = 'pending') as pending,
                count(*) filter (where resolution_status = 'manually_resolved') as manually_resolved,
                count(*) filter (where resolution_status = 'permanently_failed') as permanent_failures,
                count(*) filter (where resolution_status = 'cancelled') as cancelled,
                min(dlq_timestamp) as oldest_entry, max(dlq_timestamp) as newest_entry,
                (avg(extract(epoch from resolution_timestamp - dlq_timestamp)) / 60)::double precision
                    as avg_resolution_minutes
            from tasker.dead_letters group by dlq_reason order by dlq_reason",
        );
        Ok(counted.fetch_all(&self.pool).await?)
    }

    /// The entries nobody resolved, those first that should be looked into first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn investigation_queue(&self, limit: u32) -> Result<Vec<Investigation>, StoreError> {
        let waiting = sqlx::query_as(
            "select * from tasker.investigation_queue order by priority_score desc, dlq_timestamp, dlq_entry_uuid limit $1",
        );
        Ok(waiting.bind(i64::from(limit)).fetch_all(&self.pool).await?)
    }

    /// Notes what came of an investigation. Once resolved, an entry's status stays.
    ///
    /// # Errors
    /// There is no such entry, it was resolved in another way, nobody says who resolves it, or the database fails.
    pub async fn update_dead_letter(&self, entry: Uuid, update: &DeadLetterUpdate) -> Result<DeadLetter, OperateError> {
        let resolves = update.resolution_status.is_some_and(|status| status != Resolution::Pending);
        if resolves && update.resolved_by.as_deref().is_none_or(|by| by.trim().is_empty()) {
            return Err(OperateError::NotSaid { what: "who" });
        }
        let changed = sqlx::query(
            "update tasker.dead_letters
            set resolution_status = coalesce($2, resolution_status),
                resolution_notes = coalesce($3, resolution_notes), resolved_by = coalesce($4, resolved_by),
                resolution_timestamp = case when coalesce($2, resolution_status) <> 'pending'
                    then coalesce(resolution_timestamp, clock_timestamp()) end,
                metadata = coalesce($5::json, metadata), updated_at = clock_timestamp()
            where dlq_entry_uuid = $1 and (resolution_status = 'pending' or resolution_status = coalesce($2, resolution_status))",
        )
        .bind(entry)
        .bind(update.resolution_status.map(Resolution::as_str))
        .bind(update.resolution_notes.as_deref())
        .bind(update.resolved_by.as_deref())
        .bind(update.metadata.as_deref().map(RawValue::get))
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
            dlq_timestamp: row.try_get("dlq_timestamp")?,
            resolution_status: states::read(row.try_get("resolution_status")?)?,
            resolution_notes: row.try_get("resolution_notes")?,
            resolution_timestamp: row.try_get("resolution_timestamp")?,
            resolved_by: row.try_get("resolved_by")?,
            task_snapshot: row.try_get("task_snapshot")?,
            metadata: row.try_get("metadata")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
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
            oldest_entry: row.try_get("oldest_entry")?,
            newest_entry: row.try_get("newest_entry")?,
            avg_resolution_minutes: row.try_get("avg_resolution_minutes")?,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for Investigation {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            dlq_entry_uuid: row.try_get("dlq_entry_uuid")?,
            task_uuid: row.try_get("task_uuid")?,
            namespace: row.try_get("namespace")?,
            name: row.try_get("name")?,
            original_state: states::read(row.try_get("original_state")?)?,
            dlq_reason: states::read(row.try_get("dlq_reason")?)?,
            dlq_timestamp: row.try_get("dlq_timestamp")?,
            minutes_waiting: row.try_get("minutes_waiting")?,
            priority_score: row.try_get("priority_score")?,
        })
    }
}
