//! The tree: what YAML and TOML have in common, each value with its place.

use std::{fmt, sync::Arc};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    source: Arc<str>,
    line: u32,
    column: u32,
}

impl Place {
    /// A position in a file: line and column count from one, columns in characters.
    pub fn new(source: &Arc<str>, line: u32, column: u32) -> Self {
        Self { source: Arc::clone(source), line, column }
    }

    /// A source without lines, such as an environment variable or a file that could not be opened.
    pub fn whole(source: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), line: 0, column: 0 }
    }

    /// The file, or the name of what is not a file.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.source),
            line => write!(f, "{}:{line}:{}", self.source, self.column),
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What is written there.
    pub value: Value,
    /// Where it starts.
    pub at: Place,
    /// Came from the environment: messages must not show it, for it may be a secret.
    pub hidden: bool,
}

/// What a file can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: an empty YAML value.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole or broken number.
    Number(serde_json::Number),
    /// Text; a TOML date is text too.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order they were written.
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is written.
    pub at: Place,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// A value that messages may show.
    pub fn new(value: Value, at: Place) -> Self {
        Self { value, at, hidden: false }
    }

    /// The value of `key`, when this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The keys and values of a table; empty for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, when this is text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, when this is a whole number.
    pub fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// Lays `over` on top: tables are merged key by key, everything else is replaced.
    pub fn merge(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Table(entries), Value::Table(others)) => {
                for other in others {
                    match entries.iter_mut().find(|entry| entry.key == other.key) {
                        Some(entry) => entry.node.merge(other.node),
                        None => entries.push(other),
                    }
                }
            }
            (_, value) => *self = Node { value, at: over.at, hidden: over.hidden },
        }
    }

    /// The same data without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Number(number) => number.clone().into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// A tree of data whose every value stands at the same place.
    pub fn from_json(json: &serde_json::Value, at: &Place) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(boolean) => Value::Boolean(*boolean),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => {
                Value::List(items.iter().map(|item| Self::from_json(item, at)).collect())
            }
            serde_json::Value::Object(entries) => {
                let entry = |(key, json): (&String, _)| Entry {
                    key: key.clone(),
                    at: at.clone(),
                    node: Self::from_json(json, at),
                };
                Value::Table(entries.iter().map(entry).collect())
            }
        };
        Self::new(value, at.clone())
    }

    /// What a message says was found: the kind, and the value unless it is hidden or long.
    pub fn describe(&self) -> String {
        const SHOWN_CHARS: usize = 60;
        match &self.value {
            Value::Null => "empty".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
            _ if self.hidden => "the value taken from the environment".to_owned(),
            Value::Boolean(boolean) => format!("the boolean {boolean}"),
            Value::Number(number) => format!("the number {number}"),
            Value::Text(text) if text.is_empty() => "an empty text".to_owned(),
            Value::Text(text) if text.chars().count() > SHOWN_CHARS => {
                format!("a text of {} characters", text.chars().count())
            }
            Value::Text(text) => format!("the text {text:?}"),
        }
    }
}
