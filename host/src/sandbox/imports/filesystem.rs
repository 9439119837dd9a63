//! `wasi:filesystem`: the granted directories, and nothing else.
//!
//! The work is wasmtime's; this stands before it and asks whether the attempt may. What is held back, and why:
//!
//! | what | why |
//! |---|---|
//! | bytes, names and holes beyond `fs_write_bytes` | the disk belongs to everybody; the attempt ends |
//! | more than 64 open descriptors and streams | each holds a file descriptor of the host |
//! | listing a directory of more than 10,000 entries, more than 4 at once | a listing is held in the host's memory |
//! | pipes, sockets and devices | opening one can wait for ever, on a thread that no deadline takes back |
//! | making symbolic links | the guest cannot follow one out of its mount, but other programs that look there can |
//! | making hard links | a file would stay, or change, under a name that whoever manages the directory does not know |
//! | advice on caching | the page cache is everybody's: one guest could empty it for another |
//! | waiting for the disk more than 1,000 times | everybody on that disk waits too |
//!
//! Every operation runs on a blocking thread, and the attempt ends at its deadline whether it has returned or not. What
//! has not begun by then does not begin; what has begun moves at most 64 KiB or one name, and ends.

use std::sync::Arc;

use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode,
    Filesize, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use crate::sandbox::files::{Files, MeteredRead, MeteredWrite, Opened, Opening, Quota, open};

/// Entries of a directory that can be listed.
const ENTRIES: usize = 10_000;

/// Bytes of a path; the kernel takes no longer ones.
const PATH: usize = 4096;

/// The files of an attempt, and where wasmtime keeps what is open.
pub(in crate::sandbox) struct FilesView<'a> {
    pub(in crate::sandbox) files: &'a mut Files,
    pub(in crate::sandbox) wasi: &'a mut WasiFilesystemCtx,
    pub(in crate::sandbox) table: &'a mut ResourceTable,
}

/// Says that functions take a [`FilesView`].
pub(super) struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = FilesView<'a>;
}

