//! Whose rights the server runs with.
//!
//! PostgreSQL refuses to run as root, and `initdb` refuses a user without an entry in the passwd file (containers like to
//! give such ones). Root hands the server to `postgres`, else to `nobody`. Where neither that nor the caller itself
//! will do, a user namespace without a mapping is the cure: in it every user is seen as the kernel's overflow user,
//! `nobody`, while the files stay the caller's. Data that exist already decide by who owns them.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User, getegid, geteuid, setsid};

use super::error::ManagedError;
use super::home::Home;

/// Whose rights the server runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunAs {
    /// Those of the host.
    Caller,
    /// Those of another user; only root can choose it.
    Other {
        /// The user.
        uid: Uid,
        /// Its group, without any other groups.
        gid: Gid,
    },
    /// Those of the host, in a user namespace that hides who it is.
    Namespace,
}

impl RunAs {
    /// The way that works for the server of `home`.
    pub(super) fn choose(home: &Home) -> Result<Self, ManagedError> {
        let owner = fs::metadata(home.data()).ok().map(|data| (Uid::from_raw(data.uid()), Gid::from_raw(data.gid())));
        if !geteuid().is_root() {
            let named = matches!(User::from_uid(geteuid()), Ok(Some(_)));
            return match (named || owner.is_some(), namespaces_work()) {
                (true, _) => Ok(RunAs::Caller),
                (false, true) => Ok(RunAs::Namespace),
                (false, false) => Err(ManagedError::NamelessUser { uid: geteuid().as_raw() }),
            };
        }
        match (owner, RunAs::server_user()) {
            (Some((uid, gid)), _) if !uid.is_root() => Ok(RunAs::Other { uid, gid }),
            (None, Some(user)) if user.can_enter(home.dir()) => Ok(user),
            _ if namespaces_work() => Ok(RunAs::Namespace),
            _ => Err(ManagedError::RootOnly { dir: home.dir().to_owned() }),
        }
    }

    /// Whom root hands the server to; `None` on a machine without such a user.
    pub(super) fn server_user() -> Option<Self> {
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten())?;
        Some(RunAs::Other { uid: user.uid, gid: user.gid })
    }

    /// The user that owns the server's files.
    pub(super) fn owner(&self) -> Uid {
        match self {
            RunAs::Caller | RunAs::Namespace => geteuid(),
            RunAs::Other { uid, .. } => *uid,
        }
    }

    /// Hands a file or folder to the server.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self {
            RunAs::Caller | RunAs::Namespace => Ok(()),
            RunAs::Other { uid, gid } => chown(path, Some(uid.as_raw()), Some(gid.as_raw())),
        }
    }

    /// Whether the server can enter the folder, or would if its missing part were made.
    pub(super) fn can_enter(&self, dir: &Path) -> bool {
        let (uid, gid) = match self {
            RunAs::Caller => (geteuid(), getegid()),
            RunAs::Other { uid, gid } => (*uid, *gid),
            // It loses root's right to enter everything, but not that of the owner.
            RunAs::Namespace => (geteuid(), getegid()),
        };
        let Some(Ok(existing)) = dir.ancestors().find(|dir| dir.exists()).map(Path::canonicalize) else {
            return false;
        };
        existing.ancestors().all(|dir| {
            fs::metadata(dir).is_ok_and(|found| {
                let bit = match (found.uid() == uid.as_raw(), found.gid() == gid.as_raw()) {
                    (true, _) => 0o100,
                    (false, true) => 0o010,
                    (false, false) => 0o001,
                };
                found.mode() & bit != 0
            })
        })
    }

    /// Makes the child of `command` run with these rights, in a session of its own (a Ctrl-C at the terminal is not meant
    /// for it), and get `last_word` when the calling thread ends, however it ends (Linux only).
    pub(super) fn confine(&self, command: &mut Command, last_word: Signal) {
        if let RunAs::Other { uid, gid } = self {
            // `std` drops the other groups of root too.
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let namespace = *self == RunAs::Namespace;
        let parent = nix::unistd::getpid();
        // SAFETY: runs between fork and exec, where only async-signal-safe calls are sound; these are bare system calls
        // that neither allocate nor lock. `std` has changed the user by then, and both that and the namespace would
        // clear the death signal, so it comes last.
        unsafe {
            command.pre_exec(move || {
                leave_parent()?;
                #[cfg(target_os = "linux")]
                {
                    if namespace {
                        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?;
                    }
                    nix::sys::prctl::set_pdeathsig(last_word)?;
                    if nix::unistd::getppid() != parent {
                        return Err(nix::errno::Errno::ECHILD.into()); // it died before the signal was set
                    }
                }
                #[cfg(not(target_os = "linux"))]
                let _ = (namespace, parent, last_word);
                Ok(())
            });
        }
    }
}

/// Between fork and exec: a session of its own, and no file of the parent but the three standard ones. Files of `std`
/// close on exec anyway; those the parent inherited, such as the pipes of `make -j`, would stay open as long as the child.
pub(super) fn leave_parent() -> io::Result<()> {
    setsid()?;
    #[cfg(target_os = "linux")]
    // SAFETY: a bare system call that only marks descriptors; on a kernel before 5.11 it fails and nothing is marked.
    unsafe {
        nix::libc::syscall(nix::libc::SYS_close_range, 3, nix::libc::c_uint::MAX, nix::libc::CLOSE_RANGE_CLOEXEC);
    }
    Ok(())
}

/// Whether a user namespace may be made here, and its overflow user has a name for PostgreSQL to find.
fn namespaces_work() -> bool {
    #[cfg(target_os = "linux")]
    {
        use nix::errno::Errno;
        use nix::sched::{CloneFlags, unshare};

        let mut trial = Command::new("/");
        // SAFETY: a bare system call between fork and exec. A success is told by an error of our own, so nothing is
        // executed.
        unsafe { trial.pre_exec(|| unshare(CloneFlags::CLONE_NEWUSER).and(Err(Errno::ECANCELED)).map_err(Into::into)) };
        let permitted = trial.spawn().is_err_and(|error| error.raw_os_error() == Some(Errno::ECANCELED as i32));
        let overflow = fs::read_to_string("/proc/sys/kernel/overflowuid").ok().and_then(|uid| uid.trim().parse().ok());
        permitted && overflow.is_some_and(|uid| matches!(User::from_uid(Uid::from_raw(uid)), Ok(Some(_))))
    }
    #[cfg(not(target_os = "linux"))]
    false
}
