//! The names of the limits, and sets of values for them.
//!
//! Settings, manifests and templates speak of limits with the same names, units and bounds, so all of them use the one
//! table below. A [`LimitSet`] holds what one of these places says; what an attempt gets is one laid over the other
//! ([`LimitSet::or`]) and cut to the ceiling of its namespace ([`LimitSet::at_most`]).

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::document::{Field, Shape, did_you_mean};

/// A value nobody reaches by honest means: 1 TiB.
const TIB: u64 = 1 << 40;

/// A limit on what one attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// WebAssembly operations, roughly.
    Fuel,
    /// MiB of all linear memories together.
    MemoryMb,
    /// Milliseconds of wall clock, host calls and waiting included.
    TimeoutMs,
    /// Bytes of the result, and of the metadata.
    ResultBytes,
    /// Log records.
    LogLines,
    /// Bytes of all log records together.
    LogBytes,
    /// Outbound HTTP requests.
    HttpRequests,
    /// Outbound HTTP requests at the same time.
    HttpConcurrent,
    /// Bytes of all requests together.
    HttpRequestBytes,
    /// Bytes of all responses together.
    HttpResponseBytes,
    /// Bytes written to files.
    FsWriteBytes,
    /// Bytes of each part of a checkpoint.
    CheckpointBytes,
    /// Calls of the orchestration client.
    ClientCalls,
    /// Domain events the handler publishes by itself.
    Events,
}

impl Limit {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 14] = [
        Self::Fuel,
        Self::MemoryMb,
        Self::TimeoutMs,
        Self::ResultBytes,
        Self::LogLines,
        Self::LogBytes,
        Self::HttpRequests,
        Self::HttpConcurrent,
        Self::HttpRequestBytes,
        Self::HttpResponseBytes,
        Self::FsWriteBytes,
        Self::CheckpointBytes,
        Self::ClientCalls,
        Self::Events,
    ];

    /// Its name, the least value and the greatest.
    const fn definition(self) -> (&'static str, u64, u64) {
        match self {
            Self::Fuel => ("fuel", 1, i64::MAX as u64),
            // Linear memories of 32 bits end at 4 GiB.
            Self::MemoryMb => ("memory_mb", 1, 4096),
            // A week, as for `timeout_seconds`.
            Self::TimeoutMs => ("timeout_ms", 1, 7 * 24 * 60 * 60 * 1000),
            // A PostgreSQL value ends at 1 GiB, and JSON of 256 MiB. Two bytes are `{}`.
            Self::ResultBytes => ("result_bytes", 2, 256 << 20),
            Self::LogLines => ("log_lines", 0, 1_000_000),
            Self::LogBytes => ("log_bytes", 0, 1 << 30),
            Self::HttpRequests => ("http_requests", 0, 1_000_000),
            // None at the same time would be waiting for ever; `http_requests = 0` is how to have none.
            Self::HttpConcurrent => ("http_concurrent", 1, 1_000),
            Self::HttpRequestBytes => ("http_request_bytes", 0, TIB),
            Self::HttpResponseBytes => ("http_response_bytes", 0, TIB),
            Self::FsWriteBytes => ("fs_write_bytes", 0, TIB),
            Self::CheckpointBytes => ("checkpoint_bytes", 2, 256 << 20),
            Self::ClientCalls => ("client_calls", 0, 1_000_000),
            Self::Events => ("events", 0, 1_000_000),
        }
    }

    /// Its name in settings, manifests, templates and `tasker.toml`.
    pub const fn name(self) -> &'static str {
        self.definition().0
    }

    /// The least and the greatest value it may be set to.
    pub const fn bounds(self) -> (u64, u64) {
        let (_, least, greatest) = self.definition();
        (least, greatest)
    }

    /// The limit of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A table of limits in a file: these keys and no other, because a misspelt limit would be one that is not kept.
pub const LIMITS: Shape = Shape::Closed(&FIELDS);

const FIELDS: [Field; Limit::ALL.len()] = {
    let mut fields = [Field::optional("", Shape::Any); Limit::ALL.len()];
    let mut at = 0;
    while at < fields.len() {
        let (name, least, greatest) = Limit::ALL[at].definition();
        fields[at] = Field::optional(name, Shape::Integer(least as i64, greatest as i64));
        at += 1;
    }
    fields
};

/// Values for some of the limits, in their own units.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitSet([Option<u64>; Limit::ALL.len()]);

/// A value that was cut to a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lowered {
    /// Which limit.
    #[serde(serialize_with = "as_name")]
    pub limit: Limit,
    /// What was asked for.
    pub asked: u64,
    /// What is allowed, and counts.
    pub ceiling: u64,
}

