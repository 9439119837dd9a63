//! Opens a file below a directory, whatever stands at its path, without waiting for anything.
//!
//! Two things tell this from how WASI hosts commonly open files. A path that names a pipe would hold the opening thread
//! until somebody opens the other end, which is for ever if nobody does, and no deadline can take the thread back; so
//! nothing is waited for (`O_NONBLOCK`, which regular files ignore), and what is neither file nor directory is closed
//! again at once. And the kernel resolves the path (`RESOLVE_BENEATH`), so that no link and no rename at the right moment
//! leads out of the directory.

use std::fs::File;

/// What is to be opened, and how.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Opening {
    pub(in crate::sandbox) read: bool,
    pub(in crate::sandbox) write: bool,
    pub(in crate::sandbox) create: bool,
    pub(in crate::sandbox) exclusive: bool,
    pub(in crate::sandbox) truncate: bool,
    /// Whether a link at the end of the path is followed.
    pub(in crate::sandbox) follow: bool,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::sandbox) enum Opened {
    File(File),
    Directory(File),
    /// A pipe, a socket or a device; it is closed again.
    Other,
    /// The kernel cannot resolve paths below a directory: it is older than 5.6, or a filter forbids it.
    CannotResolve,
}

/// Opens. Blocks no longer than the file system takes.
#[cfg(target_os = "linux")]
pub(in crate::sandbox) fn open(directory: &File, path: &str, opening: Opening) -> std::io::Result<Opened> {
    use nix::errno::Errno;
    use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
    use nix::sys::stat::Mode;

    /// Tries while something on the machine is renamed; the kernel then asks to try again.
    const TRIES: u32 = 8;

    let mut flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    flags |= match (opening.read, opening.write) {
        (_, false) => OFlag::O_RDONLY,
        (false, true) => OFlag::O_WRONLY,
        (true, true) => OFlag::O_RDWR,
    };
    for (wanted, flag) in [
        (opening.create, OFlag::O_CREAT),
        (opening.create && opening.exclusive, OFlag::O_EXCL),
        (opening.truncate, OFlag::O_TRUNC),
        (!opening.follow, OFlag::O_NOFOLLOW),
    ] {
        flags.set(flag, wanted);
    }
    let mode = if opening.create { Mode::from_bits_truncate(0o666) } else { Mode::empty() };
    let how = OpenHow::new()
        .flags(flags)
        .mode(mode)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let mut result = Err(Errno::EAGAIN);
    for _ in 0..TRIES {
        result = openat2(directory, path, how);
        if !matches!(result, Err(Errno::EAGAIN)) {
            break;
        }
    }
    let file = match result {
        Ok(file) => File::from(file),
        Err(Errno::ENOSYS | Errno::EPERM) => return Ok(Opened::CannotResolve),
        // The path leads out.
        Err(Errno::EXDEV) => return Err(std::io::ErrorKind::PermissionDenied.into()),
        // A pipe nobody reads, or a device without a driver.
        Err(Errno::ENXIO | Errno::ENODEV) => return Ok(Opened::Other),
        Err(error) => return Err(error.into()),
    };
    let kind = file.metadata()?.file_type();
    Ok(match (kind.is_dir(), kind.is_file()) {
        (true, _) => Opened::Directory(file),
        (_, true) => Opened::File(file),
        _ => Opened::Other,
    })
}

/// Other kernels cannot.
#[cfg(not(target_os = "linux"))]
pub(in crate::sandbox) fn open(_: &File, _: &str, _: Opening) -> std::io::Result<Opened> {
    Ok(Opened::CannotResolve)
}
