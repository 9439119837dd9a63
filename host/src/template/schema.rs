//! JSON Schemas that tenants write and the host checks.
//!
//! A schema runs on the host's own processor, outside every sandbox, so it may not be able to hold it up: patterns are
//! matched in linear time (no look-around, no back-references), nothing is fetched, and the work for one value is
//! bounded before the first value is seen. `$ref` could make it exponential (a chain of schemas that each refer twice to
//! the next, or one that refers twice to itself), so a schema is measured with every `$ref` written out: it must be
//! finite and of bounded size, and references must be of the one kind that can be followed here, `#/…`.

use std::collections::HashMap;
use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::document;

/// Values in a schema when every `$ref` is written out.
const MAX_SIZE: usize = 10_000;
/// How deep a schema may be nested when every `$ref` is written out.
const MAX_DEPTH: usize = 100;
/// Bytes of compiled program of one pattern: repetitions of repetitions multiply.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// Violations that a message names.
const MAX_VIOLATIONS: usize = 5;
/// Characters of a path, and of what is said about it; both may hold text that a guest wrote.
const MAX_SAID: usize = 200;

/// A compiled JSON Schema, of the draft its `$schema` names (2020-12 when it names none).
#[derive(Debug)]
pub struct Schema(Validator);

/// Why a value is no JSON Schema that this host checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Where in the schema, a JSON pointer; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", place(&self.path), self.message)
    }
}

impl std::error::Error for SchemaError {}

impl Schema {
    /// Compiles a schema: a JSON object or a boolean.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn compile(schema: &Json) -> Result<Self, SchemaError> {
        if !schema.is_object() && !schema.is_boolean() {
            let message = "a JSON Schema is an object or a boolean".to_owned();
            return Err(SchemaError { path: String::new(), message });
        }
        Measure::of(schema)?;
        jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
            .build(schema)
            .map(Self)
            .map_err(|error| SchemaError {
                path: shortened(error.instance_path().as_str()),
                message: complaint(&error),
            })
    }

    /// Checks a value.
    ///
    /// # Errors
    ///
    /// Up to five violations, each with the JSON pointer of the value that is wrong; a few kilobytes at most, however
    /// large the value is.
    pub fn check(&self, value: &RawValue) -> Result<(), String> {
        let value: Json =
            serde_json::from_str(value.get()).map_err(|error| format!("it can't be read to be checked: {error}"))?;
        if self.0.is_valid(&value) {
            return Ok(());
        }
        let mut violations: Vec<String> =
            self.0.iter_errors(&value).take(MAX_VIOLATIONS + 1).map(|error| violation(&error)).collect();
        if violations.len() > MAX_VIOLATIONS {
            violations[MAX_VIOLATIONS] = "and more".to_owned();
        }
        Err(violations.join("; "))
    }
}

/// What is wrong with a schema, in the words of the rule it was most likely meant to follow.
fn complaint(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::AnyOf { context } => match context.first().and_then(|of_first| of_first.first()) {
            Some(first) => complaint(first),
            None => shortened(&error.to_string()),
        },
        ValidationErrorKind::Format { format } if format == "regex" => format!(
            "{} is no pattern that is matched here: it must be a regular expression without look-around and \
             back-references",
            shortened(&error.instance().to_string())
        ),
        _ => shortened(&error.to_string()),
    }
}

fn violation(error: &ValidationError<'_>) -> String {
    let path = shortened(error.instance_path().as_str());
    format!("{}{}", place(&path), shortened(&error.masked_with("the value").to_string()))
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("at `{path}`: ") }
}

fn shortened(text: &str) -> String {
    document::shortened(text, MAX_SAID).into_owned()
}

/// The size of a schema with every `$ref` written out.
///
/// Every object counts as a schema, though some are plain data (`const`, `default`): to tell them apart would take a
/// walk by keyword, and a mistake in it would open the door that this closes.
struct Measure<'s> {
    root: &'s Json,
    /// The keyword that would change what a `$ref` below it is relative to.
    id_keyword: &'static str,
    /// What was measured, by address; `None` while it is being measured.
    known: HashMap<*const Json, Option<Measured>>,
}

#[derive(Clone, Copy)]
struct Measured {
    size: usize,
    depth: usize,
}

