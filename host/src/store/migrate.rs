//! Bringing a database to what this program needs: PGMQ, then the `tasker` schema.
//!
//! Several hosts may start at once, so all of it runs under one advisory lock, held by a connection of its own: the pool
//! may be as small as one. A database that is up to date is only read, so a host needs no right to create anything.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection, Row};

use super::{PgmqOrigin, Store, StoreError};

/// Any number that no other program locks; this one spells "tasker" in ASCII.
const LOCK: i64 = 0x7461_736b_6572;
const TABLE: &str = "tasker.schema_migrations";

/// One migration and when it was applied.
#[derive(Debug, Clone, Serialize)]
pub struct MigrationState {
    /// Its number.
    pub version: i64,
    /// What it makes.
    pub description: String,
    /// When it was applied to this database; none if it was not.
    pub applied_at: Option<DateTime<Utc>>,
}

/// What a database has of what this program needs.
#[derive(Debug, Clone, Serialize)]
pub struct MigrationStatus {
    /// The version of the server, as it states it.
    pub server_version: String,
    /// Where its PGMQ comes from.
    pub pgmq: PgmqOrigin,
    /// Every migration of this program, in order.
    pub migrations: Vec<MigrationState>,
}

impl fmt::Display for MigrationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "PostgreSQL {}, {}", self.server_version, self.pgmq)?;
        for migration in &self.migrations {
            let applied = match migration.applied_at {
                Some(at) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
                None => "missing".to_owned(),
            };
            writeln!(f, "  {:04}  {applied:<19}  {}", migration.version, migration.description)?;
        }
        match self.pending() {
            0 => write!(f, "up to date"),
            pending => write!(f, "{pending} missing: run `tasker-wasm-host db migrate`"),
        }
    }
}

impl MigrationStatus {
    /// How many migrations wait to be applied.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.migrations.iter().filter(|migration| migration.applied_at.is_none()).count()
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.pending() == 0 && self.pgmq != PgmqOrigin::Absent
    }
}

impl Store {
    /// Makes the database what this program needs; does nothing where it is already. PGMQ that came as an extension or
    /// a bare schema is left as it is.
    ///
    /// # Errors
    /// The role may not create schemas, a migration fails, or another version of this program migrated the database
    /// differently.
    pub async fn migrate(&self) -> Result<MigrationStatus, StoreError> {
        let mut holder = PgConnection::connect_with(&self.options).await?;
        sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut holder).await?;
        let outcome = self.migrate_alone(&mut holder).await;
        // Its end releases the lock. The server notices by itself when this goodbye is lost.
        let _ = holder.close().await;
        outcome?;
        self.migration_status().await
    }

    async fn migrate_alone(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if status(connection).await?.is_current() {
            return Ok(());
        }
        if matches!(PgmqOrigin::find(connection).await?, PgmqOrigin::Absent | PgmqOrigin::Embedded { .. }) {
            require_schema_right(connection, "pgmq").await?;
            self.install_pgmq().await?;
        }
        require_schema_right(connection, "tasker").await?;
        sqlx::query("create schema if not exists tasker").execute(&mut *connection).await?;
        migrator().run(&mut *connection).await.map_err(|error| match error {
            MigrateError::VersionMismatch(version) | MigrateError::VersionMissing(version) => {
                StoreError::OtherBuild { version }
            }
            error => StoreError::Migrate(error),
        })
    }

    /// What the database has, without changing it.
    ///
    /// # Errors
    /// The database fails, or a schema named `pgmq` is something else.
    pub async fn migration_status(&self) -> Result<MigrationStatus, StoreError> {
        status(&mut *self.pool.acquire().await?).await
    }
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

async fn status(connection: &mut PgConnection) -> Result<MigrationStatus, StoreError> {
    let row = sqlx::query("select current_setting('server_version'), to_regclass($1) is not null")
        .bind(TABLE)
        .fetch_one(&mut *connection)
        .await?;
    let pgmq = PgmqOrigin::find(connection).await?;
    let applied: Vec<(i64, DateTime<Utc>)> = if row.get(1) {
        sqlx::query_as("select version, installed_on from tasker.schema_migrations where success")
            .fetch_all(connection)
            .await?
    } else {
        Vec::new()
    };
    let migrations = migrator()
        .iter()
        .map(|migration| MigrationState {
            version: migration.version,
            description: migration.description.to_string(),
            applied_at: applied.iter().find(|(version, _)| *version == migration.version).map(|(_, at)| *at),
        })
        .collect();
    Ok(MigrationStatus { server_version: row.get(0), pgmq, migrations })
}

/// PostgreSQL asks for the right to create schemas even where the schema exists, so only a missing one is asked for.
async fn require_schema_right(connection: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
    let row = sqlx::query(
        "select to_regnamespace($1) is not null or has_database_privilege(current_database(), 'CREATE'),
            quote_ident(current_database()), quote_ident(current_user)",
    )
    .bind(schema)
    .fetch_one(connection)
    .await?;
    if row.get(0) {
        return Ok(());
    }
    let (database, role): (String, String) = (row.get(1), row.get(2));
    Err(StoreError::MissingRight {
        reason: format!("{role} may not create the schema {schema} in {database}"),
        advice: format!("as its owner, run: GRANT CREATE ON DATABASE {database} TO {role}"),
    })
}
