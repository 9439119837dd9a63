//! What a guest hands over, taken only if it fits and can be stored.

use serde_json::value::RawValue;

use super::failure::AttemptError;
use super::json::{storable, storable_object};
use super::output::clean;

/// Takes JSON of at most `limit` bytes that `jsonb` can hold. `what` names it in the error.
pub(super) fn json(what: &'static str, text: String, limit: usize) -> Result<Box<RawValue>, AttemptError> {
    storable(bounded(what, text, limit)?).map_err(|detail| AttemptError::InvalidResult { what, detail })
}

/// As [`json`], and it must be an object.
pub(super) fn object(what: &'static str, text: String, limit: usize) -> Result<Box<RawValue>, AttemptError> {
    storable_object(bounded(what, text, limit)?).map_err(|detail| AttemptError::InvalidResult { what, detail })
}

fn bounded(what: &'static str, text: String, limit: usize) -> Result<String, AttemptError> {
    match text.len() {
        used if used > limit => Err(AttemptError::ResultTooLarge { what, limit, used: Some(used) }),
        _ => Ok(text),
    }
}

/// Text of a guest, cleaned and cut to so many bytes at a character's end.
pub(super) fn shown(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes);
    let mut shown = clean(&text[..end]);
    if end < text.len() {
        shown.push('…');
    }
    shown
}
