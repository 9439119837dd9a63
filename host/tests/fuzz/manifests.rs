//! Manifests: any text is a manifest or an error that says what is wrong, and a manifest names no file but those beside it.

use tasker_wasm_host::registry::Manifest;

use crate::edit::edited_text;
use crate::target;

const MANIFEST: &str = include_str!("manifest.json");

const WORDS: &[&str] = &[
    "\"grants\":{\"http\":[{\"url\":\"https://*.example.com/v1\"}]},",
    "\"mounts\":[{\"path\":\"/data\"}],",
    "null",
    "{",
    "[",
    "}",
    "]",
    ",",
    "\"",
    "..",
    "/",
    "\\",
    "\\u0000",
    "\\ud800",
    "1e999",
    "-1",
    "99999999999999999999",
    "\"limits\":{\"fuel\":1},",
    "[[[[[[[[[[[[[[[[",
];

#[test]
fn manifests() {
    assert!(Manifest::parse(MANIFEST).is_ok(), "{:?}", Manifest::parse(MANIFEST));
    target!(|input: &[u8]| match Manifest::parse(&edited_text(MANIFEST, input, WORDS)) {
        Ok(manifest) => {
            assert!(!manifest.name.is_empty() && !manifest.namespace.is_empty());
            for file in [Some(&manifest.component), manifest.source_map.as_ref()].into_iter().flatten() {
                let path = std::path::Path::new(file);
                assert_eq!(path.components().count(), 1, "{file:?}");
                assert!(!file.contains(['/', '\\']) && file != "..", "{file:?}");
            }
        }
        Err(error) => assert!(!error.is_empty()),
    });
}
