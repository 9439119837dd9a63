//! One attempt: a new store, an instance, a call, and all of it thrown away.
//!
//! Instances are never used twice: globals would leak from one tenant's step into another's, and a trapped instance is
//! dead anyway. The price is the floor of the mechanism, about 8 microseconds.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::error::Elapsed;
use tracing::Level;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::accept::{self, shown};
use super::attempt::Attempt;
use super::bindings::tasker::handler::types;
use super::checkpoint;
use super::component::Prepared;
use super::contract::{AttemptReport, DispatchError, Failure, Invocation, StepOutcome, Success};
use super::engine::FUEL_YIELD_INTERVAL;
use super::failure::{AttemptError, HostFailure, Phase, classify, handover_bytes, memory_limit_exceeded};
use super::limits::{Limits, Usage};
use super::records::LogRecords;
use super::residency::thread_faults;
use super::violations::Violations;

/// Characters of a failure's message that are kept; the rest of a longer one says nothing more.
const MESSAGE: usize = 8 << 10;
/// Stack frames that are kept, and characters of each. Endless recursion makes stacks of many KB.
const FRAMES: usize = 50;
const FRAME: usize = 500;

/// Handles of resources in all tables of an attempt, the component's own resources included. More than it may have of the
/// host's; each takes some bytes of the host's memory.
const HANDLES: usize = 10_000;

/// Runs the handler the context names.
pub(super) async fn handle(prepared: &Prepared, invocation: Invocation) -> Result<AttemptReport, HostFailure> {
    if invocation.cancellation.is_cancelled() {
        return Err(HostFailure::Cancelled);
    }
    let Invocation { context, limits, cancellation, output, checkpoints, client, events } = invocation;
    if !prepared.granted.mounts.is_empty() {
        output.wait().await;
    }
    let budget = u32::try_from(limits.deadline.as_millis()).unwrap_or(u32::MAX);
    let mut attempt = Attempt::new((&context).into(), &limits, prepared);
    (attempt.cancellation, attempt.checkpoints) = (cancellation, checkpoints);
    (attempt.client.handle, attempt.direct_events.handle) = (client, events);
    (attempt.output, attempt.outbound.output) = (output.clone(), output);
    let context = context.into_wit(budget);

    let handlers = &prepared.handlers;
    let ran = run(
        prepared,
        &limits,
        attempt,
        |store, instance| handlers.load(store, instance),
        async |guest, store| guest.call_handle(store, &context).await,
    )
    .await?;

    let outcome = ran.outcome.and_then(|returned| match returned {
        Ok(types::StepOutcome::Success(success)) => accept_success(success, &limits),
        Ok(types::StepOutcome::Failure(failure)) => accept_failure(failure, prepared, &limits, &ran.after),
        Ok(types::StepOutcome::Checkpoint(progress)) => {
            Ok(StepOutcome::Checkpoint(checkpoint::accept(progress, limits.checkpoint_bytes)?))
        }
        Err(error) => Err(DispatchError::from(error).into()),
    });
    Ok(AttemptReport { outcome, usage: ran.usage, log: ran.log })
}

/// How a call ended.
pub(super) struct Ran<T> {
    pub(super) outcome: Result<T, AttemptError>,
    usage: Usage,
    after: After,
    log: LogRecords,
}

/// What ended a call.
enum Ended<T> {
    Returned(T),
    Failed(Phase, wasmtime::Error),
    Elapsed,
    Violated(AttemptError),
}

impl<T> Ended<T> {
    /// A violation counts even if the guest came to an end of its own meanwhile.
    fn of(ended: Result<Result<T, (Phase, wasmtime::Error)>, Elapsed>, violations: &Violations) -> Self {
        match (violations.first(), ended) {
            (Some(violation), _) => Self::Violated(violation),
            (None, Ok(Ok(value))) => Self::Returned(value),
            (None, Ok(Err((phase, error)))) => Self::Failed(phase, error),
            (None, Err(_elapsed)) => Self::Elapsed,
        }
    }
}

/// What the attempt's state said when it had ended.
struct After {
    /// The memory error, if memory was refused.
    memory: Option<AttemptError>,
    /// What outbound HTTP was refused, and what of it failed.
    http: Option<String>,
}

