//! From text to a [`Template`], or to everything that is wrong with it.

use std::sync::Arc;

use super::{Template, shape, validate};
use crate::document::{self, Node, Place, Problem, Report, yaml};

/// A template, and what its author should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The template.
    pub template: Template,
    /// What was passed over, such as unknown keys.
    pub warnings: Vec<Problem>,
}

/// A file that is no valid template. Displayed as one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", document::lines(.problems))]
pub struct TemplateError {
    /// Everything that is wrong, in reading order; never empty.
    pub problems: Vec<Problem>,
}

impl From<Problem> for TemplateError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// Reads a template from YAML; `source` is what messages call the text, usually its path.
pub fn parse(source: &str, text: &str) -> Result<Parsed, TemplateError> {
    let source: Arc<str> = source.into();
    parse_tree(yaml::parse(&source, text)?)
}

/// Reads a template from a YAML tree.
pub(super) fn parse_tree(mut tree: Node) -> Result<Parsed, TemplateError> {
    let mut report = Report::default();
    shape::TEMPLATE.prune(&mut tree, "", &mut report);
    shape::TEMPLATE.check(&tree, "", &mut report);
    validate::check(&tree, &mut report);
    report.sort();
    if !report.errors.is_empty() {
        return Err(TemplateError { problems: report.errors });
    }
    // The shape has let nothing through that the model does not take; a difference between the two is told, not hidden.
    let template = serde_json::from_value(tree.to_json())
        .map_err(|error| Problem { at: Place::whole(tree.at.source()), message: error.to_string() })?;
    Ok(Parsed { template, warnings: report.warnings })
}
