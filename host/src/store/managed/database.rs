//! Databases of the private server: where they are, and making and dropping one.

use std::os::unix::ffi::OsStrExt as _;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::error::ManagedError;
use super::home::{Home, PORT};
use super::{MAINTENANCE_DATABASE, USER};

/// SQLSTATE `duplicate_database`, and `unique_violation` on the catalogue when two make one at the same moment.
const EXISTS_ALREADY: [&str; 2] = ["42P04", "23505"];

/// The address of a database in the form that both sqlx and libpq (`psql`) take.
pub(super) fn url(home: &Home, database: &str) -> String {
    let socket_dir = percent_encode(home.socket_dir().as_os_str().as_bytes());
    let database = percent_encode(database.as_bytes());
    format!("postgresql://{USER}@localhost:{PORT}/{database}?host={socket_dir}&sslmode=disable")
}

/// The server's version, `18.4`; fails unless it accepts connections.
pub(super) async fn server_version(home: &Home) -> Result<String, ManagedError> {
    let failed = |source| error("reach", MAINTENANCE_DATABASE, source);
    let mut connection = connect(home).await.map_err(failed)?;
    let row = connection.fetch_one("SHOW server_version").await.map_err(failed)?;
    let version: String = row.try_get(0).map_err(failed)?;
    connection.close().await.map_err(failed)?;
    // Packagers append their own: `15.18 (Debian 15.18-0+deb12u1)`.
    Ok(version.split(' ').next().unwrap_or_default().to_owned())
}

/// Makes a database unless it exists.
pub(super) async fn create(home: &Home, database: &str) -> Result<(), ManagedError> {
    match run(home, format!("CREATE DATABASE {}", quoted(database))).await {
        Err(sqlx::Error::Database(told)) if told.code().is_some_and(|code| EXISTS_ALREADY.contains(&&*code)) => Ok(()),
        result => result.map_err(|source| error("create", database, source)),
    }
}

/// Drops a database if it exists, and the connections to it.
pub(super) async fn drop(home: &Home, database: &str) -> Result<(), ManagedError> {
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(database));
    run(home, statement).await.map_err(|source| error("drop", database, source))
}

async fn run(home: &Home, statement: String) -> sqlx::Result<()> {
    let mut connection = connect(home).await?;
    // The only variable part is an identifier, and quoted.
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}

async fn connect(home: &Home) -> sqlx::Result<PgConnection> {
    PgConnection::connect(&url(home, MAINTENANCE_DATABASE)).await
}

fn error(action: &'static str, database: &str, source: sqlx::Error) -> ManagedError {
    ManagedError::Database { action, database: database.to_owned(), source }
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn percent_encode(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use sqlx::postgres::PgConnectOptions;

    use super::*;

    #[test]
    fn the_url_names_socket_and_database_whatever_is_in_their_names() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::prepare(&root.path().join("a b&c?d=%é")).unwrap();
        let options = PgConnectOptions::from_str(&url(&home, "odd/name?")).unwrap();
        assert_eq!(options.get_socket(), Some(&home.socket_dir()));
        assert_eq!(options.get_database(), Some("odd/name?"));
        assert_eq!(options.get_username(), USER);
    }

    #[test]
    fn a_quote_does_not_end_an_identifier() {
        assert_eq!(quoted(r#"a"b"#), r#""a""b""#);
    }
}
