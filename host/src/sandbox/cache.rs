//! Compiled components on disk.
//!
//! Compiling a TypeScript component takes about ten seconds, loading a compiled one five milliseconds, so every
//! process of every host on a machine shares one directory of compiled code:
//!
//! | file | contents |
//! |---|---|
//! | `<digest>-<fingerprint>.cwasm` | machine code of the component with this SHA-256, for this compiler, settings and CPU |
//! | `<digest>-<fingerprint>.sum` | checksum of the `.cwasm`; also the file that is locked |
//!
//! *One compiles, the others wait*: the lock is exclusive while an entry is written, and the kernel drops it when its
//! holder dies. *Nothing half-written is loaded*: the code is written aside, synced and renamed, and must match its sum
//! each time it is loaded, so that a truncated or rotten entry is compiled again. *Nothing foreign is loaded*: machine
//! code is trusted code, and whoever can write it can write its sum too; the defence is the directory, which must belong
//! to this user and be closed to everybody else. So the sum is against accidents alone, and of the fastest kind: SHA-256
//! took 20 of the 26 ms in which 40 MB were loaded, XXH3 on two cores takes 4 of 5.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Instant, SystemTime};

use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::xxh3_128;

use crate::registry::Digest;

/// Compiled components together may take this many bytes; beyond it, those not used for the longest time go. A TypeScript
/// component takes about 40 MB compiled, and each rebuild of one makes a new entry.
const MAX_BYTES: u64 = 2 << 30;

/// What of compiled code is summed up at once: small enough for a processor's own cache.
const BLOCK: usize = 512 << 10;

/// Why compiled code could not be kept or fetched.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory could let others plant code that the host would run.
    #[error(
        "the compile cache {} {reason}; it holds machine code this host runs, so make it yours alone (chown, chmod 700) or \
         name another directory",
        path.display()
    )]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("the compile cache failed at {}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Code that had just been compiled, or had just matched its sum, could not be loaded.
    #[error("compiled code cannot be loaded from {}: {detail}", path.display())]
    Load {
        /// The entry.
        path: PathBuf,
        /// What wasmtime said.
        detail: String,
    },
    /// The component does not compile.
    #[error("{0}")]
    Compile(String),
}

/// The directory of compiled components.
#[derive(Debug)]
pub(super) struct CompileCache {
    directory: PathBuf,
}

