//! Finding packages on disk: every `.wasm` below the component path, with its manifest when there is one.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::{Manifest, RegistryError};
use crate::config::limits::LimitSet;
use crate::grants::Asks;

/// Namespace of a component that has no manifest beside it.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Directories that hold other people's components, or half-built ones, but never packages to serve.
const SKIPPED_DIRECTORIES: [&str; 2] = ["node_modules", "target"];

/// Bytes of a component. One of TypeScript has 12 MB, and compiling takes some seconds and some hundred megabytes of memory
/// for each ten of them.
pub const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// How deep below an entry of the component path packages are looked for. `handlers/<package>/dist` needs 2.
const MAX_DEPTH: usize = 16;

/// SHA-256 of a component file: the component's identity wherever the host stores or caches something for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A component on disk and what is known of it before it runs.
#[derive(Debug, Clone, Serialize)]
pub struct Package {
    /// Name from the manifest, else the file's stem.
    pub name: String,
    /// Namespace whose steps it serves; [`DEFAULT_NAMESPACE`] without a manifest.
    pub namespace: String,
    /// The component file.
    pub path: PathBuf,
    /// SHA-256 of the component file.
    pub digest: Digest,
    /// The manifest, when there is one.
    pub manifest: Option<Manifest>,
    /// Source map of the bundle, when the manifest names one.
    pub source_map: Option<PathBuf>,
    /// What the `config` import shows the guest; empty without a manifest.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// What it asks to reach; nothing without a manifest.
    pub asks: Asks,
    /// The limits it asks for, for all of its handlers, publishers and subscribers; none without a manifest.
    pub limits: LimitSet,
}

impl Package {
    /// Reads one component file and the manifest beside it.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when a file cannot be read, or when the manifest is invalid or belongs to another build.
    pub fn load(path: &Path) -> Result<Self, RegistryError> {
        let bytes = read(path)?;
        let digest = Digest::of(&bytes);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let directory = path.parent().unwrap_or(Path::new(""));
        let manifest_path = directory.join(format!("{stem}.manifest.json"));

        let manifest = match fs::read_to_string(&manifest_path) {
            Ok(text) => Some(checked(&text, &manifest_path, path, digest)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(RegistryError::Read { path: manifest_path, source });
            }
        };
        let Some(manifest) = manifest else {
            return Ok(Self {
                name: stem,
                namespace: DEFAULT_NAMESPACE.to_owned(),
                path: path.to_owned(),
                digest,
                manifest: None,
                source_map: None,
                settings: serde_json::Map::new(),
                asks: Asks::default(),
                limits: LimitSet::default(),
            });
        };
        Ok(Self {
            name: manifest.name.clone(),
            namespace: manifest.namespace.clone(),
            path: path.to_owned(),
            digest,
            source_map: manifest.source_map.as_ref().map(|file| directory.join(file)),
            settings: manifest.settings.clone(),
            asks: manifest.grants.clone(),
            limits: manifest.limits,
            manifest: Some(manifest),
        })
    }

    /// The limits it asks for one of its handlers: those of the handler over those of the package.
    pub fn limits_of(&self, callable: &str) -> LimitSet {
        let handlers = self.manifest.as_ref().map_or(&[][..], |manifest| &manifest.handlers);
        let own = handlers.iter().find(|handler| handler.name == callable).map(|handler| handler.limits);
        own.unwrap_or_default().or(&self.limits)
    }
}

fn checked(text: &str, manifest_path: &Path, component: &Path, digest: Digest) -> Result<Manifest, RegistryError> {
    let invalid = |detail| RegistryError::ManifestInvalid { path: manifest_path.to_owned(), detail };
    let manifest = Manifest::parse(text).map_err(invalid)?;
    if Some(manifest.component.as_str()) != component.file_name().and_then(|name| name.to_str()) {
        return Err(invalid(format!(
            "component is {:?}, but the manifest stands beside {}",
            manifest.component,
            component.display()
        )));
    }
    if !manifest.component_sha256.eq_ignore_ascii_case(&digest.to_string()) {
        return Err(RegistryError::DigestMismatch {
            manifest: manifest_path.to_owned(),
            component: component.to_owned(),
            expected: manifest.component_sha256,
            actual: digest,
        });
    }
    Ok(manifest)
}