fn as_name<S: Serializer>(limit: &Limit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(limit.name())
}

impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, not the {} asked for", self.limit, self.ceiling, self.asked)
    }
}

impl LimitSet {
    /// What is said of this limit.
    pub fn get(&self, limit: Limit) -> Option<u64> {
        self.0[limit as usize]
    }

    /// Says something of a limit, or nothing any more.
    pub fn set(&mut self, limit: Limit, value: Option<u64>) {
        self.0[limit as usize] = value;
    }

    /// The same with this value.
    #[must_use]
    pub fn with(mut self, limit: Limit, value: u64) -> Self {
        self.set(limit, Some(value));
        self
    }

    /// Whether nothing is said of any limit.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// What is said, in the order of [`Limit::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().filter_map(|limit| Some((limit, self.get(limit)?)))
    }

    /// These values, and those of `below` where there are none.
    #[must_use]
    pub fn or(&self, below: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].or(below.0[at])))
    }

    /// Cuts every value to what `ceiling` says of it. A limit without a value gets the ceiling: nothing said is not
    /// everything allowed.
    #[must_use]
    pub fn at_most(&self, ceiling: &Self) -> Self {
        Self(std::array::from_fn(|at| match (self.0[at], ceiling.0[at]) {
            (Some(value), Some(ceiling)) => Some(value.min(ceiling)),
            (value, ceiling) => value.or(ceiling),
        }))
    }

    /// The values that [`LimitSet::at_most`] cuts.
    pub fn beyond(&self, ceiling: &Self) -> Vec<Lowered> {
        let beyond = |(limit, asked)| {
            let ceiling = ceiling.get(limit).filter(|ceiling| *ceiling < asked)?;
            Some(Lowered { limit, asked, ceiling })
        };
        self.iter().filter_map(beyond).collect()
    }
}

impl fmt::Debug for LimitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(limit, value)| (limit.name(), value))).finish()
    }
}

impl Serialize for LimitSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(limit, value)| (limit.name(), value)))
    }
}

impl<'de> Deserialize<'de> for LimitSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = LimitSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of limits")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LimitSet, A::Error> {
        let mut set = LimitSet::default();
        while let Some((name, value)) = map.next_entry::<String, Option<u64>>()? {
            let Some(limit) = Limit::named(&name) else {
                let hint = did_you_mean(&name, Limit::ALL.map(Limit::name));
                return Err(A::Error::custom(format!("there is no limit {name:?}{hint}")));
            };
            let (least, greatest) = limit.bounds();
            if let Some(value) = value
                && !(least..=greatest).contains(&value)
            {
                return Err(A::Error::custom(format!("{limit} is {value}, expected {least} to {greatest}")));
            }
            set.set(limit, value);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(json: &str) -> LimitSet {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_limit_stands_where_its_name_says() {
        for (at, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!((limit as usize, Limit::named(limit.name())), (at, Some(limit)));
        }
    }

    #[test]
    fn what_is_nearer_to_the_step_goes_before_and_the_ceiling_before_all() {
        let step = set(r#"{"fuel": 5}"#);
        let handler = set(r#"{"fuel": 50, "memory_mb": 200}"#);
        let defaults = set(r#"{"fuel": 9, "memory_mb": 128, "events": 100}"#);
        let ceiling = set(r#"{"memory_mb": 150, "events": 1000, "log_lines": 7}"#);

        let asked = step.or(&handler).or(&defaults);

        assert_eq!(asked, set(r#"{"fuel": 5, "memory_mb": 200, "events": 100}"#));
        assert_eq!(asked.at_most(&ceiling), set(r#"{"fuel": 5, "memory_mb": 150, "events": 100, "log_lines": 7}"#));
        let lowered: Vec<_> = asked.beyond(&ceiling).iter().map(ToString::to_string).collect();
        assert_eq!(lowered, ["memory_mb is 150, not the 200 asked for"]);
    }

    #[test]
    fn a_set_is_written_as_it_is_read_and_a_name_nobody_knows_is_refused() {
        let text = r#"{"fuel":1,"http_concurrent":4}"#;
        assert_eq!(serde_json::to_string(&set(text)).unwrap(), text);
        for (wrong, part) in [
            (r#"{"feul":1}"#, "there is no limit \"feul\"; did you mean `fuel`?"),
            (r#"{"memory_mb":5000}"#, "memory_mb is 5000, expected 1 to 4096"),
            (r#"{"events":-1}"#, "expected u64"),
        ] {
            let error = serde_json::from_str::<LimitSet>(wrong).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
