//! What can go wrong between the host and its database, told so that a person can act on it.
//!
//! A message names the server by user, host, port and database; a password is never part of one.

use sqlx::error::DatabaseError;

/// A failure of the database, or of a request to it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL cannot be read.
    #[error("the database URL is not usable: {reason}; expected postgres://user:password@host:port/database")]
    BadUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing answers, or not as PostgreSQL does.
    #[error("no PostgreSQL server answers at {target}: {reason}; is it running, and is the URL right?")]
    Unreachable {
        /// The server, without the password.
        target: String,
        /// What the connection attempt met.
        reason: String,
    },
    /// The server answers and does not let us in.
    #[error("PostgreSQL at {target} refuses the connection: {reason}; {advice}")]
    Refused {
        /// The server, without the password.
        target: String,
        /// The server's words.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// The server is older than what is supported.
    #[error("PostgreSQL at {target} is version {version}; 15 or newer is needed")]
    TooOld {
        /// The server, without the password.
        target: String,
        /// Its version, as it states it.
        version: String,
    },
    /// Statements of one connection reach several sessions of the server.
    #[error(
        "a connection pooler in transaction mode stands before {target}; prepared statements, LISTEN and advisory locks \
         need sessions: connect to PostgreSQL directly, or set the pooler to session mode"
    )]
    TransactionPooling {
        /// The server, without the password.
        target: String,
    },
    /// The role may not do what is needed.
    #[error("the database role lacks a right: {reason}; {advice}")]
    MissingRight {
        /// The server's words, or ours.
        reason: String,
        /// The statement that gives the right, or who can.
        advice: String,
    },
    /// PGMQ could not be installed, or what is there is not PGMQ 1.x.
    #[error("PGMQ is not usable: {reason}")]
    Pgmq {
        /// What is wrong.
        reason: String,
    },
    /// The `tasker` schema is missing or older than this program.
    #[error("the database is not prepared for this version ({reason}); run `tasker-wasm-host db migrate`")]
    NotMigrated {
        /// The server's words.
        reason: String,
    },
    /// The database was migrated by a build of this program that has other migrations.
    #[error(
        "the database was made by another build of this program (its migration {version} is not ours): use that build, or \
         an empty database"
    )]
    OtherBuild {
        /// The first migration that differs.
        version: i64,
    },
    /// A migration failed.
    #[error("the migration of the database failed: {0}")]
    Migrate(sqlx::migrate::MigrateError),
    /// A task names a template that was never registered in its namespace.
    #[error("{reason}; register the template before its tasks are created")]
    UnknownTemplate {
        /// Which template.
        reason: String,
    },
    /// A task was planned from a template that is not the current one any more.
    #[error("{reason}; plan the task again, from the one that is current now")]
    TemplateReplaced {
        /// Which template.
        reason: String,
    },
    /// A namespace whose name cannot be a queue's, or differs from a known one only by case.
    #[error(
        "namespace {namespace:?} cannot be used: a name is 1 to 34 of [A-Za-z0-9_] and differs from every other by more \
         than upper and lower case, because it becomes the name of a queue"
    )]
    BadNamespace {
        /// The name.
        namespace: String,
    },
    /// A namespace whose name cannot be that of a queue of events.
    #[error(
        "namespace {namespace:?} cannot have events: its name becomes part of a queue's, so a namespace whose templates \
         declare `publishes_events`, or whose handlers publish by themselves, has at most 29 characters"
    )]
    EventNamespace {
        /// The name.
        namespace: String,
    },
    /// Any other failure of a statement or its connection.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same call may succeed later without anything being changed: the server restarts, a connection broke,
    /// two transactions were in each other's way.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                // 08 connection exception, 40 transaction rollback, 53 out of resources, 57P server is going or coming.
                ["08", "40", "53", "57P"].iter().any(|class| code.starts_with(class))
            }
            Self::Database(error) => {
                matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed)
            }
            _ => false,
        }
    }

    /// Whether PostgreSQL could not take a value: not JSON after all, too deep, too large, a NUL character.
    pub(super) fn is_about_data(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        // 22 data exception, 54 program limit exceeded.
        error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("54"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(ref database) = error else {
            return Self::Database(error);
        };
        let reason = || database.message().to_owned();
        match database.code().as_deref() {
            Some("42501") => Self::MissingRight {
                reason: reason(),
                advice: "ask the owner of the database to grant it, or connect as the role that ran `db migrate`"
                    .into(),
            },
            Some("3F000" | "42P01" | "42883" | "42703") if mentions_tasker(database.as_ref()) => {
                Self::NotMigrated { reason: reason() }
            }
            Some("23503") => Self::UnknownTemplate { reason: reason() },
            Some("55000") if database.constraint() == Some("current_template") => {
                Self::TemplateReplaced { reason: reason() }
            }
            _ => Self::Database(error),
        }
    }
}

/// Whether a statement is about a queue that nobody has made: nothing was ever registered in its namespace.
pub(super) fn is_about_unknown_queue(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    database.code().as_deref() == Some("42P01") && database.message().contains("pgmq.q_worker_")
}

fn mentions_tasker(error: &dyn DatabaseError) -> bool {
    error.message().contains("tasker")
}
