//! Following what happens: every change of tasks and steps, once and in order, from any point on.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, StoreError};

/// A point in the order of all changes. Its text, `transaction.number`, is what a follower gives to go on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangePoint {
    xid: i64,
    sequence: i64,
}

/// It is no such point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a point in the changes is two numbers with a dot between, as the `id` of an earlier change")]
pub struct NoChangePoint;

impl ChangePoint {
    /// Before everything.
    pub const BEGINNING: Self = Self { xid: 0, sequence: 0 };
}

impl fmt::Display for ChangePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.xid, self.sequence)
    }
}

impl FromStr for ChangePoint {
    type Err = NoChangePoint;

    fn from_str(text: &str) -> Result<Self, NoChangePoint> {
        let (xid, sequence) = text.split_once('.').ok_or(NoChangePoint)?;
        let number = |text: &str| text.parse().ok().filter(|number| *number >= 0).ok_or(NoChangePoint);
        Ok(Self { xid: number(xid)?, sequence: number(sequence)? })
    }
}

/// One change of a task or of one of its steps.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow, utoipa::ToSchema)]
pub struct Change {
    /// The transaction that made it.
    #[serde(skip)]
    xid: i64,
    /// Its place in the order of all changes of its task.
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The task's namespace.
    pub namespace: String,
    /// The task.
    pub task_uuid: Uuid,
    /// The step; none when the task itself changed.
    pub step_uuid: Option<Uuid>,
    /// The step's name.
    pub step: Option<String>,
    /// The step's attempt, where there was one.
    pub attempt: Option<i32>,
    /// The state it left.
    pub from_state: String,
    /// The state it came to.
    pub to_state: String,
    /// Why, where it was not the ordinary course.
    pub reason: Option<String>,
    /// The person who asked for it; none for the system.
    pub actor: Option<String>,
}

impl Change {
    /// Where it stands.
    pub fn point(&self) -> ChangePoint {
        ChangePoint { xid: self.xid, sequence: self.sequence }
    }
}

impl Store {
    /// The point after all changes that can be told now.
    ///
    /// # Errors
    /// The database fails.
    pub async fn changes_end(&self) -> Result<ChangePoint, StoreError> {
        let xid = sqlx::query_scalar("select tasker.changes_end()").fetch_one(&self.pool).await?;
        Ok(ChangePoint { xid, sequence: 0 })
    }

    /// Up to `limit` changes after a point: of one task, or of all tasks of these namespaces, or of all.
    ///
    /// # Errors
    /// The database fails.
    pub async fn changes_after(
        &self,
        point: ChangePoint,
        task: Option<Uuid>,
        namespaces: Option<&[String]>,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        let changes = sqlx::query_as("select * from tasker.changes_after($1, $2, $3, $4, $5)")
            .bind(point.xid)
            .bind(point.sequence)
            .bind(task)
            .bind(namespaces)
            .bind(i32::try_from(limit).unwrap_or(i32::MAX));
        Ok(changes.fetch_all(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_written() {
        let point: ChangePoint = "812.44".parse().unwrap();
        assert_eq!((point.to_string().as_str(), point > ChangePoint::BEGINNING), ("812.44", true));
        for text in ["", "7", "7.", "-1.0", "a.b", "1.2.3"] {
            assert_eq!(text.parse::<ChangePoint>(), Err(NoChangePoint), "{text}");
        }
    }
}
