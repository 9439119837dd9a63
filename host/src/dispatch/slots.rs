//! The slots that attempts run in, and how many of them one namespace may hold.
//!
//! A namespace holds at most a share of the slots that the others leave: three quarters by default. One that fills all it
//! can get leaves a quarter; a second one that does the same leaves a quarter of that quarter and more, because the first
//! gets no new slots while it holds more than its share of what is left. So there is nearly always a free slot for the
//! step of a namespace that runs nothing, however long the others' attempts take and without anybody being stopped. A
//! namespace that runs nothing may take the last slot. A host that serves one namespace gives it all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Wake;

/// The slots of a host.
pub(super) struct Slots {
    all: usize,
    share: f64,
    wake: Wake,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    held: HashMap<String, usize>,
    /// Whether the claim leaves something in the queues until a slot is free.
    wanting: bool,
}

/// What a claim may ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// The namespaces that may have more slots, and how many each.
    pub(super) namespaces: Vec<(String, usize)>,
    /// How many they may have together; not 0 if there is a namespace.
    pub(super) together: usize,
}

/// A slot that is taken, until it is dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    namespace: String,
}

impl Slots {
    /// So many slots, of which one namespace may hold a `share` of what the others leave. Who waits on `wake` learns
    /// when there is room for what there was none for.
    pub(super) fn new(all: usize, share: f64, wake: Wake) -> Self {
        Self { all, share, wake, state: Mutex::default() }
    }

    /// The slots that nobody holds.
    pub(super) fn free(&self) -> usize {
        self.all - self.lock().taken
    }

    /// What steps of these namespaces may be claimed.
    pub(super) fn room(&self, namespaces: &[String]) -> Room {
        let mut state = self.lock();
        let free = self.all - state.taken;
        let room = |namespace: &String| {
            let held = state.held.get(namespace).copied().unwrap_or(0);
            let most = match namespaces.len() {
                1 => self.all,
                _ => ((self.share * (free + held) as f64) as usize).max(1),
            };
            Some((namespace.clone(), most.saturating_sub(held).min(free))).filter(|(_, room)| *room > 0)
        };
        let open: Vec<_> = namespaces.iter().filter_map(room).collect();
        state.wanting = open.len() < namespaces.len();
        // Not their sum: each is what one of them may have if it is alone.
        Room { together: open.iter().map(|(_, room)| *room).max().unwrap_or(0), namespaces: open }
    }

    /// Takes a slot that there was room for.
    pub(super) fn take(self: &Arc<Self>, namespace: &str) -> Slot {
        let mut state = self.lock();
        state.taken += 1;
        *state.held.entry(namespace.to_owned()).or_default() += 1;
        Slot { slots: Arc::clone(self), namespace: namespace.to_owned() }
    }

    /// No code panics while it holds the lock, so poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        state.taken -= 1;
        if let Some(held) = state.held.get_mut(&self.namespace) {
            *held -= 1;
        }
        if std::mem::take(&mut state.wanting) {
            self.slots.wake.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(all: usize) -> Arc<Slots> {
        Arc::new(Slots::new(all, 0.75, Wake::default()))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Takes slots for these namespaces in turns, as long as they get any.
    fn fill(slots: &Arc<Slots>, greedy: &[&str], served: &[String]) -> Vec<Slot> {
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            for namespace in greedy {
                if slots.room(served).namespaces.iter().any(|(open, _)| open == namespace) {
                    taken.push(slots.take(namespace));
                }
            }
            if taken.len() == before {
                return taken;
            }
        }
    }

    #[test]
    fn a_namespace_that_takes_all_it_gets_leaves_a_quarter_and_gets_it_when_it_is_alone() {
        let (two, one) = (names(&["greedy", "quiet"]), names(&["greedy"]));
        assert_eq!(fill(&slots(32), &["greedy"], &two).len(), 24);
        assert_eq!(fill(&slots(32), &["greedy"], &one).len(), 32);
    }

    #[test]
    fn however_many_take_all_they_get_one_that_runs_nothing_finds_a_slot() {
        let served = names(&["a", "b", "c", "d", "e", "f", "quiet"]);
        for greedy in 1..served.len() {
            let slots = slots(32);
            let greedy: Vec<_> = served[..greedy].iter().map(String::as_str).collect();
            let taken = fill(&slots, &greedy, &served);
            assert!(slots.free() > 0, "{} of {greedy:?}", taken.len());
            assert!(slots.room(&served).namespaces.iter().any(|(name, room)| name == "quiet" && *room > 0));
        }
    }

    #[test]
    fn even_a_single_slot_can_be_taken_by_anybody() {
        let served = names(&["a", "b"]);
        let slots = slots(1);
        assert_eq!(slots.room(&served).together, 1);
        let taken = slots.take("a");
        assert_eq!(slots.room(&served), Room { namespaces: Vec::new(), together: 0 });
        drop(taken);
        assert_eq!(slots.room(&served).namespaces.len(), 2);
    }

    #[tokio::test]
    async fn a_slot_that_was_wanted_wakes_the_claim_when_it_is_free() {
        let wake = Wake::default();
        let slots = Arc::new(Slots::new(4, 0.75, wake.clone()));
        let served = names(&["greedy", "quiet"]);
        let mut taken = fill(&slots, &["greedy"], &served);
        assert_eq!(taken.len(), 3);
        taken.pop();
        let waited = std::time::Instant::now();
        wake.wait(std::time::Duration::from_secs(60)).await;
        assert!(waited.elapsed() < std::time::Duration::from_secs(30));
    }
}
