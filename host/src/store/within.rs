//! Tasks and steps as one namespace sees them: what belongs to another does not exist, and what would be larger than it may
//! be is measured in the database and stays there.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{StepView, Store, StoreError, TaskFilter, TaskView, TransitionView};

/// Changes of a step that are shown: the newest.
const TRANSITIONS: i64 = 1_000;

/// What was found in a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within<T> {
    /// This.
    Found(T),
    /// The task, or the step, is not there.
    Unknown,
    /// It has more bytes of guests' data than were asked for.
    TooLarge {
        /// How many.
        bytes: u64,
    },
}

impl Store {
    /// A task of `namespace`, if its context and tags have at most `max_bytes`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn task_within(
        &self,
        namespace: &str,
        task: Uuid,
        max_bytes: usize,
    ) -> Result<Within<TaskView>, StoreError> {
        let filter = TaskFilter { namespaces: Some(vec![namespace.to_owned()]), limit: 1, ..TaskFilter::default() };
        Ok(match self.page_within(Some(task), &filter, max_bytes).await? {
            Within::Found(mut tasks) => tasks.pop().map_or(Within::Unknown, Within::Found),
            Within::Unknown => Within::Unknown,
            Within::TooLarge { bytes } => Within::TooLarge { bytes },
        })
    }

    /// The newest tasks that the filter lets through, newest first, if their contexts and tags have
    /// at most `max_bytes` together.
    ///
    /// # Errors
    /// The database fails.
    pub async fn tasks_within(
        &self,
        filter: &TaskFilter,
        max_bytes: usize,
    ) -> Result<Within<Vec<TaskView>>, StoreError> {
        self.page_within(None, filter, max_bytes).await
    }

    /// One statement measures and shows, so nothing can grow between the two.
    async fn page_within(
        &self,
        task: Option<Uuid>,
        filter: &TaskFilter,
        max_bytes: usize,
    ) -> Result<Within<Vec<TaskView>>, StoreError> {
        let rows = sqlx::query(
            "with page as materialized (
                select * from tasker.task_views($1, $2, $3::text::tasker.task_state, $4, $5, $6) offset $7
            ), size as (
                select coalesce(sum(octet_length(context::text) + octet_length(tags::text)), 0)::bigint as bytes from page
            )
            select size.bytes as size_bytes, page.* from size left join page on size.bytes <= $8
            order by page.task_uuid desc",
        )
        .bind(task)
        .bind(filter.namespaces.as_deref())
        .bind(filter.status.map(super::TaskState::as_str))
        .bind(filter.initiator.as_deref())
        .bind(filter.source_system.as_deref())
        .bind(i64::from(filter.limit) + i64::from(filter.offset))
        .bind(i64::from(filter.offset))
        .bind(signed(max_bytes));
        measured(&rows.fetch_all(&self.pool).await?, "task_uuid", max_bytes)
    }

    /// The steps of a task of one of these namespaces, or of any, in the order of its template, or only the one with key `step`, if what their
    /// handlers wrote has at most `max_bytes` together.
    ///
    /// # Errors
    /// The database fails.
    pub async fn steps_within(
        &self,
        namespaces: Option<&[String]>,
        task: Uuid,
        step: Option<Uuid>,
        max_bytes: usize,
    ) -> Result<Within<Vec<StepView>>, StoreError> {
        let rows = sqlx::query(
            "with page as materialized (
                select * from tasker.step_views($1)
                where ($3::uuid is null or step_uuid = $3)
                    and exists (
                        select from tasker.tasks t
                        where t.task_uuid = $1 and ($2::text[] is null or t.namespace = any ($2))
                    )
            ), size as (
                select coalesce(sum(
                    coalesce(octet_length(result::text), 0) + coalesce(octet_length(metadata::text), 0)
                    + coalesce(octet_length(error::text), 0) + coalesce(octet_length(checkpoint::text), 0)
                    + coalesce(octet_length(checkpoint_history::text), 0)
                ), 0)::bigint as bytes
                from page
            )
            select size.bytes as size_bytes, page.* from size left join page on size.bytes <= $4
            order by page.step_uuid",
        )
        .bind(task)
        .bind(namespaces)
        .bind(step)
        .bind(signed(max_bytes));
        let found = measured(&rows.fetch_all(&self.pool).await?, "step_uuid", max_bytes)?;
        let nothing = matches!(&found, Within::Found(steps) if steps.is_empty());
        if nothing && (step.is_some() || !self.has_task_in(namespaces, task).await?) {
            return Ok(Within::Unknown);
        }
        Ok(found)
    }

    /// The changes of a step of `namespace`, oldest first, the newest thousand of them.
    ///
    /// # Errors
    /// The database fails.
    pub async fn step_transitions_within(
        &self,
        namespace: &str,
        task: Uuid,
        step: Uuid,
    ) -> Result<Within<Vec<TransitionView>>, StoreError> {
        if !self.has_step_in(Some(&[namespace.to_owned()]), task, step).await? {
            return Ok(Within::Unknown);
        }
        let changes = sqlx::query_as(
            "select * from (
                select t.sequence, t.at, s.name as step, t.attempt, t.from_state, t.to_state, t.reason, t.actor
                from tasker.changes t join tasker.steps_of($1) s on s.step_uuid = t.step_uuid
                where t.task_uuid = $1 and t.step_uuid = $2
                order by t.sequence desc
                limit $3
            ) newest
            order by sequence",
        )
        .bind(task)
        .bind(step)
        .bind(TRANSITIONS);
        Ok(Within::Found(changes.fetch_all(&self.pool).await?))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut line = self.line().await?;
        sqlx::query("select 1").execute(line.as_mut()).await?;
        line.keep();
        Ok(())
    }
}

/// Rows that all carry the size of all. There is one without a key where nothing was found or it is too large.
fn measured<T>(rows: &[PgRow], key: &str, max_bytes: usize) -> Result<Within<Vec<T>>, StoreError>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    let mut found = Vec::new();
    for row in rows {
        let bytes = row.try_get::<i64, _>("size_bytes")?.unsigned_abs();
        if bytes > max_bytes as u64 {
            return Ok(Within::TooLarge { bytes });
        }
        if row.try_get::<Option<Uuid>, _>(key)?.is_some() {
            found.push(T::from_row(row)?);
        }
    }
    Ok(Within::Found(found))
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
