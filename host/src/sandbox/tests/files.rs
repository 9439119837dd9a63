//! Mounts: what a guest may do in them, what it may not, and what it costs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, ErrorCode, HostDescriptor, HostDirectoryEntryStream, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsResult, StreamResult};

use super::*;
use crate::grants::{Access, Mount};
use crate::sandbox::files::{Files, Mounts};
use crate::sandbox::imports::filesystem::FilesView;
use crate::sandbox::violations::Violations;

/// An attempt's files without the rest of the attempt.
struct Guest {
    files: Files,
    wasi: WasiCtx,
    table: ResourceTable,
    violations: Violations,
}

impl Guest {
    fn new(directory: &Path, access: Access, fs_write_bytes: u64) -> Self {
        let mount = Mount { path: "/data".into(), directory: directory.to_owned(), access };
        let violations = Violations::default();
        let limits = Limits { fs_write_bytes, ..Limits::default() };
        Self {
            files: Files::new(&Mounts::open(&[mount]).unwrap(), &limits, &violations),
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            violations,
        }
    }

    fn view(&mut self) -> FilesView<'_> {
        FilesView { files: &mut self.files, wasi: self.wasi.filesystem(), table: &mut self.table }
    }

    fn root(&mut self) -> Resource<Descriptor> {
        let (root, path) = self.view().get_directories().unwrap().remove(0);
        assert_eq!(path, "/data");
        root
    }

    async fn open(
        &mut self,
        root: &Resource<Descriptor>,
        path: &str,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Resource<Descriptor>, ErrorCode> {
        let root = Resource::new_borrow(root.rep());
        code(self.view().open_at(root, PathFlags::SYMLINK_FOLLOW, path.to_owned(), open, flags).await)
    }

    async fn read(&mut self, root: &Resource<Descriptor>, path: &str) -> Result<Vec<u8>, ErrorCode> {
        let file = self.open(root, path, OpenFlags::empty(), DescriptorFlags::READ).await?;
        let (bytes, _) = code(self.view().read(Resource::new_borrow(file.rep()), 1 << 20, 0).await)?;
        HostDescriptor::drop(&mut self.view(), file).unwrap();
        Ok(bytes)
    }

    async fn create(&mut self, root: &Resource<Descriptor>, path: &str) -> Result<Resource<Descriptor>, ErrorCode> {
        self.open(root, path, OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE).await
    }
}

fn code<T>(result: FsResult<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error.downcast().unwrap())
}

fn again(fd: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(fd.rep())
}

#[tokio::test]
async fn a_mount_is_read_and_written_and_nothing_beside_it() {
    let outside = tempfile::tempdir().unwrap();
    let inside = outside.path().join("mount");
    fs::create_dir_all(inside.join("sub")).unwrap();
    fs::write(inside.join("in"), "mine").unwrap();
    fs::write(outside.path().join("out"), "not mine").unwrap();
    symlink("../out", inside.join("relative")).unwrap();
    symlink(outside.path().join("out"), inside.join("absolute")).unwrap();
    symlink("/proc/self/environ", inside.join("proc")).unwrap();
    symlink("..", inside.join("up")).unwrap();
    symlink("in", inside.join("fine")).unwrap();
    let mut guest = Guest::new(&inside, Access::ReadWrite, 1 << 20);
    let root = guest.root();

    assert_eq!(guest.read(&root, "in").await.unwrap(), b"mine");
    assert_eq!(guest.read(&root, "sub/../in").await.unwrap(), b"mine");
    assert_eq!(guest.read(&root, "fine").await.unwrap(), b"mine");
    for path in ["../out", "sub/../../out", "relative", "absolute", "proc", "up/out", "/etc/passwd", "/data/in"] {
        assert_eq!(guest.read(&root, path).await.unwrap_err(), ErrorCode::NotPermitted, "{path}");
    }
    for path in ["../new", "up/new", "/tmp/new"] {
        assert_eq!(guest.create(&root, path).await.unwrap_err(), ErrorCode::NotPermitted, "{path}");
    }
    assert!(!outside.path().join("new").exists());
    assert!(guest.read(&root, "in\0side").await.is_err());
    assert_eq!(guest.read(&root, &"x/".repeat(4000)).await.unwrap_err(), ErrorCode::NameTooLong);

    let file = guest.create(&root, "sub/new").await.unwrap();
    assert_eq!(code(guest.view().write(file, b"hello".to_vec(), 0).await), Ok(5));
    assert_eq!(fs::read(inside.join("sub/new")).unwrap(), b"hello");
    assert_eq!(guest.violations.first(), None);
}

