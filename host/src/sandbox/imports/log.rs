//! `tasker:handler/log`: a handler's records become tracing events that name the attempt.
//!
//! A handler in a loop must not drown the log: records and bytes are bounded per attempt, what exceeds them is counted,
//! and one note at the end says how much was dropped.

use serde_json::value::RawValue;
use tracing::Level;
use uuid::Uuid;

use crate::sandbox::attempt::Attempt;
use crate::sandbox::bindings::tasker::handler::log;
use crate::sandbox::contract::StepContext;
use crate::sandbox::limits::Limits;
use crate::sandbox::output::clean;
use crate::sandbox::records::LogRecords;

/// Target of every record a guest writes, for filters like `RUST_LOG=info,handler=debug`.
pub(crate) const TARGET: &str = "handler";

/// Names the attempt in every record.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Identity {
    pub(in crate::sandbox) task_uuid: Uuid,
    pub(in crate::sandbox) step_uuid: Uuid,
    pub(in crate::sandbox) correlation_id: Uuid,
    /// The handler's callable, or the name of what else runs.
    pub(in crate::sandbox) handler: String,
    pub(in crate::sandbox) attempt: u32,
}

impl Identity {
    /// Stands for a step while a component describes itself.
    pub(in crate::sandbox) fn of_component(name: &str) -> Self {
        let nil = Uuid::nil();
        Self { task_uuid: nil, step_uuid: nil, correlation_id: nil, handler: name.to_owned(), attempt: 0 }
    }
}

impl From<&StepContext> for Identity {
    fn from(context: &StepContext) -> Self {
        Self {
            task_uuid: context.task_uuid,
            step_uuid: context.step_uuid,
            correlation_id: context.correlation_id,
            handler: context.handler.callable.clone(),
            attempt: context.attempts,
        }
    }
}

/// An attempt's log: who writes, and how much more it may write.
#[derive(Debug)]
pub(in crate::sandbox) struct Log {
    identity: Identity,
    lines_left: u32,
    bytes_left: usize,
    suppressed: u32,
    kept: LogRecords,
}

/// Writes an event with the identity of an attempt; tracing fixes an event's level where it is written.
macro_rules! event {
    ($level:expr, $log:expr, $($field:tt)*) => {{
        macro_rules! at {
            ($fixed:expr) => {
                tracing::event!(
                    target: TARGET, $fixed,
                    task_uuid = %$log.identity.task_uuid, step_uuid = %$log.identity.step_uuid,
                    correlation_id = %$log.identity.correlation_id, handler = $log.identity.handler,
                    attempt = $log.identity.attempt, $($field)*
                )
            };
        }
        match $level {
            Level::TRACE => at!(Level::TRACE),
            Level::DEBUG => at!(Level::DEBUG),
            Level::INFO => at!(Level::INFO),
            Level::WARN => at!(Level::WARN),
            Level::ERROR => at!(Level::ERROR),
        }
    }};
}

impl Log {
    pub(in crate::sandbox) fn new(identity: Identity, limits: &Limits) -> Self {
        Self {
            identity,
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes,
            suppressed: 0,
            kept: LogRecords::default(),
        }
    }

    /// A record of the handler's.
    fn record(&mut self, level: Level, message: &str, fields: &str) {
        let bytes = message.len() + fields.len();
        if self.lines_left == 0 || bytes > self.bytes_left {
            self.suppressed += 1;
            return;
        }
        self.lines_left -= 1;
        self.bytes_left -= bytes;
        let message = clean(message);
        let fields = fields_of(fields);
        match &fields {
            None => event!(level, self, "{message}"),
            Some(fields) => event!(level, self, fields = %fields, "{message}"),
        }
        if is_kept(level) {
            self.kept.push(level, message, fields.and_then(|fields| RawValue::from_string(fields).ok()));
        }
    }

    /// A record of the host's about this attempt.
    pub(in crate::sandbox) fn note(&mut self, level: Level, message: &str) {
        event!(level, self, "{message}");
        if is_kept(level) {
            self.kept.push(level, message.to_owned(), None);
        }
    }

    /// Says what was dropped, if anything was.
    pub(in crate::sandbox) fn finish(&mut self) {
        if self.suppressed > 0 {
            let suppressed = self.suppressed;
            self.note(
                Level::WARN,
                &format!("{suppressed} log records of this attempt were suppressed: it wrote more than it may"),
            );
            self.kept.count_dropped(suppressed);
        }
    }

