//! Progress as a handler sees it again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::store::Checkpoint;

#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    cursor: &'a RawValue,
    items_processed: u64,
}

#[derive(Serialize)]
struct Seen<'a> {
    cursor: &'a RawValue,
    items_processed: u64,
    timestamp: DateTime<Utc>,
    accumulated_results: Option<&'a RawValue>,
}

/// Whether a step that yields `next` has come further than `stored`. One that has not would run for ever.
pub fn advances(stored: Option<&RawValue>, next: &Checkpoint) -> bool {
    let stored = stored.and_then(|stored| serde_json::from_str::<Stored<'_>>(stored.get()).ok());
    stored
        .is_none_or(|stored| stored.cursor.get() != next.cursor.get() || next.items_processed > stored.items_processed)
}

/// The checkpoint as it stands in the step's row, and in the event of the call that resumes from it.
///
/// # Errors
///
/// It could not be written as JSON.
pub fn stored(checkpoint: &Checkpoint) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(&Seen {
        cursor: &checkpoint.cursor,
        items_processed: checkpoint.items_processed,
        timestamp: Utc::now(),
        accumulated_results: checkpoint.accumulated_results.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(cursor: &str, items_processed: u64) -> Checkpoint {
        let cursor = RawValue::from_string(cursor.to_owned()).unwrap();
        Checkpoint { cursor, items_processed, accumulated_results: None }
    }

    #[test]
    fn a_new_cursor_or_more_items_are_progress_and_nothing_else_is() {
        let before = stored(&checkpoint("100", 100)).unwrap();
        assert!(advances(None, &checkpoint("100", 0)));
        assert!(advances(Some(&before), &checkpoint("200", 100)));
        assert!(advances(Some(&before), &checkpoint("100", 101)));
        assert!(!advances(Some(&before), &checkpoint("100", 100)));
        assert!(!advances(Some(&before), &checkpoint("100", 50)));
    }
}
