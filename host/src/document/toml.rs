//! TOML into a tree.

use std::{ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Entry, Node, Place, Problem, Value};

/// Reads a file; `source` names it in places. Every syntax error is reported.
pub fn parse(source: &Arc<str>, text: &str) -> Result<Node, Vec<Problem>> {
    let reader = Reader { source, text };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| reader.problem(error.span(), format!("not readable as TOML: {}", error.message())))
        .collect();
    if problems.is_empty() {
        let span = table.span();
        let node = reader.table(table.into_inner(), span, &mut problems);
        if problems.is_empty() {
            return Ok(node);
        }
    }
    Err(problems)
}

struct Reader<'a> {
    source: &'a Arc<str>,
    text: &'a str,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place::new(self.source, small(line), small(column))
    }

    fn problem(&self, span: Option<Range<usize>>, message: String) -> Problem {
        let at = span.map_or_else(|| Place::whole(Arc::clone(self.source)), |span| self.place(span.start));
        Problem { at, message }
    }

    fn table(&self, table: DeTable<'_>, span: Range<usize>, problems: &mut Vec<Problem>) -> Node {
        let mut entries: Vec<(usize, Entry)> = table
            .into_iter()
            .map(|(key, value)| {
                let start = key.span().start;
                let node = self.node(value, problems);
                (start, Entry { key: key.into_inner().into_owned(), at: self.place(start), node })
            })
            .collect();
        entries.sort_by_key(|(start, _)| *start);
        Node::new(Value::Table(entries.into_iter().map(|(_, entry)| entry).collect()), self.place(span.start))
    }

    fn node(&self, value: Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Node {
        let span = value.span();
        let at = self.place(span.start);
        let value = match value.into_inner() {
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Datetime(datetime) => Value::Text(datetime.to_string()),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Value::Number(number.into()),
                Err(_) => {
                    problems.push(self.problem(Some(span), format!("the number {integer} is out of range")));
                    Value::Null
                }
            },
            DeValue::Float(float) => match float.as_str().parse().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => Value::Number(number),
                None => {
                    problems.push(self.problem(Some(span), format!("the number {float} is not finite")));
                    Value::Null
                }
            },
            DeValue::Array(items) => Value::List(items.into_iter().map(|item| self.node(item, problems)).collect()),
            DeValue::Table(table) => return self.table(table, span, problems),
        };
        Node::new(value, at)
    }
}
