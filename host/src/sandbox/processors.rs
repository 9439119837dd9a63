//! The threads that guests compute on, apart from those of the host, so that a claim, a commit or a timer never waits for
//! a guest.
//!
//! There is one less than there are cores, in all the processes of a host together, so that a core is left for the host,
//! for a database beside it, and for waking up at once whoever has something to do. With a thread on every core a step waits
//! for the operating system's scheduler at each of the wake-ups between its creation and its commit, whatever the
//! priorities: on two cores, beside a neighbour that computes all the time, its p50 was twice and its p99 four times what
//! they are alone. With one core left the p50 is the same and the p99 1.3 to 1.9 times. Most steps compute less than the
//! host and the database do for them, so that core has work.
//!
//! A guest computes until it yields its slice or waits for something, and [`Turns`] says who is next. Timers and sockets
//! stay with the runtime that started the call: it is never busy with guests, so deadlines are punctual.
//!
//! That a call has ended is told at once, or with others of its tenant ([`Telling`]).
//!
//! A slice is 0.2 ms, but an instruction that fills much memory can't be interrupted, so that some take 100 times as long.
//! A slice that overruns leaves its place to the next tenant; its own waits for it.
//!
//! While nobody computes, whoever starts a call runs its first slice on the spot, which is all that most steps need: to
//! wake a thread and be woken by it takes 100 us on an idle machine, half as much as the step.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_task::{Builder, Runnable, ScheduleInfo, WithInfo};
use tokio::runtime::Handle;
use tracing::Instrument;

use super::failure::HostFailure;
use super::telling::{Telling, told};
use super::turns::{Place, Turns};

/// An attempt that has begun goes before those that have not for so many slices, 1 to 2 ms, in which most are done. If all
/// took turns from the beginning, all would be alive at once: a host that ran a small TypeScript step in 128 slots held
/// 224 MB of its own, and holds 20, and a step took 12 % more of a processor.
const FRESH: u32 = 8;

/// After this time a slice leaves its place to another tenant: ten times what one takes in which a guest just computes.
const OVERRUN: Duration = Duration::from_millis(2);

/// The threads. They end when this is dropped.
pub(super) struct Processors(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Slices that run at once, but for those that overrun.
    places: usize,
}

#[derive(Default)]
struct State {
    turns: Turns<Job>,
    running: Vec<Slice>,
    /// Whether a thread waits for a slice to overrun.
    watched: bool,
    closed: bool,
}

#[derive(Clone, PartialEq)]
struct Slice {
    tenant: Arc<str>,
    start: Instant,
}

/// A call that has something to compute.
type Job = Runnable<Owner>;

struct Owner {
    tenant: Arc<str>,
    /// Whose timers and sockets it uses.
    runtime: Handle,
    /// The slices it has had.
    slices: AtomicU32,
}

impl Owner {
    fn place(&self) -> Place {
        if (1..=FRESH).contains(&self.slices.load(Ordering::Relaxed)) { Place::First } else { Place::Last }
    }
}

impl Processors {
    /// Starts the threads, so that at least one guest and at most `places` of them compute at once.
    pub(super) fn start(places: usize) -> std::io::Result<Self> {
        let places = places.max(1);
        let processors = Self(Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), places }));
        // Every slice may overrun.
        for place in 0..2 * places {
            let shared = Arc::clone(&processors.0);
            thread::Builder::new().name(format!("guests-{place}")).spawn(move || shared.process())?;
        }
        Ok(processors)
    }

    /// Runs `work` in the turns of `tenant`, to its end or, when this future is dropped, to the end of its slice. A panic
    /// goes on here.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        tenant: &Arc<str>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, HostFailure> {
        let shared = Arc::clone(&self.0);
        let schedule = WithInfo(move |job: Job, info: ScheduleInfo| shared.push(job, info));
        let owner = Owner { tenant: Arc::clone(tenant), runtime: Handle::current(), slices: AtomicU32::new(0) };
        // The records of a guest belong to the span of its step.
        let work = work.in_current_span();
        let (job, task) = Builder::new().propagate_panic(true).metadata(owner).spawn(move |_| work, schedule);
        match self.0.begin_if_calm(tenant) {
            Some(slice) => {
                if self.0.compute(job, slice) {
                    self.0.changed.notify_one();
                }
            }
            None => job.schedule(),
        }
        told(task.fallible()).await.ok_or(HostFailure::Cancelled)
    }
}

