//! The slots that attempts run in, and how many of them one namespace may hold.
//!
//! A namespace holds at most a share of the slots that the others leave: three quarters by default. One that fills all it
//! can get leaves a quarter; a second one that does the same leaves a quarter of that quarter and more, because the first
//! gets no new slots while it holds more than its share of what is left. So there is nearly always a free slot for the
//! step of a namespace that runs nothing, however long the others' attempts take and without anybody being stopped. A
//! namespace that runs nothing may take the last slot. A host that serves one namespace has a share of 1: it gives it all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::wake::{Wake, Work};

/// Most steps one claim asks for. Larger batches lose to latency and cache misses.
const BATCH: usize = 100;

/// The slots of a host.
pub(super) struct Slots {
    all: usize,
    share: f64,
    wake: Wake,
    some_free: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// What a claim that is under way has asked for.
    asked: usize,
    held: HashMap<String, usize>,
    /// Whether the claim leaves something in the queues until a slot is free.
    wanting: bool,
}

impl State {
    /// The slots of `all` that nobody holds or is about to.
    fn free(&self, all: usize) -> usize {
        all - self.taken - self.asked
    }
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
    /// Since when steps have followed each other in it.
    since: Option<Instant>,
}

impl Slots {
    /// So many slots, of which one namespace may hold a `share` of what the others leave. Who waits on `wake` learns
    /// when there is room for what there was none for.
    pub(super) fn new(all: usize, share: f64, wake: Wake) -> Self {
        Self { all, share, wake, some_free: Notify::new(), state: Mutex::default() }
    }

    /// How many there are.
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// The slots that nobody holds.
    pub(super) fn free(&self) -> usize {
        self.lock().free(self.all)
    }

    /// What steps of these namespaces may be claimed. It is kept until [`Slots::settle`]. A claim for steps that are known
    /// to wait asks for all there is; one that looks whether there are some leaves half to those that go on meanwhile.
    pub(super) fn room(&self, namespaces: &[String], steps_wait: bool) -> Room {
        let mut state = self.lock();
        let room = |namespace: &String| {
            Some((namespace.clone(), self.room_for(namespace, &state))).filter(|(_, room)| *room > 0)
        };
        let open: Vec<_> = namespaces.iter().filter_map(room).collect();
        state.wanting |= open.len() < namespaces.len();
        // Not their sum: each is what one of them may have if it is alone.
        let together = open.iter().map(|(_, room)| *room).max().unwrap_or(0).min(BATCH);
        let together = if steps_wait { together } else { together.div_ceil(2) };
        state.asked = together;
        Room { together, namespaces: open }
    }

    /// The claim is over: what it did not take is free again.
    pub(super) fn settle(&self) {
        self.lock().asked = 0;
    }

    /// Returns when a claim is worth it though steps wait for slots: half of them are free. What runs in the others keeps
    /// the processors busy until it is answered.
    pub(super) async fn some_free(&self) {
        while !self.has_some_free(&self.lock()) {
            self.some_free.notified().await;
        }
    }

    fn has_some_free(&self, state: &State) -> bool {
        state.free(self.all) >= self.all.div_ceil(2).min(BATCH)
    }

    fn room_for(&self, namespace: &str, state: &State) -> usize {
        let free = state.free(self.all);
        let held = state.held.get(namespace).copied().unwrap_or(0);
        let most = if self.share < 1.0 { ((self.share * (free + held) as f64) as usize).max(1) } else { self.all };
        most.saturating_sub(held).min(free)
    }

    /// Takes a slot of those that the claim asked for.
    pub(super) fn take(self: &Arc<Self>, namespace: &str) -> Slot {
        let mut state = self.lock();
        state.asked -= 1;
        self.take_of(namespace, &mut state)
    }

    /// Takes slots for steps that are not known yet: up to `most` of those that the namespace has room for, but one in two,
    /// so that a claim beside it finds some.
    pub(super) fn take_ahead(self: &Arc<Self>, namespace: &str, most: usize) -> Vec<Slot> {
        let mut state = self.lock();
        let some = self.room_for(namespace, &state).div_ceil(2).min(most);
        (0..some).map(|_| self.take_of(namespace, &mut state)).collect()
    }

