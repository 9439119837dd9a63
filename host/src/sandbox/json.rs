//! Checks JSON text from a guest without building a tree of it.
//!
//! The text goes into `jsonb` columns, many results in one statement, so text that PostgreSQL would refuse must not get
//! that far: it would take the results of other steps down with it. PostgreSQL refuses some valid JSON: `\u0000`, lone
//! surrogates, numbers beyond its range, and documents nested too deeply for its stack.

use serde_json::value::RawValue;

/// Greatest depth of objects and arrays. serde_json reads 128; a result is nested a few levels deeper in the contexts of
/// the steps that depend on it.
const MAX_DEPTH: usize = 100;

/// Greatest length of a number. JavaScript writes at most 25 characters; `jsonb` refuses from 131,072 digits on.
const MAX_NUMBER: usize = 1_000;

/// Greatest magnitude of a number's exponent. Doubles need 324, `jsonb` takes 16,383 below zero and more above.
const MAX_EXPONENT: u32 = 400;

/// Why `jsonb` cannot hold a value, if it cannot.
pub fn unstorable(value: &RawValue) -> Option<String> {
    check(value.get().as_bytes()).err()
}

/// Takes text that is JSON and can be stored.
///
/// # Errors
///
/// A clause that says what is wrong with the text.
pub(super) fn storable(text: String) -> Result<Box<RawValue>, String> {
    let value = RawValue::from_string(text).map_err(|error| format!("is not JSON: {error}"))?;
    check(value.get().as_bytes())?;
    Ok(value)
}

/// Takes text that is a JSON object and can be stored.
///
/// # Errors
///
/// A clause that says what is wrong with the text.
pub(super) fn storable_object(text: String) -> Result<Box<RawValue>, String> {
    let value = storable(text)?;
    if value.get().trim_ascii_start().starts_with('{') { Ok(value) } else { Err("is not a JSON object".to_owned()) }
}

/// Scans valid JSON for what `jsonb` refuses.
fn check(json: &[u8]) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!("is nested more than {MAX_DEPTH} levels deep"));
                }
            }
            b'}' | b']' => depth -= 1,
            b'"' => at = check_string(json, at)?,
            b'-' | b'0'..=b'9' => at = check_number(json, at - 1)?,
            _ => {}
        }
    }
    Ok(())
}

/// Checks the escapes of a string whose opening quote ends before `at`; returns where the string ends.
fn check_string(json: &[u8], mut at: usize) -> Result<usize, String> {
    let mut high_surrogate_ends = None;
    loop {
        match json.get(at) {
            Some(b'\\') => {
                let escaped = json.get(at + 1);
                let unit = (escaped == Some(&b'u')).then(|| code_unit(json, at + 2)).flatten();
                let end = at + if unit.is_some() { 6 } else { 2 };
                match (unit, high_surrogate_ends) {
                    (Some(0xDC00..=0xDFFF), Some(previous)) if previous == at => high_surrogate_ends = None,
                    (Some(0xDC00..=0xDFFF), _) | (_, Some(_)) => return Err(LONE_SURROGATE.to_owned()),
                    (Some(0xD800..=0xDBFF), None) => high_surrogate_ends = Some(end),
                    (Some(0), None) => return Err("contains \\u0000, which PostgreSQL cannot store".to_owned()),
                    _ => {}
                }
                at = end;
            }
            _ if high_surrogate_ends.is_some() => return Err(LONE_SURROGATE.to_owned()),
            Some(b'"') | None => return Ok(at + 1),
            Some(_) => at += 1,
        }
    }
}

const LONE_SURROGATE: &str = "contains half of a surrogate pair (a cut-off emoji?), which PostgreSQL cannot store";

fn code_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = str::from_utf8(json.get(at..at + 4)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// Checks the number that starts at `start`; returns where it ends.
fn check_number(json: &[u8], start: usize) -> Result<usize, String> {
    let length =
        json[start..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).count();
    let number = &json[start..start + length];
    if length > MAX_NUMBER {
        return Err(format!("contains a number of {length} digits"));
    }
    let text = str::from_utf8(number).unwrap_or_default();
    let exponent = text.split_once(['e', 'E']).map_or("0", |(_, exponent)| exponent).trim_start_matches(['+', '-']);
    let storable = exponent.parse::<u32>().is_ok_and(|exponent| exponent <= MAX_EXPONENT)
        && text.parse::<f64>().is_ok_and(f64::is_finite);
    if storable { Ok(start + length) } else { Err(format!("contains the number {text}, which no double can hold")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_json_passes_unchanged() {
        for text in [
            "null",
            "true",
            "false",
            "[]",
            r#"{"a":[1,2.5e10,-3E-7,{"b":"text \"quoted\" \\u0000 \ud83d\ude00 é"}]}"#,
            r#""😀""#,
        ] {
            assert_eq!(storable(text.to_owned()).unwrap().get(), text);
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_place() {
        for text in ["", "{", "undefined", "{\"a\":1} x", "NaN"] {
            let error = storable(text.to_owned()).unwrap_err();
            assert!(error.starts_with("is not JSON") && error.contains("column"), "{text}: {error}");
        }
    }

    #[test]
    fn json_that_postgresql_cannot_store_is_refused() {
        for (text, expected) in [
            (r#""\u0000""#, "\\u0000"),
            (r#""a\\\u0000""#, "\\u0000"),
            (r#""\ud83d""#, "surrogate"),
            (r#""\ud83d x\ude00""#, "surrogate"),
            (r#""\ud83d\n""#, "surrogate"),
            (r#""\ud83d\ud83d\ude00""#, "surrogate"),
            (r#""\ude00""#, "surrogate"),
            ("1e999999", "1e999999"),
            ("[1E+309]", "1E+309"),
            ("1e-99999999999", "no double"),
            (&"1".repeat(200_000), "200000 digits"),
        ] {
            let error = storable(text.to_owned()).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);

        assert!(storable(nested(MAX_DEPTH)).is_ok());
        assert!(storable(nested(MAX_DEPTH + 1)).unwrap_err().contains("nested"));
        assert!(storable(nested(500_000)).unwrap_err().contains("nested"));
    }

    #[test]
    fn metadata_must_be_an_object() {
        assert!(storable_object(" {} ".to_owned()).is_ok());
        assert_eq!(storable_object("[]".to_owned()).unwrap_err(), "is not a JSON object");
    }
}
