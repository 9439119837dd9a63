//! URL patterns: what one is shown as is the same pattern, and no destination makes one panic.

use tasker_wasm_host::grants::{Destination, Scheme, UrlPattern};

use crate::edit::edited_text;
use crate::target;

const PATTERNS: &[&str] = &[
    "https://api.example.com",
    "https://*.example.com:8443/v1",
    "http://*",
    "http://[::1]:8080/a/b",
    "https://10.0.0.1/%2e",
    "http://[::ffff:10.0.0.1]",
];

const WORDS: &[&str] = &[
    "://", "*.", "*", ".", "..", "/", "%2e%2e", "%2f", "%5c", "\\", ":", ":443", ":80", ":0", ":65536", "[", "]", "::",
    "@", "?", "#", ";", "%25", "0x7f", "\0", "é", "．", "xn--", "https://", "http://",
];

#[test]
fn urls() {
    target!(|input: &[u8]| {
        let Some((which, edits)) = input.split_first() else { return };
        let text = edited_text(PATTERNS[usize::from(*which) % PATTERNS.len()], edits, WORDS);
        let pattern = match text.parse::<UrlPattern>() {
            Ok(pattern) => pattern,
            Err(error) => return assert!(!error.is_empty()),
        };
        let shown = pattern.to_string();
        let again = shown.parse::<UrlPattern>();
        assert_eq!(again.as_ref(), Ok(&pattern), "{text:?} is shown as {shown:?}");
        assert_eq!(again.unwrap().to_string(), shown);
        assert!(pattern.overlaps(&pattern), "{shown}");

        // The text itself as a destination, cut up in the ways a request could be.
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", &text));
        let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        for (host, port) in [(host, None), (host.trim_end_matches([':', '4', '3']), Some(443)), ("", Some(0))] {
            let destination = Destination::new(scheme, host, port, path);
            let _ = pattern.matches(&destination);
            assert!(destination.to_string().starts_with(scheme.as_str()));
        }
        // A path that leads out of the granted one never fits.
        for out in ["/..", "/../x", "/%2e%2E/x", "/..%2fx", "/..\\x", "/%252e%252e/x"] {
            let prefix = text.parse::<UrlPattern>().unwrap().to_string();
            let Some(at) = prefix.find("://").and_then(|at| prefix[at + 3..].find('/').map(|path| at + 3 + path))
            else {
                break;
            };
            let path = format!("{}{out}", prefix[at..].trim_end_matches('/'));
            let destination = Destination::new(scheme, host, None, &path);
            assert!(!pattern.matches(&destination), "{shown} fits {destination}");
        }
    });
}
