//! From a package to something that can be called: compiled, linked, and known to fit the contract.
//!
//! Everything that can be wrong with a component is found here, when the host starts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre, Linker};

use super::AttemptError;
use super::attempt::{Attempt, Settings};
use super::bindings::exports::tasker::handler::{handlers, publishers, subscribers};
use super::cache::{CacheError, CompileCache};
use super::failure::HostFailure;
use super::files::Mounts;
use super::http::{Gateway, Outbound};
use super::residency::Residency;
use super::source_maps::SourceMaps;
use crate::grants::Granted;
use crate::registry::{Digest, Package, read_component};

/// What every handler component exports.
const EXPORT: &str = "tasker:handler/handlers@0.1.0";
/// What one may export beside it.
const PUBLISHERS: &str = "tasker:handler/publishers@0.1.0";
const SUBSCRIBERS: &str = "tasker:handler/subscribers@0.1.0";

/// Imports that a package has to ask for, and the word in `[grants]` it asks with.
const GRANTED_IMPORTS: [(&str, &str); 2] =
    [("tasker:handler/client@0.1.0", "client"), ("tasker:handler/events@0.1.0", "events")];

/// A component that is ready to be called, any number of times, by any number of threads.
pub struct Prepared {
    pub(super) name: String,
    /// Whose turns its calls compute in.
    pub(super) namespace: Arc<str>,
    pub(super) digest: Digest,
    pub(super) pre: InstancePre<Attempt>,
    pub(super) handlers: handlers::GuestIndices,
    pub(super) publishers: Option<publishers::GuestIndices>,
    pub(super) subscribers: Option<subscribers::GuestIndices>,
    pub(super) settings: Settings,
    pub(super) granted: Arc<Granted>,
    pub(super) http: Arc<Gateway>,
    pub(super) mounts: Mounts,
    pub(super) imports: Vec<String>,
    pub(super) source_maps: SourceMaps,
    pub(super) residency: Residency,
}

/// Everything a component exports, of one instance.
pub(super) struct Guests {
    pub(super) handlers: handlers::Guest,
    pub(super) publishers: Option<publishers::Guest>,
    pub(super) subscribers: Option<subscribers::Guest>,
}

impl Prepared {
    /// Looks up everything, which also checks the types of everything.
    pub(super) fn load(&self, store: &mut Store<Attempt>, instance: &Instance) -> wasmtime::Result<Guests> {
        let in_export = |export| move |error: wasmtime::Error| error.context(format!("the export `{export}`"));
        let publishers = self.publishers.as_ref().map(|guest| guest.load(&mut *store, instance)).transpose();
        let subscribers = self.subscribers.as_ref().map(|guest| guest.load(&mut *store, instance)).transpose();
        Ok(Guests {
            publishers: publishers.map_err(in_export(PUBLISHERS))?,
            subscribers: subscribers.map_err(in_export(SUBSCRIBERS))?,
            handlers: self.handlers.load(&mut *store, instance).map_err(in_export(EXPORT))?,
        })
    }

    /// Name of the package.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its calls may reach.
    pub fn granted(&self) -> &Granted {
        &self.granted
    }

