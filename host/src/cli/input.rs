//! JSON that a person gives: on the command line, in a file, or on standard input.

use std::io::Read;

use anyhow::Context;
use serde_json::value::RawValue;

/// Reads `given`: JSON, the name of a file with or without an `@` before it, or `-` for standard input. `option` is how it
/// was given, `what` is what it is, as in "the context".
pub(super) fn json(given: &str, option: &str, what: &str) -> anyhow::Result<Box<RawValue>> {
    let (from, text) = match given {
        "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .with_context(|| format!("can't read {what} from standard input"))?;
            ("standard input".to_owned(), text)
        }
        given => match given.strip_prefix('@').or_else(|| names_a_file(given).then_some(given)) {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("can't read {what} from {file}"))?;
                (file.to_owned(), text)
            }
            None => (option.to_owned(), given.to_owned()),
        },
    };
    serde_json::from_str(text.trim()).with_context(|| {
        let no_file = if from == option { ", and no file has that name" } else { "" };
        format!("{what} in {from} is not JSON{no_file}")
    })
}

/// JSON is never taken for the name of a file.
fn names_a_file(given: &str) -> bool {
    std::path::Path::new(given).is_file() && serde_json::from_str::<serde::de::IgnoredAny>(given).is_err()
}
