//! The commands that make a data directory and run a server on it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::USER;
use super::home::{Home, PORT};
use super::identity::RunAs;

/// Appended to `postgresql.conf` when the data are made; theirs from then on, to be tuned. Durability is PostgreSQL's own
/// default (`fsync` and `synchronous_commit` on), and so is `max_wal_size` (1 GB: with 4 GB, recovery from a crash took
/// 77 s). 200 connections are eight host processes with a pool of twenty, and room to look in.
const SETTINGS: &str = "\n# Added by tasker-wasm-host when it made these data; yours to change.\n\
                        max_connections = 200\n\
                        timezone = 'UTC'\n\
                        log_timezone = 'UTC'\n\
                        log_checkpoints = off\n\
                        log_line_prefix = '%m [%p] %d: '\n";

/// Initialises data in `into`, an empty folder of the server's. The locale is C on every machine, so data sort the same
/// everywhere. Only the socket's folder decides who gets in, so whoever is in is trusted. Nothing is synced file by file (that took seconds): [`finish_data`] does it at once.
pub(super) fn initdb(bin: &Path, into: &Path, run_as: &RunAs) -> Command {
    let mut command = program(bin, "initdb");
    command
        .arg("-D")
        .arg(into)
        .args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        .stdin(Stdio::null());
    run_as.confine(&mut command, Signal::SIGKILL);
    command
}

/// The empty folder for [`initdb`]; what an interrupted one left is thrown away.
pub(super) fn prepare_data(home: &Home, run_as: &RunAs) -> io::Result<()> {
    let partial = home.unfinished_data();
    super::staging::remove_tree(&partial)?;
    fs::DirBuilder::new().mode(0o700).create(&partial)?;
    run_as.give(&partial)
}

/// Settles what [`initdb`] made: the settings, everything on disk, and only then the name that makes it count.
pub(super) fn finish_data(home: &Home) -> io::Result<()> {
    let partial = home.unfinished_data();
    // The folder is the server's user's, who must not make root write elsewhere by a link.
    let settings = partial.join("postgresql.conf");
    let mut settings = OpenOptions::new().append(true).custom_flags(nix::libc::O_NOFOLLOW).open(settings)?;
    settings.write_all(SETTINGS.as_bytes())?;
    nix::unistd::sync();
    fs::rename(&partial, home.data())?;
    File::open(home.dir())?.sync_all()
}

/// The server. Each of its processes inherits `alive` as standard input, so the lock that is on it is held until the
/// last of them has ended, whatever happened to the first. It shuts down by itself when the supervisor ends.
pub(super) fn server(bin: &Path, home: &Home, run_as: &RunAs, alive: File) -> Command {
    let mut command = program(bin, "postgres");
    command
        .arg("-D")
        .arg(home.data())
        .arg("-k")
        .arg(home.socket_dir())
        .args(["-p", &PORT.to_string(), "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"])
        .args(["-c", "logging_collector=off", "-c", "log_destination=stderr"])
        .stdin(alive);
    run_as.confine(&mut command, Signal::SIGINT);
    command
}

/// What the server's own pid file says.
pub(super) struct PidFile {
    pub(super) pid: Pid,
    /// Whether connections are accepted.
    pub(super) ready: bool,
}

/// Reads `postmaster.pid`: the pid is on the first line, the state on the eighth, as `pg_ctl` reads it too. `None` when
/// there is none or it makes no sense.
pub(super) fn pid_file(home: &Home) -> Option<PidFile> {
    let text = fs::read_to_string(home.data().join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid = Pid::from_raw(lines.next()?.trim().parse().ok().filter(|pid| *pid > 1)?);
    Some(PidFile { pid, ready: lines.nth(6).is_some_and(|state| state.trim() == "ready") })
}

/// Removes the pid file of a server of which no process is left. PostgreSQL does that itself only if the pid has not been
/// given to another process meanwhile, and not at all if the file makes no sense.
pub(super) fn remove_pid_file(home: &Home) -> io::Result<()> {
    match fs::remove_file(home.data().join("postmaster.pid")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A program without what the caller's environment would tell it: settings of libpq and the server, and the language.
fn program(bin: &Path, name: &str) -> Command {
    let mut command = Command::new(bin.join(name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("PG") {
            command.env_remove(variable);
        }
    }
    command.env("LC_ALL", "C").current_dir("/").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
