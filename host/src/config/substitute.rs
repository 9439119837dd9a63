//! `${NAME}` and `${NAME:-default}` in the texts of a file.
//!
//! Only variables of [`ALLOWED`] may be named, so that a settings file cannot carry any secret of the process into a
//! path or a name that is logged. Where a value of the environment is what is wanted ([`FREE`]: values of secrets and of
//! environment variables, and files that the operator grants or trusts), any variable may be. A text that holds a
//! variable's value is marked hidden.

use super::variables::{Variables, get};
use crate::document::{Node, Report, Value, did_you_mean};

/// The variables of Tasker's list that the host's settings have a use for.
const ALLOWED: [&str; 9] = [
    "DATABASE_URL",
    "TASKER_COMPONENT_PATH",
    "TASKER_CONFIG_PATH",
    "TASKER_ENV",
    "TASKER_INSTANCE_ID",
    "TASKER_POSTGRES_BIN",
    "TASKER_TEMPLATE_PATH",
    "TASKER_WORKER_ID",
    "WORKSPACE_PATH",
];

/// Settings that may name any variable; `*` is any key, and list items have none.
const FREE: [&[&str]; 4] = [
    &["worker", "http", "ca_files"],
    &["worker", "namespaces", "*", "grants", "env", "*"],
    &["worker", "namespaces", "*", "grants", "mounts", "directory"],
    &["worker", "namespaces", "*", "grants", "secrets", "*", "value"],
];

/// Replaces every reference in a file.
pub(super) fn substitute(tree: &mut Node, variables: &Variables, report: &mut Report) {
    replace(tree, &mut Vec::new(), variables, report);
}

fn is_free(path: &[String]) -> bool {
    let fits = |(pattern, key): (&&str, &String)| *pattern == "*" || pattern == key;
    FREE.iter().any(|free| free.len() == path.len() && free.iter().zip(path).all(fits))
}

/// Replaces every reference below `node`, which stands at `path`. What cannot be replaced is reported, and stays as a hidden
/// nothing, which no shape complains about again.
fn replace(node: &mut Node, path: &mut Vec<String>, variables: &Variables, report: &mut Report) {
    match &mut node.value {
        Value::Text(text) if text.contains("${") => match replaced(text, is_free(path), variables) {
            Ok((replaced, from_environment)) => {
                *text = replaced;
                node.hidden |= from_environment;
            }
            Err(message) => {
                report.error(&node.at, message);
                (node.value, node.hidden) = (Value::Null, true);
            }
        },
        Value::List(items) => items.iter_mut().for_each(|item| replace(item, path, variables, report)),
        Value::Table(entries) => entries.iter_mut().for_each(|entry| {
            path.push(entry.key.clone());
            replace(&mut entry.node, path, variables, report);
            path.pop();
        }),
        _ => {}
    }
}

fn replaced(text: &str, free: bool, variables: &Variables) -> Result<(String, bool), String> {
    let (mut result, mut rest, mut from_environment) = (String::new(), text, false);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((reference, after)) = after.split_once('}') else {
            return Err("`${` has no `}` after it; write `${NAME}` or `${NAME:-default}`".to_owned());
        };
        let (name, default) =
            reference.split_once(":-").map_or((reference, None), |(name, default)| (name, Some(default)));
        if !free && !ALLOWED.contains(&name) {
            let hint = did_you_mean(name, ALLOWED);
            return Err(format!("`${{{name}}}` cannot be used in settings; only `{}` can{hint}", ALLOWED.join("`, `")));
        }
        result.push_str(before);
        match (get(variables, name), default) {
            (Some(value), _) => {
                result.push_str(value);
                from_environment = true;
            }
            (None, Some(default)) => result.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the environment variable {name} is not set; set it, or write `${{{name}:-default}}`"
                ));
            }
        }
        rest = after;
    }
    result.push_str(rest);
    Ok((result, from_environment))
}
