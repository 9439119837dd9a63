//! Tests over pairs of files: what is written, and beside it what must come of it.

use std::{fs, path::Path};

use snapbox::{Assert, Data};

/// Holds `read(file name, text)` of each `*.{input}` in `folder` against the file beside it that ends in `expected`.
/// Every pair is checked before the test fails; answers how many there were. `SNAPSHOTS=overwrite` rewrites them.
pub fn assert_each(
    folder: impl AsRef<Path>,
    input: &str,
    expected: &str,
    read: impl Fn(&str, &str) -> String,
) -> usize {
    let assert = Assert::new().action_env("SNAPSHOTS");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == input))
        .collect();
    paths.sort();
    let mut failures = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let actual = Data::text(read(name, &fs::read_to_string(path).unwrap())).raw();
        let expected = Data::read_from(&path.with_extension(expected), Some(snapbox::data::DataFormat::Text)).raw();
        if let Err(error) = assert.try_eq(Some(&name), actual, expected) {
            failures.push(error.to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    paths.len()
}