    fn take_of(self: &Arc<Self>, namespace: &str, state: &mut State) -> Slot {
        state.taken += 1;
        *state.held.entry(namespace.to_owned()).or_default() += 1;
        Slot { slots: Arc::clone(self), namespace: namespace.to_owned(), since: None }
    }

    /// No code panics while it holds the lock, so poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Whose step it is for.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// For how long steps have followed each other in it, since it was first asked.
    pub(super) fn age(&mut self) -> Duration {
        self.since.get_or_insert_with(Instant::now).elapsed()
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
            self.slots.wake.wake(Work::Anywhere);
        }
        if self.slots.has_some_free(&state) {
            self.slots.some_free.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(all: usize) -> Arc<Slots> {
        Arc::new(Slots::new(all, 0.75, Wake::default()))
    }

    #[test]
    fn of_the_slots_that_are_taken_ahead_one_in_two_is_left_and_none_is_taken_that_is_not_there() {
        let slots = Arc::new(Slots::new(8, 1.0, Wake::default()));
        let some = slots.take_ahead("a", 100);
        assert_eq!((some.len(), slots.free()), (4, 4));
        assert_eq!(slots.take_ahead("b", 1).len(), 1);
        drop(some);
        let _all = Vec::from_iter((0..8).map(|_| take(&slots, "b")));
        assert!(slots.take_ahead("a", 1).is_empty());
    }

    #[test]
    fn what_a_claim_has_asked_for_is_not_taken_ahead_until_the_claim_is_over() {
        let slots = Arc::new(Slots::new(8, 1.0, Wake::default()));
        assert_eq!(slots.room(&names(&["a"]), false).together, 4);
        let ahead = slots.take_ahead("a", 100);
        assert_eq!(ahead.len(), 2);
        let claimed = Vec::from_iter((0..4).map(|_| slots.take("a")));
        assert_eq!(slots.free(), 2);
        slots.settle();
        drop((ahead, claimed));
        assert_eq!(slots.room(&names(&["a"]), true).together, 8);
        assert!(slots.take_ahead("a", 100).is_empty());
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Claims a step.
    fn take(slots: &Arc<Slots>, namespace: &str) -> Slot {
        slots.room(&names(&[namespace]), true);
        let slot = slots.take(namespace);
        slots.settle();
        slot
    }

    /// Takes slots for these namespaces in turns, as long as they get any.
    fn fill(slots: &Arc<Slots>, greedy: &[&str], served: &[String]) -> Vec<Slot> {
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            for namespace in greedy {
                if slots.room(served, true).namespaces.iter().any(|(open, _)| open == namespace) {
                    taken.push(slots.take(namespace));
                }
                slots.settle();
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
        assert_eq!(fill(&Arc::new(Slots::new(32, 1.0, Wake::default())), &["greedy"], &one).len(), 32);
    }

    #[test]
    fn however_many_take_all_they_get_one_that_runs_nothing_finds_a_slot() {
        let served = names(&["a", "b", "c", "d", "e", "f", "quiet"]);
        for greedy in 1..served.len() {
            let slots = slots(32);
            let greedy: Vec<_> = served[..greedy].iter().map(String::as_str).collect();
            let taken = fill(&slots, &greedy, &served);
            assert!(slots.free() > 0, "{} of {greedy:?}", taken.len());
            assert!(slots.room(&served, true).namespaces.iter().any(|(name, room)| name == "quiet" && *room > 0));
        }
    }

    #[test]
    fn even_a_single_slot_can_be_taken_by_anybody() {
        let served = names(&["a", "b"]);
        let slots = slots(1);
        let taken = take(&slots, "a");
        assert_eq!(slots.room(&served, true), Room { namespaces: Vec::new(), together: 0 });
        drop(taken);
        assert_eq!(slots.room(&served, false).namespaces.len(), 2);
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
