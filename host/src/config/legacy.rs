//! Settings of Tasker's native workers that mean nothing here, told apart from misspelt ones.

use super::variables::{Variables, get, place};
use crate::document::{Node, Report, Value};

/// Keys, wherever they stand, and what to do instead.
const KEYS: [(&str, &str); 5] = [
    ("polling_interval_ms", "work is pushed to handlers, nothing is polled at this interval"),
    ("ffi_dispatch", "handlers run inside the host; set `worker.mpsc_channels.handler_dispatch`"),
    ("ffi_completion_send", "handlers run inside the host; nothing is sent over a foreign function interface"),
    ("pgmq_database", "the queues live in the database of `common.database`"),
    ("rabbitmq", "PGMQ carries the work; set `common.queues.pgmq`"),
];

/// Variables, and what to do instead.
const VARIABLES: [(&str, &str); 4] = [
    ("TASKER_FFI_LIBRARY_PATH", "handlers are components; set TASKER_COMPONENT_PATH"),
    ("TASKER_FFI_MODULE_PATH", "handlers are components; set TASKER_COMPONENT_PATH"),
    ("TASKER_LIBRARY_PATH", "handlers are components; set TASKER_COMPONENT_PATH"),
    ("PGMQ_DATABASE_URL", "the queues live in the database of DATABASE_URL"),
];

/// Takes the keys out of a file's tree, with a warning, and documentation (`_docs`) without one.
pub(super) fn remove(node: &mut Node, report: &mut Report) {
    let Value::Table(entries) = &mut node.value else {
        return;
    };
    entries.retain_mut(|entry| {
        if let Some((key, instead)) = KEYS.iter().find(|(key, _)| *key == entry.key) {
            report.warn(&entry.at, format!("`{key}` is ignored: {instead}"));
            return false;
        }
        remove(&mut entry.node, report);
        entry.key != "_docs"
    });
}

/// Warns of the variables that are set.
pub(super) fn warn_of_variables(variables: &Variables, report: &mut Report) {
    for (name, instead) in VARIABLES.iter().filter(|(name, _)| get(variables, name).is_some()) {
        report.warn(&place(name), format!("ignored: {instead}"));
    }
}
