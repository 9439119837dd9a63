//! The host's side of the supervisor: whether there is one, and how one is started.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::binaries::{self, Binaries, Search};
use super::error::ManagedError;
use super::home::Home;
use super::lock::{self, Kind};
use super::{SUPERVISOR_COMMAND, identity, log};

/// What the supervisor reports when connections are accepted; any other text is a failure.
pub(super) const READY: &str = "ready";

/// What it takes to start a supervisor.
#[derive(Clone, Debug)]
pub(super) struct Launcher {
    pub(super) home: Home,
    /// A tasker-wasm-host program.
    pub(super) exe: PathBuf,
    /// Where PostgreSQL is looked for if [`Launcher::found`] is none.
    pub(super) search: Search,
    pub(super) found: Option<Binaries>,
}

impl Launcher {
    /// Whether a supervisor lives. For the blink of the look, one that starts may find its lock taken; so whoever finds it
    /// taken looks again.
    pub(super) fn is_supervised(&self) -> Result<bool, ManagedError> {
        Ok(lock::try_lock(&self.home.supervisor_lock(), Kind::Shared)?.is_none())
    }

    /// Starts a supervisor unless one lives, and waits for the server it starts. The caller holds the start lock.
    pub(super) async fn ensure_supervisor(&self) -> Result<(), ManagedError> {
        let Some(duty) = lock::try_lock(&self.home.supervisor_lock(), Kind::Exclusive)? else {
            return Ok(());
        };
        let bin = match &self.found {
            Some(found) => found.dir.clone(),
            None => self.find().await?.dir,
        };
        let mut child = self.spawn(&bin, duty)?;
        let Some(stdout) = child.stdout.take() else {
            return Err(self.failed("it has no pipe to report by"));
        };
        let mut stdout = BufReader::new(stdout);
        let mut report = String::new();
        let read = stdout.read_line(&mut report).await;
        if read.is_ok() && report.trim_end() == READY {
            return Ok(()); // tokio reaps the child when it ends
        }
        let _ = stdout.read_to_string(&mut report).await;
        Err(match report.trim_end() {
            "" => self.failed(&format!(
                "its supervisor {} ended without a word; is that a tasker-wasm-host program? See {}",
                self.exe.display(),
                self.home.log().display()
            )),
            reason => self.failed(reason),
        })
    }

    /// The programs for the data that are there, or else the first ones found.
    async fn find(&self) -> Result<Binaries, ManagedError> {
        let (search, data) = (self.search.clone(), self.home.data());
        let dir = self.home.dir().to_owned();
        let wanted = binaries::major_of_data(&data);
        unblock(move || search.find(wanted.map(|major| (major, dir.as_path())))).await
    }

    /// The lock becomes the child's standard input: it passes over without a moment in which nobody holds it.
    fn spawn(&self, bin: &Path, duty: File) -> Result<tokio::process::Child, ManagedError> {
        let log = self.home.log();
        let stderr = log::append_to(&log).map_err(ManagedError::path("open", &log))?;
        let mut command = Command::new(&self.exe);
        command
            .args([OsStr::new(SUPERVISOR_COMMAND), self.home.dir().as_os_str(), bin.as_os_str()])
            .current_dir("/")
            .stdin(duty)
            .stdout(Stdio::piped())
            .stderr(stderr);
        // SAFETY: the closure makes bare system calls only, as is sound between fork and exec.
        unsafe { command.pre_exec(identity::leave_parent) };
        command.spawn().map_err(|source| ManagedError::Supervisor { exe: self.exe.clone(), source })
    }

    fn failed(&self, reason: &str) -> ManagedError {
        ManagedError::Start { dir: self.home.dir().to_owned(), reason: reason.to_owned() }
    }
}

/// Runs what waits for a child or a disk where it blocks nobody.
pub(super) async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
