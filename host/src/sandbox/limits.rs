//! What an attempt may use, and what it used.
//!
//! | what | limited by | when it runs out |
//! |---|---|---|
//! | computing | fuel | the guest traps, `fuel_exhausted` |
//! | linear memory | the store's limiter, all memories together | growth is denied; the guest mostly dies of it |
//! | tables, instances, memories | the store's limiter | instantiation or growth is denied |
//! | time, waiting included | one timer around instantiation and call | the attempt is dropped, `timeout` |
//! | what it hands over | bytes of result and metadata | `result_too_large` |
//! | what it logs | records and bytes | further records are dropped and counted |
//! | what it sends, receives, writes and calls | counts and bytes, each by itself | the attempt ends, see [`Exceeded`] |
//!
//! [`Exceeded`]: super::Exceeded
//!
//! Fuel and time are both needed: fuel is the same on every machine and for every run of the same input, and says
//! nothing of a guest that waits; time bounds the waiting, and says nothing fair of a guest on a busy machine.

use std::ops::AddAssign;
use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::config::limits::{Limit, LimitSet};

/// Elements of all tables of an attempt together. A StarlingMonkey component has one table of 7,700.
pub(super) const TABLE_ELEMENTS: usize = 30_000;
/// Core instances of one component. A TypeScript component has about five.
pub(super) const CORE_INSTANCES: u32 = 20;
/// Linear memories of one component. QuickJS components have two.
pub(super) const MEMORIES: u32 = 4;
/// Tables of one component.
pub(super) const TABLES: u32 = 16;

/// What one attempt may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// WebAssembly operations, roughly. The default, 10^10, is 1 to 2 s of computing, and several thousand times what a
    /// small TypeScript step takes (about 1.5 * 10^6); counts change with every engine and SDK version, so leave headroom.
    pub fuel: u64,
    /// Bytes of all linear memories together; never more than [`SandboxSettings::max_memory_bytes`]. Default 128 MiB; a
    /// TypeScript component starts at about 9 MiB.
    ///
    /// [`SandboxSettings::max_memory_bytes`]: super::SandboxSettings::max_memory_bytes
    pub memory_bytes: usize,
    /// Wall clock from before instantiation to the handler's verdict. Default 30 s.
    pub deadline: Duration,
    /// Bytes of the result, and of the metadata. Default 1 MiB.
    pub result_bytes: usize,
    /// Log records. Default 1,000.
    pub log_lines: u32,
    /// Bytes of messages and fields of all log records together. Default 256 KiB.
    pub log_bytes: usize,
    /// Outbound HTTP requests. Default 100.
    pub http_requests: u32,
    /// Outbound HTTP requests at the same time; further ones wait. Default 8.
    pub http_concurrent: u32,
    /// Bytes of all requests together, headers and bodies. Default 4 MiB.
    pub http_request_bytes: u64,
    /// Bytes of all responses together, headers and bodies. Default 16 MiB.
    pub http_response_bytes: u64,
    /// Bytes written to files. Default 16 MiB.
    pub fs_write_bytes: u64,
    /// Bytes of each part of a checkpoint. Default 1 MiB.
    pub checkpoint_bytes: usize,
    /// Calls of the orchestration client. Default 100.
    pub client_calls: u32,
    /// Domain events the handler publishes by itself. Default 100.
    pub events: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            memory_bytes: 128 << 20,
            deadline: Duration::from_secs(30),
            result_bytes: 1 << 20,
            log_lines: 1_000,
            log_bytes: 256 << 10,
            http_requests: 100,
            http_concurrent: 8,
            http_request_bytes: 4 << 20,
            http_response_bytes: 16 << 20,
            fs_write_bytes: 16 << 20,
            checkpoint_bytes: 1 << 20,
            client_calls: 100,
            events: 100,
        }
    }
}

/// A limit nothing is said of has its default.
impl From<&LimitSet> for Limits {
    fn from(set: &LimitSet) -> Self {
        let default = Self::default();
        let count = |limit, default| set.get(limit).map_or(default, |value| value.try_into().unwrap_or(u32::MAX));
        let size = |limit, default| set.get(limit).map_or(default, |value| value.try_into().unwrap_or(usize::MAX));
        let mebibytes = |value: u64| usize::try_from(value << 20).unwrap_or(usize::MAX);
        Self {
            fuel: set.get(Limit::Fuel).unwrap_or(default.fuel),
            memory_bytes: set.get(Limit::MemoryMb).map_or(default.memory_bytes, mebibytes),
            deadline: set.get(Limit::TimeoutMs).map_or(default.deadline, Duration::from_millis),
            result_bytes: size(Limit::ResultBytes, default.result_bytes),
            log_lines: count(Limit::LogLines, default.log_lines),
            log_bytes: size(Limit::LogBytes, default.log_bytes),
            http_requests: count(Limit::HttpRequests, default.http_requests),
            http_concurrent: count(Limit::HttpConcurrent, default.http_concurrent),
            http_request_bytes: set.get(Limit::HttpRequestBytes).unwrap_or(default.http_request_bytes),
            http_response_bytes: set.get(Limit::HttpResponseBytes).unwrap_or(default.http_response_bytes),
            fs_write_bytes: set.get(Limit::FsWriteBytes).unwrap_or(default.fs_write_bytes),
            checkpoint_bytes: size(Limit::CheckpointBytes, default.checkpoint_bytes),
            client_calls: count(Limit::ClientCalls, default.client_calls),
            events: count(Limit::Events, default.events),
        }
    }
}

