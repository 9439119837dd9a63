//! What makes two requests the same task.
//!
//! The identity of a task is a hash of its template and of either its context or the key its caller gave it. The context
//! counts as what it says, not as how it is written: the order of keys and white space do not matter. It is read as
//! text all the way down, so two numbers that differ only beyond the precision of a double stay two numbers.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::template::{IdentityStrategy, Template};

/// A request for a template whose strategy is `caller_provided` has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMissing;

/// Deeper values are hashed as they are written; the context that needs this is made to hurt.
const MAX_DEPTH: usize = 64;

/// The identity of a task; `None` if no other is its duplicate.
///
/// # Errors
///
/// The template asks for a key, and there is none.
pub fn identity(
    template: &Template,
    context: &RawValue,
    idempotency_key: Option<&str>,
) -> Result<Option<[u8; 32]>, KeyMissing> {
    let mut hash = Sha256::new();
    for part in [&template.namespace_name, &template.name, &template.version] {
        add(&mut hash, part);
    }
    match (idempotency_key, template.identity_strategy) {
        (Some(key), _) => {
            add(&mut hash, "idempotency_key");
            add(&mut hash, key);
        }
        (None, IdentityStrategy::Strict) => {
            add(&mut hash, "context");
            let mut canonical = String::with_capacity(context.get().len());
            write(context.get(), 0, &mut canonical);
            add(&mut hash, &canonical);
        }
        (None, IdentityStrategy::CallerProvided) => return Err(KeyMissing),
        (None, IdentityStrategy::AlwaysUnique) => return Ok(None),
    }
    Ok(Some(hash.finalize().into()))
}

/// Adds a text behind its length, so that no two lists of texts look alike.
fn add(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

/// Writes JSON with sorted keys and no white space. What cannot be read (a lone surrogate is JSON, but no text) is
/// written as it stands: the hash may then be too strict, but it is never wrong.
fn write(json: &str, depth: usize, into: &mut String) {
    let written = match json.as_bytes().first() {
        _ if depth >= MAX_DEPTH => None,
        Some(b'{') => serde_json::from_str::<BTreeMap<String, &RawValue>>(json).ok().map(|entries| {
            into.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                separate(index, into);
                text(key, into);
                into.push(':');
                write(value.get(), depth + 1, into);
            }
            into.push('}');
        }),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(json).ok().map(|items| {
            into.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, into);
                write(item.get(), depth + 1, into);
            }
            into.push(']');
        }),
        Some(b'"') => serde_json::from_str::<String>(json).ok().map(|read| text(&read, into)),
        _ => None,
    };
    if written.is_none() {
        into.push_str(json);
    }
}

fn separate(index: usize, into: &mut String) {
    if index > 0 {
        into.push(',');
    }
}

/// One way to write a text, of the many JSON has.
fn text(text: &str, into: &mut String) {
    into.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(strategy: &str) -> Template {
        let json = serde_json::json!({
            "name": "t", "namespace_name": "n", "version": "1.0.0", "identity_strategy": strategy,
        });
        serde_json::from_value(json).unwrap()
    }

    fn of(context: &str) -> [u8; 32] {
        let context = RawValue::from_string(context.to_owned()).unwrap();
        identity(&template("strict"), &context, None).unwrap().unwrap()
    }

    #[test]
    fn the_same_context_is_the_same_task_however_it_is_written() {
        let one = of(r#"{"a":1,"b":{"c":["x",null],"d":true}}"#);
        assert_eq!(one, of("{ \"b\" : {\"d\":true,\n\"c\":[ \"\\u0078\" ,null ]} , \"a\":1 }"));
        for other in [
            r#"{"a":2,"b":{"c":["x",null],"d":true}}"#,
            r#"{"a":1,"b":{"c":[null,"x"],"d":true}}"#,
            r#"{"a":1,"b":{"c":["x",null],"d":"true"}}"#,
            r#"{"a":1}"#,
        ] {
            assert_ne!(one, of(other), "{other}");
        }
    }

    #[test]
    fn numbers_beyond_the_precision_of_a_double_stay_apart() {
        assert_ne!(of(r#"{"id":12345678901234567890123}"#), of(r#"{"id":12345678901234567890124}"#));
    }

    #[test]
    fn what_is_no_text_or_too_deep_is_hashed_as_it_stands() {
        assert_ne!(of(r#"{"a":"\ud800"}"#), of(r#"{"a":"\ud801"}"#));
        let deep = |tip: &str| of(&format!("{}{tip}{}", "[".repeat(100_000), "]".repeat(100_000)));
        assert_ne!(deep("1"), deep("2"));
    }

    #[test]
    fn namespace_name_and_version_are_part_of_it() {
        let strict = template("strict");
        let context = RawValue::from_string("{}".to_owned()).unwrap();
        let of = |template: &Template| identity(template, &context, None).unwrap().unwrap();
        for changed in [
            Template { namespace_name: "m".into(), ..strict.clone() },
            Template { name: "u".into(), ..strict.clone() },
            Template { version: "1.0.1".into(), ..strict.clone() },
            Template { namespace_name: "nt".into(), name: String::new(), ..strict.clone() },
        ] {
            assert_ne!(of(&strict), of(&changed), "{changed}");
        }
        assert_eq!(of(&strict), of(&Template { description: Some("else".into()), ..strict.clone() }));
    }

    #[test]
    fn a_key_identifies_whatever_the_strategy_and_without_one_the_strategy_decides() {
        let (one, two) =
            (RawValue::from_string("{}".into()).unwrap(), RawValue::from_string("{\"a\":1}".into()).unwrap());
        for strategy in ["strict", "caller_provided", "always_unique"] {
            let of = |context, key| identity(&template(strategy), context, Some(key)).unwrap().unwrap();
            assert_eq!(of(&one, "k"), of(&two, "k"), "{strategy}");
            assert_ne!(of(&one, "k"), of(&one, "l"), "{strategy}");
        }
        assert_eq!(identity(&template("caller_provided"), &one, None), Err(KeyMissing));
        assert_eq!(identity(&template("always_unique"), &one, None), Ok(None));
        let strict = template("strict");
        assert_ne!(identity(&strict, &one, None), identity(&strict, &one, Some("{}")), "a key is no context");
    }
}