impl Drop for Processors {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// A thread's life.
    fn process(&self) {
        let mut telling = Telling::on_this_thread();
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if let Some((job, slice)) = state.begin_next(self.places, now) {
                drop(state);
                telling.before(&slice.tenant, now);
                self.compute(job, slice);
                state = self.lock();
                continue;
            }
            if telling.keeps_some() {
                drop(state);
                telling.all();
                state = self.lock();
                continue;
            }
            if state.closed && state.turns.is_empty() {
                return;
            }
            let overrun = state.next_overrun(now).filter(|_| !state.turns.is_empty() && !state.watched);
            state = if let Some(overrun) = overrun {
                state.watched = true;
                let mut state = self.changed.wait_timeout(state, overrun).unwrap_or_else(PoisonError::into_inner).0;
                state.watched = false;
                state
            } else {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Begins a slice of the tenant if nobody computes or waits to, and the tenant is not known for long ones, which must
    /// not keep a thread of the host.
    fn begin_if_calm(&self, tenant: &Arc<str>) -> Option<Slice> {
        let mut state = self.lock();
        let calm = state.running.is_empty() && state.turns.is_empty() && state.turns.is_brisk(tenant);
        calm.then(|| {
            state.turns.begin(tenant);
            state.begin(tenant, Instant::now())
        })
    }

    /// Runs a job for a slice. Says whether somebody waits for a place by now.
    fn compute(&self, job: Job, slice: Slice) -> bool {
        let runtime = job.metadata().runtime.clone();
        job.metadata().slices.fetch_add(1, Ordering::Relaxed);
        let entered = runtime.enter();
        // What panics while it is dropped takes no thread with it; a panic of the work is the caller's.
        let _ = catch_unwind(AssertUnwindSafe(|| job.run()));
        drop(entered);
        let mut state = self.lock();
        state.running.retain(|running| *running != slice);
        state.turns.charge(&slice.tenant, slice.start.elapsed());
        !state.turns.is_empty()
    }

    fn push(&self, job: Job, info: ScheduleInfo) {
        let (tenant, place) = (Arc::clone(&job.metadata().tenant), job.metadata().place());
        let mut state = self.lock();
        state.turns.push(&tenant, job, place);
        // Whoever runs it now looks who is next in a moment, as does who watches while every place is taken.
        if !(info.woken_while_running || state.watched && state.running.len() >= self.places) {
            self.changed.notify_one();
        }
    }

    /// No code panics while it holds the lock, so poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins the slice that is next, if there is a place for it.
    fn begin_next(&mut self, places: usize, now: Instant) -> Option<(Job, Slice)> {
        let overruns = |slice: &&Slice| now - slice.start >= OVERRUN;
        if self.running.len() - self.running.iter().filter(overruns).count() >= places {
            return None;
        }
        let running = &self.running;
        let job = self.turns.next(|tenant| !running.iter().filter(overruns).any(|slice| slice.tenant == *tenant))?;
        let slice = self.begin(&Arc::clone(&job.metadata().tenant), now);
        Some((job, slice))
    }

    fn begin(&mut self, tenant: &Arc<str>, now: Instant) -> Slice {
        let slice = Slice { tenant: Arc::clone(tenant), start: now };
        self.running.push(slice.clone());
        slice
    }

    /// How long until the next slice overruns.
    fn next_overrun(&self, now: Instant) -> Option<Duration> {
        self.running.iter().filter_map(|slice| OVERRUN.checked_sub(now - slice.start)).min()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::mem::replace;
    use std::task::Poll;

    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    async fn thread_name(processors: &Processors, tenant: &str) -> String {
        let name = async { thread::current().name().unwrap_or_default().to_owned() };
        processors.run(&tenant.into(), name).await.unwrap()
    }

    #[tokio::test]
    async fn a_call_computes_where_it_is_made_while_nobody_else_does_and_on_the_threads_beside_others() {
        let processors = Arc::new(Processors::start(1).unwrap());
        let here = thread::current().name().unwrap().to_owned();
        assert_eq!(thread_name(&processors, "quiet").await, here);

        let endless = spinning(&processors).await;
        let name = thread_name(&processors, "quiet").await;
        assert!(name.starts_with("guests-"), "{name}");
        endless.abort();
    }

    #[tokio::test]
    async fn the_end_of_a_call_is_told_while_others_of_its_tenant_compute() {
        let processors = Arc::new(Processors::start(1).unwrap());
        let endless = spinning(&processors).await;
        thread_name(&processors, "endless").await;
        endless.abort();
    }

    /// A call of `endless` that computes until nobody waits for it.
    async fn spinning(processors: &Arc<Processors>) -> JoinHandle<Result<(), HostFailure>> {
        let (started, running) = oneshot::channel();
        let processors = Arc::clone(processors);
        let endless = tokio::spawn(async move {
            let spin = async {
                started.send(()).unwrap();
                loop {
                    yield_slice().await;
                }
            };
            processors.run(&"endless".into(), spin).await
        });
        running.await.unwrap();
        endless
    }

    /// As a guest does when its slice is used up.
    async fn yield_slice() {
        let mut yielded = false;
        poll_fn(|context| {
            if replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[tokio::test]
    async fn a_slice_that_overruns_leaves_its_place_to_another_tenant_and_not_to_its_own() {
        let processors = Arc::new(Processors::start(1).unwrap());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let long = tokio::spawn({
            let processors = Arc::clone(&processors);
            async move {
                let long = async move {
                    // From here on a thread runs it.
                    yield_slice().await;
                    started.send(()).unwrap();
                    held.recv().unwrap();
                };
                processors.run(&"long".into(), long).await
            }
        });
        running.await.unwrap();
        for _ in 1..processors.0.places {
            let slice = Slice { tenant: "other".into(), start: Instant::now() + Duration::from_secs(3600) };
            processors.0.lock().running.push(slice);
        }
        let own = "long".into();
        let mut own = Box::pin(processors.run(&own, async {}));
        assert!(poll_fn(|context| Poll::Ready(own.as_mut().poll(context).is_pending())).await);

        thread_name(&processors, "quiet").await;

        assert!(poll_fn(|context| Poll::Ready(own.as_mut().poll(context).is_pending())).await);
        release.send(()).unwrap();
        own.await.unwrap();
        long.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_panic_goes_on_where_the_call_was_made_and_ends_no_thread() {
        let processors = Processors::start(1).unwrap();
        let tenant = Arc::from("a");
        for _ in 0..2 {
            let panicking = async {
                yield_slice().await;
                panic!("as told");
            };
            let call = AssertUnwindSafe(processors.run::<()>(&tenant, panicking));
            let panic = futures::FutureExt::catch_unwind(call).await.unwrap_err();
            assert_eq!(*panic.downcast::<&str>().unwrap(), "as told");
        }
        let late = async {
            yield_slice().await;
            7
        };
        assert_eq!(processors.run(&tenant, late).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_dropped() {
        let processors = Processors::start(1).unwrap();
        let (held, dropped) = oneshot::channel::<()>();
        let waiting = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        let tenant = Arc::from("a");
        let mut call = Box::pin(processors.run(&tenant, waiting));
        assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await);

        drop(call);

        dropped.await.unwrap_err();
    }
}
