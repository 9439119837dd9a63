//! What hosts tell each other: "there may be work" on the channel `tasker_work`, "this task is cancelled" on
//! `tasker_cancel`.
//!
//! A notification is a hint and nothing more: it says nothing of what, it may be lost while a connection is restored,
//! and none is sent when a lease runs out. Hosts poll as well. It is never sent by a transaction that completes steps: a
//! commit that notifies holds a lock of the whole server until it is on disk, which takes group commit away from
//! everybody (32 clients: 3,148 sends a second without, 263 with). Callers send one for many commits.

use sqlx::postgres::{PgListener, PgNotification, PgPool, PgPoolOptions};
use uuid::Uuid;

use super::{Store, StoreError};

const WORK: &str = "tasker_work";
/// `cancel_task` notifies this one; its payload is the task.
const CANCEL: &str = "tasker_cancel";

/// Hears what other hosts and operators tell. Has a connection of its own.
#[derive(Debug)]
pub struct WakeListener {
    own: PgPool,
    listener: PgListener,
}

/// What was heard since the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// There may be work.
    pub work: bool,
    /// Tasks that were cancelled.
    pub cancelled: Vec<Uuid>,
}

impl Store {
    /// Begins to listen.
    ///
    /// # Errors
    /// The connection cannot be opened.
    pub async fn wake_listener(&self) -> Result<WakeListener, StoreError> {
        let own = PgPoolOptions::new().max_connections(1).connect_with(self.options.clone()).await?;
        let listener = PgListener::connect_with(&own).await?;
        let mut listening = WakeListener { own, listener };
        listening.listener.listen_all([WORK, CANCEL]).await?;
        Ok(listening)
    }

    /// Tells every host that there may be work, in a transaction that does not wait for the disk.
    ///
    /// # Errors
    /// The database fails; hosts then find the work when they poll.
    pub async fn notify_work(&self) -> Result<(), StoreError> {
        sqlx::query("select set_config('synchronous_commit', 'off', true), pg_notify($1, '')")
            .bind(WORK)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

impl WakeListener {
    /// Waits until there is something to hear. Notifications that came together are heard at once. A connection that was
    /// lost and restored says that there may be work, because what was sent meanwhile is lost; who missed a cancellation
    /// learns of it when its leases are renewed.
    ///
    /// # Errors
    /// The connection is lost and cannot be restored now; the next call tries again.
    pub async fn hear(&mut self) -> Result<Heard, StoreError> {
        let mut heard = Heard::default();
        match self.listener.try_recv().await? {
            Some(notification) => heard.add(&notification),
            None => heard.work = true,
        }
        while let Some(notification) = self.listener.next_buffered() {
            heard.add(&notification);
        }
        Ok(heard)
    }
}

/// An open pool asks a connection that comes back whether it is well, and warns of one that is not: the server may be
/// stopping, too.
impl Drop for WakeListener {
    fn drop(&mut self) {
        drop(self.own.close());
    }
}

impl Heard {
    fn add(&mut self, notification: &PgNotification) {
        match notification.channel() {
            CANCEL => self.cancelled.extend(notification.payload().parse::<Uuid>()),
            _ => self.work = true,
        }
    }
}
