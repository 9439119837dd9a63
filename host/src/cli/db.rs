//! `db`: the schema.

use clap::Subcommand;
use serde::Serialize;

use super::{Exit, Failure, Global, output};
use crate::host::{Database, FEW_CONNECTIONS};

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Bring the schema up to date
    Migrate,
    /// Say which migrations are applied; ends with 1 if some are missing
    Status,
}

impl DbCommand {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let database = Database::connect(&global.config()?, FEW_CONNECTIONS).await.map_err(Failure::cannot_start)?;
        let ended = match self {
            Self::Migrate => migrate(global, &database).await,
            Self::Status => status(global, &database).await,
        };
        database.close().await;
        ended
    }
}

async fn migrate(global: &Global, database: &Database) -> Result<Exit, Failure> {
    database.store.migrate().await.map_err(Failure::cannot_start)?;
    status(global, database).await
}

async fn status(global: &Global, database: &Database) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Status<'a, T> {
        database: &'a str,
        #[serde(flatten)]
        status: &'a T,
    }
    let status = database.store.migration_status().await.map_err(Failure::cannot_start)?;
    if global.json {
        output::json(&Status { database: database.store.target(), status: &status })?;
    } else {
        println!("{}\n{status}", database.store.target());
    }
    Ok(if status.is_current() { Exit::Done } else { Exit::NotWell })
}
