//! Why an attempt ended without a verdict of its handler.
//!
//! Two kinds, never mixed: an [`AttemptError`] is the guest's doing and spends an attempt; a [`HostFailure`] is the
//! host's, and the step goes back as if it had not been tried.
//!
//! Retry verdicts follow one question: could the same step, run again, end otherwise? Fuel, memory, stack and what the
//! guest hands over are the same in every run of the same input, so trying again only delays the answer. Time depends on
//! the machine and on what the guest waits for. A trap has no known cause, and gets the benefit of the doubt that every
//! Tasker worker gives an unclassified error; the template's `max_attempts` bounds it.

use std::fmt;
use std::time::Duration;

use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap};

use super::attempt::{Attempt, RESOURCES};
use super::contract::DispatchError;
use super::engine::STACK_BYTES;
use super::limits::Limits;

/// A limit on what a handler does through its imports. Reaching beyond one ends the attempt, whatever the guest makes of
/// it. Not retryable: the same input needs the same again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// Outbound HTTP requests.
    HttpRequests,
    /// Bytes of all requests.
    HttpRequestBytes,
    /// Bytes of all responses.
    HttpResponseBytes,
    /// Bytes written to files.
    FsWriteBytes,
    /// Bytes of a part of a checkpoint.
    CheckpointBytes,
    /// Calls of the orchestration client.
    ClientCalls,
    /// Domain events the handler publishes by itself.
    Events,
}

impl Exceeded {
    /// The limit's name in `tasker.toml`, templates and settings.
    pub fn limit(self) -> &'static str {
        match self {
            Self::HttpRequests => "http_requests",
            Self::HttpRequestBytes => "http_request_bytes",
            Self::HttpResponseBytes => "http_response_bytes",
            Self::FsWriteBytes => "fs_write_bytes",
            Self::CheckpointBytes => "checkpoint_bytes",
            Self::ClientCalls => "client_calls",
            Self::Events => "events",
        }
    }

    fn error_type(self) -> &'static str {
        match self {
            Self::HttpRequests => "http_requests_exceeded",
            Self::HttpRequestBytes => "http_request_bytes_exceeded",
            Self::HttpResponseBytes => "http_response_bytes_exceeded",
            Self::FsWriteBytes => "fs_write_bytes_exceeded",
            Self::CheckpointBytes => "checkpoint_bytes_exceeded",
            Self::ClientCalls => "client_calls_exceeded",
            Self::Events => "events_exceeded",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::HttpRequests => "HTTP requests",
            Self::HttpRequestBytes => "bytes of HTTP requests",
            Self::HttpResponseBytes => "bytes of HTTP responses",
            Self::FsWriteBytes => "bytes written to files",
            Self::CheckpointBytes => "bytes in one part of a checkpoint",
            Self::ClientCalls => "calls of the orchestration client",
            Self::Events => "published events",
        }
    }
}

