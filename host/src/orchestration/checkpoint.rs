//! Whether a step that runs on gets anywhere.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::store::Checkpoint;

#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    cursor: &'a RawValue,
    items_processed: u64,
}

/// Whether a step that yields `next` has come further than `stored`. One that has not would run for ever.
pub fn advances(stored: Option<&RawValue>, next: &Checkpoint) -> bool {
    let stored = stored.and_then(|stored| serde_json::from_str::<Stored<'_>>(stored.get()).ok());
    stored
        .is_none_or(|stored| stored.cursor.get() != next.cursor.get() || next.items_processed > stored.items_processed)
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
        let before = RawValue::from_string(r#"{"cursor": 100, "items_processed": 100}"#.to_owned()).unwrap();
        assert!(advances(None, &checkpoint("100", 0)));
        assert!(advances(Some(&before), &checkpoint("200", 100)));
        assert!(advances(Some(&before), &checkpoint("100", 101)));
        assert!(!advances(Some(&before), &checkpoint("100", 100)));
        assert!(!advances(Some(&before), &checkpoint("100", 50)));
    }
}
