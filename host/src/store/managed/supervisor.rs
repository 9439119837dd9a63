//! The process between the hosts and the server.
//!
//! Hosts come and go, in any order and by any death; the server must outlive the first and not the last. So it belongs
//! to none of them but to this small process, which does nothing but wait: for the exclusive lock of the users' file, which
//! it gets when nobody uses the server any more, and for the server's end. It holds no connection and no runtime.
//!
//! | what ends | what happens |
//! |---|---|
//! | a host, not the last | nothing |
//! | the last host, even by SIGKILL | the kernel frees its lock; the server is shut down and this process ends |
//! | the server | it is started again, later each time, given up after six failures in a row |
//! | this process, even by SIGKILL | the kernel interrupts the server, which shuts down; a host starts both again |

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, killpg, sigaction};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;

use super::error::ManagedError;
use super::home::{Home, create_socket_dir};
use super::identity::RunAs;
use super::launch::READY;
use super::lock::{self, Kind};
use super::log::Log;
use super::{cluster, staging};

/// How often the server's pid file is looked at while it starts.
const LOOK: Duration = Duration::from_millis(5);
/// A server that lived this long was sound; its end is the first failure in a row.
const SOUND: Duration = Duration::from_secs(30);
/// How many failures in a row are met by another start.
const ATTEMPTS: u32 = 6;
/// The pause before the second start in a row; it doubles with each further one (the last is 1.6 s).
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How long each way of stopping may take before the next, harsher one. The first writes a checkpoint.
const STOPS: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(60)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];

/// How long the last lines of an ended child are waited for.
const SETTLE: Duration = Duration::from_millis(500);

/// Supervises the server of a folder until nobody uses it; `arguments` are the folder and that of PostgreSQL's programs.
///
/// Call it first thing in `main`, before any thread is started. Standard input must be the supervisor's lock and standard
/// output the pipe the starting host reads.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().map(PathBuf::from);
    let (Some(dir), Some(bin), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return report("internal-postgres-supervisor is started by tasker-wasm-host itself, not by hand");
    };
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    ignore_requests_to_end();
    match supervise(&dir, &bin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Whoever asks a whole group of processes to end, as systemd does, asks the hosts too; until those have drained they need
/// the server. The locks alone decide how long this process lives.
fn ignore_requests_to_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: no handler is installed, and no other thread runs yet that could set one.
        let _ = unsafe { sigaction(signal, &SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty())) };
    }
}

/// Tells the host that waits for it. When it no longer does, nobody needs to know.
fn report(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::FAILURE
}

fn supervise(dir: &Path, bin: &Path) -> Result<(), String> {
    let told = |error: ManagedError| error.to_string();
    let home = Home::prepare(dir).map_err(told)?;
    let log = Log::open(&home.log()).map_err(|error| format!("cannot write {}: {error}", home.log().display()))?;
    let (events, inbox) = channel();
    watch_users(&home, events.clone())?;
    let mut supervisor = Supervisor { home, log, events, inbox };
    match supervisor.run(bin) {
        Err(Ending::Unused(lock)) => {
            // A host that waits for the lock must find this process gone when it has it. So the kernel drops it, with this
            // process, and after the supervisor's lock: that one is standard input, and the lowest file is closed first.
            std::mem::forget(lock);
            Ok(())
        }
        Err(Ending::Failed(reason)) => {
            supervisor.log.line(&format!("tasker-wasm-host: gave up: {reason}"));
            Err(reason)
        }
    }
}

/// What the supervisor waits for.
enum Event {
    /// No host uses the server; none can begin to while the lock is held.
    Unused(File),
    /// The child has ended.
    Ended(ExitStatus),
}

/// Why the supervisor ends.
enum Ending {
    /// Nobody uses the server. The lock makes a new host wait.
    Unused(File),
    Failed(String),
}

impl From<ManagedError> for Ending {
    fn from(error: ManagedError) -> Self {
        Ending::Failed(error.to_string())
    }
}

