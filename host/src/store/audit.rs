//! What people did: every action by hand, with who and why.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, StoreError};

/// Something that somebody did by hand.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow, utoipa::ToSchema)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// What: a change of state such as `error -> pending`, or `pause`, `revoke` and the like.
    pub action: String,
    /// Where; none for what is not one namespace's.
    pub namespace: Option<String>,
    /// What kind of thing it was done to: `task`, `step`, `namespace`, `dead_letter` or `api_key`.
    pub kind: String,
    /// The key or name of that thing.
    pub subject: String,
    /// The task, where it was done to one or to its step.
    pub task_uuid: Option<Uuid>,
    /// Why.
    pub reason: Option<String>,
}

/// Which actions to list.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only of these namespaces.
    pub namespaces: Option<Vec<String>>,
    /// Only those before this.
    pub before: Option<DateTime<Utc>>,
    /// How many at most.
    pub limit: u32,
}

impl Store {
    /// What people did, newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let entries = sqlx::query_as(
            "select * from tasker.audit
            where ($1::text[] is null or namespace = any ($1)) and ($2::timestamptz is null or at < $2)
            order by at desc limit $3",
        )
        .bind(filter.namespaces.as_deref())
        .bind(filter.before)
        .bind(i64::from(filter.limit));
        Ok(entries.fetch_all(&self.pool).await?)
    }
}