impl<'s> Measure<'s> {
    fn of(root: &'s Json) -> Result<Measured, SchemaError> {
        let draft = root.get("$schema").and_then(Json::as_str).unwrap_or_default();
        let id_keyword = if draft.contains("draft-04") { "id" } else { "$id" };
        Self { root, id_keyword, known: HashMap::new() }.value(root, &mut String::new(), 0)
    }

    fn value(&mut self, value: &'s Json, path: &mut String, above: usize) -> Result<Measured, SchemaError> {
        let refuse = |path: &str, message: String| Err(SchemaError { path: shortened(path), message });
        let recursive =
            || "a `$ref` that leads back to where it stands is not checked by this host; write the levels out";
        let too_large = || {
            format!(
                "with every `$ref` written out, the schema has more than {MAX_SIZE} values or {MAX_DEPTH} levels; make it smaller"
            )
        };
        let measured = match self.known.get(&std::ptr::from_ref(value)) {
            Some(Some(measured)) => *measured,
            Some(None) => return refuse(path, recursive().to_owned()),
            None if above >= MAX_DEPTH => return refuse("", too_large()),
            None => {
                self.known.insert(value, None);
                let measured = self.parts(value, path, above)?;
                self.known.insert(value, Some(measured));
                measured
            }
        };
        if measured.size > MAX_SIZE || above + measured.depth > MAX_DEPTH {
            return refuse("", too_large());
        }
        Ok(measured)
    }

