//! The pool: its size is fixed and every connection is opened before the first use.
//!
//! A connection that has not run the functions yet plans them on its first call, so a pool that grows under load is
//! slowest when it is needed most. Three things are found out here rather than later, in the middle of a workflow: a
//! server that is too old, a login that fails, and a pooler that spreads one connection over several sessions.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor, Row};
use tokio::sync::Semaphore;

use super::line::Kept;
use super::{StoreError, guests};

const OLDEST_SERVER: u32 = 150_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that rested longer is tested before it is used; a test costs a round trip.
pub(super) const TRUSTED_REST: Duration = Duration::from_secs(1);
/// Connections of a store that keeps one: the other is opened for a statement that is not of the common way.
const KEPT_AND_SPARE: u32 = 2;

/// What the functions of the schema set for themselves, for the statements that call them and do with messages what they
/// answer.
const PLANNED_ONCE: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// The database: a handle that is cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) pool: PgPool,
    pub(super) options: PgConnectOptions,
    /// The connections that guests may have at once.
    pub(super) guests: Arc<Semaphore>,
    /// The connection that is kept, of a store that has one.
    pub(super) kept: Option<Arc<Kept>>,
    target: Arc<str>,
}

impl Store {
    /// Opens `connections` connections (at least one) to the server at `url`, `postgres://user:password@host:port/database`
    /// or `postgres:///database?host=/directory/of/the/socket`.
    ///
    /// # Errors
    /// The server cannot be reached, refuses the login, is older than PostgreSQL 15, or stands behind a pooler in
    /// transaction mode.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        let options = parse(url)?;
        let target = describe(&options);
        check_server(&options, &target).await?;
        Self::open(options, connections.max(1), target.into()).await
    }

    /// Other connections to the same server, for work that must not keep this one's waiting. A statement that takes longer
    /// than `longest` is ended by the server.
    ///
    /// # Errors
    /// The server can't be reached, or has no more connections to give.
    pub async fn apart(&self, connections: u32, longest: Duration) -> Result<Self, StoreError> {
        let options = self.options.clone().options([("statement_timeout", longest.as_millis().to_string())]);
        Self::open(options, connections.max(1), Arc::clone(&self.target)).await
    }

    /// One other connection to the same server, opened when it is first used. A server process serves each connection, and
    /// has all of its own in its caches only while it is asked again and again: what is asked one after the other, and all
    /// the time, is better asked of the same one. The connections of a pool are used in turns.
    ///
    /// It is for the statements of a step's common way. They are planned once, and in a way that does not depend on how large
    /// the tables were then.
    #[must_use]
    pub fn alone(&self) -> Self {
        let pool = pool(KEPT_AND_SPARE).connect_lazy_with(self.options.clone().options(PLANNED_ONCE));
        Self { pool, kept: Some(Arc::default()), ..self.clone() }
    }

    async fn open(options: PgConnectOptions, connections: u32, target: Arc<str>) -> Result<Self, StoreError> {
        let pool = pool(connections).min_connections(connections).connect_with(options.clone()).await;
        let pool = pool.map_err(|error| explain(error, &target))?;
        // Held together, they are as many connections as the pool may have.
        let held = try_join_all((0..connections).map(|_| pool.acquire())).await;
        drop(held.map_err(|error| explain(error, &target))?);
        Ok(Self { pool, options, guests: guests::slots(connections), kept: None, target })
    }

    /// The server and database, as a person would name them; without the password.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How many connections there are, and how many of them nobody uses.
    #[must_use]
    pub fn connections(&self) -> (u32, u32) {
        (self.pool.size(), u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX))
    }

    /// Closes every connection, after the calls under way are done.
    pub async fn close(&self) {
        // From now on the pool does not ask what comes back whether it is well: the server may be stopping, too.
        let closed = self.pool.close();
        if let Some(kept) = &self.kept {
            kept.give_back().await;
        }
        closed.await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("target", &self.target).finish_non_exhaustive()
    }
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, rest| {
            Box::pin(async move {
                if rest.idle_for > TRUSTED_REST {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("postgres" | "postgresql")) {
        return Err(StoreError::BadUrl { reason: "it does not begin with postgres:// or postgresql://".into() });
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::BadUrl { reason: error.to_string() })?;
    Ok(options.application_name("tasker-wasm-host"))
}

fn describe(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    match options.get_socket() {
        Some(socket) => format!("{user}@{}/{database}", socket.display()),
        None => format!("{user}@{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

async fn check_server(options: &PgConnectOptions, target: &str) -> Result<(), StoreError> {
    let open = || async {
        match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options)).await {
            Ok(opened) => opened.map_err(|error| explain(error, target)),
            Err(_) => Err(StoreError::Unreachable {
                target: target.to_owned(),
                reason: format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            }),
        }
    };
    let mut first = open().await?;
    let row = first
        .fetch_one("select current_setting('server_version_num')::int, current_setting('server_version')")
        .await
        .map_err(|error| explain(error, target))?;
    if row.get::<i32, _>(0).unsigned_abs() < OLDEST_SERVER {
        return Err(StoreError::TooOld { target: target.to_owned(), version: row.get(1) });
    }

    let mut second = open().await?;
    if share_a_session(&mut first, &mut second).await.map_err(|error| explain(error, target))? {
        return Err(StoreError::TransactionPooling { target: target.to_owned() });
    }
    // The server notices by itself when this goodbye is lost.
    let _ = (first.close().await, second.close().await);
    Ok(())
}

/// Whether a setting made in one connection's session shows in the other's, or is gone while the other is inside a
/// transaction. Either happens only when a pooler hands sessions around. These are simple queries: prepared ones would
/// fail on such a pooler before it could be named.
async fn share_a_session(first: &mut PgConnection, second: &mut PgConnection) -> Result<bool, sqlx::Error> {
    const READ: &str = "select coalesce(current_setting('tasker.session', true), '') = 'first'";
    first.execute(sqlx::raw_sql("set tasker.session = 'first'")).await?;
    second.execute(sqlx::raw_sql("begin")).await?;
    let leaked: bool = second.fetch_one(sqlx::raw_sql(READ)).await?.get(0);
    let kept: bool = first.fetch_one(sqlx::raw_sql(READ)).await?.get(0);
    second.execute(sqlx::raw_sql("commit")).await?;
    Ok(leaked || !kept)
}

fn explain(error: sqlx::Error, target: &str) -> StoreError {
    let target = target.to_owned();
    let sqlx::Error::Database(ref database) = error else {
        return StoreError::Unreachable { target, reason: error.to_string() };
    };
    let code = database.code().unwrap_or_default();
    let reason = database.message().to_owned();
    let advice = match code.as_ref() {
        "28P01" | "28000" => "check user and password in the URL, and the server's pg_hba.conf",
        "3D000" => "create the database, or name one that exists in the URL",
        "53300" => "open fewer connections, or raise the server's max_connections",
        "57P03" => "the server is starting or stopping: try again",
        // PgBouncer refuses start-up parameters it does not know, and loses prepared statements in transaction mode.
        "08P01" if reason.contains("startup parameter") => return StoreError::TransactionPooling { target },
        "42P05" | "26000" => return StoreError::TransactionPooling { target },
        _ => "see the server's log for more",
    };
    StoreError::Refused { target, reason, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_in_no_description() {
        let options = parse("postgres://ada:s3cret@db.example:5433/work").unwrap();
        assert_eq!(describe(&options), "ada@db.example:5433/work");
    }

    #[test]
    fn a_socket_directory_is_described_as_such() {
        let options = parse("postgres://ada@localhost/work?host=/run/pg").unwrap();
        assert_eq!(describe(&options), "ada@/run/pg/work");
    }

    #[test]
    fn another_database_s_url_is_refused_without_repeating_it() {
        let error = parse("mysql://ada:s3cret@db/work").unwrap_err().to_string();
        assert!(error.contains("postgres://") && !error.contains("s3cret"), "{error}");
    }
}
