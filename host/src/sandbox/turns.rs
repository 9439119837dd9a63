//! Whose turn it is to compute: an equal share of the time for each tenant that wants it, whatever number of attempts it
//! has, and turns for the attempts of each.
//!
//! Next is always the tenant that has used the least. What it did not use while it had nothing to compute is gone: it
//! comes back at the mark of those who went on, so that nobody saves up time to take it all at once. So a small step of
//! one tenant never stands behind the many of another, and waits for the end of a slice at most.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What waits for its turn.
pub(super) struct Turns<T> {
    tenants: HashMap<Arc<str>, Tenant<T>>,
    /// What the tenant had used whose turn was last.
    mark: Duration,
}

struct Tenant<T> {
    waiting: VecDeque<T>,
    used: Duration,
    /// The longest turn of late: one that was long is forgotten within some hundred turns.
    longest: Duration,
}

/// Where an item waits among those of its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// As one that takes its turns with the others.
    Last,
    /// As one that is nearly done.
    First,
}

/// More than a turn takes in which a guest just computes.
const BRISK: Duration = Duration::from_millis(1);

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { tenants: HashMap::new(), mark: Duration::ZERO }
    }
}

impl<T> Turns<T> {
    /// `item` waits from now on, behind the tenant's others or before them.
    pub(super) fn push(&mut self, tenant: &Arc<str>, item: T, place: Place) {
        let fresh = || Tenant { waiting: VecDeque::new(), used: Duration::ZERO, longest: Duration::ZERO };
        let entry = self.tenants.entry(Arc::clone(tenant)).or_insert_with(fresh);
        if entry.waiting.is_empty() {
            entry.used = entry.used.max(self.mark);
        }
        match place {
            Place::Last => entry.waiting.push_back(item),
            Place::First => entry.waiting.push_front(item),
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.tenants.values().all(|tenant| tenant.waiting.is_empty())
    }

    /// The tenant has a turn without having waited for it. Those who come meanwhile are not behind it.
    pub(super) fn begin(&mut self, tenant: &Arc<str>) {
        if let Some(tenant) = self.tenants.get(tenant) {
            self.mark = self.mark.max(tenant.used);
        }
    }

    /// Whether the turns of the tenant have all been short of late.
    pub(super) fn is_brisk(&self, tenant: &Arc<str>) -> bool {
        self.tenants.get(tenant).is_none_or(|tenant| tenant.longest < BRISK)
    }

    /// Whose turn it is, of the tenants that may have one.
    pub(super) fn next(&mut self, may: impl Fn(&Arc<str>) -> bool) -> Option<T> {
        // The tenants are those whose components are loaded, so these are few.
        let waiting = self.tenants.iter_mut().filter(|(name, tenant)| !tenant.waiting.is_empty() && may(name));
        let (_, tenant) = waiting.min_by_key(|(_, tenant)| tenant.used)?;
        self.mark = self.mark.max(tenant.used);
        tenant.waiting.pop_front()
    }

    /// A turn of the tenant took this long.
    pub(super) fn charge(&mut self, tenant: &Arc<str>, used: Duration) {
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.used += used;
            tenant.longest = used.max(tenant.longest * 63 / 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: Duration = Duration::from_millis(1);

    /// Takes turns until `turns` are over; those that are named in `endless` queue again each time.
    fn run(turns: &mut Turns<(Arc<str>, u32)>, endless: &[&str], count: usize) -> Vec<(String, u32)> {
        let mut order = Vec::new();
        while order.len() < count
            && let Some((tenant, item)) = turns.next(|_| true)
        {
            turns.charge(&tenant, SLICE);
            order.push((tenant.to_string(), item));
            if endless.contains(&&*tenant) {
                turns.push(&tenant, (tenant.clone(), item), Place::Last);
            }
        }
        order
    }

    fn push(turns: &mut Turns<(Arc<str>, u32)>, tenant: &str, items: impl IntoIterator<Item = u32>) {
        let tenant: Arc<str> = tenant.into();
        items.into_iter().for_each(|item| turns.push(&tenant, (tenant.clone(), item), Place::Last));
    }

    fn count(order: &[(String, u32)], tenant: &str) -> usize {
        order.iter().filter(|(name, _)| name == tenant).count()
    }

    #[test]
    fn the_attempts_of_a_tenant_take_turns() {
        let mut turns = Turns::default();
        push(&mut turns, "a", 1..=3);
        let items: Vec<_> = run(&mut turns, &["a"], 6).into_iter().map(|(_, item)| item).collect();
        assert_eq!(items, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn an_attempt_that_goes_first_is_before_those_of_its_tenant_alone() {
        let mut turns = Turns::default();
        push(&mut turns, "a", 0..=2);
        run(&mut turns, &[], 2);
        push(&mut turns, "b", [1]);
        turns.push(&"a".into(), ("a".into(), 7), Place::First);
        let order = run(&mut turns, &[], 3);
        assert_eq!(order, [("b".to_owned(), 1), ("a".to_owned(), 7), ("a".to_owned(), 2)]);
    }

    #[test]
    fn tenants_share_equally_whatever_number_of_attempts_they_have() {
        let mut turns = Turns::default();
        push(&mut turns, "many", 0..30);
        push(&mut turns, "one", [0]);
        let order = run(&mut turns, &["many", "one"], 1000);
        assert_eq!((count(&order, "many"), count(&order, "one")), (500, 500));
    }

    #[test]
    fn a_tenant_that_comes_has_the_next_turn() {
        let mut turns = Turns::default();
        push(&mut turns, "many", 0..30);
        run(&mut turns, &["many"], 100);
        push(&mut turns, "quiet", [7]);
        assert_eq!(run(&mut turns, &["many"], 1), [("quiet".to_owned(), 7)]);
    }

    #[test]
    fn who_computed_while_nobody_else_did_waits_no_longer_for_it() {
        let mut turns = Turns::default();
        push(&mut turns, "quiet", [0]);
        run(&mut turns, &[], 1);
        let quiet: Arc<str> = "quiet".into();
        for _ in 0..1_000 {
            turns.begin(&quiet);
            turns.charge(&quiet, SLICE);
        }
        push(&mut turns, "many", 0..30);
        push(&mut turns, "quiet", [7]);
        let order = run(&mut turns, &["many"], 3);
        assert_eq!(count(&order, "quiet"), 1, "{order:?}");
    }

    #[test]
    fn who_may_not_have_a_turn_waits_for_it() {
        let mut turns = Turns::default();
        push(&mut turns, "barred", [1]);
        assert!(turns.next(|tenant| &**tenant != "barred").is_none());
        push(&mut turns, "other", [2]);
        assert_eq!(turns.next(|tenant| &**tenant != "barred").unwrap().1, 2);
        assert_eq!(turns.next(|_| true).unwrap().1, 1);
        assert!(turns.is_empty());
    }

    #[test]
    fn a_tenant_is_brisk_until_it_takes_long_and_again_after_many_short_turns() {
        let mut turns = Turns::default();
        let tenant: Arc<str> = "a".into();
        assert!(turns.is_brisk(&tenant));
        turns.push(&tenant, (), Place::Last);
        turns.charge(&tenant, SLICE / 10);
        assert!(turns.is_brisk(&tenant));
        turns.charge(&tenant, 20 * SLICE);
        assert!(!turns.is_brisk(&tenant));
        let short = (0..1000).take_while(|_| {
            turns.charge(&tenant, SLICE / 10);
            !turns.is_brisk(&tenant)
        });
        assert!((100..1000).contains(&short.count()));
    }

    #[test]
    fn nobody_saves_up_time() {
        let mut turns = Turns::default();
        push(&mut turns, "steady", 0..2);
        run(&mut turns, &["steady"], 10_000);
        push(&mut turns, "late", 0..2);
        let order = run(&mut turns, &["steady", "late"], 100);
        assert!((49..=51).contains(&count(&order, "late")), "{order:?}");
    }
}
