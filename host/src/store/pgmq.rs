//! Finding PGMQ, or installing it.
//!
//! PGMQ is pure SQL, so no extension need be on the server: its scripts are embedded in the `pgmq` crate and recorded in
//! `pgmq.__pgmq_migrations`. They fail where PGMQ came by another way, so what is there is looked at first.

use std::fmt;

use pgmq::PGMQueueExt;
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::{Store, StoreError};

/// Where a database's PGMQ comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum PgmqOrigin {
    /// `create extension pgmq`, by the database's owner; used as it is.
    Extension {
        /// The extension's version.
        version: String,
    },
    /// The embedded scripts, run by [`Store::migrate`].
    Embedded {
        /// The version of the last script.
        version: String,
    },
    /// A `pgmq` schema that somebody made from PGMQ's SQL; used as it is.
    Schema,
    /// There is none yet.
    Absent,
}

impl fmt::Display for PgmqOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension { version } => write!(f, "PGMQ {version}, an extension"),
            Self::Embedded { version } => write!(f, "PGMQ {version}, installed by this program"),
            Self::Schema => f.write_str("PGMQ, a schema of unknown version"),
            Self::Absent => f.write_str("no PGMQ"),
        }
    }
}

impl PgmqOrigin {
    pub(super) async fn find(connection: &mut PgConnection) -> Result<Self, StoreError> {
        let found = sqlx::query(
            "select (select extversion from pg_extension where extname = 'pgmq'),
                to_regclass('pgmq.__pgmq_migrations') is not null,
                to_regprocedure('pgmq.create(text)') is not null and to_regclass('pgmq.meta') is not null,
                exists (select from pg_class where relnamespace = to_regnamespace('pgmq'))",
        )
        .fetch_one(&mut *connection)
        .await?;
        let (extension, recorded, complete, inhabited): (Option<String>, bool, bool, bool) =
            (found.get(0), found.get(1), found.get(2), found.get(3));
        match extension {
            Some(version) => Ok(Self::Extension { version }),
            None if recorded => {
                let version = sqlx::query_scalar(
                    "select version from pgmq.__pgmq_migrations order by string_to_array(version, '.')::int[] desc limit 1",
                )
                .fetch_optional(connection)
                .await?;
                Ok(version.map_or(Self::Absent, |version| Self::Embedded { version }))
            }
            None if complete => Ok(Self::Schema),
            None if inhabited => Err(StoreError::Pgmq {
                reason:
                    "the schema pgmq exists and is not PGMQ 1.x (no pgmq.create(text), no pgmq.meta); rename or drop it"
                        .into(),
            }),
            None => Ok(Self::Absent),
        }
    }
}

impl Store {
    /// Installs PGMQ's embedded scripts, or those that are new since they were installed.
    pub(super) async fn install_pgmq(&self) -> Result<(), StoreError> {
        let installed = PGMQueueExt::new_with_pool(self.pool.clone()).await.install_sql_from_embedded().await;
        installed.map_err(|error| match error {
            pgmq::PgmqError::DatabaseError(error) => StoreError::from(error),
            error => StoreError::Pgmq { reason: error.to_string() },
        })
    }
}