impl CompileCache {
    /// Opens the directory, making it if need be.
    pub(super) fn open(directory: &Path) -> Result<Self, CacheError> {
        let io = |source| CacheError::Io { path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
        let metadata = fs::metadata(directory).map_err(io)?;
        let refuse = |reason| Err(CacheError::Unsafe { path: directory.to_owned(), reason });
        let user = nix::unistd::geteuid().as_raw();
        if metadata.uid() != user {
            return refuse(format!("belongs to user {}, not to user {user}", metadata.uid()));
        }
        if metadata.mode() & 0o077 != 0 {
            return refuse(format!("is open to others (mode {:o})", metadata.mode() & 0o777));
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// The compiled component: mapped if it is there and sound, else compiled from what `source` reads. Blocks.
    pub(super) fn load_or_compile<E: From<CacheError>>(
        &self,
        engine: &Engine,
        fingerprint: &str,
        digest: Digest,
        name: &str,
        source: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Component, E> {
        let entry = Entry::open(&self.directory, fingerprint, digest)?;
        entry.lock_shared()?;
        if let Some(component) = entry.load(engine)? {
            return Ok(component);
        }
        entry.unlock()?;

        entry.lock_exclusive(name)?;
        // Another process may have compiled it while this one waited.
        if let Some(component) = entry.load(engine)? {
            return Ok(component);
        }
        let code = compile(engine, name, &source()?)?;
        entry.store(&code)?;
        self.evict(&entry);
        if !entry.is_sound()? {
            let detail = "it changed while it was written".to_owned();
            return Err(CacheError::Load { path: entry.code.clone(), detail }.into());
        }
        // Some of what a component claims, such as a memory greater than a slot, is refused only here. Code that nobody
        // can use would only take the place of others'.
        entry.map(engine).map_err(|error| {
            let _ = fs::remove_file(&entry.code);
            CacheError::Compile(format!("{error:#}")).into()
        })
    }

    /// Name of the file that holds the machine code of a component.
    pub(super) fn file_name(digest: Digest, fingerprint: &str) -> String {
        format!("{digest}-{fingerprint}.cwasm")
    }

    /// Removes the entries used longest ago until the directory fits its bound. Entries that somebody loads or writes are
    /// left alone; removing one that is mapped is harmless. Failures only mean that more stays than should.
    fn evict(&self, keep: &Entry) {
        let Ok(files) = fs::read_dir(&self.directory) else {
            return;
        };
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = files
            .filter_map(|file| {
                let path = file.ok()?.path();
                let metadata = fs::metadata(&path).ok()?;
                (path.extension()? == "cwasm").then_some((metadata.modified().ok()?, metadata.len(), path))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, code) in entries {
            if total <= MAX_BYTES {
                break;
            }
            if code == keep.code {
                continue;
            }
            let sum = code.with_extension("sum");
            if let Ok(lock) = File::open(&sum)
                && lock.try_lock().is_ok()
                && fs::remove_file(&code).is_ok()
            {
                tracing::debug!(path = %code.display(), bytes, "removed a compiled component that was not used lately");
                total -= bytes;
            }
        }
    }
}

/// One compiled component. The lock is held until this is dropped.
struct Entry {
    code: PathBuf,
    sum: PathBuf,
    lock: File,
}

impl Entry {
    fn open(directory: &Path, fingerprint: &str, digest: Digest) -> Result<Self, CacheError> {
        let code = directory.join(CompileCache::file_name(digest, fingerprint));
        let sum = code.with_extension("sum");
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&sum)
            .map_err(|source| CacheError::Io { path: sum.clone(), source })?;
        Ok(Self { code, sum, lock })
    }

    fn lock_shared(&self) -> Result<(), CacheError> {
        self.lock.lock_shared().map_err(|source| self.io(&self.sum, source))
    }

    fn lock_exclusive(&self, name: &str) -> Result<(), CacheError> {
        match self.lock.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => {
                tracing::info!("waiting for another process that compiles {name}");
                self.lock.lock().map_err(|source| self.io(&self.sum, source))
            }
            Err(TryLockError::Error(source)) => Err(self.io(&self.sum, source)),
        }
    }

    fn unlock(&self) -> Result<(), CacheError> {
        self.lock.unlock().map_err(|source| self.io(&self.sum, source))
    }

    /// The component, if the entry is there and matches its sum.
    fn load(&self, engine: &Engine) -> Result<Option<Component>, CacheError> {
        if !self.is_sound()? {
            return Ok(None);
        }
        match self.map(engine) {
            Ok(component) => Ok(Some(component)),
            Err(error) => {
                tracing::warn!(path = %self.code.display(), "compiled component cannot be used ({error:#}); compiling it again");
                Ok(None)
            }
        }
    }

    /// Whether the entry is there and matches its sum.
    fn is_sound(&self) -> Result<bool, CacheError> {
        let expected = fs::read_to_string(&self.sum).map_err(|source| self.io(&self.sum, source))?;
        let file = match File::open(&self.code) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(self.io(&self.code, source)),
        };
        let actual = sum_of(&file).map_err(|source| self.io(&self.code, source))?;
        if actual != expected {
            tracing::warn!(path = %self.code.display(), "compiled component does not match its sum; compiling it again");
            return Ok(false);
        }
        // Marks the entry as used, for eviction; losing the mark costs a compilation at worst.
        let _ = file.set_modified(SystemTime::now());
        Ok(true)
    }

    /// Maps the code of an entry that is sound.
    fn map(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize_file` runs what the file says, so the file must be what `precompile_component` made and
        // must not change while it is mapped. It is: the directory belongs to this user and is closed to others (checked
        // when the cache was opened); only `store` writes into it, under the exclusive lock, by renaming a finished file
        // into place, so a mapped file is replaced but never modified; and its bytes have just matched the sum that
        // `store` wrote for them. wasmtime itself refuses code of another version, compiler setting or CPU.
        unsafe { Component::deserialize_file(engine, &self.code) }
    }

    /// Writes code and sum. Interrupted anywhere, the two do not match, and the entry is compiled again.
    fn store(&self, code: &[u8]) -> Result<(), CacheError> {
        let directory = self.code.parent().unwrap_or(Path::new("."));
        let io = |source| self.io(&self.code, source);
        let mut aside = tempfile::Builder::new().prefix(".compiling-").tempfile_in(directory).map_err(io)?;
        aside.write_all(code).map_err(io)?;
        aside.as_file().sync_all().map_err(io)?;
        aside.persist(&self.code).map_err(|error| self.io(&self.code, error.error))?;
        fs::write(&self.sum, sum_of_code(code)).map_err(|source| self.io(&self.sum, source))
    }

    fn io(&self, path: &Path, source: io::Error) -> CacheError {
        CacheError::Io { path: path.to_owned(), source }
    }
}

fn compile(engine: &Engine, name: &str, component: &[u8]) -> Result<Vec<u8>, CacheError> {
    let megabytes = component.len() as f64 / 1e6;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    // 12 MB of StarlingMonkey take about 20 CPU seconds with fuel, and spread over cores well.
    let seconds = megabytes * 1.6 / cores as f64;
    tracing::info!("compiling {name} ({megabytes:.1} MB), about {} s; this happens once per build", seconds.ceil());
    let start = Instant::now();
    let code = engine.precompile_component(component).map_err(|error| CacheError::Compile(format!("{error:#}")))?;
    tracing::info!("compiled {name} in {:.1} s", start.elapsed().as_secs_f64());
    Ok(code)
}

/// The sum of what blocks of a file have for sums. They are read side by side.
fn sum_of(file: &File) -> io::Result<String> {
    let length = file.metadata()?.len();
    let blocks = length.div_ceil(BLOCK as u64);
    let readers = thread::available_parallelism().map_or(1, |cores| cores.get() as u64).min(blocks.max(1));
    let read = |first: u64| {
        let mut buffer = vec![0; BLOCK];
        let sum = |block: u64| {
            let start = block * BLOCK as u64;
            let part = &mut buffer[..BLOCK.min((length - start) as usize)];
            file.read_exact_at(part, start)?;
            Ok((block, xxh3_128(part)))
        };
        (first..blocks).step_by(readers as usize).map(sum).collect::<io::Result<Vec<_>>>()
    };
    let sums = thread::scope(|scope| {
        let readers: Vec<_> = (0..readers).map(|first| scope.spawn(move || read(first))).collect();
        readers.into_iter().map(|reader| reader.join().expect("reading does not panic")).collect::<io::Result<Vec<_>>>()
    })?;
    let mut sums = sums.concat();
    sums.sort_unstable();
    Ok(together(sums.into_iter().map(|(_, sum)| sum)))
}

/// As [`sum_of`] a file that holds this code.
fn sum_of_code(code: &[u8]) -> String {
    together(code.chunks(BLOCK).map(xxh3_128))
}

fn together(sums: impl Iterator<Item = u128>) -> String {
    let bytes: Vec<u8> = sums.flat_map(u128::to_le_bytes).collect();
    format!("{:032x}", xxh3_128(&bytes))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const FINGERPRINT: &str = "0123456789abcdef";

    struct Fixture {
        directory: tempfile::TempDir,
        engine: Engine,
        component: Vec<u8>,
        compilations: Cell<u32>,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
            Self {
                directory,
                engine: Engine::default(),
                component: wat::parse_str("(component)").unwrap(),
                compilations: Cell::new(0),
            }
        }

        fn load(&self, fingerprint: &str) -> Result<Component, CacheError> {
            let cache = CompileCache::open(self.directory.path())?;
            let digest = Digest::of(&self.component);
            cache.load_or_compile(&self.engine, fingerprint, digest, "test", || {
                self.compilations.set(self.compilations.get() + 1);
                Ok(self.component.clone())
            })
        }

        fn code(&self) -> PathBuf {
            let mut found = fs::read_dir(self.directory.path()).unwrap().map(|file| file.unwrap().path());
            found.find(|path| path.extension().is_some_and(|extension| extension == "cwasm")).unwrap()
        }
    }

    #[test]
    fn a_component_is_compiled_once() {
        let fixture = Fixture::new();

        fixture.load(FINGERPRINT).unwrap();
        fixture.load(FINGERPRINT).unwrap();

        assert_eq!(fixture.compilations.get(), 1);
    }

    #[test]
    fn code_for_another_engine_is_not_loaded() {
        let fixture = Fixture::new();

        fixture.load(FINGERPRINT).unwrap();
        fixture.load("fedcba9876543210").unwrap();

        assert_eq!(fixture.compilations.get(), 2);
    }

    #[test]
    fn a_truncated_entry_is_compiled_again() {
        let fixture = Fixture::new();
        fixture.load(FINGERPRINT).unwrap();
        let file = OpenOptions::new().write(true).open(fixture.code()).unwrap();
        file.set_len(100).unwrap();

        fixture.load(FINGERPRINT).unwrap();
        fixture.load(FINGERPRINT).unwrap();

        assert_eq!(fixture.compilations.get(), 2);
    }

    #[test]
    fn an_entry_with_one_flipped_bit_is_compiled_again() {
        let fixture = Fixture::new();
        fixture.load(FINGERPRINT).unwrap();
        let mut bytes = fs::read(fixture.code()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(fixture.code(), bytes).unwrap();

        fixture.load(FINGERPRINT).unwrap();

        assert_eq!(fixture.compilations.get(), 2);
    }

    #[test]
    fn processes_that_start_together_compile_once() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("cache");
        let compilations = std::sync::atomic::AtomicU32::new(0);
        let component = wat::parse_str("(component)").unwrap();
        // Each thread opens the files anew, and locks belong to open files: to the locks, threads are processes.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let cache = CompileCache::open(&directory).unwrap();
                    let engine = Engine::default();
                    let digest = Digest::of(&component);
                    cache
                        .load_or_compile::<CacheError>(&engine, FINGERPRINT, digest, "test", || {
                            compilations.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            Ok(component.clone())
                        })
                        .unwrap();
                });
            }
        });

        assert_eq!(compilations.into_inner(), 1);
    }

    #[test]
    fn a_directory_open_to_others_is_refused() {
        let fixture = Fixture::new();
        fs::set_permissions(fixture.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();

        let error = fixture.load(FINGERPRINT).map(|_| ()).unwrap_err().to_string();

        assert!(error.contains("is open to others (mode 755)") && error.contains("chmod 700"), "{error}");
    }
}
