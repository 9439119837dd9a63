//! The threads that guests compute on, apart from those of the host, so that a claim, a commit or a timer never waits for
//! a guest.
//!
//! There is one less than there are cores, so that a core is left for the host, for a database beside it, and for waking
//! up at once whoever has something to do. With a thread on every core a step waits for the operating system's scheduler
//! at each of the wake-ups between its creation and its commit, whatever the priorities: on two cores, beside a neighbour
//! that computes all the time, its p50 was twice and its p99 four times what they are alone. With one core left the p50 is
//! the same and the p99 1.3 to 1.9 times. Most steps compute less than the host and the database do for them, so that core
//! has work.
//!
//! A guest computes until it yields its slice or waits for something, and [`Turns`] says who is next. Timers and sockets
//! stay with the runtime that started the call: it is never busy with guests, so deadlines are punctual.
//!
//! While nobody computes, whoever starts a call runs its first slice on the spot, which is all that most steps need: to
//! wake a thread and be woken by it takes 100 us on an idle machine, half as much as the step.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use async_task::{Builder, Runnable, ScheduleInfo, WithInfo};
use tokio::runtime::Handle;
use tracing::Instrument;

use super::failure::HostFailure;
use super::turns::Turns;

/// The threads. They end when this is dropped.
pub(super) struct Processors(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    turns: Turns<Job>,
    /// Jobs that compute now.
    running: usize,
    closed: bool,
}

/// A call that has something to compute.
type Job = Runnable<Owner>;

struct Owner {
    tenant: Arc<str>,
    /// Whose timers and sockets it uses.
    runtime: Handle,
}

impl Processors {
    /// Starts the threads.
    pub(super) fn start() -> std::io::Result<Self> {
        let processors = Self(Arc::default());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for place in 0..(cores - 1).max(1) {
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
        let owner = Owner { tenant: Arc::clone(tenant), runtime: Handle::current() };
        // The records of a guest belong to the span of its step.
        let work = work.in_current_span();
        let (job, task) = Builder::new().propagate_panic(true).metadata(owner).spawn(move |_| work, schedule);
        if !self.0.is_calm() {
            job.schedule();
        } else if self.0.compute(job) {
            self.0.changed.notify_one();
        }
        task.fallible().await.ok_or(HostFailure::Cancelled)
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
        let mut state = self.lock();
        loop {
            if let Some(job) = state.turns.next() {
                state.running += 1;
                drop(state);
                self.compute(job);
                state = self.lock();
            } else if state.closed {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Whether nobody computes or waits to; whoever asks computes from now on.
    fn is_calm(&self) -> bool {
        let mut state = self.lock();
        let calm = state.running == 0 && state.turns.is_empty();
        state.running += usize::from(calm);
        calm
    }

    /// Runs a job, one of `running`, for a slice. Says whether it waits for another one already.
    fn compute(&self, job: Job) -> bool {
        let Owner { tenant, runtime } = job.metadata();
        let (tenant, runtime) = (Arc::clone(tenant), runtime.clone());
        let start = Instant::now();
        let entered = runtime.enter();
        // What panics while it is dropped takes no thread with it; a panic of the work is the caller's.
        let again = catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or(false);
        drop(entered);
        let used = start.elapsed();
        let mut state = self.lock();
        state.running -= 1;
        state.turns.charge(&tenant, used);
        again
    }

    fn push(&self, job: Job, info: ScheduleInfo) {
        let tenant = Arc::clone(&job.metadata().tenant);
        self.lock().turns.push(&tenant, job);
        // Whoever runs it now looks who is next in a moment.
        if !info.woken_while_running {
            self.changed.notify_one();
        }
    }

    /// No code panics while it holds the lock, so poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::mem::replace;
    use std::task::Poll;

    use tokio::sync::oneshot;

    use super::*;

    async fn thread_name(processors: &Processors, tenant: &str) -> String {
        let name = async { thread::current().name().unwrap_or_default().to_owned() };
        processors.run(&tenant.into(), name).await.unwrap()
    }

    #[tokio::test]
    async fn a_call_computes_where_it_is_made_while_nobody_else_does_and_on_the_threads_beside_others() {
        let processors = Arc::new(Processors::start().unwrap());
        let here = thread::current().name().unwrap().to_owned();
        assert_eq!(thread_name(&processors, "quiet").await, here);

        let (started, running) = oneshot::channel();
        let endless = tokio::spawn({
            let processors = Arc::clone(&processors);
            async move {
                let spin = async {
                    started.send(()).unwrap();
                    loop {
                        yield_slice().await;
                    }
                };
                processors.run::<()>(&"endless".into(), spin).await
            }
        });
        running.await.unwrap();
        let name = thread_name(&processors, "quiet").await;
        assert!(name.starts_with("guests-"), "{name}");
        endless.abort();
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
    async fn a_panic_goes_on_where_the_call_was_made_and_ends_no_thread() {
        let processors = Processors::start().unwrap();
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
        let processors = Processors::start().unwrap();
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