impl FilesView<'_> {
    fn wasi(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: self.wasi, table: self.table }
    }

    /// Without a mount there is no descriptor to call anything on.
    fn quota(&self) -> Result<&Arc<Quota>, ErrorCode> {
        self.files.quota.as_ref().ok_or(ErrorCode::BadDescriptor)
    }

    fn directory(&self, fd: &Resource<Descriptor>) -> FsResult<Dir> {
        match self.table.get(fd)? {
            Descriptor::Dir(directory) => Ok(directory.clone()),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    fn file(&self, fd: &Resource<Descriptor>) -> FsResult<File> {
        match self.table.get(fd)? {
            Descriptor::File(file) => Ok(file.clone()),
            Descriptor::Dir(_) => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    fn writable(&self, fd: &Resource<Descriptor>) -> FsResult<File> {
        let file = self.file(fd)?;
        if file.perms == FsPerms::ReadOnly { Err(ErrorCode::NotPermitted.into()) } else { Ok(file) }
    }

    /// What is at a path; nothing may be.
    async fn kind_at(
        &mut self,
        fd: &Resource<Descriptor>,
        flags: PathFlags,
        path: &str,
    ) -> FsResult<Option<DescriptorType>> {
        match self.wasi().stat_at(same(fd), flags, path.to_owned()).await {
            Ok(found) => Ok(Some(found.type_)),
            Err(error) => match error.downcast().map_err(FsError::trap)? {
                ErrorCode::NoEntry => Ok(None),
                code => Err(code.into()),
            },
        }
    }
}

/// The same descriptor once more, to hand on.
fn same(fd: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(fd.rep())
}

fn checked(path: String) -> Result<String, ErrorCode> {
    if path.len() > PATH { Err(ErrorCode::NameTooLong) } else { Ok(path) }
}

/// Runs what blocks on a thread made for it. What has not begun when the caller goes away never does.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> FsResult<T> {
    let task = tokio_util::task::AbortOnDropHandle::new(tokio::task::spawn_blocking(work));
    Ok(task.await.map_err(|error| FsError::trap(std::io::Error::other(error)))??)
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let Ok(quota) = self.quota() else { return Ok(Vec::new()) };
        let quota = Arc::clone(quota);
        let mut directories = Vec::new();
        for (path, directory) in self.files.mounts.iter() {
            let handle = quota.handle().map_err(|_| wasmtime::Error::msg("too many open files"))?;
            directories.push((self.table.push(Descriptor::Dir(directory.clone()))?, path.clone()));
            handle.keep();
        }
        Ok(directories)
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi().filesystem_error_code(error)
    }
}

impl HostDescriptor for FilesView<'_> {
    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let path = checked(path)?;
        let directory = self.directory(&fd)?;
        let handle = self.quota()?.handle()?;
        let (create, truncate) = (open_flags.contains(OpenFlags::CREATE), open_flags.contains(OpenFlags::TRUNCATE));
        let exclusive = open_flags.contains(OpenFlags::EXCLUSIVE);
        let only_directory = open_flags.contains(OpenFlags::DIRECTORY);
        let synced = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if flags.intersects(synced) {
            return Err(ErrorCode::Unsupported.into());
        }
        if only_directory && (create || exclusive || truncate) {
            return Err(ErrorCode::Invalid.into());
        }
        // What only writes is opened for that alone; everything else can be read.
        let write_flag = flags.contains(DescriptorFlags::WRITE);
        let opening = Opening {
            read: flags.contains(DescriptorFlags::READ) || !write_flag,
            write: write_flag || create || truncate,
            create,
            exclusive,
            truncate,
            follow: path_flags.contains(PathFlags::SYMLINK_FOLLOW),
        };
        if opening.write && directory.perms == FsPerms::ReadOnly {
            return Err(ErrorCode::NotPermitted.into());
        }
        match self.kind_at(&fd, path_flags, &path).await? {
            Some(DescriptorType::RegularFile | DescriptorType::Directory) => {}
            Some(DescriptorType::SymbolicLink) => return Err(ErrorCode::Loop.into()),
            Some(_) => return Err(ErrorCode::NotPermitted.into()),
            None if create => self.quota()?.charge_name()?,
            None => return Err(ErrorCode::NoEntry.into()),
        }
        let (below, name) = (Arc::clone(&directory.dir), path.clone());
        let mode = [(opening.read, OpenMode::READ), (opening.write, OpenMode::WRITE)];
        let mode = mode.into_iter().filter(|(has, _)| *has).fold(OpenMode::empty(), |mode, (_, bit)| mode | bit);
        let opened = match blocking(move || open(&below, &name, opening)).await? {
            Opened::File(_) if only_directory => return Err(ErrorCode::NotDirectory.into()),
            Opened::File(file) => Descriptor::File(File::new(file, directory.perms, mode, false)),
            Opened::Directory(file) => Descriptor::Dir(Dir::new(file, directory.perms, mode, false)),
            Opened::Other => return Err(ErrorCode::NotPermitted.into()),
            // wasmtime's own way waits for pipes. What is not a file or a directory was turned away above; only who
            // can put a pipe in a file's place just now gets past that.
            Opened::CannotResolve => {
                let opened = self.wasi().open_at(fd, path_flags, path, open_flags, flags).await?;
                handle.keep();
                return Ok(opened);
            }
        };
        let opened = self.table.push(opened)?;
        handle.keep();
        Ok(opened)
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.wasi(), fd)?;
        if let Ok(quota) = self.quota() {
            quota.close();
        }
        Ok(())
    }

    async fn write(&mut self, fd: Resource<Descriptor>, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        self.writable(&fd)?;
        let hole = match offset {
            0 => 0,
            offset => offset.saturating_sub(self.wasi().stat(same(&fd)).await?.size),
        };
        self.quota()?.charge(hole.saturating_add(bytes.len() as u64))?;
        self.wasi().write(fd, bytes, offset).await
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        self.writable(&fd)?;
        let growth = size.saturating_sub(self.wasi().stat(same(&fd)).await?.size);
        self.quota()?.charge(growth)?;
        self.wasi().set_size(fd, size).await
    }

    fn write_via_stream(&mut self, fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let (file, handle) = (self.writable(&fd)?, self.quota()?.handle()?);
        let stream = self.wasi().write_via_stream(fd, offset)?;
        let stream = self.table.delete(stream)?;
        let metered: DynOutputStream = Box::new(MeteredWrite::at(stream, handle, file.file, offset));
        Ok(self.table.push(metered)?)
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        self.writable(&fd)?;
        let handle = self.quota()?.handle()?;
        let stream = self.wasi().append_via_stream(fd)?;
        let stream = self.table.delete(stream)?;
        let metered: DynOutputStream = Box::new(MeteredWrite::append(stream, handle));
        Ok(self.table.push(metered)?)
    }

    fn read_via_stream(&mut self, fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let handle = self.quota()?.handle()?;
        let stream = self.wasi().read_via_stream(fd, offset)?;
        let stream = self.table.delete(stream)?;
        let metered: DynInputStream = Box::new(MeteredRead::new(stream, handle));
        Ok(self.table.push(metered)?)
    }

    async fn create_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let path = checked(path)?;
        if self.directory(&fd)?.perms == FsPerms::ReadOnly {
            return Err(ErrorCode::NotPermitted.into());
        }
        self.quota()?.charge_name()?;
        self.wasi().create_directory_at(fd, path).await
    }

    async fn read_directory(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>> {
        let directory = self.directory(&fd)?.dir;
        let quota = Arc::clone(self.quota()?);
        quota.listing()?;
        let listed = match blocking(move || entries(&directory)).await {
            Ok(count) if count > ENTRIES => Err(ErrorCode::InsufficientMemory.into()),
            Ok(_) => self.wasi().read_directory(fd).await,
            Err(error) => Err(error),
        };
        if listed.is_err() {
            quota.close_listing();
        }
        listed
    }

    async fn symlink_at(&mut self, _: Resource<Descriptor>, _: String, _: String) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn link_at(
        &mut self,
        _: Resource<Descriptor>,
        _: PathFlags,
        _: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    /// Taken note of and passed over: advice changes no result.
    async fn advise(&mut self, fd: Resource<Descriptor>, _: Filesize, _: Filesize, _: Advice) -> FsResult<()> {
        self.file(&fd).map(|_| ())
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.quota()?.sync()?;
        self.wasi().sync(fd).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.quota()?.sync()?;
        self.wasi().sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.wasi().get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        self.wasi().get_type(fd).await
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        access: NewTimestamp,
        change: NewTimestamp,
    ) -> FsResult<()> {
        self.wasi().set_times(fd, access, change).await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        change: NewTimestamp,
    ) -> FsResult<()> {
        self.wasi().set_times_at(fd, flags, checked(path)?, access, change).await
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.wasi().read(fd, length, offset).await
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.wasi().stat(fd).await
    }

    async fn stat_at(&mut self, fd: Resource<Descriptor>, flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.wasi().stat_at(fd, flags, checked(path)?).await
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.wasi().readlink_at(fd, checked(path)?).await
    }

    async fn remove_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.wasi().remove_directory_at(fd, checked(path)?).await
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.wasi().rename_at(fd, checked(old_path)?, new_fd, checked(new_path)?).await
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.wasi().unlink_file_at(fd, checked(path)?).await
    }

    async fn is_same_object(&mut self, a: Resource<Descriptor>, b: Resource<Descriptor>) -> wasmtime::Result<bool> {
        self.wasi().is_same_object(a, b).await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        self.wasi().metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.wasi().metadata_hash_at(fd, flags, checked(path)?).await
    }
}

/// Entries of a directory, counted no further than needed. wasmtime reads a directory into memory whole, so it is asked
/// only when that is little.
fn entries(directory: &std::fs::File) -> std::io::Result<usize> {
    use std::os::fd::AsRawFd;
    let own = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    Ok(std::fs::read_dir(format!("{own}/{}", directory.as_raw_fd()))?.take(ENTRIES + 1).count())
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.wasi().read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.wasi(), stream)?;
        if let Ok(quota) = self.quota() {
            quota.close_listing();
        }
        Ok(())
    }
}
