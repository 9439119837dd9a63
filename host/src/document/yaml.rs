//! YAML into a tree.
//!
//! `true` and `false` are the only booleans, as in YAML 1.2 and in upstream's reader: a step called `yes` is a name.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::{Entry, Node, Place, Problem, Value};

/// A file larger than this is no template: the largest known has 40 kB.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Nesting deeper than this is an attack on the stack, not a document.
const MAX_DEPTH: usize = 64;
/// Aliases may not blow a small file up beyond what a large one may hold.
const MAX_NODES: usize = 100_000;

/// Reads one document; `source` names it in places. A syntax error is the only thing reported then, for nothing after
/// it can be trusted.
pub fn parse(source: &Arc<str>, text: &str) -> Result<Node, Problem> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(Problem { at: Place::whole(Arc::clone(source)), message });
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
    };
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options).map(|raw| node(source, raw)).map_err(|error| {
        let error = error.without_snippet();
        let at = error.location().map_or_else(|| Place::whole(Arc::clone(source)), |location| place(source, location));
        Problem { at, message: format!("not readable as YAML: {}", UserMessageFormatter.format_message(error)) }
    })
}

fn place(source: &Arc<str>, location: Location) -> Place {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Place::new(source, small(location.line()), small(location.column()))
}

fn node(source: &Arc<str>, raw: Spanned<Raw>) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Boolean(boolean) => Value::Boolean(boolean),
        Raw::Number(number) => Value::Number(number),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(source, item)).collect()),
        Raw::Table(entries) => Value::Table(
            entries
                .into_iter()
                .map(|(key, value)| Entry { key: key.value, at: place(source, key.defined), node: node(source, value) })
                .collect(),
        ),
    };
    Node::new(value, place(source, raw.defined))
}

/// What serde sees, before places are attached to a source.
enum Raw {
    Null,
    Boolean(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Table(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a boolean, a list or a table")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Raw, E> {
        Ok(Raw::Boolean(boolean))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Raw, E> {
        serde_json::Number::from_f64(number)
            .map(Raw::Number)
            .ok_or_else(|| E::custom("a number that is not finite has no place in JSON"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Table(entries))
    }
}
