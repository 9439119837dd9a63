//! Whether a failed attempt runs again, and when.
//!
//! The template's backoff is honoured to the millisecond; a handler that was told when to come back knows better, and its
//! wait replaces the computed one. Jitter is drawn from the step's own random identifier rather
//! than from a generator: retries of different steps spread, and the same attempt always waits equally long.

use std::time::Duration;

use uuid::Uuid;

use crate::template::{Backoff, Retry};

/// Fallbacks and bounds for what a template leaves open, from `common.backoff`.
#[derive(Debug, Clone, Copy)]
pub struct BackoffDefaults {
    /// Base delay when the template names none.
    pub base: Duration,
    /// Upper bound of every delay, also of the template's own.
    pub cap: Duration,
    /// Share of the delay by which it may vary either way, 0 to 1.
    pub jitter: f64,
}

/// The delay before the next attempt, or `None` when the step has failed for good.
///
/// `spent` counts attempts including the one that just failed; `wants_retry` is the verdict of the handler or, when no
/// handler answered, of the host. `requested` is the wait the handler asked for: it is not varied, and only the settings
/// bound it.
pub fn next_attempt(
    policy: &Retry,
    defaults: &BackoffDefaults,
    step: Uuid,
    spent: u32,
    wants_retry: bool,
    requested: Option<Duration>,
) -> Option<Duration> {
    if !wants_retry || !policy.retryable || spent >= policy.max_attempts {
        return None;
    }
    if let Some(requested) = requested {
        return Some(requested.min(defaults.cap));
    }
    let base = policy.backoff_base_ms.map_or(defaults.base, Duration::from_millis);
    let cap = policy.max_backoff_ms.map_or(defaults.cap, Duration::from_millis).min(defaults.cap);
    let factor = match policy.backoff {
        Backoff::None => 0,
        Backoff::Linear => u64::from(spent),
        Backoff::Exponential => 1_u64.checked_shl(spent.saturating_sub(1)).unwrap_or(u64::MAX),
        Backoff::Fibonacci => fibonacci(spent),
    };
    let millis = u64::try_from(base.as_millis()).unwrap_or(u64::MAX).saturating_mul(factor);
    let delay = Duration::from_millis(millis).min(cap);
    Some(delay.mul_f64(1.0 + defaults.jitter * spread(step, spent)))
}

/// 1, 1, 2, 3, 5, 8, …
fn fibonacci(n: u32) -> u64 {
    let (mut a, mut b) = (0_u64, 1_u64);
    for _ in 0..n {
        (a, b) = (b, a.saturating_add(b));
    }
    a
}

/// A number in [-1, 1) fixed by the step and its attempt. The low half of a version 7 UUID is random.
fn spread(step: Uuid, spent: u32) -> f64 {
    let (_, low) = step.as_u64_pair();
    let mixed = (low ^ u64::from(spent)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    mixed as f64 / f64::from(1_u32 << 31) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: BackoffDefaults =
        BackoffDefaults { base: Duration::from_millis(1000), cap: Duration::from_secs(3600), jitter: 0.0 };

    fn policy(backoff: Backoff) -> Retry {
        Retry { retryable: true, max_attempts: 10, backoff, backoff_base_ms: Some(100), max_backoff_ms: Some(1_000) }
    }

    fn delays(backoff: Backoff) -> Vec<u128> {
        (1..=6)
            .map(|spent| next_attempt(&policy(backoff), &CALM, Uuid::now_v7(), spent, true, None).unwrap().as_millis())
            .collect()
    }

    #[test]
    fn each_backoff_grows_as_named_and_stops_at_the_cap() {
        assert_eq!(delays(Backoff::None), [0, 0, 0, 0, 0, 0]);
        assert_eq!(delays(Backoff::Linear), [100, 200, 300, 400, 500, 600]);
        assert_eq!(delays(Backoff::Exponential), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(delays(Backoff::Fibonacci), [100, 100, 200, 300, 500, 800]);
    }

    #[test]
    fn a_requested_wait_replaces_the_computed_one_up_to_the_cap_of_the_settings() {
        let jittery = BackoffDefaults { jitter: 0.15, ..CALM };
        let after = |seconds| {
            let requested = Some(Duration::from_secs(seconds));
            next_attempt(&policy(Backoff::Exponential), &jittery, Uuid::now_v7(), 1, true, requested)
        };
        assert_eq!(after(7), Some(Duration::from_secs(7)), "neither varied nor bounded by the template's own cap");
        assert_eq!(after(86_400), Some(jittery.cap));
        let spent = next_attempt(&policy(Backoff::None), &CALM, Uuid::now_v7(), 10, true, Some(Duration::ZERO));
        assert_eq!(spent, None, "it grants no attempt");
    }

    #[test]
    fn no_attempt_is_granted_beyond_the_last_or_against_a_verdict() {
        let step = Uuid::now_v7();
        let linear = policy(Backoff::Linear);
        assert!(next_attempt(&linear, &CALM, step, 9, true, None).is_some());
        assert!(next_attempt(&linear, &CALM, step, 10, true, None).is_none());
        assert!(next_attempt(&linear, &CALM, step, 1, false, None).is_none());
        let never = Retry { retryable: false, ..linear };
        assert!(next_attempt(&never, &CALM, step, 1, true, None).is_none());
    }

    #[test]
    fn jitter_stays_within_its_share_and_differs_between_steps() {
        let jittery = BackoffDefaults { jitter: 0.15, ..CALM };
        let linear = policy(Backoff::Linear);
        let drawn: Vec<_> = (0..100)
            .map(|_| next_attempt(&linear, &jittery, Uuid::now_v7(), 5, true, None).unwrap().as_secs_f64())
            .collect();
        assert!(drawn.iter().all(|d| (0.425..=0.575).contains(d)), "{drawn:?}");
        assert!(drawn.iter().any(|d| *d < 0.47) && drawn.iter().any(|d| *d > 0.53), "{drawn:?}");
    }

    #[test]
    fn hundreds_of_attempts_do_not_overflow() {
        let patient = Retry { max_attempts: u32::MAX, ..policy(Backoff::Exponential) };
        let delay = next_attempt(&patient, &CALM, Uuid::now_v7(), 500, true, None).unwrap();
        assert_eq!(delay.as_millis(), 1000);
    }
}
