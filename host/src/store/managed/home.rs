//! The folder of one private server: its data, its locks, its log and, if need be, its programs and its socket.
//!
//! Everything else is derived from the folder's path, so hosts that name the same folder meet at the same server without
//! any other agreement.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy as _, Xdg};
use nix::unistd::{Uid, geteuid};
use sha2::{Digest as _, Sha256};

use super::error::ManagedError;
use super::identity::RunAs;

/// The longest path of a socket in bytes: `sun_path` of Linux, less its closing zero; macOS has 103.
const LONGEST_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// What PostgreSQL calls its socket at the port [`PORT`].
const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// The port is only part of the socket's name; nothing listens on a network.
pub(super) const PORT: u16 = 5432;
/// Where data go when root runs the host and root's home is closed to everyone else.
const ROOT_DATA_HOME: &str = "/var/lib";

/// The folder of a private server; it exists, and its path is absolute and without links.
#[derive(Clone, Debug)]
pub(super) struct Home {
    dir: PathBuf,
}

impl Home {
    /// Makes the folder if it is missing.
    pub(super) fn prepare(dir: &Path) -> Result<Self, ManagedError> {
        let dir = std::path::absolute(dir).map_err(ManagedError::path("resolve", dir))?;
        create(&dir).map_err(ManagedError::path("create", &dir))?;
        let dir = dir.canonicalize().map_err(ManagedError::path("resolve", &dir))?;
        Ok(Home { dir })
    }

    /// `$XDG_DATA_HOME/tasker-wasm-host/postgres-<major>`; for root, `/var/lib` takes the place of a data home that
    /// other users cannot enter, for the server runs as one of them.
    pub(super) fn default_dir(major: u32) -> Result<PathBuf, ManagedError> {
        let xdg = Xdg::new().ok().map(|xdg| xdg.data_dir());
        let data_home = match xdg {
            Some(dir) if !geteuid().is_root() || RunAs::server_user().is_some_and(|user| user.can_enter(&dir)) => dir,
            _ if geteuid().is_root() => ROOT_DATA_HOME.into(),
            _ => return Err(ManagedError::NoHome),
        };
        Ok(data_home.join("tasker-wasm-host").join(format!("postgres-{major}")))
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// PostgreSQL's own data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where data are initialised; becomes [`Home::data`] when complete, is thrown away otherwise.
    pub(super) fn unfinished_data(&self) -> PathBuf {
        self.dir.join("data.partial")
    }

    /// The mirror of the server's programs, if they could not be run where they are.
    pub(super) fn programs(&self) -> PathBuf {
        self.dir.join("programs")
    }

    /// Held while a host decides whether to start a supervisor, and until that one has reported.
    pub(super) fn start_lock(&self) -> PathBuf {
        self.dir.join("start.lock")
    }

    /// Shared by all hosts that use the server; exclusive to the supervisor when none does.
    pub(super) fn users_lock(&self) -> PathBuf {
        self.dir.join("users.lock")
    }

    /// Held by the supervisor for its life.
    pub(super) fn supervisor_lock(&self) -> PathBuf {
        self.dir.join("supervisor.lock")
    }

    /// Held by every process of the server for its life.
    pub(super) fn server_lock(&self) -> PathBuf {
        self.dir.join("server.lock")
    }

    /// What the server and its supervisor have to say.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The folder of the socket: in the home, or, where that makes too long a path, in `/tmp` under a name derived from
    /// the home. `XDG_RUNTIME_DIR` is not used: it is removed when the user logs out, and hosts may see it differently.
    pub(super) fn socket_dir(&self) -> PathBuf {
        let near = self.dir.join("socket");
        if near.as_os_str().len() + 1 + SOCKET_NAME.len() <= LONGEST_SOCKET_PATH {
            return near;
        }
        let digest = hex::encode(Sha256::digest(self.dir.as_os_str().as_bytes()));
        Path::new("/tmp").join(format!("tasker-wasm-host-{}", &digest[..16]))
    }
}

/// Makes the socket's folder anew, open to its owner alone: who gets in is trusted. In `/tmp` anyone could have put
/// something in its place, so what is there must be a folder of the right owner, closed to others.
pub(super) fn create_socket_dir(dir: &Path, run_as: &RunAs) -> Result<(), ManagedError> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            return run_as.give(dir).map_err(ManagedError::path("give PostgreSQL the folder", dir));
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(ManagedError::path("create", dir)(error)),
    }
    let found = fs::symlink_metadata(dir).map_err(ManagedError::path("inspect", dir))?;
    if !found.is_dir() || Uid::from_raw(found.uid()) != run_as.owner() || found.mode() & 0o077 != 0 {
        let refusal = io::Error::other("it is not a folder open to PostgreSQL's user alone; remove it");
        return Err(ManagedError::path("use the socket folder", dir)(refusal));
    }
    // Nothing of a server is alive, so what is left of the last one is in the way.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        fs::remove_file(entry.path()).map_err(ManagedError::path("remove", &entry.path()))?;
    }
    Ok(())
}

/// Makes each missing folder. Those of root must let the server's user through, whatever the umask says.
fn create(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        create(parent)?;
    }
    match fs::create_dir(dir) {
        Ok(()) if geteuid().is_root() => fs::set_permissions(dir, fs::Permissions::from_mode(0o755)),
        Ok(()) => fs::set_permissions(dir, fs::Permissions::from_mode(0o700)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_moves_the_socket_to_tmp_and_only_then() {
        let root = tempfile::tempdir().unwrap();
        let near = Home::prepare(&root.path().join("near")).unwrap();
        assert_eq!(near.socket_dir(), near.dir().join("socket"));
        let far = Home::prepare(&root.path().join("f".repeat(120))).unwrap();
        let socket_dir = far.socket_dir();
        assert!(socket_dir.starts_with("/tmp"), "{}", socket_dir.display());
        assert_eq!(socket_dir, far.socket_dir());
    }

    #[test]
    fn a_socket_folder_of_somebody_else_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("socket");
        create_socket_dir(&dir, &RunAs::Caller).unwrap();
        fs::write(dir.join(".s.PGSQL.5432.lock"), "4711").unwrap();
        create_socket_dir(&dir, &RunAs::Caller).unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let message = create_socket_dir(&dir, &RunAs::Caller).unwrap_err().to_string();
        assert!(message.contains("remove it"), "{message}");
        fs::remove_dir(&dir).unwrap();
        std::os::unix::fs::symlink(root.path(), &dir).unwrap();
        create_socket_dir(&dir, &RunAs::Caller).unwrap_err();
    }
}