struct Supervisor {
    home: Home,
    log: Log,
    events: Sender<Event>,
    inbox: Receiver<Event>,
}

/// A child whose end arrives as an event.
struct Running {
    pid: Pid,
    since: Instant,
    followers: Vec<JoinHandle<()>>,
}

impl Supervisor {
    fn run(&mut self, bin: &Path) -> Result<Infallible, Ending> {
        let run_as = RunAs::choose(&self.home)?;
        let bin = staging::runnable(bin, &self.home, &run_as)?;
        if !self.home.data().exists() {
            self.initialise(&bin, &run_as)?;
        }
        let mut failures = 0;
        let mut reported = false;
        loop {
            let server = self.start(&bin, &run_as)?;
            let since = server.since;
            let failure = match self.wait_until_ready(&server)? {
                None => {
                    if !reported {
                        report(READY);
                        reported = true;
                    }
                    self.wait_for_end(&server)?
                }
                Some(failure) => failure,
            };
            self.drain(server);
            failures = if since.elapsed() > SOUND { 1 } else { failures + 1 };
            if !reported || failures == ATTEMPTS {
                return Err(self.failed(&failure));
            }
            let pause = FIRST_PAUSE * 2_u32.pow(failures - 1);
            self.log.line(&format!("tasker-wasm-host: {failure}; starting it again in {} ms", pause.as_millis()));
            self.pause(pause)?;
        }
    }

    /// The lock that the server's processes hold; got when none of an earlier one is left. One whose supervisor was
    /// killed is on its way down already, by the kernel's signal or else by ours.
    fn server_lock(&self) -> Result<File, Ending> {
        let begun = Instant::now();
        let bound = STOPS[0].1;
        let mut told = false;
        loop {
            if let Some(lock) = lock::try_lock(&self.home.server_lock(), Kind::Exclusive)? {
                return Ok(lock);
            }
            let left = cluster::pid_file(&self.home).map(|file| file.pid).filter(|pid| self.is_ours(*pid));
            if !told && let Some(pid) = left {
                let _ = kill(pid, Signal::SIGINT);
                told = true;
            }
            if begun.elapsed() > bound {
                let who = left.map_or_else(|| "of it".to_owned(), |pid| format!("{pid}"));
                let reason = format!(
                    "a server started earlier is still not down after {} s; end process {who}",
                    bound.as_secs()
                );
                return Err(Ending::Failed(reason));
            }
            self.pause(LOOK)?;
        }
    }

