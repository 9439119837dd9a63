//! The JSON Schemas that values are checked against must be ones that can be checked. (Those of `domain_events` only
//! tell readers what to expect.)

use super::Step;
use crate::document::{Node, Report, Value};
use crate::template::Schema;

/// Reports each schema that cannot be compiled, at the value inside it that is wrong.
pub(super) fn check(tree: &Node, steps: &[Step<'_>], report: &mut Report) {
    check_one(tree.get("input_schema"), "input_schema", report);
    for step in steps {
        let path = format!("steps[{}]", step.name);
        check_one(step.node.get("result_schema"), &format!("{path}.result_schema"), report);
        for event in step.node.get("publishes_events").map_or(&[][..], Node::items) {
            let name = event.get("name").and_then(Node::text).unwrap_or_default();
            check_one(event.get("schema"), &format!("{path}.publishes_events[{name}].schema"), report);
        }
    }
}

fn check_one(schema: Option<&Node>, path: &str, report: &mut Report) {
    let Some(schema) = schema else { return };
    if let Err(error) = Schema::compile(&schema.to_json()) {
        let at = &nearest(schema, &error.path).at;
        report.error(at, format!("`{path}` is no JSON Schema that can be checked: {error}"));
    }
}

/// The value that a JSON pointer leads to, or the last one on the way that is there.
fn nearest<'n>(node: &'n Node, pointer: &str) -> &'n Node {
    pointer
        .split('/')
        .skip(1)
        .try_fold(node, |node, key| {
            let key = key.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::List(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
                _ => node.get(&key),
            };
            next.ok_or(node)
        })
        .unwrap_or_else(|last| last)
}