/// Finds every package below the entries of the component path.
///
/// An entry is a directory (walked without following links to directories; `node_modules`, `target` and hidden
/// directories are left out) or one `.wasm` file. A file reached twice counts once. Packages come in the order of their
/// paths, so that two hosts over the same files agree.
///
/// # Errors
///
/// The first [`RegistryError`] met: a broken package stops the start, because a host that silently serves fewer handlers
/// than it was given is found out only when steps starve.
pub fn scan(component_path: &[PathBuf]) -> Result<Vec<Package>, RegistryError> {
    let mut files = BTreeSet::new();
    for entry in component_path {
        let kind = fs::metadata(entry).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => RegistryError::PathNotFound { path: entry.clone() },
            _ => RegistryError::Read { path: entry.clone(), source },
        })?;
        if kind.is_dir() {
            walk(entry, 0, &mut files)?;
        } else if is_wasm(entry) {
            files.insert(canonical(entry)?);
        } else {
            return Err(RegistryError::NotWasm { path: entry.clone() });
        }
    }
    files.iter().map(|file| Package::load(file)).collect()
}

fn walk(directory: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) -> Result<(), RegistryError> {
    if depth > MAX_DEPTH {
        return Err(RegistryError::TooDeep { path: directory.to_owned(), limit: MAX_DEPTH });
    }
    let unreadable = |source| RegistryError::Read { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !SKIPPED_DIRECTORIES.contains(&name.as_ref()) {
                walk(&path, depth + 1, files)?;
            }
        } else if is_wasm(&path) && path.is_file() {
            files.insert(canonical(&path)?);
        }
    }
    Ok(())
}

fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

fn canonical(path: &Path) -> Result<PathBuf, RegistryError> {
    fs::canonicalize(path).map_err(|source| RegistryError::Read { path: path.to_owned(), source })
}

