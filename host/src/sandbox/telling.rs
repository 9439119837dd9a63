//! Telling the host that calls have ended, of several at once where nobody waits longer for it.
//!
//! Who awaits a call is woken up on a thread of the host, which interrupts the guests of a processor that is busy, and finds
//! none of what it needs in its caches. While more calls of the same tenant wait for their turns, the ends of those before
//! them are kept, and told together. Two processes that were saturated completed 5,330 steps in a second for 4,720, and
//! worked 298 us for each instead of 344 (means of six runs of each in turns, two processors). A tenant waits for its own
//! calls only: before one of another computes, and before the thread sleeps, all that has ended is told.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

/// Most ends that are told together.
const MOST: usize = 16;
/// For how long an end is kept at most, but for the slice that is computed by then.
const LONGEST: Duration = Duration::from_millis(2);

thread_local! {
    /// Who is to be woken up for the ends that are kept on this thread; none where all are told at once.
    static KEPT: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
}

/// Awaits what may end on a thread that keeps ends.
pub(super) async fn told<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        let waker = Waker::from(Arc::new(Patient(context.waker().clone())));
        work.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// Has itself kept where it is told on a thread that keeps ends.
struct Patient(Waker);

impl Wake for Patient {
    fn wake(self: Arc<Self>) {
        let keep = |kept: &mut Option<Vec<Waker>>| kept.as_mut().map(|kept| kept.push(self.0.clone()));
        if KEPT.with_borrow_mut(keep).is_none() {
            self.0.wake_by_ref();
        }
    }
}

/// Keeps the ends of this thread's calls as long as it lives.
pub(super) struct Telling {
    /// Whose call was computed last.
    tenant: Arc<str>,
    /// When the slice began in which the first ended that is kept.
    since: Instant,
}

impl Telling {
    pub(super) fn on_this_thread() -> Self {
        KEPT.set(Some(Vec::with_capacity(MOST)));
        Self { tenant: Arc::default(), since: Instant::now() }
    }

    /// A slice of `tenant` is to be computed: tells what should not wait for it.
    pub(super) fn before(&mut self, tenant: &Arc<str>, now: Instant) {
        if kept() >= MOST || self.tenant != *tenant || now - self.since >= LONGEST {
            self.all();
        }
        if !self.keeps_some() {
            self.since = now;
        }
        self.tenant = Arc::clone(tenant);
    }

    /// Whether something has ended that is not told yet.
    pub(super) fn keeps_some(&self) -> bool {
        kept() > 0
    }

    /// Tells all that has ended.
    pub(super) fn all(&self) {
        let kept = KEPT.with_borrow_mut(|kept| kept.as_mut().map(std::mem::take));
        kept.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.all();
        KEPT.set(None);
    }
}

fn kept() -> usize {
    KEPT.with_borrow(|kept| kept.as_ref().map_or(0, Vec::len))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts how often it is woken up.
    #[derive(Default)]
    struct Told(AtomicUsize);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends of calls on the thread of a test.
    struct Ends {
        told: Arc<Told>,
        telling: Telling,
        tenant: Arc<str>,
        start: Instant,
    }

    impl Ends {
        /// So many of one tenant.
        fn of_one(count: usize) -> Self {
            let (tenant, start) = (Arc::from("one"), Instant::now());
            let mut ends = Self { told: Arc::default(), telling: Telling::on_this_thread(), tenant, start };
            ends.telling.before(&ends.tenant, start);
            for _ in 0..count {
                Waker::from(Arc::new(Patient(Waker::from(Arc::clone(&ends.told))))).wake();
            }
            ends
        }

        fn told(&self) -> usize {
            self.told.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn ends_are_kept_while_the_same_tenant_computes() {
        let mut ends = Ends::of_one(2);
        ends.telling.before(&ends.tenant, ends.start + LONGEST / 2);
        assert!(ends.telling.keeps_some());
        assert_eq!(ends.told(), 0);
        ends.telling.all();
        ends.telling.all();
        assert_eq!(ends.told(), 2);
        assert!(!ends.telling.keeps_some());
    }

    #[test]
    fn ends_are_told_before_another_tenant_computes() {
        let mut ends = Ends::of_one(2);
        ends.telling.before(&Arc::from("other"), ends.start);
        assert_eq!(ends.told(), 2);
    }

    #[test]
    fn ends_are_not_kept_for_longer_than_they_may() {
        let mut ends = Ends::of_one(1);
        ends.telling.before(&ends.tenant, ends.start + LONGEST);
        assert_eq!(ends.told(), 1);
    }

    #[test]
    fn no_more_ends_are_kept_than_may_be() {
        let mut ends = Ends::of_one(MOST);
        ends.telling.before(&ends.tenant, ends.start);
        assert_eq!(ends.told(), MOST);
    }

    #[test]
    fn ends_are_told_at_once_on_a_thread_that_keeps_none() {
        drop(Ends::of_one(0));
        let told = Arc::<Told>::default();
        Waker::from(Arc::new(Patient(Waker::from(Arc::clone(&told))))).wake();
        assert_eq!(told.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_kept_is_told_when_the_thread_ends() {
        let ends = Ends::of_one(1);
        let told = Arc::clone(&ends.told);
        drop(ends);
        assert_eq!(told.0.load(Ordering::Relaxed), 1);
    }
}
