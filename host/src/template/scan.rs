//! Finding templates on disk.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Template, TemplateError, digest,
    parse::{Parsed, parse_tree},
};
use crate::document::{Node, Place, Problem, Value, yaml};

/// A template and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedTemplate {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub template: Template,
    /// [`digest`] of the template.
    pub digest: String,
    /// What was passed over in it.
    pub warnings: Vec<Problem>,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// The valid templates, by path.
    pub templates: Vec<LoadedTemplate>,
    /// One error for each file or folder that could not be used.
    pub errors: Vec<TemplateError>,
}

/// Folders that hold what was built or installed, not what was written.
const SKIPPED_FOLDERS: [&str; 3] = ["node_modules", "dist", "target"];

/// Reads one template file.
pub fn load(path: &Path) -> Result<LoadedTemplate, TemplateError> {
    let text = read(path)?;
    loaded(path, super::parse(&path.display().to_string(), &text)?)
}

/// Reads every template below `root` (or `root` itself, when it is a file), following links to files but not to folders.
///
/// A YAML file that says neither `steps` nor `namespace_name` is something else and is passed over. Two files may hold
/// the same template; two that give one name and version to different templates are an error.
pub fn scan(root: &Path) -> Scan {
    let mut scan = Scan::default();
    let mut files = Vec::new();
    collect(root, &mut files, &mut scan.errors);
    files.sort();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for path in files {
        match load_if_template(&path) {
            Ok(None) => tracing::debug!(path = %path.display(), "passed over: not a task template"),
            Err(error) => scan.errors.push(error),
            Ok(Some(loaded)) => match known.get(&loaded.template.to_string()).map(|index| &scan.templates[*index]) {
                None => {
                    known.insert(loaded.template.to_string(), scan.templates.len());
                    scan.templates.push(loaded);
                }
                Some(first) if first.digest == loaded.digest => {}
                Some(first) => scan.errors.push(conflict(first, &loaded)),
            },
        }
    }
    scan
}

fn conflict(first: &LoadedTemplate, second: &LoadedTemplate) -> TemplateError {
    let message = format!(
        "template {} is already defined, differently, in {}; give one of them another version",
        second.template,
        first.path.display()
    );
    Problem { at: Place::whole(second.path.display().to_string()), message }.into()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>, errors: &mut Vec<TemplateError>) {
    let unreadable = |error: io::Error| TemplateError::from(cannot_read(path, &error));
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return files.push(path.to_owned()),
        Err(error) => return errors.push(unreadable(error)),
    }
    let entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return errors.push(unreadable(error)),
    };
    for entry in entries {
        let (child, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_yaml = matches!(child.extension().and_then(|extension| extension.to_str()), Some("yml" | "yaml"));
        match entry.file_type() {
            _ if name.starts_with('.') => {}
            Ok(kind) if kind.is_dir() => {
                if !SKIPPED_FOLDERS.contains(&name.as_ref()) {
                    collect(&child, files, errors);
                }
            }
            Ok(_) if is_yaml && child.is_file() => files.push(child),
            Ok(_) => {}
            Err(error) => errors.push(unreadable(error)),
        }
    }
}

fn load_if_template(path: &Path) -> Result<Option<LoadedTemplate>, TemplateError> {
    let text = read(path)?;
    let source: Arc<str> = path.display().to_string().into();
    match yaml::parse(&source, &text) {
        Ok(tree) if is_template(&tree) => loaded(path, parse_tree(tree)?).map(Some),
        Ok(_) => Ok(None),
        // Several documents in a file, or a broken one: only a file that speaks of templates is worth an error.
        Err(_) if !text.contains("namespace_name") && !text.contains("steps:") => Ok(None),
        Err(problem) => Err(problem.into()),
    }
}

fn is_template(tree: &Node) -> bool {
    matches!(tree.value, Value::Table(_)) && (tree.get("steps").is_some() || tree.get("namespace_name").is_some())
}

fn loaded(path: &Path, Parsed { template, warnings }: Parsed) -> Result<LoadedTemplate, TemplateError> {
    Ok(LoadedTemplate { path: path.to_owned(), digest: digest(&template), template, warnings })
}

fn read(path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| cannot_read(path, &error))
}

fn cannot_read(path: &Path, error: &io::Error) -> Problem {
    Problem { at: Place::whole(path.display().to_string()), message: format!("cannot be read: {error}") }
}
