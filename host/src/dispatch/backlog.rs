//! Whose steps wait for slots, and so what may wait for company.
//!
//! While a namespace has more work than slots, an answer a few milliseconds later costs nobody anything: the next step
//! would not start sooner. So what belongs to it is claimed and committed in batches, because the database works 0.04 ms
//! for a step among a hundred and 0.4 ms for one alone. Whoever has no backlog is served at once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::slots::Room;
use crate::store::ClaimedStep;

/// How long an end waits for company at most: for some twenty steps of a host that is busy.
pub(super) const COMMIT: Duration = Duration::from_millis(10);
/// How long a claim does: a slot is worth more than a place in a commit.
pub(super) const CLAIM: Duration = Duration::from_millis(5);
/// How long steps of one task may follow each other in a slot that others wait for. What has begun is better finished than
/// left half done in favour of what has not: for a step that follows at once the server works half as much as for one that
/// is claimed. It is some turns of all slots for steps of a millisecond, and what an urgent step waits longer for at most.
pub(super) const SLICE: Duration = Duration::from_millis(200);

/// The namespaces whose queues held more than the last claim took.
#[derive(Default)]
pub(super) struct Backlog(Mutex<HashSet<String>>);

impl Backlog {
    /// Learns from what a claim that had `room` brought. Says whether steps of those it asked for wait.
    pub(super) fn learn(&self, room: &Room, found: &[ClaimedStep]) -> bool {
        let full = found.len() >= room.together;
        let mut behind = self.lock();
        for (namespace, room) in &room.namespaces {
            let got = found.iter().filter(|step| step.lease.namespace == *namespace).count();
            if got >= *room || full && got > 0 {
                behind.insert(namespace.clone());
            } else if !full {
                behind.remove(namespace);
            }
        }
        room.namespaces.iter().any(|(namespace, _)| behind.contains(namespace))
    }

    /// Whether steps of the namespace wait for slots.
    pub(super) fn holds(&self, namespace: &str) -> bool {
        self.lock().contains(namespace)
    }

    /// No code panics while it holds the lock, so a poisoned set is still whole.
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;
    use crate::store::Lease;

    fn step(namespace: &str) -> ClaimedStep {
        let json = || RawValue::from_string("{}".to_owned()).unwrap();
        ClaimedStep {
            lease: Lease {
                namespace: namespace.to_owned(),
                message_id: 1.into(),
                task_uuid: Uuid::nil(),
                step_uuid: Uuid::nil(),
                claim: 1,
                guarded: false,
                planned: None,
            },
            template_uuid: Uuid::nil(),
            correlation_id: Uuid::nil(),
            name: String::new(),
            template_step: None,
            attempts: 1,
            max_attempts: 1,
            lapses: 0,
            retryable: false,
            task: json(),
            inputs: json(),
            checkpoint: None,
            dependency_results: json(),
            created_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn room(namespaces: &[(&str, usize)], together: usize) -> Room {
        let namespaces = namespaces.iter().map(|(name, room)| ((*name).to_owned(), *room)).collect();
        Room { namespaces, together }
    }

    #[test]
    fn who_gets_all_it_may_have_has_a_backlog_until_a_claim_brings_less() {
        let backlog = Backlog::default();
        assert!(backlog.learn(&room(&[("a", 2), ("b", 4)], 4), &[step("a"), step("a"), step("b")]));
        assert!(backlog.holds("a") && !backlog.holds("b"));
        assert!(!backlog.learn(&room(&[("a", 2)], 2), &[step("a")]));
        assert!(!backlog.holds("a"));
    }

    #[test]
    fn of_who_was_not_asked_for_nothing_is_learnt() {
        let backlog = Backlog::default();
        assert!(backlog.learn(&room(&[("a", 1)], 1), &[step("a")]));
        assert!(!backlog.learn(&room(&[("b", 1)], 1), &[]));
        assert!(backlog.holds("a"));
    }

    #[test]
    fn a_claim_that_others_fill_tells_nothing_of_who_got_nothing() {
        let backlog = Backlog::default();
        backlog.learn(&room(&[("a", 1)], 1), &[step("a")]);
        backlog.learn(&room(&[("a", 2), ("b", 2)], 2), &[step("b"), step("b")]);
        assert!(backlog.holds("a") && backlog.holds("b"));
    }
}
