//! Wake-ups between hosts: "there may be work" on the channel `tasker_work`.
//!
//! A notification is a hint and nothing more: it says nothing of what, it may be lost while a connection is restored,
//! and none is sent when a lease runs out. Hosts poll as well. It is never sent by a transaction that completes steps: a
//! commit that notifies holds a lock of the whole server until it is on disk, which takes group commit away from
//! everybody (32 clients: 3,148 sends a second without, 263 with). Callers send one for many commits.

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Store, StoreError};

const CHANNEL: &str = "tasker_work";

/// Hears of work that other hosts queued. Has a connection of its own.
#[derive(Debug)]
pub struct WakeListener {
    listener: PgListener,
}

impl Store {
    /// Begins to listen.
    ///
    /// # Errors
    /// The connection cannot be opened.
    pub async fn wake_listener(&self) -> Result<WakeListener, StoreError> {
        let own = PgPoolOptions::new().max_connections(1).connect_with(self.options.clone()).await?;
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(CHANNEL).await?;
        Ok(WakeListener { listener })
    }

    /// Tells every host that there may be work, in a transaction that does not wait for the disk.
    ///
    /// # Errors
    /// The database fails; hosts then find the work when they poll.
    pub async fn notify_work(&self) -> Result<(), StoreError> {
        sqlx::query("select set_config('synchronous_commit', 'off', true), pg_notify($1, '')")
            .bind(CHANNEL)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

impl WakeListener {
    /// Waits until there may be work. Notifications that came together wake once; so does a connection that was lost and
    /// restored, because what was sent meanwhile is lost.
    ///
    /// # Errors
    /// The connection is lost and cannot be restored now; the next call tries again.
    pub async fn woken(&mut self) -> Result<(), StoreError> {
        self.listener.try_recv().await?;
        while self.listener.next_buffered().is_some() {}
        Ok(())
    }
}