/// Instantiates, looks up what is to be called, calls, measures, and names what went wrong.
pub(super) async fn run<Guest, T>(
    prepared: &Prepared,
    limits: &Limits,
    attempt: Attempt,
    load: impl FnOnce(&mut Store<Attempt>, &Instance) -> wasmtime::Result<Guest>,
    call: impl AsyncFnOnce(&Guest, &mut Store<Attempt>) -> wasmtime::Result<T>,
) -> Result<Ran<T>, HostFailure> {
    let start = attempt.start;
    // Meaningless if the attempt moves to another thread, and then only a look too many or too few.
    let faults = thread_faults();
    let mut store = Store::new(prepared.pre.engine(), attempt);
    store.limiter(|attempt| &mut attempt.limiter);
    store.set_hostcall_fuel(handover_bytes(limits));
    store.set_max_component_handles(HANDLES);
    let fuelled = store.set_fuel(limits.fuel).and_then(|()| store.fuel_async_yield_interval(Some(FUEL_YIELD_INTERVAL)));
    fuelled.map_err(|error| HostFailure::OutOfMemory { detail: format!("{error:#}") })?;

    let mut called = None;
    let violations = store.data().violations.clone();
    let deadline = store.data().deadline;
    // Timers are looked at now and then; this is looked at whenever the guest yields.
    let passed = poll_fn(|_| if Instant::now() < deadline { Poll::Pending } else { Poll::Ready(()) });
    let attempted = tokio::select! {
        biased;
        violation = violations.wait() => Ended::Violated(violation),
        () = passed => Ended::Elapsed,
        ended = tokio::time::timeout(limits.deadline, async {
            let instance =
                prepared.pre.instantiate_async(&mut store).await.map_err(|error| (Phase::Instantiate, error))?;
            let guest = load(&mut store, &instance).map_err(|error| (Phase::Instantiate, error))?;
            called = Some(Instant::now());
            call(&guest, &mut store).await.map_err(|error| (Phase::Call, error))
        }) => Ended::of(ended, &violations),
    };
    let returned = Instant::now();

    let outcome = match attempted {
        Ended::Returned(value) => Ok(value),
        Ended::Failed(phase, error) => Err(classify(&error, phase, store.data(), limits)?),
        Ended::Elapsed => Err(AttemptError::DeadlineExceeded { limit: limits.deadline }),
        Ended::Violated(violation) => Err(violation),
    };
    let fuel = limits.fuel - store.get_fuel().unwrap_or(limits.fuel).min(limits.fuel);
    let attempt = store.data();
    let mut usage = Usage {
        fuel,
        peak_memory_bytes: attempt.limiter.peak() as u64,
        instantiate: called.unwrap_or(returned) - start,
        guest: called.map_or(Duration::ZERO, |called| returned - called),
        total: Duration::ZERO,
        host_calls: attempt.host_calls.saturating_add(attempt.outbound.requests()),
    };
    let after = After {
        memory: (attempt.limiter.memory_denials() > 0).then(|| memory_limit_exceeded(attempt, limits)),
        http: attempt.outbound.causes(),
    };
    let log = report(store.data_mut(), after.http.as_deref());
    prepared.residency.attempt_ended(thread_faults().saturating_sub(faults));
    drop(store);
    usage.total = start.elapsed();
    Ok(Ran { outcome, usage, after, log })
}

/// Writes what the attempt left behind into the log, and gives what is kept of it.
fn report(attempt: &mut Attempt, http: Option<&str>) -> LogRecords {
    attempt.log.finish();
    if let Some(causes) = http {
        attempt.log.note(Level::WARN, causes);
    }
    for (stream, tail) in [("stdout", &attempt.stdout), ("stderr", &attempt.stderr)] {
        let text = tail.text();
        if !text.is_empty() {
            attempt.log.note(Level::DEBUG, &format!("{stream}: {text}"));
        }
    }
    attempt.log.take()
}

fn accept_success(success: types::Success, limits: &Limits) -> Result<StepOutcome, AttemptError> {
    Ok(StepOutcome::Success(Success {
        result: accept::json("result", success.result, limits.result_bytes)?,
        metadata: accept::object("metadata", success.metadata, limits.result_bytes)?,
    }))
}

fn accept_failure(
    failure: types::Failure,
    prepared: &Prepared,
    limits: &Limits,
    after: &After,
) -> Result<StepOutcome, AttemptError> {
    // A refused growth reaches JavaScript as an error it can catch, "out of memory". A failure after a refused growth that
    // says something else is the handler's own: the collector found room, and the handler went on.
    if let Some(error) = &after.memory
        && failure.message.contains("out of memory")
    {
        return Err(error.clone());
    }
    let mut message = shown(&failure.message, MESSAGE);
    if let Some(causes) = &after.http {
        message.push_str(&format!(" ({causes})"));
    }
    let mut error_type = failure.error_type;
    if let types::ErrorType::Other(name) = &mut error_type {
        *name = shown(name, FRAME);
    }
    Ok(StepOutcome::Failure(Failure {
        message,
        error_type: error_type.into(),
        error_code: failure.error_code.map(|code| shown(&code, FRAME)),
        retryable: failure.retryable,
        metadata: accept::object("metadata", failure.metadata, limits.result_bytes)?,
        backtrace: prepared
            .source_maps
            .map(failure.backtrace.iter().take(FRAMES).map(|frame| shown(frame, FRAME)).collect()),
    }))
}