    /// Every interface the component imports, with its version, such as `tasker:handler/client@0.1.0`.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// A component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file could not be read.
    #[error("cannot read the component {}: {source}", path.display())]
    Read {
        /// The component.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it was when the registry looked.
    #[error("{} was rebuilt while the host started; start the host again", path.display())]
    Changed {
        /// The component.
        path: PathBuf,
    },
    /// A core module, the older kind of WebAssembly file.
    #[error(
        "{} is a core WebAssembly module, not a component; build it with `tasker-componentize`, `jco componentize`, or for \
         the target wasm32-wasip2",
        path.display()
    )]
    CoreModule {
        /// The file.
        path: PathBuf,
    },
    /// Not WebAssembly at all.
    #[error("{} is not a WebAssembly component: it starts with {start:?}, a component starts with \"\\0asm\"", path.display())]
    NotWasm {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        start: String,
    },
    /// The component does not validate or compile.
    #[error("{} does not compile: {detail}", path.display())]
    Compile {
        /// The component.
        path: PathBuf,
        /// What the compiler said.
        detail: String,
    },
    /// The component does not export the handler interface.
    #[error(
        "{} does not export `{EXPORT}`, it exports {exports}; build it for the world `handler` of this host's wit/",
        path.display()
    )]
    MissingExport {
        /// The component.
        path: PathBuf,
        /// What it exports instead.
        exports: String,
    },
    /// The export has the right name and the wrong type.
    #[error("{} exports `{export}` of another shape: {detail}; build it with this host's wit/", path.display())]
    ExportMismatch {
        /// The component.
        path: PathBuf,
        /// The interface.
        export: &'static str,
        /// What differs.
        detail: String,
    },
    /// The component asks for something that is not there, or that nobody granted.
    #[error(
        "{} imports what this host does not provide: {detail}; a handler may import tasker:handler@0.1.0 (log, execution, \
         config, client, events) and WASI 0.2 without sockets",
        path.display()
    )]
    Import {
        /// The component.
        path: PathBuf,
        /// Which import.
        detail: String,
    },
    /// A directory that is granted to the component cannot be opened.
    #[error(
        "{name}: {detail}; make the directory, or change its entry in the `grants.mounts` of the namespace in the settings"
    )]
    Mount {
        /// Name of the package.
        name: String,
        /// Which mount, and why.
        detail: String,
    },
    /// The component imports what its package does not ask for.
    #[error(
        "{} imports `{import}`, and its package does not ask for it; add to its tasker.toml, and build it again:\n\n\
         [grants]\n{key} = true",
        path.display()
    )]
    NotAsked {
        /// The component.
        path: PathBuf,
        /// The interface.
        import: &'static str,
        /// Its word in `[grants]`.
        key: &'static str,
    },
    /// The component imports what its namespace is not allowed.
    #[error("{} imports `{import}`, and its namespace is not allowed `{key}`", path.display())]
    NotGranted {
        /// The component.
        path: PathBuf,
        /// The interface.
        import: &'static str,
        /// Its word in the settings.
        key: &'static str,
    },
    /// The component wants to open connections by itself.
    #[error(
        "{} imports `{import}`, and no component gets sockets: nobody can grant them; make HTTP requests with `fetch` instead, \
         and ask for them with `http` in `[grants]` of tasker.toml",
        path.display()
    )]
    Sockets {
        /// The component.
        path: PathBuf,
        /// The interface.
        import: String,
    },
    /// Compiled code could not be kept or fetched.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The component could not say what it carries.
    #[error("{name} cannot describe its handlers: {}; build it with this host's wit/ and SDK", source.cause())]
    Describe {
        /// Name of the package.
        name: String,
        /// Why.
        source: AttemptError,
    },
    /// The component says something of itself that makes no sense.
    #[error("{name} describes itself wrongly: {detail}; rebuild it with this host's SDK")]
    Description {
        /// Name of the package.
        name: String,
        /// What is wrong.
        detail: String,
    },
    /// The host could not run it just now.
    #[error(transparent)]
    Host(#[from] HostFailure),
}

