//! Namespaces as an operator sees and steers them. A claim reads these rows each time, so what is set here holds from the
//! next claim on, on every host.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{OperateError, Operator, Store, StoreError};

/// A namespace and what its queue holds.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow, utoipa::ToSchema)]
pub struct NamespaceView {
    /// Its name.
    pub name: String,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// Since when nobody claims from it; none while it is not paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why.
    pub pause_reason: Option<String>,
    /// How many of its steps may run at once on all hosts together; none for any number.
    pub max_concurrent: Option<i32>,
    /// Steps that wait in its queue.
    pub queued: i64,
    /// Steps that hosts hold.
    pub in_progress: i64,
}

impl Store {
    /// Every namespace with what its queue holds, in the order of their names.
    ///
    /// # Errors
    /// The database fails.
    pub async fn namespace_views(&self) -> Result<Vec<NamespaceView>, StoreError> {
        Ok(sqlx::query_as("select * from tasker.namespace_views()").fetch_all(&self.pool).await?)
    }

    /// Pauses a namespace: nothing is claimed from it any more, what runs finishes, and its tasks do not grow stale. One
    /// that is paused stays so, with the later who and why.
    ///
    /// # Errors
    /// There is no such namespace, who or why is missing, or the database fails.
    pub async fn pause_namespace(&self, namespace: &str, by: &Operator) -> Result<(), OperateError> {
        by.check()?;
        let paused = sqlx::query(
            "with paused as (
                update tasker.namespaces
                set paused_at = coalesce(paused_at, clock_timestamp()), paused_by = $2, pause_reason = $3
                where name = $1
                returning name
            )
            insert into tasker.operator_actions (actor, action, kind, namespace, subject, reason)
            select $2, 'pause', 'namespace', name, name, $3 from paused",
        );
        let paused = paused.bind(namespace).bind(&by.actor).bind(&by.reason).execute(&self.pool).await?;
        self.known(namespace, paused.rows_affected()).await
    }

    /// Lets a namespace be claimed from again.
    ///
    /// # Errors
    /// There is no such namespace, or the database fails.
    pub async fn resume_namespace(&self, namespace: &str, actor: &str) -> Result<(), OperateError> {
        let resumed = sqlx::query(
            "with resumed as (
                update tasker.namespaces
                set resumed_at = case when paused_at is null then resumed_at else clock_timestamp() end, paused_at = null,
                    paused_by = null, pause_reason = null
                where name = $1
                returning name
            )
            insert into tasker.operator_actions (actor, action, kind, namespace, subject)
            select $2, 'resume', 'namespace', name, name from resumed",
        );
        let resumed = resumed.bind(namespace).bind(actor).execute(&self.pool).await?;
        self.known(namespace, resumed.rows_affected()).await
    }

    /// Bounds how many steps of a namespace run at once on all hosts together, at least one; none lifts the bound. Steps
    /// that run already are not stopped.
    ///
    /// # Errors
    /// There is no such namespace, the bound is zero, or the database fails.
    pub async fn limit_namespace(
        &self,
        namespace: &str,
        max_concurrent: Option<u32>,
        actor: &str,
    ) -> Result<(), OperateError> {
        let bound = max_concurrent.map(|bound| i32::try_from(bound).unwrap_or(i32::MAX));
        let limited: bool = sqlx::query_scalar("select tasker.limit_namespace($1, $2, $3)")
            .bind(namespace)
            .bind(bound)
            .bind(actor)
            .fetch_one(&self.pool)
            .await?;
        self.known(namespace, u64::from(limited)).await
    }

    async fn known(&self, namespace: &str, rows: u64) -> Result<(), OperateError> {
        if rows > 0 {
            return Ok(());
        }
        Err(OperateError::UnknownNamespace { namespace: namespace.to_owned(), known: self.namespaces().await? })
    }
}
