//! Which components there are and which handler each callable names.
//!
//! The registry knows files: it walks the component path, pairs every `.wasm` with the manifest the build left beside it,
//! and refuses pairs that do not belong together. What a component really carries only its own `describe` can say, so
//! the [`HandlerTable`] and the [`EventTable`] are filled by whoever called it; the registry never runs guest code and doesn't know wasmtime.
//!
//! Everything a person can get wrong here (a stale manifest, two packages with the same callable, a typing error in a
//! template) is found when the host starts, not when a step runs.

mod events;
mod handlers;
mod manifest;
mod package;

pub use events::{EventTable, Publisher, PublisherDescriptor, Subscriber, Subscription};
pub use handlers::{Handler, HandlerDescriptor, HandlerTable};
pub use manifest::{EngineInfo, Initialization, Manifest, SdkInfo};
pub(crate) use package::read_component;
pub use package::{DEFAULT_NAMESPACE, Digest, Package, scan};

use std::path::PathBuf;

/// What is wrong with the component path, a package on it, or a lookup.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// An entry of the component path is not there.
    #[error(
        "component path entry {} does not exist; name a directory that holds packages or a .wasm file, or build first",
        path.display()
    )]
    PathNotFound {
        /// The entry as it was given.
        path: PathBuf,
    },
    /// A single file on the component path is not a component by name.
    #[error("{} is not a .wasm file; the component path takes directories and .wasm files", path.display())]
    NotWasm {
        /// The entry as it was given.
        path: PathBuf,
    },
    /// A file or directory could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The component path leads through too many directories.
    #[error(
        "{} is nested more than {limit} directories below the component path; point the path closer to the packages",
        path.display()
    )]
    TooDeep {
        /// The directory at which the walk stopped.
        path: PathBuf,
        /// The greatest depth that is walked.
        limit: usize,
    },
    /// The manifest is not valid JSON of the expected shape.
    #[error("{} is not a component manifest: {detail}; rebuild the package", path.display())]
    ManifestInvalid {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, with line and column where there is one.
        detail: String,
    },
    /// The manifest was written for another component file.
    #[error(
        "{} describes another build than {}: component_sha256 is {expected}, the file's is {actual}; rebuild the package",
        manifest.display(),
        component.display()
    )]
    DigestMismatch {
        /// The manifest.
        manifest: PathBuf,
        /// The component.
        component: PathBuf,
        /// SHA-256 the manifest states, hex.
        expected: String,
        /// SHA-256 of the file, hex.
        actual: Digest,
    },
    /// Two components claim one callable of a namespace.
    #[error(
        "two components carry the handler {callable:?} of namespace {namespace:?}: {} and {}; rename one of the handlers, \
         or take one component off the component path",
        first.display(),
        second.display()
    )]
    DuplicateHandler {
        /// The namespace.
        namespace: String,
        /// The callable both claim.
        callable: String,
        /// Component that had it first.
        first: PathBuf,
        /// Component that came second.
        second: PathBuf,
    },
    /// Two components claim one publisher of a namespace.
    #[error(
        "two components carry the publisher {publisher:?} of namespace {namespace:?}: {} and {}; rename one of the \
         publishers, or take one component off the component path",
        first.display(),
        second.display()
    )]
    DuplicatePublisher {
        /// The namespace.
        namespace: String,
        /// The name both claim.
        publisher: String,
        /// Component that had it first.
        first: PathBuf,
        /// Component that came second.
        second: PathBuf,
    },
    /// Nothing serves this callable.
    #[error("no component serves the handler {callable:?} of namespace {namespace:?}{}", hint(nearest))]
    HandlerNotFound {
        /// The namespace that was asked for.
        namespace: String,
        /// The callable that was asked for.
        callable: String,
        /// The most similar handlers of the namespace, nearest first.
        nearest: Vec<String>,
    },
}

fn hint(nearest: &[String]) -> String {
    if nearest.is_empty() {
        "; this host has no component for that namespace: check the component path and build the packages".to_owned()
    } else {
        format!("; the nearest it has are {}", nearest.join(", "))
    }
}
