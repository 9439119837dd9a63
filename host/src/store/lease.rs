//! Leases: for how long a claimed step's message stays hidden from other hosts.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::columns::column;
use super::{Planned, Store, StoreError};

/// The right to finish a claimed step. Current until the step is completed, put back, or claimed again after its time
/// ran out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose queue the message is in.
    pub namespace: String,
    /// The message.
    pub message_id: MessageId,
    /// The step's task.
    pub task_uuid: Uuid,
    /// The step.
    pub step_uuid: Uuid,
    /// The fence: the number of the claim.
    pub claim: i32,
    /// Whether the step's end changes its task as well, whatever it is: it has no successors, or its task grows.
    pub guarded: bool,
    /// Its task, where the steps of that were not written when it was claimed: they are later, all of them at once where
    /// [they all succeed](Store::complete_planned) before something else happens. None where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Planned>,
}

/// The number of a step's message in its queue. Of a step that a host begins with before it is claimed it is learnt from the
/// claim; clones learn it together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<i64>", into = "Option<i64>")]
pub struct MessageId(Arc<OnceLock<i64>>);

impl MessageId {
    /// The number; none as long as the step is not claimed.
    #[must_use]
    pub fn get(&self) -> Option<i64> {
        self.0.get().copied()
    }

    /// The step is claimed, and this is its message. What was learnt first stays.
    pub fn learn(&self, number: i64) {
        self.0.get_or_init(|| number);
    }
}

impl From<i64> for MessageId {
    fn from(number: i64) -> Self {
        Self(Arc::new(OnceLock::from(number)))
    }
}

impl From<Option<i64>> for MessageId {
    fn from(number: Option<i64>) -> Self {
        number.map(Self::from).unwrap_or_default()
    }
}

impl From<MessageId> for Option<i64> {
    fn from(number: MessageId) -> Self {
        number.get()
    }
}

impl Store {
    /// Renews leases for `length` from now. Answers the steps whose lease is lost: what their attempts bring will be
    /// refused, so they may as well be stopped.
    ///
    /// # Errors
    /// The database fails; the leases then run on as they were.
    pub async fn renew_leases(&self, leases: &[Lease], length: Duration) -> Result<Vec<Uuid>, StoreError> {
        self.write_planned_of(leases).await?;
        let lost = sqlx::query_scalar("select tasker.renew_leases($1, $2, $3, $4, $5)")
            .bind(column(leases, |lease| lease.step_uuid))
            .bind(column(leases, |lease| lease.claim))
            .bind(column(leases, |lease| lease.namespace.as_str()))
            .bind(column(leases, |lease| lease.message_id.get()))
            .bind(length.as_secs_f64())
            .fetch_all(&self.pool)
            .await?;
        Ok(lost)
    }

    /// Puts steps back into their queues, at the place they had: visible at once, their attempts not spent. Answers how
    /// many were still ours.
    ///
    /// # Errors
    /// The database fails; the leases then run out by themselves.
    pub async fn release_steps(&self, leases: &[Lease]) -> Result<u32, StoreError> {
        self.write_planned_of(leases).await?;
        let released: i32 = sqlx::query_scalar("select tasker.release_steps($1, $2, $3, $4)")
            .bind(column(leases, |lease| lease.step_uuid))
            .bind(column(leases, |lease| lease.claim))
            .bind(column(leases, |lease| lease.namespace.as_str()))
            .bind(column(leases, |lease| lease.message_id.get()))
            .fetch_one(&self.pool)
            .await?;
        Ok(released.unsigned_abs())
    }
}