#[tokio::test]
async fn a_read_only_mount_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "a").unwrap();
    let mut guest = Guest::new(directory.path(), Access::ReadOnly, 1 << 20);
    let root = guest.root();

    for (open, flags) in [
        (OpenFlags::CREATE, DescriptorFlags::READ),
        (OpenFlags::TRUNCATE, DescriptorFlags::READ),
        (OpenFlags::empty(), DescriptorFlags::WRITE),
    ] {
        assert_eq!(guest.open(&root, "a", open, flags).await.unwrap_err(), ErrorCode::NotPermitted);
    }
    let file = guest.open(&root, "a", OpenFlags::empty(), DescriptorFlags::READ).await.unwrap();
    let refused = Err(ErrorCode::NotPermitted);
    assert_eq!(code(guest.view().write(again(&file), b"b".to_vec(), 0).await).map(|_| ()), refused);
    assert_eq!(code(guest.view().set_size(again(&file), 0).await), refused);
    assert_eq!(code(guest.view().append_via_stream(again(&file))).map(|_| ()), refused);
    assert_eq!(code(guest.view().write_via_stream(again(&file), 0)).map(|_| ()), refused);
    assert_eq!(code(guest.view().create_directory_at(again(&root), "d".into()).await), refused);
    assert_eq!(code(guest.view().unlink_file_at(again(&root), "a".into()).await), refused);
    assert_eq!(code(guest.view().rename_at(again(&root), "a".into(), again(&root), "b".into()).await), refused);
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"a");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn links_are_not_made_and_advice_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "a").unwrap();
    let mut guest = Guest::new(directory.path(), Access::ReadWrite, 1 << 20);
    let root = guest.root();

    let symbolic = guest.view().symlink_at(again(&root), "/etc/passwd".into(), "b".into()).await;
    assert_eq!(code(symbolic), Err(ErrorCode::NotPermitted));
    let hard = guest.view().link_at(again(&root), PathFlags::empty(), "a".into(), again(&root), "b".into()).await;
    assert_eq!(code(hard), Err(ErrorCode::NotPermitted));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let file = guest.open(&root, "a", OpenFlags::empty(), DescriptorFlags::READ).await.unwrap();
    assert_eq!(code(guest.view().advise(file, 0, u64::MAX, Advice::DontNeed).await), Ok(()));
}

