//! Environment variables as a layer of settings.

use std::{collections::BTreeMap, env};

use super::Environment;
use crate::document::{Entry, Node, Place, Report, Value, did_you_mean};

/// The variables that set a setting, and the setting. Lists of paths are separated by `:`.
pub const VARIABLES: [(&str, &str); 6] = [
    ("DATABASE_URL", "common.database.url"),
    ("TASKER_POSTGRES_BIN", "common.database.postgres_bin"),
    ("TASKER_TEMPLATE_PATH", "common.task_templates.search_paths"),
    ("TASKER_WEB_BIND_ADDRESS", "orchestration.web.bind_address"),
    ("TASKER_COMPONENT_PATH", "worker.component_path"),
    ("TASKER_WORKER_ID", "worker.worker_id"),
];

/// The variables a process was started with, as far as they are text. An empty one counts as not set.
pub(super) type Variables = BTreeMap<String, String>;

pub(super) fn of_process() -> Variables {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

pub(super) fn get<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// How places call a variable.
pub(super) fn place(name: &str) -> Place {
    Place::whole(format!("environment variable {name}"))
}

/// `TASKER_ENV`, or development.
pub(super) fn environment(variables: &Variables, report: &mut Report) -> Environment {
    let Some(word) = get(variables, "TASKER_ENV") else {
        return Environment::default();
    };
    let known = Environment::ALL.into_iter().find(|environment| environment.as_str() == word);
    known.unwrap_or_else(|| {
        let words = Environment::ALL.map(Environment::as_str);
        let hint = did_you_mean(word, words);
        report.error(&place("TASKER_ENV"), format!("expected one of `{}`{hint}", words.join("`, `")));
        Environment::default()
    })
}

/// The settings that variables make, each a layer.
pub(super) fn layers(variables: &Variables) -> Vec<(String, Node)> {
    VARIABLES
        .iter()
        .filter_map(|(name, setting)| {
            let value = get(variables, name)?;
            let at = place(name);
            let text = |text: &str| Node { value: Value::Text(text.to_owned()), at: at.clone(), hidden: true };
            let is_list = matches!(*setting, "common.task_templates.search_paths" | "worker.component_path");
            let node = if is_list {
                let parts = value.split(':').filter(|part| !part.is_empty());
                Node::new(Value::List(parts.map(text).collect()), at.clone())
            } else {
                text(value)
            };
            Some((at.source().to_owned(), setting_tree(setting, node)))
        })
        .collect()
}

/// Upstream's place of templates when nothing names another.
pub(super) fn workspace_layer(variables: &Variables) -> Option<(String, Node)> {
    let at = place("WORKSPACE_PATH");
    let folder = format!("{}/config/tasks", get(variables, "WORKSPACE_PATH")?);
    let folder = Node { value: Value::Text(folder), at: at.clone(), hidden: true };
    let paths = Node::new(Value::List(vec![folder]), at.clone());
    Some((at.source().to_owned(), setting_tree("common.task_templates.search_paths", paths)))
}

/// A tree that says one thing: `setting` is `node`.
pub(super) fn setting_tree(setting: &str, node: Node) -> Node {
    setting.rsplit('.').fold(node, |node, key| {
        let at = node.at.clone();
        Node::new(Value::Table(vec![Entry { key: key.to_owned(), at: at.clone(), node }]), at)
    })
}