/// Loads the compiled component, or compiles it, and links it. Blocks, for about ten seconds when it compiles.
pub(super) fn prepare(
    engine: &Engine,
    linker: &Linker<Attempt>,
    cache: &CompileCache,
    outbound: &Outbound,
    fingerprint: &str,
    package: &Package,
    granted: Granted,
) -> Result<Prepared, ComponentError> {
    let path = &package.path;
    let granted = Arc::new(granted);
    let mounts = Mounts::open(&granted.mounts)
        .map_err(|error| ComponentError::Mount { name: package.name.clone(), detail: error.to_string() })?;
    let component = cache
        .load_or_compile(engine, fingerprint, package.digest, &package.name, || read(path, package.digest))
        .map_err(|error| match error {
            ComponentError::Cache(CacheError::Compile(detail)) => {
                ComponentError::Compile { path: path.clone(), detail }
            }
            other => other,
        })?;
    let exports = exports(engine, &component);
    check_exports(&exports, path)?;
    check_imports(component.component_type().imports(engine).map(|(name, _)| name), package, &granted)?;
    let linked = linker.instantiate_pre(&component);
    let pre = linked.map_err(|error| ComponentError::Import { path: path.clone(), detail: format!("{error:#}") })?;
    let mismatch = |export| {
        move |error| ComponentError::ExportMismatch { path: path.clone(), export, detail: format!("{error:#}") }
    };
    let has = |export: &str| exports.iter().any(|name| name == export);
    let publishers = has(PUBLISHERS).then(|| publishers::GuestIndices::new(&pre)).transpose();
    let subscribers = has(SUBSCRIBERS).then(|| subscribers::GuestIndices::new(&pre)).transpose();
    Ok(Prepared {
        name: package.name.clone(),
        namespace: package.namespace.as_str().into(),
        digest: package.digest,
        handlers: handlers::GuestIndices::new(&pre).map_err(mismatch(EXPORT))?,
        publishers: publishers.map_err(mismatch(PUBLISHERS))?,
        subscribers: subscribers.map_err(mismatch(SUBSCRIBERS))?,
        pre,
        settings: package.settings.iter().map(|(key, value)| (key.clone(), value.to_string())).collect(),
        mounts,
        http: Arc::new(outbound.gateway(&package.namespace, Arc::clone(&granted))),
        granted,
        imports: imports(engine, &component),
        source_maps: SourceMaps::new(package.source_map.clone()),
        residency: Residency::new(CompileCache::file_name(package.digest, fingerprint)),
    })
}

/// Reads a component to compile, and tells it from what people mistake for one.
fn read(path: &Path, digest: Digest) -> Result<Vec<u8>, ComponentError> {
    let bytes = read_component(path).map_err(|source| ComponentError::Read { path: path.to_owned(), source })?;
    if Digest::of(&bytes) != digest {
        return Err(ComponentError::Changed { path: path.to_owned() });
    }
    // Bytes 4 and 5 are the version, 6 and 7 the layer: 0 is a core module, 1 a component.
    match bytes.get(..8) {
        Some([b'\0', b'a', b's', b'm', _, _, 1, 0]) => Ok(bytes),
        Some([b'\0', b'a', b's', b'm', ..]) => Err(ComponentError::CoreModule { path: path.to_owned() }),
        _ => {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(8)]).into_owned();
            Err(ComponentError::NotWasm { path: path.to_owned(), start })
        }
    }
}

/// Every interface a component imports, with its version.
pub(super) fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
}

fn exports(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// Refuses imports that nobody grants, or that were not granted, by what there is to do. What the linker does not know is
/// left to it.
fn check_imports<'a>(
    imports: impl Iterator<Item = &'a str>,
    package: &Package,
    granted: &Granted,
) -> Result<(), ComponentError> {
    let path = || package.path.clone();
    for name in imports {
        if name.starts_with("wasi:sockets/") {
            return Err(ComponentError::Sockets { path: path(), import: name.to_owned() });
        }
        let Some((import, key)) = GRANTED_IMPORTS.into_iter().find(|(import, _)| *import == name) else { continue };
        let (asked, granted) = match key {
            "client" => (package.asks.client, granted.client),
            _ => (package.asks.events, granted.events),
        };
        if !asked {
            return Err(ComponentError::NotAsked { path: path(), import, key });
        }
        if !granted {
            return Err(ComponentError::NotGranted { path: path(), import, key });
        }
    }
    Ok(())
}

/// Optional interfaces of another version are refused too: passed over, their publishers would be missed only when an
/// event is.
fn check_exports(exports: &[String], path: &Path) -> Result<(), ComponentError> {
    let wrong_version = |expected: &'static str| {
        let (name, _) = expected.split_once('@')?;
        let found = exports.iter().find(|export| export.split('@').next() == Some(name) && *export != expected)?;
        let detail = format!("it has the version `{found}`");
        Some(ComponentError::ExportMismatch { path: path.to_owned(), export: expected, detail })
    };
    if !exports.iter().any(|name| name == EXPORT) {
        let exports: Vec<_> = exports.iter().map(|name| format!("`{name}`")).collect();
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        return Err(ComponentError::MissingExport { path: path.to_owned(), exports });
    }
    [PUBLISHERS, SUBSCRIBERS].into_iter().find_map(wrong_version).map_or(Ok(()), Err)
}