/// The guest did not deliver a verdict.
///
/// Displayed with whether the step is tried again; [`AttemptError::cause`] is the text without that, for calls that are no
/// attempts of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptError {
    /// It computed more than it may. Not retryable: fuel is the same in every run.
    FuelExhausted {
        /// Fuel it had.
        limit: u64,
    },
    /// It needed more memory than it may have. Not retryable: the same input needs the same memory.
    MemoryLimitExceeded {
        /// Bytes it may have.
        limit: usize,
        /// Bytes it had.
        peak: usize,
    },
    /// It took longer than it may. Retryable: what it waited for may answer next time.
    DeadlineExceeded {
        /// Time it had.
        limit: Duration,
    },
    /// It called itself too deeply. Not retryable.
    StackOverflow,
    /// Its promise never settles: nothing is left that could settle it. Not retryable.
    NeverSettled,
    /// It crashed. Retryable: the cause is unknown.
    GuestTrap {
        /// The trap, in the engine's words.
        trap: String,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// It handed the host more than it may. Not retryable.
    ResultTooLarge {
        /// `result`, `metadata`, `payload` and the like, or `data in one call`.
        what: &'static str,
        /// Bytes it may hand over.
        limit: usize,
        /// Bytes it handed over; unknown when the host did not even look at them.
        used: Option<usize>,
    },
    /// It did more through its imports than it may. Not retryable.
    LimitExceeded {
        /// Of what.
        exceeded: Exceeded,
        /// What it may have.
        limit: u64,
        /// What it would have had, where it was stopped.
        used: u64,
    },
    /// It holds more of the host's things at once than it may. Not retryable: the same input makes the same again.
    TooManyResources,
    /// It returned something that is not JSON, or that cannot be stored. Not retryable.
    InvalidResult {
        /// `result`, `metadata`, `cursor`, `payload` and the like.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The call never reached a handler. Not retryable: template and component do not fit.
    Dispatch(DispatchError),
    /// No component of this host serves the step. Not retried: the template or the component path has to change.
    NoComponent(String),
    /// No instance could be made of the component. Not retryable.
    CannotInstantiate {
        /// What the engine said.
        detail: String,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
}

impl std::error::Error for AttemptError {}

impl From<DispatchError> for AttemptError {
    fn from(error: DispatchError) -> Self {
        Self::Dispatch(error)
    }
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict =
            if self.retryable() { "it is retried while the step has attempts left" } else { "it is not retried" };
        write!(f, "{}; {verdict}", self.cause())
    }
}

/// What went wrong, the limit and the use where there is one, and what to do.
struct Cause<'a>(&'a AttemptError);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AttemptError::FuelExhausted { limit } => write!(
                f,
                "the handler used all of its {limit} units of fuel (about {} s of computing); look for an endless loop, \
                 split the step, or raise the limit `fuel`",
                limit.div_ceil(7_000_000_000)
            ),
            AttemptError::MemoryLimitExceeded { limit, peak } => write!(
                f,
                "the handler needs more than its {} MiB of memory (it had {} MiB when growth was refused); keep less in \
                 memory at once, split the step, or raise the limit `memory_mb`",
                limit >> 20,
                peak >> 20
            ),
            AttemptError::DeadlineExceeded { limit } => write!(
                f,
                "the handler did not finish within {} s; look for something it waits for without a timeout of its own, or \
                 raise the limit `timeout_ms` (`timeout_seconds` of the step)",
                limit.as_secs_f64()
            ),
            AttemptError::StackOverflow => write!(
                f,
                "the handler's calls are nested too deeply for its {} KiB stack; look for endless recursion",
                STACK_BYTES >> 10
            ),
            AttemptError::NeverSettled => f.write_str(
                "the handler returned a promise that nothing can settle any more; look for an `await` of a promise whose \
                 `resolve` is never called",
            ),
            AttemptError::GuestTrap { trap, stderr } => write!(f, "the handler crashed: {trap}{}", tail(stderr)),
            AttemptError::ResultTooLarge { what, limit, used } => {
                match used {
                    Some(used) => write!(f, "the handler handed over {used} bytes of {what} and may hand over {limit}")?,
                    None => write!(f, "the handler handed over more than {limit} bytes of {what}")?,
                }
                f.write_str("; return a reference to large data instead of the data, or raise the limit `result_bytes`")
            }
            AttemptError::LimitExceeded { exceeded, limit, used } => write!(
                f,
                "the handler may have {limit} {} and went on to {used}; do less in one step, or raise the limit `{}`",
                exceeded.what(),
                exceeded.limit()
            ),
            AttemptError::TooManyResources => write!(
                f,
                "the handler holds more than {RESOURCES} things of the host at once (timers, streams, requests, files); end \
                 or drop some before making more"
            ),
            AttemptError::InvalidResult { what, detail } => write!(
                f,
                "the handler's {what} {detail}; the guest SDK makes it with JSON.stringify, so return plain data"
            ),
            AttemptError::Dispatch(error) => error.fmt(f),
            AttemptError::NoComponent(error) => f.write_str(error),
            AttemptError::CannotInstantiate { detail, stderr } => {
                write!(f, "the component cannot be instantiated: {detail}{}", tail(stderr))
            }
        }
    }
}

impl AttemptError {
    /// The name that is stored as the error's type.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::FuelExhausted { .. } => "fuel_exhausted",
            Self::MemoryLimitExceeded { .. } => "memory_limit_exceeded",
            Self::DeadlineExceeded { .. } => "timeout",
            Self::StackOverflow => "stack_overflow",
            Self::NeverSettled => "never_settled",
            Self::GuestTrap { .. } => "guest_trap",
            Self::ResultTooLarge { .. } => "result_too_large",
            Self::LimitExceeded { exceeded, .. } => exceeded.error_type(),
            Self::TooManyResources => "too_many_resources",
            Self::InvalidResult { .. } => "invalid_result",
            Self::Dispatch(DispatchError::HandlerNotFound(_)) | Self::NoComponent(_) => "handler_not_found",
            Self::Dispatch(DispatchError::ResolverNotFound(_)) => "resolver_not_found",
            Self::Dispatch(DispatchError::MethodNotFound { .. }) => "method_not_found",
            Self::Dispatch(DispatchError::HandlerInitFailed(_)) => "handler_init_failed",
            Self::Dispatch(DispatchError::InvalidContext(_)) => "invalid_context",
            Self::CannotInstantiate { .. } => "cannot_instantiate",
        }
    }

    /// The text without whether the step is tried again.
    pub fn cause(&self) -> impl fmt::Display + '_ {
        Cause(self)
    }

    /// Whether another attempt could end otherwise; each variant says why.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::DeadlineExceeded { .. } | Self::GuestTrap { .. })
    }
}