/// What one attempt used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fuel, instantiation included. Equal for equal inputs, unless the guest reads clocks or random numbers.
    pub fuel: u64,
    /// Greatest size of all linear memories together, in bytes.
    pub peak_memory_bytes: u64,
    /// Time to make store and instance.
    pub instantiate: Duration,
    /// Time inside the call, host functions and waiting included.
    pub guest: Duration,
    /// Time from start to end, tearing down included.
    pub total: Duration,
    /// Calls of the `tasker:handler` imports, and outbound HTTP requests.
    pub host_calls: u32,
}

/// Two calls of one attempt: the greater peak, the sum of all else.
impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
        self.instantiate += other.instantiate;
        self.guest += other.guest;
        self.total += other.total;
        self.host_calls = self.host_calls.saturating_add(other.host_calls);
    }
}

/// Grants growth up to the limits and remembers the peak and what it denied.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_limit: usize,
    memory: usize,
    memory_peak: usize,
    /// Size of the growth granted last, to be taken back if it then fails.
    last_growth: usize,
    table_elements: usize,
    denied: u32,
}

impl Limiter {
    pub(super) fn new(memory_limit: usize) -> Self {
        Self { memory_limit, memory: 0, memory_peak: 0, last_growth: 0, table_elements: 0, denied: 0 }
    }

    /// Greatest size of all memories together, in bytes.
    pub(super) fn peak(&self) -> usize {
        self.memory_peak
    }

    /// How often memory was refused.
    pub(super) fn memory_denials(&self) -> u32 {
        self.denied
    }
}

impl ResourceLimiter for Limiter {
    /// `Ok(false)` lets the guest's allocator see a failed `memory.grow`: a garbage collector then gets its chance, and
    /// only a guest that really cannot go on dies.
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.memory.saturating_add(growth);
        if total > self.memory_limit {
            self.denied += 1;
            tracing::debug!(error.type = "memory_limit_exceeded", limit = self.memory_limit, wanted = total, "denied");
            return Ok(false);
        }
        self.last_growth = growth;
        self.memory = total;
        self.memory_peak = self.memory_peak.max(total);
        Ok(true)
    }

    /// A growth granted above met a smaller limit: the memory's own maximum, or the pool's.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory = self.memory.saturating_sub(std::mem::take(&mut self.last_growth));
        self.denied += 1;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        let granted = total <= TABLE_ELEMENTS;
        if granted {
            self.table_elements = total;
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_a_set_is_one_of_an_attempt_in_its_unit() {
        assert_eq!(Limits::from(&LimitSet::default()), Limits::default());

        let numbered = Limit::ALL.into_iter().zip(3..).fold(LimitSet::default(), |set, (limit, n)| set.with(limit, n));

        let expected = Limits {
            fuel: 3,
            memory_bytes: 4 << 20,
            deadline: Duration::from_millis(5),
            result_bytes: 6,
            log_lines: 7,
            log_bytes: 8,
            http_requests: 9,
            http_concurrent: 10,
            http_request_bytes: 11,
            http_response_bytes: 12,
            fs_write_bytes: 13,
            checkpoint_bytes: 14,
            client_calls: 15,
            events: 16,
        };
        assert_eq!(Limits::from(&numbered), expected);
    }

    #[test]
    fn all_memories_share_one_limit() {
        let mut limiter = Limiter::new(100);

        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!((limiter.peak(), limiter.memory_denials()), (100, 1));
    }

    #[test]
    fn a_growth_that_fails_after_it_was_granted_is_given_back() {
        let mut limiter = Limiter::new(100);

        assert!(limiter.memory_growing(0, 80, None).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("the pool is smaller")).unwrap();

        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert_eq!(limiter.memory_denials(), 1);
    }

    #[test]
    fn tables_share_one_limit() {
        let mut limiter = Limiter::new(0);

        assert!(limiter.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
    }
}