#[tokio::test]
async fn pipes_and_devices_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&directory.path().join("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    symlink("pipe", directory.path().join("link")).unwrap();
    let start = Instant::now();
    let mut guest = Guest::new(directory.path(), Access::ReadWrite, 1 << 20);
    let root = guest.root();

    for path in ["pipe", "socket", "link"] {
        for flags in [DescriptorFlags::READ, DescriptorFlags::WRITE, DescriptorFlags::READ | DescriptorFlags::WRITE] {
            let refused = guest.open(&root, path, OpenFlags::empty(), flags).await.unwrap_err();
            assert_eq!(refused, ErrorCode::NotPermitted, "{path} {flags:?}");
        }
    }
    let mut devices = Guest::new(Path::new("/dev"), Access::ReadOnly, 0);
    let root = devices.root();
    assert_eq!(devices.read(&root, "zero").await.unwrap_err(), ErrorCode::NotPermitted);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// What the check before opening does not see: a pipe that takes a file's place in between.
#[cfg(target_os = "linux")]
#[test]
fn opening_a_pipe_does_not_wait_for_its_other_end() {
    use crate::sandbox::files::{Opened, Opening, open};
    let directory = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&directory.path().join("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let below = fs::File::open(directory.path()).unwrap();
    let opening = Opening { read: true, write: false, create: false, exclusive: false, truncate: false, follow: true };

    for (read, write) in [(true, false), (false, true), (true, true)] {
        let opened = open(&below, "pipe", Opening { read, write, ..opening }).unwrap();
        assert!(matches!(opened, Opened::Other), "{opened:?}");
    }
    assert!(open(&below, "../x", opening).is_err());
}

/// Writes through a stream as a guest does, until an error.
async fn stream(guest: &mut Guest, file: &Resource<Descriptor>, offset: Option<u64>, bytes: usize) -> StreamResult<()> {
    let stream = match offset {
        Some(offset) => guest.view().write_via_stream(again(file), offset),
        None => guest.view().append_via_stream(again(file)),
    };
    let stream = code(stream).unwrap();
    let mut stream = guest.table.delete(stream).unwrap();
    stream.blocking_write_and_flush(vec![b'x'; bytes].into()).await
}

#[tokio::test]
async fn every_way_of_writing_is_charged_and_the_attempt_ends_beyond_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let exceeded = |used| Some(AttemptError::LimitExceeded { exceeded: Exceeded::FsWriteBytes, limit: 10_000, used });
    let size = |name: &str| fs::metadata(directory.path().join(name)).unwrap().len();

    // 1,024 for the name, and then as much as is left.
    let mut guest = Guest::new(directory.path(), Access::ReadWrite, 10_000);
    let root = guest.root();
    let file = guest.create(&root, "write").await.unwrap();
    assert_eq!(code(guest.view().write(again(&file), vec![0; 8_976], 0).await), Ok(8_976));
    assert_eq!(guest.violations.first(), None);
    assert_eq!(code(guest.view().write(again(&file), vec![0; 1], 0).await), Err(ErrorCode::Quota));
    assert_eq!(guest.violations.first(), exceeded(10_001));
    assert_eq!(guest.violations.first().unwrap().error_type(), "fs_write_bytes_exceeded");

    let mut guest = Guest::new(directory.path(), Access::ReadWrite, 10_000);
    let root = guest.root();
    let file = guest.create(&root, "streams").await.unwrap();
    for offset in [Some(0), Some(0), None] {
        stream(&mut guest, &file, offset, if offset.is_some() { 4_000 } else { 900 }).await.unwrap();
    }
    assert_eq!(size("streams"), 4_900);
    assert!(stream(&mut guest, &file, None, 100).await.is_err());
    assert_eq!(guest.violations.first(), exceeded(10_024));
    assert!(stream(&mut guest, &file, None, 1).await.is_err());
    assert_eq!(size("streams"), 4_900);

    // A hole is what the file grows by, not what it takes.
    let mut guest = Guest::new(directory.path(), Access::ReadWrite, 10_000);
    let root = guest.root();
    let file = guest.create(&root, "hole").await.unwrap();
    assert_eq!(code(guest.view().set_size(again(&file), 4_000).await), Ok(()));
    assert_eq!(code(guest.view().set_size(again(&file), 100).await), Ok(()));
    assert_eq!(code(guest.view().write(again(&file), vec![0; 10], 1_000).await), Ok(10));
    stream(&mut guest, &file, Some(2_010), 10).await.unwrap();
    assert_eq!(guest.violations.first(), None);
    assert!(stream(&mut guest, &file, Some(1 << 40), 10).await.is_err());
    assert_eq!(guest.violations.first(), exceeded(1_024 + 4_000 + 910 + 1_010 + (1 << 40) - 2_020));
    assert_eq!(size("hole"), 2_020);

    for offset in [1 << 40, u64::MAX] {
        let mut guest = Guest::new(directory.path(), Access::ReadWrite, 10_000);
        let root = guest.root();
        let file = guest.create(&root, "far").await.unwrap();
        let far = if offset == u64::MAX {
            code(guest.view().set_size(again(&file), offset).await)
        } else {
            code(guest.view().write(again(&file), vec![0; 1], offset).await).map(|_| ())
        };
        assert_eq!(far, Err(ErrorCode::Quota));
        assert_eq!(size("far"), 0);
    }
}

#[tokio::test]
async fn names_are_charged_so_that_nobody_can_take_all_inodes() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(directory.path(), Access::ReadWrite, 20 << 10);
    let root = guest.root();

    for n in 0..10 {
        let file = guest.create(&root, &format!("file{n}")).await.unwrap();
        HostDescriptor::drop(&mut guest.view(), file).unwrap();
        code(guest.view().create_directory_at(again(&root), format!("directory{n}")).await).unwrap();
    }
    // What is there costs nothing.
    let file = guest.create(&root, "file0").await.unwrap();
    HostDescriptor::drop(&mut guest.view(), file).unwrap();
    assert_eq!(guest.violations.first(), None);
    assert_eq!(guest.create(&root, "one more").await.unwrap_err(), ErrorCode::Quota);
    assert!(guest.violations.first().is_some());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 20);
}