/// The attempt was not made, or was cut short, for a reason of the host: put the step back, spend no attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostFailure {
    /// Every slot is taken. The caller should admit at most `SandboxFacts::slots` attempts at once.
    #[error("no free slot for an attempt ({detail}); run fewer attempts at once, or raise max_concurrent")]
    NoSlot {
        /// Which pool is full.
        detail: String,
    },
    /// The kernel refused memory or address space.
    #[error("the machine has no memory for an attempt: {detail}")]
    OutOfMemory {
        /// What failed.
        detail: String,
    },
    /// The attempt was cancelled before it began.
    #[error("the attempt was cancelled before it began")]
    Cancelled,
}

/// Where the attempt was when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Instantiate,
    Call,
}

/// Names the failure of an attempt.
///
/// Traps with one meaning come first, then what the attempt's own state says: a guest whose memory was refused dies in
/// many ways, and none of them says so.
pub(super) fn classify(
    error: &wasmtime::Error,
    phase: Phase,
    attempt: &Attempt,
    limits: &Limits,
) -> Result<AttemptError, HostFailure> {
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return Err(HostFailure::NoSlot { detail: full.to_string() });
    }
    let trap = error.downcast_ref::<Trap>();
    let chain = format!("{error:#}");
    let stderr = attempt.stderr.text();
    Ok(match (trap, phase) {
        (Some(Trap::OutOfFuel), _) => AttemptError::FuelExhausted { limit: limits.fuel },
        (Some(Trap::StackOverflow), _) => AttemptError::StackOverflow,
        // wasmtime has no public type for this one.
        _ if chain.contains("fuel allocated for hostcalls has been exhausted") => {
            AttemptError::ResultTooLarge { what: "data in one call", limit: handover_bytes(limits), used: None }
        }
        _ if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) => AttemptError::TooManyResources,
        _ if attempt.limiter.memory_denials() > 0 => memory_limit_exceeded(attempt, limits),
        (Some(Trap::UnreachableCodeReached), Phase::Call) if stderr.contains("event loop error") => {
            AttemptError::NeverSettled
        }
        (_, Phase::Call) => AttemptError::GuestTrap { trap: error.root_cause().to_string(), stderr },
        (None, Phase::Instantiate) if error.downcast_ref::<std::io::Error>().is_some() => {
            return Err(HostFailure::OutOfMemory { detail: chain });
        }
        // The whole chain: it names the export or import that does not fit.
        (_, Phase::Instantiate) => AttemptError::CannotInstantiate { detail: chain, stderr },
    })
}

/// The error of an attempt whose memory was refused.
pub(super) fn memory_limit_exceeded(attempt: &Attempt, limits: &Limits) -> AttemptError {
    AttemptError::MemoryLimitExceeded { limit: limits.memory_bytes, peak: attempt.limiter.peak() }
}

/// Bytes a guest may hand the host in one call: two parts of a result or checkpoint, and room for message and backtrace. Bounds what the host
/// copies before it can look at it.
pub(super) fn handover_bytes(limits: &Limits) -> usize {
    limits.result_bytes.max(limits.checkpoint_bytes).saturating_mul(2).saturating_add(1 << 20)
}

fn tail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it last wrote to standard error: {stderr}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text there is, so that a change of one is seen. `SNAPSHOTS=overwrite cargo test texts` writes them anew.
    #[test]
    fn texts_say_limit_and_use_what_to_do_and_whether_it_is_retried() {
        let exceeded = [
            Exceeded::HttpRequests,
            Exceeded::HttpRequestBytes,
            Exceeded::HttpResponseBytes,
            Exceeded::FsWriteBytes,
            Exceeded::CheckpointBytes,
            Exceeded::ClientCalls,
            Exceeded::Events,
        ];
        let errors = [
            AttemptError::FuelExhausted { limit: 10_000_000_000 },
            AttemptError::MemoryLimitExceeded { limit: 128 << 20, peak: 120 << 20 },
            AttemptError::DeadlineExceeded { limit: Duration::from_millis(1_500) },
            AttemptError::StackOverflow,
            AttemptError::NeverSettled,
            AttemptError::GuestTrap { trap: "wasm trap: unreachable".into(), stderr: "oh".into() },
            AttemptError::ResultTooLarge { what: "result", limit: 10, used: Some(12) },
            AttemptError::ResultTooLarge { what: "data in one call", limit: 10, used: None },
            AttemptError::InvalidResult { what: "result", detail: "is not JSON".into() },
            AttemptError::Dispatch(DispatchError::HandlerNotFound("Add".into())),
            AttemptError::NoComponent("no component serves it".into()),
            AttemptError::CannotInstantiate { detail: "no".into(), stderr: String::new() },
        ];
        let exceeded = exceeded.map(|exceeded| AttemptError::LimitExceeded { exceeded, limit: 5, used: 6 });
        let texts: String =
            errors.iter().chain(&exceeded).map(|error| format!("{}: {error}\n", error.error_type())).collect();
        let expected = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors/attempt.txt");
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .eq(texts, snapbox::Data::read_from(expected.as_ref(), None).raw());
    }
}
