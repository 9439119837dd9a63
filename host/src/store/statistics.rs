//! How workflows perform and what they use, counted when it is asked for. Periods are those in which tasks were created.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{StalenessThresholds, Store, StoreError};

/// How many tasks and steps there are, by state.
#[derive(Debug, Clone, Default)]
pub struct StateCounts {
    /// Tasks.
    pub tasks: BTreeMap<String, i64>,
    /// Steps.
    pub steps: BTreeMap<String, i64>,
}

/// How the tasks of a period went.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Performance {
    /// Tasks.
    pub total: i64,
    /// Those that go on.
    pub active: i64,
    /// Those that are complete or resolved.
    pub completed: i64,
    /// Those that failures hold, or that were given up.
    pub failed: i64,
    /// Seconds from a task's creation to its completion, on average.
    pub task_seconds: f64,
    /// Attempts of their steps.
    pub attempts: i64,
    /// Seconds of an attempt, on average.
    pub attempt_seconds: f64,
}

/// A step of a template, by how long its attempts take.
#[derive(Debug, Clone, Serialize, FromRow, utoipa::ToSchema)]
pub struct SlowStep {
    /// The template's namespace.
    pub namespace_name: String,
    /// The template.
    pub task_name: String,
    /// Its version.
    pub version: String,
    /// The step.
    pub step_name: String,
    /// Seconds of an attempt, on average.
    pub average_duration_seconds: f64,
    /// Seconds of the longest.
    pub max_duration_seconds: f64,
    /// Attempts.
    pub execution_count: i64,
    /// Those that failed.
    pub error_count: i64,
    /// Their part: 0 to 1.
    pub error_rate: f64,
    /// When one last ended.
    pub last_executed_at: Option<DateTime<Utc>>,
}

/// A template, by how long its tasks take.
#[derive(Debug, Clone, Serialize, FromRow, utoipa::ToSchema)]
pub struct SlowTask {
    /// Its namespace.
    pub namespace_name: String,
    /// Its name.
    pub task_name: String,
    /// Its version.
    pub version: String,
    /// Seconds of a task, on average.
    pub average_duration_seconds: f64,
    /// Seconds of the longest.
    pub max_duration_seconds: f64,
    /// Tasks that are over.
    pub execution_count: i64,
    /// Steps of a task, on average.
    pub average_step_count: f64,
    /// Tasks that did not end well.
    pub error_count: i64,
    /// Their part: 0 to 1.
    pub error_rate: f64,
    /// When one last ended.
    pub last_executed_at: Option<DateTime<Utc>>,
}

/// What the attempts of a step of a template used.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow, utoipa::ToSchema)]
pub struct UsageTotals {
    /// The template's namespace.
    pub namespace: String,
    /// The template.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The step of the template.
    pub step: String,
    /// Tasks.
    pub tasks: i64,
    /// Attempts.
    pub attempts: i64,
    /// Those that failed.
    pub failures: i64,
    /// Units of fuel.
    pub fuel: i64,
    /// Microseconds inside guests.
    pub guest_us: i64,
    /// Microseconds from beginning to end.
    pub total_us: i64,
    /// Calls of host functions.
    pub host_calls: i64,
    /// The most memory that one attempt had at once, in bytes.
    pub peak_memory_bytes: i64,
}

/// An active task, by how near it is to being given up.
#[derive(Debug, Clone, FromRow)]
pub struct Staleness {
    /// The task.
    pub task_uuid: Uuid,
    /// Its namespace.
    pub namespace_name: String,
    /// Its template.
    pub task_name: String,
    /// What it would rest in.
    pub current_state: String,
    /// Minutes since something happened in it.
    pub time_in_state_minutes: i32,
    /// Minutes since it was created.
    pub task_age_minutes: i32,
    /// Minutes after which it is given up.
    pub staleness_threshold_minutes: i32,
    /// -100 to 100.
    pub priority: i32,
}

/// The period and namespaces that are counted, and how many lines there are to be.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Of these; none for all.
    pub namespaces: Option<&'a [String]>,
    /// Tasks created from then on.
    pub since: DateTime<Utc>,
    /// How many lines at most.
    pub limit: u32,
    /// Only what was executed this often.
    pub min_executions: u32,
}

impl Store {
    /// How many tasks and steps of these namespaces, or of all, there are by state. It reads every row.
    ///
    /// # Errors
    /// The database fails.
    pub async fn state_counts(&self, namespaces: Option<&[String]>) -> Result<StateCounts, StoreError> {
        let (Json(tasks), Json(steps)) = sqlx::query_as("select tasks, steps from tasker.state_counts($1)")
            .bind(namespaces)
            .fetch_one(&self.pool)
            .await?;
        Ok(StateCounts { tasks, steps })
    }

    /// How the tasks went that were created since then.
    ///
    /// # Errors
    /// The database fails.
    pub async fn performance(
        &self,
        namespaces: Option<&[String]>,
        since: DateTime<Utc>,
    ) -> Result<Performance, StoreError> {
        let counted = sqlx::query_as("select * from tasker.performance($1, $2)").bind(namespaces).bind(since);
        Ok(counted.fetch_one(&self.pool).await?)
    }

    /// The steps whose attempts take longest, the slowest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn slow_steps(&self, counted: Counted<'_>) -> Result<Vec<SlowStep>, StoreError> {
        self.slow("select * from tasker.slow_steps($1, $2, $3, $4)", counted).await
    }

    /// The templates whose tasks take longest, the slowest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn slow_tasks(&self, counted: Counted<'_>) -> Result<Vec<SlowTask>, StoreError> {
        self.slow("select * from tasker.slow_tasks($1, $2, $3, $4)", counted).await
    }

    async fn slow<Row>(&self, statement: &'static str, counted: Counted<'_>) -> Result<Vec<Row>, StoreError>
    where
        Row: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        let rows = sqlx::query_as(statement)
            .bind(counted.namespaces)
            .bind(counted.since)
            .bind(i32::try_from(counted.limit).unwrap_or(i32::MAX))
            .bind(i32::try_from(counted.min_executions).unwrap_or(i32::MAX));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// What the attempts of each step of each template used, of tasks created between the two.
    ///
    /// # Errors
    /// The database fails.
    pub async fn usage(
        &self,
        namespaces: Option<&[String]>,
        since: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Result<Vec<UsageTotals>, StoreError> {
        let used = sqlx::query_as("select * from tasker.usage($1, $2, $3)").bind(namespaces).bind(since).bind(before);
        Ok(used.fetch_all(&self.pool).await?)
    }

    /// Active tasks by how near they are to being given up, the nearest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn staleness(
        &self,
        namespaces: Option<&[String]>,
        thresholds: StalenessThresholds,
        limit: u32,
    ) -> Result<Vec<Staleness>, StoreError> {
        let int = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let tasks = sqlx::query_as("select * from tasker.staleness($1, $2, $3, $4, $5)")
            .bind(namespaces)
            .bind(int(thresholds.waiting_for_dependencies))
            .bind(int(thresholds.waiting_for_retry))
            .bind(int(thresholds.steps_in_process))
            .bind(int(limit));
        Ok(tasks.fetch_all(&self.pool).await?)
    }
}