#[tokio::test]
async fn open_files_are_counted_however_they_are_held_open() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "abc").unwrap();
    let mut guest = Guest::new(directory.path(), Access::ReadOnly, 0);
    let root = guest.root();
    let flags = DescriptorFlags::READ;

    let mut streams = Vec::new();
    // The streams outlive their descriptors.
    for _ in 0..62 {
        let file = guest.open(&root, "a", OpenFlags::empty(), flags).await.unwrap();
        streams.push(code(guest.view().read_via_stream(again(&file), 1)).unwrap());
        HostDescriptor::drop(&mut guest.view(), file).unwrap();
    }
    let last = guest.open(&root, "a", OpenFlags::empty(), flags).await.unwrap();
    assert_eq!(guest.open(&root, "a", OpenFlags::empty(), flags).await.unwrap_err(), ErrorCode::Quota);
    assert_eq!(code(guest.view().read_via_stream(again(&last), 0)).unwrap_err(), ErrorCode::Quota);
    let stream = streams.pop().unwrap();
    let mut stream = guest.table.delete(stream).unwrap();
    assert_eq!(stream.blocking_read(10).await.unwrap(), "bc");
    drop(stream);
    let more = guest.open(&root, "a", OpenFlags::empty(), flags).await.unwrap();
    HostDescriptor::drop(&mut guest.view(), more).unwrap();

    // A failed attempt to open takes no room.
    for _ in 0..100 {
        assert_eq!(guest.read(&root, "missing").await.unwrap_err(), ErrorCode::NoEntry);
    }
    assert_eq!(guest.read(&root, "a").await.unwrap(), b"abc");
}

#[tokio::test]
async fn listings_are_bounded_in_number_and_in_length() {
    let directory = tempfile::tempdir().unwrap();
    let long = directory.path().join("long");
    fs::create_dir(&long).unwrap();
    for n in 0..10_001 {
        fs::File::create(long.join(n.to_string())).unwrap();
    }
    let mut guest = Guest::new(directory.path(), Access::ReadOnly, 0);
    let root = guest.root();

    let mut listings = Vec::new();
    for _ in 0..4 {
        listings.push(code(guest.view().read_directory(again(&root)).await).unwrap());
    }
    assert_eq!(code(guest.view().read_directory(again(&root)).await).unwrap_err(), ErrorCode::Quota);
    let listing = listings.pop().unwrap();
    let entry = code(guest.view().read_directory_entry(Resource::new_borrow(listing.rep())).await).unwrap();
    assert_eq!(entry.unwrap().name, "long");
    HostDirectoryEntryStream::drop(&mut guest.view(), listing).unwrap();

    let long = guest.open(&root, "long", OpenFlags::DIRECTORY, DescriptorFlags::READ).await.unwrap();
    assert_eq!(code(guest.view().read_directory(again(&long)).await).unwrap_err(), ErrorCode::InsufficientMemory);
    fs::remove_file(directory.path().join("long/0")).unwrap();
    code(guest.view().read_directory(again(&long)).await).unwrap();
}

#[tokio::test]
async fn waits_for_the_disk_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut guest = Guest::new(directory.path(), Access::ReadWrite, 1 << 20);
    let root = guest.root();
    let file = guest.create(&root, "a").await.unwrap();

    for _ in 0..1_000 {
        code(guest.view().sync_data(again(&file)).await).unwrap();
    }
    assert_eq!(code(guest.view().sync(again(&file)).await), Err(ErrorCode::Quota));
}

#[tokio::test]
async fn a_mount_whose_directory_is_missing_refuses_the_component() {
    let bench = Bench::new();
    let package = bench.package(&wat::parse_str(FLOOR).unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();

    for (directory, reason) in [(Path::new("/nowhere/shop"), "No such file"), (file.path(), "Not a directory")] {
        let mount = Mount { path: "/data".into(), directory: directory.to_owned(), access: Access::ReadOnly };
        let mut granted = Granted::default();
        granted.mounts.push(mount);
        let error = bench.sandbox.prepare(&package, granted).await.unwrap_err().to_string();
        let directory = directory.display().to_string();
        for part in ["/data", directory.as_str(), reason, "grants.mounts"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