    /// Whether the process is the server of these data: it works in their folder. Elsewhere than on Linux the held lock
    /// must do for proof.
    fn is_ours(&self, pid: Pid) -> bool {
        !cfg!(target_os = "linux")
            || std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|dir| dir == self.home.data())
    }

    fn initialise(&mut self, bin: &Path, run_as: &RunAs) -> Result<(), Ending> {
        let partial = self.home.unfinished_data();
        cluster::prepare_data(&self.home, run_as).map_err(ManagedError::path("create", &partial))?;
        let child = self.spawn(cluster::initdb(bin, &partial, run_as))?;
        let status = match self.next() {
            Event::Ended(status) => status,
            Event::Unused(lock) => {
                // It leads a session of its own, so its group is itself and the servers it runs to fill the data.
                let _ = killpg(child.pid, Signal::SIGKILL);
                self.await_end(STOPS[1].1);
                let _ = staging::remove_tree(&partial);
                return Err(Ending::Unused(lock));
            }
        };
        self.drain(child);
        if !status.success() {
            return Err(self.failed(&format!("`initdb` ended with {status}")));
        }
        cluster::finish_data(&self.home).map_err(ManagedError::path("finish", &partial))?;
        Ok(())
    }

    fn start(&mut self, bin: &Path, run_as: &RunAs) -> Result<Running, Ending> {
        let alive = self.server_lock()?;
        cluster::remove_pid_file(&self.home)
            .map_err(ManagedError::path("remove the pid file in", &self.home.data()))?;
        create_socket_dir(&self.home.socket_dir(), run_as)?;
        self.spawn(cluster::server(bin, &self.home, run_as, alive))
    }

    /// Runs a child from this thread, the main one: the signal of [`RunAs::confine`] is sent when the thread ends.
    fn spawn(&self, mut command: Command) -> Result<Running, Ending> {
        let spawned = command.spawn();
        let mut child =
            spawned.map_err(|error| Ending::Failed(format!("cannot run {:?}: {error}", command.get_program())))?;
        let followers = [
            child.stdout.take().map(|stdout| self.log.follow(stdout)),
            child.stderr.take().map(|stderr| self.log.follow(stderr)),
        ];
        let pid = Pid::from_raw(child.id().cast_signed());
        let events = self.events.clone();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                let _ = events.send(Event::Ended(status));
            }
        });
        Ok(Running { pid, since: Instant::now(), followers: followers.into_iter().flatten().collect() })
    }

    /// `None` when connections are accepted, else why the server ended. Recovery takes what it takes.
    fn wait_until_ready(&self, server: &Running) -> Result<Option<String>, Ending> {
        loop {
            match self.inbox.recv_timeout(LOOK) {
                Ok(Event::Ended(status)) => return Ok(Some(format!("`postgres` ended with {status} while starting"))),
                Ok(Event::Unused(lock)) => return Err(self.stop(server, lock)),
                Err(_) => {} // nothing happened
            }
            if cluster::pid_file(&self.home).is_some_and(|file| file.pid == server.pid && file.ready) {
                return Ok(None);
            }
        }
    }

    fn wait_for_end(&self, server: &Running) -> Result<String, Ending> {
        match self.next() {
            Event::Ended(status) => Ok(format!("`postgres` ended with {status}")),
            Event::Unused(lock) => Err(self.stop(server, lock)),
        }
    }

    /// Shuts the server down: without its clients, then without a checkpoint, then at once; and removes its socket's
    /// folder, which may be in `/tmp`.
    fn stop(&self, server: &Running, lock: File) -> Ending {
        for (signal, patience) in STOPS {
            let _ = kill(server.pid, signal);
            if self.await_end(patience) {
                break;
            }
        }
        let _ = staging::remove_tree(&self.home.socket_dir());
        Ending::Unused(lock)
    }

    /// What happens next, however long it takes.
    fn next(&self) -> Event {
        self.inbox.recv().expect("the channel is open as long as `self.events` is there")
    }

    /// Whether the child has ended before `patience` did.
    fn await_end(&self, patience: Duration) -> bool {
        matches!(self.inbox.recv_timeout(patience), Ok(Event::Ended(_)))
    }

    fn pause(&self, length: Duration) -> Result<(), Ending> {
        match self.inbox.recv_timeout(length) {
            Ok(Event::Unused(lock)) => Err(Ending::Unused(lock)),
            _ => Ok(()),
        }
    }

    /// Lets the last lines of an ended child arrive, unless processes it left hold them back.
    fn drain(&self, ended: Running) {
        let begun = Instant::now();
        while ended.followers.iter().any(|follower| !follower.is_finished()) && begun.elapsed() < SETTLE {
            thread::sleep(LOOK);
        }
    }

    fn failed(&self, what: &str) -> Ending {
        Ending::Failed(format!("{what}. The end of {}:\n{}", self.home.log().display(), self.log.tail()))
    }
}

/// Sends an event when no host shares the users' lock.
fn watch_users(home: &Home, events: Sender<Event>) -> Result<(), String> {
    let users = lock::open(&home.users_lock()).map_err(|error| error.to_string())?;
    thread::spawn(move || {
        if lock::block_until_exclusive(&users).is_ok() {
            let _ = events.send(Event::Unused(users));
        }
    });
    Ok(())
}
