//! Advisory file locks, the only truth about who is alive.
//!
//! A lock lives in an open file description: the kernel drops it when the last process holding that description ends,
//! however it ends. A pid file can lie (pids are used again, soon so in a container); a lock cannot.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::error::ManagedError;

/// How often a host looks again at a lock it waits for.
const RETRY: Duration = Duration::from_millis(5);

/// Whether a lock admits others of its kind.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Many may hold it.
    Shared,
    /// One holds it, alone.
    Exclusive,
}

/// Opens the lock file, made if missing. Like every file of `std` it closes on exec, so no child inherits it unasked.
pub(super) fn open(path: &Path) -> Result<File, ManagedError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => io::Error::other(
                "it belongs to another user, and hosts of one user only can share a server; use another data directory",
            ),
            _ => error,
        })
        .map_err(ManagedError::path("open the lock file", path))
}

/// Takes the lock if it is free. It is held until the returned file, and every duplicate of it, is closed.
pub(super) fn try_lock(path: &Path, kind: Kind) -> Result<Option<File>, ManagedError> {
    let file = open(path)?;
    let tried = match kind {
        Kind::Shared => file.try_lock_shared(),
        Kind::Exclusive => file.try_lock(),
    };
    match tried {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(ManagedError::path("lock", path)(source)),
    }
}

/// Takes the lock, looking again every [`RETRY`] until `bound` has passed. Nothing blocks, so dropping the future is
/// enough to give up.
pub(super) async fn lock(path: &Path, kind: Kind, bound: Duration) -> Result<File, ManagedError> {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(file) = try_lock(path, kind)? {
            return Ok(file);
        }
        if Instant::now() >= deadline {
            return Err(ManagedError::TimedOut {
                what: format!("the lock {}", path.display()),
                waited: bound,
                cure:
                    "another tasker-wasm-host is starting or stopping the server there and seems stuck; see server.log \
                       beside the lock"
                        .into(),
            });
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Blocks the calling thread until the lock is exclusively its own.
pub(super) fn block_until_exclusive(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => return result,
        }
    }
}
