//! Numbers as people read them, and JSON as programs do.

use serde::Serialize;

/// Prints one JSON document and a newline.
pub(super) fn json<T: Serialize>(value: &T) -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// JSON text laid out for people, two spaces in. Text that is no JSON stays as it is.
pub(super) fn indented(text: &str) -> String {
    let pretty = serde_json::from_str::<serde_json::Value>(text).and_then(|value| serde_json::to_string_pretty(&value));
    pretty.unwrap_or_else(|_| text.to_owned()).lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Microseconds as milliseconds: `0.42 ms`, `12.3 ms`, `4.20 s`.
pub(super) fn millis(micros: u64) -> String {
    let millis = micros as f64 / 1000.0;
    match millis {
        m if m < 10.0 => format!("{m:.2} ms"),
        m if m < 1000.0 => format!("{m:.1} ms"),
        m => format!("{:.2} s", m / 1000.0),
    }
}

/// A count with a decimal suffix: `417 k`, `1.31 M`.
pub(super) fn count(n: u64) -> String {
    scaled(n as f64, 1000.0, &["", " k", " M", " G", " T"])
}

/// Bytes with a binary suffix: `2.4 MiB`.
pub(super) fn bytes(n: u64) -> String {
    scaled(n as f64, 1024.0, &[" B", " KiB", " MiB", " GiB"])
}

fn scaled(mut n: f64, step: f64, suffixes: &[&str]) -> String {
    let mut suffix = 0;
    while n >= step && suffix + 1 < suffixes.len() {
        n /= step;
        suffix += 1;
    }
    let decimals = if suffix == 0 || n >= 100.0 {
        0
    } else if n >= 10.0 {
        1
    } else {
        2
    };
    format!("{n:.decimals$}{}", suffixes[suffix])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_say_their_unit() {
        assert_eq!(
            (millis(420), millis(12_340), millis(4_200_000)),
            ("0.42 ms".into(), "12.3 ms".into(), "4.20 s".into())
        );
        assert_eq!((count(24), count(417_312), count(1_310_000)), ("24".into(), "417 k".into(), "1.31 M".into()));
        assert_eq!((bytes(512), bytes(2_516_582)), ("512 B".into(), "2.40 MiB".into()));
    }
}
