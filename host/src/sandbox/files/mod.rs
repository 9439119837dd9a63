//! Directories of the host that a guest sees, and the account of what it does in them.
//!
//! A granted directory is opened once, when the component is prepared, and shared by all its attempts: a guest reaches it
//! through that handle and by no path, and an attempt that touches no file pays nothing for it. A directory that is
//! replaced while the host runs stays the old one until the component is prepared again.
//!
//! What an attempt writes, creates and holds open is counted in one [`Quota`]; [`super::imports`] asks it before it does
//! what a guest wants.

mod open;
mod quota;
mod streams;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::OFlag;
use wasmtime_wasi::filesystem::Dir;
use wasmtime_wasi::{FsPerms, OpenMode};

use super::limits::Limits;
use super::violations::Violations;
use crate::grants::{Access, Mount};

pub(super) use open::{Opened, Opening, open};
pub(super) use quota::{Handle, Quota};
pub(super) use streams::{MeteredRead, MeteredWrite};

/// A granted directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the granted mount {path} cannot be used: its directory {} cannot be opened: {source}", directory.display())]
pub(super) struct MountError {
    path: String,
    directory: PathBuf,
    source: io::Error,
}

/// The directories of one component, open. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Mounts(Arc<[(String, Dir)]>);

impl Mounts {
    /// Opens every granted directory.
    pub(super) fn open(granted: &[Mount]) -> Result<Self, MountError> {
        granted.iter().map(directory).collect::<Result<_, _>>().map(Self)
    }

    /// Where each is in the guest, and its handle.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, Dir)> {
        self.0.iter()
    }
}

fn directory(mount: &Mount) -> Result<(String, Dir), MountError> {
    let (permissions, mode) = match mount.access {
        Access::ReadOnly => (FsPerms::ReadOnly, OpenMode::READ),
        Access::ReadWrite => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
    };
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(&mount.directory);
    let opened =
        opened.map_err(|source| MountError { path: mount.path.clone(), directory: mount.directory.clone(), source })?;
    Ok((mount.path.clone(), Dir::new(opened, permissions, mode, false)))
}

/// The files of one attempt.
pub(super) struct Files {
    pub(super) mounts: Mounts,
    /// Nothing to count without a mount.
    pub(super) quota: Option<Arc<Quota>>,
}

impl Files {
    pub(super) fn new(mounts: &Mounts, limits: &Limits, violations: &Violations) -> Self {
        let quota = (!mounts.0.is_empty()).then(|| Arc::new(Quota::new(limits.fs_write_bytes, violations.clone())));
        Self { mounts: mounts.clone(), quota }
    }
}
