//! Stack frames in the lines a person wrote.
//!
//! Engines report places in the bundle that was compiled in. The build leaves the bundle's source map beside the
//! component; it is read when a component's first failure arrives, once, because most components never need it. A map
//! that is missing or broken costs the mapping, never the step.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sourcemap::SourceMap;

/// Frames of the binding glue that componentize-js adds; no person wrote them.
const GLUE: &str = "initializer.js";

/// Greatest source map that is read, in bytes. A bundle of a thousand lines has a map of about 100 KB.
const MAX_MAP_BYTES: u64 = 64 << 20;

/// The source map of one component.
#[derive(Debug)]
pub(super) struct SourceMaps {
    path: Option<PathBuf>,
    map: OnceLock<Option<SourceMap>>,
}

/// A place in a file; lines and columns count from 1, as engines print them.
#[derive(Debug, PartialEq, Eq)]
struct Frame<'a> {
    function: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
}

impl SourceMaps {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, map: OnceLock::new() }
    }

    /// The frames as `function (file:line:column)`, glue left out, and lines that are no frames as they were.
    pub(super) fn map(&self, frames: Vec<String>) -> Vec<String> {
        let map = self.map.get_or_init(|| self.path.as_deref().and_then(load)).as_ref();
        frames
            .into_iter()
            .filter_map(|text| {
                let Some(frame) = parse(&text) else { return Some(text) };
                if frame.file.rsplit('/').next() == Some(GLUE) {
                    return None;
                }
                Some(
                    map.and_then(|map| original(map, &frame))
                        .unwrap_or_else(|| show(frame.function, frame.file, frame.line, frame.column)),
                )
            })
            .collect()
    }
}

fn load(path: &Path) -> Option<SourceMap> {
    let read = || -> Result<SourceMap, String> {
        let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
        if bytes > MAX_MAP_BYTES {
            return Err(format!("it has {bytes} bytes, more than {MAX_MAP_BYTES}"));
        }
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        SourceMap::from_slice(&bytes).map_err(|error| error.to_string())
    };
    read()
        .inspect_err(|error| {
            tracing::warn!(path = %path.display(), "stack traces stay unmapped, the source map cannot be read: {error}");
        })
        .ok()
}

/// Reads `fn@file:line:column` (StarlingMonkey) and `at fn (file:line:column)` (QuickJS), with or without a function.
fn parse(text: &str) -> Option<Frame<'_>> {
    let text = text.trim();
    let (function, place) = match text.strip_prefix("at ") {
        Some(rest) => match rest.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")) {
            Some(parts) => parts,
            None => ("", rest),
        },
        None => text.split_once('@')?,
    };
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some(Frame { function, file, line: line.parse().ok()?, column: column.parse().ok()? })
}

fn original(map: &SourceMap, frame: &Frame<'_>) -> Option<String> {
    let line = frame.line.checked_sub(1)?;
    let token = map.lookup_token(line, frame.column.saturating_sub(1))?;
    // The nearest mapping may belong to an earlier line: then this one is the bundler's own.
    if token.get_dst_line() != line {
        return None;
    }
    let source = token.get_source()?;
    Some(show(frame.function, source.trim_start_matches("../"), token.get_src_line() + 1, token.get_src_col() + 1))
}

fn show(function: &str, file: &str, line: u32, column: u32) -> String {
    if function.is_empty() { format!("{file}:{line}:{column}") } else { format!("{function} ({file}:{line}:{column})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line 2 of the bundle, columns 1 and 9, come from src/add.ts 11:3 and 12:5.
    fn with_map(test: impl FnOnce(&SourceMaps)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bundle.map");
        std::fs::write(&path, r#"{"version":3,"sources":["../src/add.ts"],"names":[],"mappings":";AAUE,QACE"}"#)
            .unwrap();
        test(&SourceMaps::new(Some(path)));
    }

    fn frames(text: &[&str]) -> Vec<String> {
        text.iter().map(|&frame| frame.to_owned()).collect()
    }

    #[test]
    fn frames_of_both_engines_are_mapped_to_source_lines() {
        with_map(|maps| {
            let mapped = maps.map(frames(&[
                "inner@linear.js:2:1",
                "async*call@linear.js:2:10",
                "    at outer (/out/linear.js:2:1)",
                "at /out/linear.js:2:9",
            ]));

            assert_eq!(
                mapped,
                [
                    "inner (src/add.ts:11:3)",
                    "async*call (src/add.ts:12:5)",
                    "outer (src/add.ts:11:3)",
                    "src/add.ts:12:5"
                ]
            );
        });
    }

    #[test]
    fn glue_is_left_out_and_the_unmappable_is_kept() {
        with_map(|maps| {
            let mapped =
                maps.map(frames(&["handle@initializer.js:100:2", "main@linear.js:900:1", "[native code]", ""]));

            assert_eq!(mapped, ["main (linear.js:900:1)", "[native code]", ""]);
        });
    }

    #[test]
    fn a_missing_or_broken_map_leaves_frames_readable() {
        let missing = SourceMaps::new(Some("/nowhere.map".into()));
        assert_eq!(missing.map(frames(&["f@linear.js:2:1"])), ["f (linear.js:2:1)"]);

        let broken = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(broken.path(), "{").unwrap();
        let broken = SourceMaps::new(Some(broken.path().to_owned()));
        assert_eq!(broken.map(frames(&["f@linear.js:2:1"])), ["f (linear.js:2:1)"]);
    }

    #[test]
    fn a_scoped_package_in_a_path_does_not_confuse_the_function_name() {
        let frame = parse("call@node_modules/@scope/x.js:3:4").unwrap();

        assert_eq!((frame.function, frame.file), ("call", "node_modules/@scope/x.js"));
    }
}
