//! The connection that a store keeps for the statements of a step's common way.
//!
//! The pool asks each connection that comes back whether it is well, which is a round trip after every statement: one that
//! comes soon after it waits for that, and both processes wake up once more. So a store of one connection
//! ([`Store::alone`]) keeps it as long as it answers.

use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Postgres};
use tokio::sync::{Mutex, MutexGuard};

use super::Store;
use super::connect::TRUSTED_REST;

/// Where a connection is kept that nobody uses.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Rested>>);

struct Rested {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

/// A connection for one statement. Unless it is kept afterwards, the pool gets it back and looks at it.
pub(super) struct Line<'a> {
    connection: PoolConnection<Postgres>,
    place: Option<MutexGuard<'a, Option<Rested>>>,
}

impl Store {
    /// The connection that is kept, or else any.
    pub(super) async fn line(&self) -> Result<Line<'_>, sqlx::Error> {
        let Some(Kept(place)) = self.kept.as_deref() else {
            return Ok(Line { connection: self.pool.acquire().await?, place: None });
        };
        let mut place = place.lock().await;
        let connection = match place.take() {
            Some(rested) => rested.if_well().await,
            None => None,
        };
        let connection = match connection {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        Ok(Line { connection, place: Some(place) })
    }
}

impl Rested {
    /// The connection, unless it was lost while nobody used it.
    async fn if_well(mut self) -> Option<PoolConnection<Postgres>> {
        let is_well = self.since.elapsed() < TRUSTED_REST || self.connection.ping().await.is_ok();
        is_well.then_some(self.connection)
    }
}

impl Kept {
    /// Gives the connection back to its pool.
    pub(super) async fn give_back(&self) {
        self.0.lock().await.take();
    }
}

impl Line<'_> {
    /// The connection has answered: who asks next may have it as it is.
    pub(super) fn keep(self) {
        if let Some(mut place) = self.place {
            *place = Some(Rested { connection: self.connection, since: Instant::now() });
        }
    }
}

impl AsMut<PgConnection> for Line<'_> {
    fn as_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
