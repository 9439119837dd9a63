//! What one attempt has written to files, and how much of the host it holds open.
//!
//! Bytes are charged before they are written, so that an attempt never writes more than it may. Names are charged too,
//! because an empty file costs the file system an inode, and a hole too, because its size is what copies and backups of
//! the file will have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::sandbox::failure::Exceeded;
use crate::sandbox::violations::Violations;

/// Bytes a new file or directory counts for, whatever is written to it: about what its inode and its name take. The default
/// limit of 16 MiB is 16,384 of them.
const NAME_BYTES: u64 = 1 << 10;

/// Descriptors and streams that may be open at once: each holds a file descriptor of the host, and the host has some
/// thousands for all attempts. A program that walks a tree and copies a file has fewer than ten.
const HANDLES: u32 = 64;

/// Directories that may be listed at once; each listing is held in the host's memory.
const LISTINGS: u32 = 4;

/// Waits for the disk. Each makes other programs on the same disk wait too.
const SYNCS: u32 = 1_000;

/// The account of one attempt.
#[derive(Debug)]
pub(in crate::sandbox) struct Quota {
    limit: u64,
    written: AtomicU64,
    handles: AtomicU32,
    listings: AtomicU32,
    syncs: AtomicU32,
    violations: Violations,
}

impl Quota {
    pub(in crate::sandbox) fn new(limit: u64, violations: Violations) -> Self {
        Self {
            limit,
            written: AtomicU64::new(0),
            handles: AtomicU32::new(0),
            listings: AtomicU32::new(0),
            syncs: AtomicU32::new(0),
            violations,
        }
    }

    /// Counts bytes that are about to be written. Beyond the limit the attempt ends, and nothing more is written.
    pub(in crate::sandbox) fn charge(&self, bytes: u64) -> Result<(), ErrorCode> {
        let used = self.written.load(Relaxed).saturating_add(bytes);
        if used > self.limit {
            self.written.store(u64::MAX, Relaxed);
            self.violations.exceed(Exceeded::FsWriteBytes, self.limit, used);
            return Err(ErrorCode::Quota);
        }
        self.written.store(used, Relaxed);
        Ok(())
    }

    /// Counts a file or directory that is about to be made.
    pub(in crate::sandbox) fn charge_name(&self) -> Result<(), ErrorCode> {
        self.charge(NAME_BYTES)
    }

    /// Room for one more descriptor or stream, until the handle is dropped.
    pub(in crate::sandbox) fn handle(self: &Arc<Self>) -> Result<Handle, ErrorCode> {
        take(&self.handles, HANDLES)?;
        Ok(Handle { quota: Arc::clone(self), kept: false })
    }

    /// A descriptor whose handle was kept is closed.
    pub(in crate::sandbox) fn close(&self) {
        self.handles.fetch_sub(1, Relaxed);
    }

    /// Room for one more listing, until [`Self::close_listing`].
    pub(in crate::sandbox) fn listing(&self) -> Result<(), ErrorCode> {
        take(&self.listings, LISTINGS)
    }

    pub(in crate::sandbox) fn close_listing(&self) {
        self.listings.fetch_sub(1, Relaxed);
    }

    /// Counts a wait for the disk.
    pub(in crate::sandbox) fn sync(&self) -> Result<(), ErrorCode> {
        take(&self.syncs, SYNCS)
    }
}

/// One more of at most so many. One attempt does one thing at a time, so nobody comes between the two steps.
fn take(count: &AtomicU32, most: u32) -> Result<(), ErrorCode> {
    if count.load(Relaxed) == most {
        return Err(ErrorCode::Quota);
    }
    count.fetch_add(1, Relaxed);
    Ok(())
}

/// Room for one open file.
#[derive(Debug)]
pub(in crate::sandbox) struct Handle {
    quota: Arc<Quota>,
    kept: bool,
}

impl Handle {
    /// Keeps the room beyond the life of this value; [`Quota::close`] gives it back.
    pub(in crate::sandbox) fn keep(mut self) {
        self.kept = true;
    }

    /// The account it belongs to.
    pub(super) fn quota(&self) -> &Quota {
        &self.quota
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.kept {
            self.quota.close();
        }
    }
}
