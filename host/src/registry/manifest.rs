//! The manifest a build leaves beside its component: `<name>.manifest.json`.
//!
//! It carries what a `.wasm` file cannot say of itself before it runs: the namespace, the settings, what the package asks for
//! (grants and limits), and which source map belongs to it. `component_sha256` ties the two files together, so that a half-finished build or a copied
//! file is noticed before a step meets it.

use serde::{Deserialize, Serialize};

use super::HandlerDescriptor;
use crate::config::limits::{LIMITS, LimitSet};
use crate::document::{Node, Place, Report, Shape};
use crate::grants::{self, Asks};

/// The manifest version this host reads.
const VERSION: u32 = 1;

/// Contents of `<name>.manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest's own shape; 1.
    pub manifest_version: u32,
    /// Name of the package.
    pub name: String,
    /// Namespace whose steps the component serves.
    pub namespace: String,
    /// File name of the component, relative to the manifest.
    pub component: String,
    /// SHA-256 of the component file, 64 hex digits.
    pub component_sha256: String,
    /// File name of the source map (version 3) of the bundle, relative to the manifest.
    #[serde(default)]
    pub source_map: Option<String>,
    /// When the module's top level runs, and why.
    pub initialization: Initialization,
    /// Hash of everything the build read; equal inputs need no rebuild.
    pub input_hash: String,
    /// The guest SDK the package was built with.
    pub sdk: SdkInfo,
    /// The JavaScript engine in the component.
    pub engine: EngineInfo,
    /// What the component said of its handlers at build time.
    #[serde(default)]
    pub handlers: Vec<HandlerDescriptor>,
    /// What the `config` import shows the guest.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// What the package asks to reach.
    #[serde(default)]
    pub grants: Asks,
    /// The limits it asks for, for all of its handlers.
    #[serde(default)]
    pub limits: LimitSet,
}

/// When the module's top level runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialization {
    /// `snapshot` (at build time) or `lazy` (inside each call).
    pub mode: String,
    /// Why the build chose it.
    pub reason: String,
}

/// The SDK a component was built with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdkInfo {
    /// Package name, e.g. `@tasker-wasm/guest`.
    pub name: String,
    /// Package version.
    pub version: String,
}

/// The language engine inside a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// e.g. `starlingmonkey`.
    pub name: String,
    /// Version of the tool that embedded it.
    pub componentize_js: String,
}

impl Manifest {
    /// Parses a manifest and checks what can be checked without the component.
    ///
    /// # Errors
    ///
    /// A sentence that names the field (with line and column for JSON errors).
    pub fn parse(text: &str) -> Result<Self, String> {
        check_requests(&serde_json::from_str(text).map_err(|error| error.to_string())?)?;
        let manifest: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if manifest.manifest_version != VERSION {
            return Err(format!("manifest_version is {}, this host reads {VERSION}", manifest.manifest_version));
        }
        for (field, value) in [("name", &manifest.name), ("namespace", &manifest.namespace)] {
            if value.is_empty() {
                return Err(format!("{field} is empty"));
            }
        }
        if !manifest.namespace.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
            let namespace = &manifest.namespace;
            return Err(format!("namespace is {namespace:?}, expected letters, digits and `_`, as templates write it"));
        }
        // A manifest speaks only of files beside it: one that could name others would lend the host's eyes.
        for (field, value) in [("component", Some(&manifest.component)), ("source_map", manifest.source_map.as_ref())] {
            if let Some(value) = value
                && (value.is_empty() || value.contains(['/', '\\']) || value == "..")
            {
                return Err(format!("{field} is {value:?}, expected the name of a file beside the manifest"));
            }
        }
        Ok(manifest)
    }
}

/// Holds what the package asks for against the rules that settings and templates have too, so that every mistake is told at
/// once and by its place.
fn check_requests(manifest: &serde_json::Value) -> Result<(), String> {
    let at = Place::whole("manifest");
    let mut report = Report::default();
    let mut check = |value: Option<&serde_json::Value>, path: &str, shape: Shape| {
        let mut node = Node::from_json(value?, &at);
        shape.prune(&mut node, path, &mut report);
        shape.check(&node, path, &mut report);
        Some(node)
    };
    let grants = check(manifest.get("grants"), "grants", grants::ASKS);
    check(manifest.get("limits"), "limits", LIMITS);
    for (index, handler) in
        manifest.get("handlers").and_then(serde_json::Value::as_array).into_iter().flatten().enumerate()
    {
        let name = handler.get("name").and_then(serde_json::Value::as_str);
        let name = name.map_or_else(|| index.to_string(), |name| format!("{name:?}"));
        check(handler.get("limits"), &format!("handlers[{name}].limits"), LIMITS);
    }
    if let Some(grants) = grants {
        grants::check_asks(&grants, "grants", &mut report);
    }
    if report.errors.is_empty() {
        return Ok(());
    }
    Err(report.errors.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
}
