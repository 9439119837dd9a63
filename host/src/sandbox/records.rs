//! The end of an attempt's log, as it is kept beside the attempt: what its author reads first when it failed.

use std::collections::VecDeque;
use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::Level;

/// Bytes of messages and fields that are kept of an attempt.
const KEPT_BYTES: usize = 16 << 10;
/// Records that are kept of an attempt.
const KEPT_RECORDS: usize = 200;

/// One record.
#[derive(Debug, Clone, Serialize)]
pub struct LogRecord {
    /// When it was written.
    pub at: DateTime<Utc>,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// On one line, without control characters.
    pub message: String,
    /// What it says beside the message: any JSON, mostly an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Box<RawValue>>,
}

/// The newest records of an attempt, oldest first.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LogRecords {
    records: VecDeque<LogRecord>,
    /// Records before them that were not kept.
    dropped: u64,
    #[serde(skip)]
    bytes: usize,
}

impl LogRecord {
    fn bytes(&self) -> usize {
        self.message.len() + self.fields.as_ref().map_or(0, |fields| fields.get().len())
    }
}

impl LogRecords {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.dropped == 0
    }

    /// Keeps a record, and forgets the oldest ones that there is no room for beside it.
    pub(super) fn push(&mut self, level: Level, message: String, fields: Option<Box<RawValue>>) {
        let level = match level {
            Level::TRACE => "trace",
            Level::DEBUG => "debug",
            Level::INFO => "info",
            Level::WARN => "warn",
            Level::ERROR => "error",
        };
        self.keep(LogRecord { at: Utc::now(), level, message, fields });
    }

    /// Counts records that were never written.
    pub(super) fn count_dropped(&mut self, records: u32) {
        self.dropped += u64::from(records);
    }

    fn keep(&mut self, record: LogRecord) {
        self.bytes += record.bytes();
        self.records.push_back(record);
        while self.bytes > KEPT_BYTES || self.records.len() > KEPT_RECORDS {
            let Some(oldest) = self.records.pop_front() else { return };
            self.bytes -= oldest.bytes();
            self.dropped += 1;
        }
    }
}

impl AddAssign for LogRecords {
    /// Adds what was written later.
    fn add_assign(&mut self, later: Self) {
        self.dropped += later.dropped;
        later.records.into_iter().for_each(|record| self.keep(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_records_are_kept_and_the_others_counted() {
        let mut log = LogRecords::default();
        assert!(log.is_empty());
        for n in 0..KEPT_RECORDS + 3 {
            log.push(Level::INFO, n.to_string(), None);
        }
        assert_eq!((log.records.len(), log.dropped), (KEPT_RECORDS, 3));
        assert_eq!(log.records[0].message, "3");
        log.push(Level::WARN, "x".repeat(KEPT_BYTES), None);
        assert_eq!((log.records.len(), log.records[0].level), (1, "warn"));
        log.push(Level::WARN, "x".repeat(KEPT_BYTES + 1), None);
        assert_eq!((log.records.len(), log.dropped), (0, KEPT_RECORDS as u64 + 5));
    }
}