/// Reads a component, no further than [`MAX_COMPONENT_BYTES`].
pub(crate) fn read_component(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        let detail =
            format!("it has more than {} MiB, which is the most a component may have", MAX_COMPONENT_BYTES >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, detail));
    }
    Ok(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    read_component(path).map_err(|source| RegistryError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::golden;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn manifest(sha256: &str) -> String {
        format!(
            r#"{{"manifest_version":1,"name":"linear","namespace":"linear_workflow","component":"linear.wasm",
                "component_sha256":"{sha256}","source_map":"linear.wasm.map",
                "initialization":{{"mode":"snapshot","reason":"the module top level is pure"}},"input_hash":"00",
                "sdk":{{"name":"@tasker-wasm/guest","version":"0.1.0"}},
                "engine":{{"name":"starlingmonkey","componentize_js":"0.23.0"}},
                "handlers":[{{"name":"Add","version":"1.0.0","capabilities":["process"],"methods":["call"]}}],
                "settings":{{"greeting":"hello"}}}}"#
        )
    }

    fn package(dir: &Path, manifest_text: &str) -> PathBuf {
        let dist = dir.join("linear/dist");
        fs::create_dir_all(&dist).unwrap();
        fs::write(dist.join("linear.wasm"), COMPONENT).unwrap();
        fs::write(dist.join("linear.manifest.json"), manifest_text).unwrap();
        dist
    }

    #[test]
    fn a_package_is_read_with_its_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let dist = package(dir.path(), &manifest(&Digest::of(COMPONENT).to_string()));

        let packages = scan(&[dir.path().to_owned()]).unwrap();

        let [found] = packages.as_slice() else { panic!("expected one package, found {packages:?}") };
        assert_eq!((found.name.as_str(), found.namespace.as_str()), ("linear", "linear_workflow"));
        assert_eq!(found.source_map.as_deref(), Some(dist.canonicalize().unwrap().join("linear.wasm.map").as_path()));
        assert_eq!(found.settings["greeting"], "hello");
        assert_eq!(found.manifest.as_ref().unwrap().handlers[0].name, "Add");
    }

    #[test]
    fn a_component_without_a_manifest_serves_the_default_namespace() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plain.wasm"), COMPONENT).unwrap();

        let packages = scan(&[dir.path().join("plain.wasm")]).unwrap();

        assert_eq!((packages[0].name.as_str(), packages[0].namespace.as_str()), ("plain", DEFAULT_NAMESPACE));
        assert!(packages[0].manifest.is_none());
    }

    #[test]
    fn a_manifest_of_another_build_is_refused_with_the_advice_to_rebuild() {
        let dir = tempfile::tempdir().unwrap();
        package(dir.path(), &manifest(&"0".repeat(64)));

        let error = scan(&[dir.path().to_owned()]).unwrap_err();

        assert!(matches!(error, RegistryError::DigestMismatch { .. }));
        assert!(error.to_string().ends_with("rebuild the package"), "{error}");
    }

    #[test]
    fn a_manifest_may_not_point_outside_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let text = manifest(&Digest::of(COMPONENT).to_string()).replace("linear.wasm.map", "../../../etc/passwd");
        package(dir.path(), &text);

        let error = scan(&[dir.path().to_owned()]).unwrap_err();

        assert!(error.to_string().contains("source_map is"), "{error}");
    }

    /// `SNAPSHOTS=overwrite cargo test manifest` writes the expectations anew.
    #[test]
    fn what_a_manifest_asks_for_is_checked_field_by_field() {
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manifest");
        let seen = golden::assert_each(files, "json", "txt", |_, asks| {
            let whole = manifest(&Digest::of(COMPONENT).to_string());
            let mut whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
            let asks: serde_json::Map<_, _> = serde_json::from_str(asks).unwrap();
            asks.into_iter().for_each(|(key, value)| whole[key] = value);
            match Manifest::parse(&whole.to_string()) {
                Err(error) => error.replace("; `", "\n`").replace("; unknown", "\nunknown") + "\n",
                Ok(manifest) => {
                    let handlers: Vec<_> = manifest.handlers.iter().map(|handler| handler.limits).collect();
                    format!("{:#?}\nlimits {:?}\nhandlers {handlers:?}\n", manifest.grants, manifest.limits)
                }
            }
        });
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_handlers_limits_go_before_those_of_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let text = manifest(&Digest::of(COMPONENT).to_string())
            .replace(r#""methods":["call"]"#, r#""methods":["call"],"limits":{"fuel":7}"#)
            .replace(r#""settings""#, r#""limits":{"fuel":9,"memory_mb":64},"grants":{"client":true},"settings""#);
        package(dir.path(), &text);

        let [found] = &scan(&[dir.path().to_owned()]).unwrap()[..] else { panic!("one package") };

        let limits = |callable| format!("{:?}", found.limits_of(callable));
        assert_eq!(limits("Add"), r#"{"fuel": 7, "memory_mb": 64}"#);
        assert_eq!(limits("Other"), r#"{"fuel": 9, "memory_mb": 64}"#);
        assert!(found.asks.client && !found.asks.events);
    }

    #[test]
    fn a_namespace_that_no_template_can_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        package(dir.path(), &manifest(&Digest::of(COMPONENT).to_string()).replace("linear_workflow", "a b"));

        let error = scan(&[dir.path().to_owned()]).unwrap_err().to_string();

        assert!(error.contains("namespace is \"a b\", expected letters"), "{error}");
    }

    #[test]
    fn a_manifest_error_names_the_place() {
        let dir = tempfile::tempdir().unwrap();
        package(dir.path(), "{\n  \"manifest_version\": \"one\"\n}");

        let error = scan(&[dir.path().to_owned()]).unwrap_err().to_string();

        assert!(error.contains("linear.manifest.json") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn dependencies_build_trees_and_hidden_directories_are_left_out_and_nothing_is_counted_twice() {
        let dir = tempfile::tempdir().unwrap();
        for skipped in ["node_modules/x", "target/debug", ".cache"] {
            fs::create_dir_all(dir.path().join(skipped)).unwrap();
            fs::write(dir.path().join(skipped).join("other.wasm"), COMPONENT).unwrap();
        }
        fs::write(dir.path().join("plain.wasm"), COMPONENT).unwrap();
        fs::write(dir.path().join("notes.txt"), "text").unwrap();

        let packages = scan(&[dir.path().to_owned(), dir.path().join("plain.wasm")]).unwrap();

        assert_eq!(packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["plain"]);
    }

    #[test]
    fn an_entry_that_does_not_exist_is_named() {
        let error = scan(&[PathBuf::from("/nowhere/handlers")]).unwrap_err().to_string();

        assert!(error.contains("/nowhere/handlers does not exist"), "{error}");
    }
}
