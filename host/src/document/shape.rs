//! What a file may say: a table of keys, kinds and bounds that a tree is held against.
//!
//! Shapes are constants beside the struct they guard. [`Shape::prune`] settles the keys (aliases get their first name,
//! empty values count as absent, unknown keys are dropped with a warning), [`Shape::check`] the values. Between the two a
//! caller may change the tree, as the settings do when they substitute environment variables.

use super::{Node, Report, Value, did_you_mean};

/// The values a key may have.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Anything, kept as it is.
    Any,
    /// `true` or `false`.
    Boolean,
    /// Text that follows a rule.
    Text(TextRule),
    /// A whole number in these bounds, both included.
    Integer(i64, i64),
    /// A number in these bounds, both included.
    Number(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of equal things.
    List(&'static Shape),
    /// A table with free keys and equal values.
    TableOf(&'static Shape),
    /// A table with these keys; others are passed over with a warning.
    Table(&'static [Field]),
    /// A table with these keys; others are wrong. For tables whose keys decide over what is allowed.
    Closed(&'static [Field]),
}

/// What a text must be.
#[derive(Debug, Clone, Copy)]
pub struct TextRule {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
    /// Whether a text of allowed length is right.
    pub accept: fn(&str) -> bool,
    /// Completes "expected …".
    pub expected: &'static str,
    /// The text may be a secret: messages never show it.
    pub secret: bool,
}

impl TextRule {
    /// Any text of `min..=max` characters.
    pub const fn length(min: usize, max: usize) -> Self {
        Self { min, max, accept: |_| true, expected: "a text", secret: false }
    }

    /// A text of one to `max` characters that `accept` takes; `expected` completes "expected …".
    pub const fn matching(max: usize, expected: &'static str, accept: fn(&str) -> bool) -> Self {
        Self { min: 1, max, accept, expected, secret: false }
    }

    fn accepts(&self, text: &str) -> bool {
        (self.min..=self.max).contains(&text.chars().count()) && (self.accept)(text)
    }

    fn describe(&self) -> String {
        match (self.min, self.max) {
            (0, usize::MAX) => self.expected.to_owned(),
            (0, max) => format!("{}, at most {max} characters", self.expected),
            (_, usize::MAX) => format!("{}, not empty", self.expected),
            (min, max) => format!("{}, {min} to {max} characters", self.expected),
        }
    }
}

/// A key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key, and the field of the struct.
    pub name: &'static str,
    /// Another name it may be written by.
    pub alias: Option<&'static str>,
    /// Whether a table without it is wrong.
    pub required: bool,
    /// Its values.
    pub shape: Shape,
}

impl Field {
    /// A key that may be absent.
    pub const fn optional(name: &'static str, shape: Shape) -> Self {
        Self { name, alias: None, required: false, shape }
    }

    /// A key that must be there.
    pub const fn required(name: &'static str, shape: Shape) -> Self {
        Self { name, alias: None, required: true, shape }
    }

    /// The same key, which may also be written `alias`.
    pub const fn or(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    fn is(&self, key: &str) -> bool {
        self.name == key || self.alias == Some(key)
    }
}

impl Shape {
    /// Any text, even an empty one.
    pub const TEXT: Shape = Shape::Text(TextRule::length(0, usize::MAX));

    /// Settles the keys of `node`; `path` names it in messages and is empty at the root.
    pub fn prune(&self, node: &mut Node, path: &str, report: &mut Report) {
        match (self, &mut node.value) {
            (Shape::Table(fields) | Shape::Closed(fields), Value::Table(entries)) => {
                for mut entry in std::mem::take(entries) {
                    let Some(field) = fields.iter().find(|field| field.is(&entry.key)) else {
                        let hint = did_you_mean(&entry.key, fields.iter().map(|field| field.name));
                        let place = if path.is_empty() { String::new() } else { format!(" of `{path}`") };
                        let unknown = format!("unknown key `{}`{place}", entry.key);
                        match self {
                            Shape::Closed(_) if hint.is_empty() => {
                                let known = quoted(fields.iter().map(|field| field.name));
                                report.error(&entry.at, format!("{unknown}; expected {known}"));
                            }
                            Shape::Closed(_) => report.error(&entry.at, format!("{unknown}{hint}")),
                            _ => report.warn(&entry.at, format!("{unknown} is ignored{hint}")),
                        }
                        continue;
                    };
                    if let Some(first) = entries.iter().find(|kept| kept.key == field.name) {
                        let written = join(path, &entry.key);
                        report.error(
                            &entry.at,
                            format!("`{written}` repeats `{}`, written at {}; keep one of them", field.name, first.at),
                        );
                        continue;
                    }
                    if entry.node.value != Value::Null {
                        field.shape.prune(&mut entry.node, &join(path, field.name), report);
                        field.name.clone_into(&mut entry.key);
                        entries.push(entry);
                    }
                }
            }
            (Shape::TableOf(shape), Value::Table(entries)) => {
                if !matches!(shape, Shape::Any) {
                    entries.retain(|entry| entry.node.value != Value::Null);
                }
                for entry in entries {
                    shape.prune(&mut entry.node, &join(path, &entry.key), report);
                }
            }
            (Shape::List(shape), Value::List(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let path = item_path(path, index, item);
                    shape.prune(item, &path, report);
                }
            }
            _ => {}
        }
    }

    /// Reports every value of `node` that is not what this shape asks for.
    pub fn check(&self, node: &Node, path: &str, report: &mut Report) {
        match (self, &node.value) {
            (Shape::Any, _) | (Shape::Boolean, Value::Boolean(_)) => {}
            // What should have come from the environment and did not has been reported.
            (_, Value::Null) if node.hidden => {}
            (Shape::Text(rule), Value::Text(text)) if rule.accepts(text) => {}
            (Shape::Integer(min, max), Value::Number(_))
                if node.integer().is_some_and(|n| (*min..=*max).contains(&n)) => {}
            (Shape::Number(min, max), Value::Number(n)) if n.as_f64().is_some_and(|n| (*min..=*max).contains(&n)) => {}
            (Shape::OneOf(words), Value::Text(text)) if words.contains(&text.as_str()) => {}
            (Shape::List(shape), Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    shape.check(item, &item_path(path, index, item), report);
                }
            }
            (Shape::TableOf(shape), Value::Table(entries)) => {
                for entry in entries {
                    shape.check(&entry.node, &join(path, &entry.key), report);
                }
            }
            (Shape::Table(fields) | Shape::Closed(fields), Value::Table(entries)) => {
                for field in *fields {
                    match entries.iter().find(|entry| entry.key == field.name) {
                        Some(entry) => field.shape.check(&entry.node, &join(path, field.name), report),
                        None if field.required => {
                            let name = join(path, field.name);
                            report.error(&node.at, format!("`{name}` is missing; give it {}", field.shape.describe()));
                        }
                        None => {}
                    }
                }
            }
            _ => report.error(&node.at, self.complaint(node, path)),
        }
    }

    fn complaint(&self, node: &Node, path: &str) -> String {
        let subject = if path.is_empty() { "the document".to_owned() } else { format!("`{path}`") };
        let scalar = matches!(node.value, Value::Boolean(_) | Value::Number(_) | Value::Text(_));
        let found = if scalar && self.holds_secret() { "not right".to_owned() } else { node.describe() };
        let hint = match (self, &node.value) {
            (Shape::Text(_) | Shape::OneOf(_), Value::Number(_) | Value::Boolean(_)) => "; put it in quotes".to_owned(),
            (Shape::Integer(..) | Shape::Number(..), Value::Text(text))
                if !node.hidden && text.parse::<f64>().is_ok() =>
            {
                "; write it without quotes".to_owned()
            }
            (Shape::OneOf(words), Value::Text(text)) => did_you_mean(text, words.iter().copied()),
            _ => String::new(),
        };
        format!("{subject} is {found}; expected {}{hint}", self.describe())
    }

    /// Whether what is written here, or was meant for a place below, may be a secret.
    fn holds_secret(&self) -> bool {
        match self {
            Shape::Text(rule) => rule.secret,
            Shape::List(shape) | Shape::TableOf(shape) => shape.holds_secret(),
            Shape::Table(fields) | Shape::Closed(fields) => fields.iter().any(|field| field.shape.holds_secret()),
            _ => false,
        }
    }

    fn describe(&self) -> String {
        match self {
            Shape::Any => "a value".to_owned(),
            Shape::Boolean => "true or false".to_owned(),
            Shape::Text(rule) => rule.describe(),
            Shape::Integer(min, i64::MAX) => format!("a whole number, {min} or more"),
            Shape::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Shape::Number(min, max) => format!("a number from {min} to {max}"),
            Shape::OneOf(words) => format!("one of {}", quoted(words.iter().copied())),
            Shape::List(Shape::Table(_) | Shape::Closed(_)) => "a list of tables".to_owned(),
            Shape::List(Shape::Text(_)) => "a list of texts".to_owned(),
            Shape::List(_) => "a list".to_owned(),
            Shape::TableOf(_) => "a table".to_owned(),
            Shape::Table(fields) | Shape::Closed(fields) => {
                match quoted(fields.iter().filter(|field| field.required).map(|field| field.name)) {
                    names if names.is_empty() => "a table".to_owned(),
                    names => format!("a table with {names}"),
                }
            }
        }
    }
}

fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// An item is called by its `name` when it has one: `steps[fetch]` says more than `steps[3]`.
fn item_path(path: &str, index: usize, item: &Node) -> String {
    match item.get("name").and_then(Node::text) {
        Some(name) if !name.is_empty() => format!("{path}[{name}]"),
        _ => format!("{path}[{index}]"),
    }
}
