//! The fingerprint of a template: equal for equal meaning, whatever the file looks like.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::Template;

/// SHA-256, in lower-case hex, of the template's JSON with sorted keys and no spaces.
pub fn digest(template: &Template) -> String {
    fn write(value: &Json, into: &mut String) {
        match value {
            Json::Object(map) => {
                let sorted: BTreeMap<_, _> = map.iter().collect();
                into.push('{');
                for (index, (key, value)) in sorted.into_iter().enumerate() {
                    if index > 0 {
                        into.push(',');
                    }
                    into.push_str(&Json::from(key.as_str()).to_string());
                    into.push(':');
                    write(value, into);
                }
                into.push('}');
            }
            Json::Array(items) => {
                into.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        into.push(',');
                    }
                    write(item, into);
                }
                into.push(']');
            }
            scalar => into.push_str(&scalar.to_string()),
        }
    }
    let mut canonical = String::new();
    write(&serde_json::json!(template), &mut canonical);
    hex::encode(Sha256::digest(canonical))
}