    /// What is kept of it beside the attempt.
    pub(in crate::sandbox) fn take(&mut self) -> LogRecords {
        std::mem::take(&mut self.kept)
    }
}

/// Whether a record is kept beside its attempt. Those below are for who debugs with the log open.
fn is_kept(level: Level) -> bool {
    level <= Level::INFO
}

/// The fields as compact JSON on one line; nothing when there are none. Fields that are not an object are shown as a
/// string: a record with odd fields beats no record.
fn fields_of(fields: &str) -> Option<String> {
    let fields = match serde_json::from_str::<serde_json::Value>(fields) {
        Ok(serde_json::Value::Object(fields)) if fields.is_empty() => return None,
        Ok(fields @ serde_json::Value::Object(_)) => fields,
        _ if fields.is_empty() => return None,
        _ => serde_json::Value::String(fields.to_owned()),
    };
    Some(clean(&fields.to_string()))
}

impl log::Host for Attempt {
    fn enabled(&mut self, level: log::Level) -> bool {
        self.host_calls += 1;
        match level_of(level) {
            Level::TRACE => tracing::enabled!(target: TARGET, Level::TRACE),
            Level::DEBUG => tracing::enabled!(target: TARGET, Level::DEBUG),
            kept => is_kept(kept),
        }
    }

    fn emit(&mut self, level: log::Level, message: String, fields: String) {
        self.host_calls += 1;
        self.log.record(level_of(level), &message, &fields);
    }
}

fn level_of(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::TRACE,
        log::Level::Debug => Level::DEBUG,
        log::Level::Info => Level::INFO,
        log::Level::Warn => Level::WARN,
        log::Level::Error => Level::ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a log of these bounds writes, one JSON object a record.
    fn written(limits: &Limits, write: impl FnOnce(&mut Log)) -> Vec<serde_json::Value> {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(Level::TRACE).with_writer(move || writer.clone());
        let identity = Identity {
            task_uuid: Uuid::from_u128(1),
            step_uuid: Uuid::from_u128(2),
            correlation_id: Uuid::from_u128(3),
            handler: "Add".into(),
            attempt: 1,
        };
        tracing::subscriber::with_default(subscriber.finish(), || {
            let mut log = Log::new(identity, limits);
            write(&mut log);
            log.finish();
        });
        let bytes = captured.0.lock().unwrap();
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn a_record_carries_level_fields_and_the_identity_of_the_attempt() {
        let records = written(&Limits::default(), |log| log.record(Level::WARN, "half\nway", r#"{"n": 1}"#));

        let [record] = records.as_slice() else { panic!("one record expected: {records:?}") };
        assert_eq!(record["level"], "WARN");
        assert_eq!(record["target"], "handler");
        let fields = &record["fields"];
        assert_eq!(fields["message"], "half way");
        assert_eq!(fields["fields"], r#"{"n":1}"#);
        assert_eq!(fields["task_uuid"], Uuid::from_u128(1).to_string());
        assert_eq!(fields["step_uuid"], Uuid::from_u128(2).to_string());
        assert_eq!(fields["correlation_id"], Uuid::from_u128(3).to_string());
        assert_eq!((&fields["handler"], &fields["attempt"]), (&"Add".into(), &1.into()));
    }

    #[test]
    fn fields_that_are_no_object_do_not_lose_the_record() {
        let records = written(&Limits::default(), |log| {
            log.record(Level::INFO, "a", "not json");
            log.record(Level::INFO, "b", "{}");
        });

        assert_eq!(records[0]["fields"]["fields"], r#""not json""#);
        assert!(records[1]["fields"].get("fields").is_none());
    }

    #[test]
    fn records_beyond_the_bounds_are_dropped_and_counted_once() {
        let limits = Limits { log_lines: 2, log_bytes: 100, ..Limits::default() };
        let records = written(&limits, |log| {
            log.record(Level::INFO, &"x".repeat(101), "");
            for _ in 0..5 {
                log.record(Level::INFO, "y", "");
            }
        });

        assert_eq!(records.len(), 3);
        let note = records[2]["fields"]["message"].as_str().unwrap();
        assert!(note.starts_with("4 log records of this attempt were suppressed"), "{note}");
    }
}