    fn parts(&mut self, value: &'s Json, path: &mut String, above: usize) -> Result<Measured, SchemaError> {
        let mut whole = Measured { size: 1, depth: 1 };
        let mut add = |part: Measured| {
            whole = Measured { size: whole.size.saturating_add(part.size), depth: whole.depth.max(part.depth + 1) };
        };
        let length = path.len();
        match value {
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push_str(&format!("/{index}"));
                    add(self.value(item, path, above + 1)?);
                    path.truncate(length);
                }
            }
            Json::Object(keys) => {
                for (key, part) in keys {
                    path.push('/');
                    path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    add(match part {
                        Json::String(target) => match self.referred(key, target, path)? {
                            Some(referred) => self.value(referred, path, above + 1)?,
                            None => Measured { size: 1, depth: 1 },
                        },
                        part => self.value(part, path, above + 1)?,
                    });
                    path.truncate(length);
                }
            }
            _ => {}
        }
        Ok(whole)
    }

    /// What a text under `key` refers to, if it refers to anything.
    fn referred(&self, key: &str, text: &str, path: &str) -> Result<Option<&'s Json>, SchemaError> {
        let refuse = |message: String| Err(SchemaError { path: shortened(path), message });
        match key {
            "$ref" => {
                let pointer = text.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'));
                let Some(pointer) = pointer.filter(|pointer| !pointer.contains('%')) else {
                    return refuse(format!(
                        "`$ref` {:?} is not followed: nothing is fetched; put what it means under `$defs` and refer to it \
                         as `#/$defs/…`",
                        shortened(text)
                    ));
                };
                match self.root.pointer(pointer) {
                    Some(target) => Ok(Some(target)),
                    None => refuse(format!("`$ref` {:?} points to nothing in this schema", shortened(text))),
                }
            }
            "$dynamicRef" | "$recursiveRef" => refuse(format!("`{key}` is not followed; use `$ref`")),
            _ if key == self.id_keyword && path.len() > key.len() + 1 => {
                refuse(format!("`{key}` is only allowed at the top: inside, it would change what `$ref` means"))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn check(schema: &Json, value: &Json) -> Result<(), String> {
        Schema::compile(schema).unwrap().check(&serde_json::value::to_raw_value(value).unwrap())
    }

    fn refusal(schema: &Json) -> String {
        Schema::compile(schema).unwrap_err().to_string()
    }

    #[test]
    fn a_violation_names_the_path_and_what_was_expected() {
        let schema = json!({
            "type": "object",
            "required": ["order_id"],
            "properties": {"order_id": {"type": "string"}, "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
            "$defs": {"line": {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}},
        });
        assert_eq!(check(&schema, &json!({"order_id": "a", "lines": [{"price": 1}]})), Ok(()));
        assert_eq!(
            check(&schema, &json!({"lines": [{"price": 1}, {"price": -1}, {"price": "2"}]})).unwrap_err(),
            "\"order_id\" is a required property; at `/lines/1/price`: the value is less than the minimum of 0; at \
             `/lines/2/price`: the value is not of type \"number\""
        );
    }

    #[test]
    fn a_message_stays_small_however_large_the_value_and_the_schema_are() {
        let long = "x".repeat(1 << 20);
        let schema = json!({"additionalProperties": {"enum": vec!["y".repeat(100); 100]}});
        let value: serde_json::Map<String, Json> = (0..9).map(|n| (format!("{n}{long}"), json!(long))).collect();
        let said = check(&schema, &value.into()).unwrap_err();
        assert!(said.ends_with("; and more"), "{said}");
        assert!(said.chars().count() < 3_000, "{} characters", said.chars().count());
        let unexpected = check(&json!({"additionalProperties": false}), &json!({long: 1})).unwrap_err();
        assert!(unexpected.chars().count() < 300, "{} characters", unexpected.chars().count());
    }

    #[test]
    fn a_value_nested_too_deep_is_refused_and_not_followed() {
        let deep = RawValue::from_string(format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))).unwrap();
        let said = Schema::compile(&json!(true)).unwrap().check(&deep).unwrap_err();
        assert!(said.starts_with("it can't be read to be checked: recursion limit exceeded"), "{said}");
    }

    #[test]
    fn what_is_no_schema_is_refused_with_the_place() {
        for (schema, said) in [
            (json!([]), "a JSON Schema is an object or a boolean"),
            (json!({"properties": {"age": {"type": "numbr"}}}), "at `/properties/age/type`: "),
            (json!({"pattern": "("}), "at `/pattern`: "),
            (
                json!({"$ref": "https://example.com/order.json"}),
                "at `/$ref`: `$ref` \"https://example.com/order.json\" is not followed",
            ),
            (
                json!({"properties": {"a": {"$ref": "other.json#/a"}}}),
                "at `/properties/a/$ref`: `$ref` \"other.json#/a\" is not",
            ),
            (json!({"$ref": "#/$defs/gone"}), "at `/$ref`: `$ref` \"#/$defs/gone\" points to nothing"),
            (json!({"items": {"$dynamicRef": "#node"}}), "at `/items/$dynamicRef`: `$dynamicRef` is not followed"),
            (json!({"$defs": {"a": {"$id": "urn:a"}}}), "at `/$defs/a/$id`: `$id` is only allowed at the top"),
            (json!({"$schema": "https://example.com/my-dialect"}), ""),
        ] {
            let refused = refusal(&schema);
            assert!(refused.starts_with(said), "{schema}: {refused}");
        }
        assert!(
            Schema::compile(
                &json!({"$id": "https://example.com/order.json", "$ref": "#/$defs/a", "$defs": {"a": true}})
            )
            .is_ok()
        );
    }

    #[test]
    fn patterns_are_matched_in_linear_time() {
        let started = Instant::now();
        let schema = json!({"pattern": "^(a+)+$"});
        assert!(check(&schema, &json!(format!("{}b", "a".repeat(100_000)))).is_err());
        assert!(refusal(&json!({"pattern": r"^(a)\1$"})).starts_with("at `/pattern`"), "no back-references");
        assert!(
            refusal(&json!({"pattern": "((a{1000}){1000}){1000}"})).starts_with("at `/pattern`"),
            "no huge programs"
        );
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }

    #[test]
    fn references_that_multiply_or_never_end_are_refused() {
        let mut defs = serde_json::Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/s{}", n + 1)});
            defs.insert(format!("s{n}"), json!({"anyOf": [next, next]}));
        }
        defs.insert("s40".to_owned(), json!(false));
        let said = refusal(&json!({"$defs": defs, "$ref": "#/$defs/s0"}));
        assert!(said.contains("more than 10000 values"), "{said}");

        let chain: serde_json::Map<String, Json> = (0..5_000)
            .map(|n| {
                (
                    format!("s{n:04}"),
                    if n == 0 { json!(true) } else { json!({"$ref": format!("#/$defs/s{:04}", n - 1)}) },
                )
            })
            .collect();
        assert!(refusal(&json!({"$defs": chain})).contains("100 levels"));

        let tree =
            json!({"$ref": "#/$defs/node", "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}});
        let said = refusal(&tree);
        assert!(said.contains("leads back to where it stands"), "{said}");
        assert!(refusal(&json!({"items": {"$ref": "#"}})).contains("leads back"));
    }
}
