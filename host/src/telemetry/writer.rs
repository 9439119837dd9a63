//! Standard error as a log: whoever writes a record never waits for who reads it.
//!
//! A pipe that nobody empties would else stop the thread that logs, and then every other one that does: a handler that
//! floods the log, or a collector that hangs, would stop the host. So records go into a bounded buffer, and a thread
//! writes it out. What comes while it is full is dropped and counted, and a line says how many records are missing. The
//! records of handlers only get half of the buffer, so that theirs are dropped before the host's own.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use crate::sandbox::GUEST_LOG;

/// Bytes that may wait to be written.
const BUFFER: usize = 4 << 20;

/// The way to a slow output. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lossy(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    /// Whether the thread has taken bytes that it has not written yet.
    writing: bool,
}

/// Takes the records of one level and target.
pub(super) struct Records<'a> {
    shared: &'a Shared,
    most: usize,
}

impl Lossy {
    /// Starts the thread that writes to `output`.
    pub(super) fn to(mut output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let lossy = Self(Arc::clone(&shared));
        thread::Builder::new().name("log".into()).spawn(move || {
            loop {
                let (bytes, dropped) = shared.take();
                // There is nowhere to tell that the log can't be written.
                let _ = output.write_all(&bytes);
                if dropped > 0 {
                    let _ = writeln!(output, "{dropped} log records were dropped: they came faster than they are read");
                }
            }
        })?;
        Ok(lossy)
    }

    /// Waits until all is written, at most for `longest`.
    pub(super) fn flush(&self, longest: Duration) {
        let end = Instant::now() + longest;
        let mut state = self.0.lock();
        while (state.writing || !state.waiting.is_empty() || state.dropped > 0) && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    /// The next bytes to write, and how many records were dropped after them; waits for some.
    fn take(&self) -> (Vec<u8>, u64) {
        let mut state = self.lock();
        state.writing = false;
        self.changed.notify_all();
        while state.waiting.is_empty() && state.dropped == 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        (mem::take(&mut state.waiting), mem::take(&mut state.dropped))
    }

    /// No code panics while it holds the lock, so poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Lossy {
    type Writer = Records<'a>;

    fn make_writer(&'a self) -> Records<'a> {
        Records { shared: &self.0, most: BUFFER }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Records<'a> {
        let most = if meta.target() == GUEST_LOG { BUFFER / 2 } else { BUFFER };
        Records { shared: &self.0, most }
    }
}

impl Write for Records<'_> {
    /// Takes a whole record, as the formatter hands it over.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        if state.waiting.len() + record.len() > self.most {
            state.dropped += 1;
        } else {
            state.waiting.extend_from_slice(record);
        }
        drop(state);
        self.shared.changed.notify_all();
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// An output that takes nothing until it is told to, and shows what it took.
    struct Stuck {
        go: Option<mpsc::Receiver<()>>,
        took: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(go) = self.go.take() {
                let _ = go.recv();
            }
            self.took.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stuck() -> (Lossy, mpsc::Sender<()>, impl Fn() -> String) {
        let (sender, go) = mpsc::channel();
        let took = Arc::<Mutex<Vec<u8>>>::default();
        let lossy = Lossy::to(Stuck { go: Some(go), took: took.clone() }).unwrap();
        (lossy, sender, move || String::from_utf8(took.lock().unwrap().clone()).unwrap())
    }

    #[test]
    fn records_are_written_in_order() {
        let (log, go, took) = stuck();
        go.send(()).unwrap();
        for line in ["a\n", "b\n", "c\n"] {
            log.make_writer().write_all(line.as_bytes()).unwrap();
        }
        log.flush(Duration::from_secs(20));
        assert_eq!(took(), "a\nb\nc\n");
    }

    #[test]
    fn a_stuck_output_stops_nobody_and_what_is_lost_is_counted() {
        let (log, go, took) = stuck();
        let record = [b'x'; 1 << 10];
        for _ in 0..3 * BUFFER / record.len() {
            log.make_writer().write_all(&record).unwrap();
        }
        log.flush(Duration::from_millis(10));
        assert_eq!(took(), "");
        go.send(()).unwrap();
        log.flush(Duration::from_secs(20));
        let took = took();
        let lost: usize = took
            .lines()
            .filter_map(|line| {
                line.trim_start_matches('x')
                    .strip_suffix(" log records were dropped: they came faster than they are read")
            })
            .map(|count| count.parse::<usize>().unwrap())
            .sum();
        assert!(lost > 0);
        assert_eq!(took.bytes().filter(|byte| *byte == b'x').count() / record.len() + lost, 3 * BUFFER / record.len());
    }

    #[test]
    fn a_flood_of_handlers_leaves_room_for_the_host() {
        let (log, go, took) = stuck();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..2 * BUFFER / 1000 {
                tracing::info!(target: GUEST_LOG, "{}", "flood ".repeat(200));
            }
            tracing::info!("the host has its say");
        });
        go.send(()).unwrap();
        log.flush(Duration::from_secs(20));
        assert!(took().contains("the host has its say"));
    }
}
