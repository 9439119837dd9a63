//! What the shapes can't see in `worker.sandbox` and `worker.namespaces`.

use super::policy::ALL_NAMESPACES;
use crate::document::{Node, Place, Report};
use crate::grants;

/// Reports what is wrong in one layer.
pub(super) fn check(tree: &Node, report: &mut Report) {
    let Some(worker) = tree.get("worker") else { return };
    let limits = worker.get("sandbox").and_then(|sandbox| sandbox.get("limits"));
    if let Some(timeout) = limits.and_then(|limits| limits.get("timeout_ms")) {
        report.error(
            &timeout.at,
            "`worker.sandbox.limits.timeout_ms` is not read: the default has Tasker's name, \
             `worker.mpsc_channels.handler_dispatch.handler_timeout_ms`; set that",
        );
    }
    for namespace in worker.get("namespaces").map_or(&[][..], Node::entries) {
        let name = &namespace.key;
        if name != ALL_NAMESPACES && !is_namespace(name) {
            report.error(
                &namespace.at,
                format!(
                    "`worker.namespaces` has the name {name:?}; expected a namespace, of letters, digits and `_`, or \"*\" \
                     for all of them"
                ),
            );
        }
        if let Some(grants) = namespace.node.get("grants") {
            grants::check_allowed(grants, &format!("worker.namespaces.{name}.grants"), report);
        }
    }
}

/// Reports names that are an environment value and a secret of one namespace, in all layers and in the section of all
/// namespaces.
pub(super) fn check_names(tree: &Node, report: &mut Report) {
    let Some(namespaces) = tree.get("worker").and_then(|worker| worker.get("namespaces")) else { return };
    let names = |namespace: Option<&Node>, table| -> Vec<(String, Place)> {
        let table = namespace.and_then(|namespace| namespace.get("grants")).and_then(|grants| grants.get(table));
        let entries = table.map_or(&[][..], Node::entries).iter();
        entries.map(|entry| (entry.key.clone(), entry.at.clone())).collect()
    };
    let all = namespaces.get(ALL_NAMESPACES);
    for namespace in namespaces.entries() {
        let (own, path) = (Some(&namespace.node), format!("worker.namespaces.{}.grants", namespace.key));
        let of_all = |table| if namespace.key == ALL_NAMESPACES { Vec::new() } else { names(all, table) };
        let (own_env, own_secrets) = (names(own, "env"), names(own, "secrets"));
        let (all_env, all_secrets) = (of_all("env"), of_all("secrets"));
        // What the section of all has twice is told once, there.
        let both = [(&own_env, &own_secrets), (&own_env, &all_secrets), (&all_env, &own_secrets)];
        for (env, secrets) in both {
            let named = |names: &Vec<(String, Place)>| names.clone().into_iter();
            grants::check_both(named(env), named(secrets), &path, report);
        }
    }
}

/// What a template may call its namespace.
fn is_namespace(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}
