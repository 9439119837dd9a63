//! Why requests were refused or failed, for the operator: guests see only error codes, and JavaScript not even those.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::sandbox::accept::shown;

/// Causes that are kept; further ones are counted.
const KEPT: usize = 8;

/// Bytes of one cause.
const BYTES: usize = 500;

/// The distinct causes of one attempt, in the order they came. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Causes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    kept: Vec<String>,
    further: u32,
}

impl Causes {
    /// Keeps a cause, unless it is known already or there are too many.
    pub(super) fn note(&self, cause: &str) {
        let cause = shown(cause, BYTES);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.kept.contains(&cause) {
            return;
        }
        if noted.kept.len() < KEPT {
            noted.kept.push(cause);
        } else {
            noted.further = noted.further.saturating_add(1);
        }
    }

    /// All of it as one text; nothing when every request succeeded.
    pub(super) fn text(&self) -> Option<String> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = noted.kept.join("; ");
        if noted.further > 0 {
            text.push_str(&format!("; and {} further requests failed", noted.further));
        }
        (!text.is_empty()).then_some(text)
    }
}

/// The causes of an error, the outermost first, each once. `std::io::Error` hides what it wraps from the usual way.
pub(super) fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> Vec<&'a (dyn std::error::Error + 'static)> {
    let mut chain = vec![error];
    let mut next = Some(error);
    while let Some(error) = next {
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
        chain.extend(next);
    }
    chain
}

/// What a chain of errors says, without repetitions.
pub(super) fn described(error: &(dyn std::error::Error + 'static)) -> String {
    let mut seen = BTreeSet::new();
    let texts = chain(error).into_iter().map(ToString::to_string).filter(|text| seen.insert(text.clone()));
    texts.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn distinct_causes_are_kept_up_to_a_bound() {
        let causes = Causes::default();
        assert_eq!(causes.text(), None);
        for cause in ["a", "b", "a"] {
            causes.note(cause);
        }
        assert_eq!(causes.text().unwrap(), "a; b");

        for n in 0..10 {
            causes.note(&n.to_string());
        }
        assert_eq!(causes.text().unwrap(), "a; b; 0; 1; 2; 3; 4; 5; and 4 further requests failed");
    }

    #[test]
    fn causes_are_cut_and_cleaned() {
        let causes = Causes::default();
        causes.note(&format!("\x1b[31m{}", "x".repeat(1_000)));

        let text = causes.text().unwrap();
        assert!(text.starts_with("[31mx") && text.len() <= BYTES + 3, "{text}");
    }

    #[test]
    fn a_chain_goes_through_io_errors_and_repeats_nothing() {
        let inner = io::Error::new(io::ErrorKind::ConnectionRefused, "no");
        let outer = io::Error::other(io::Error::other(inner));

        assert_eq!(described(&outer), "no");
        assert_eq!(chain(&outer).len(), 4);
    }
}
