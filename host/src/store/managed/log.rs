//! The server's log: bounded on disk, and its end at hand for error messages.
//!
//! The server writes to a pipe and the supervisor to the file, because a file the server writes itself grows without end
//! and its own logging collector bounds it by time only.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// The size in bytes at which the file is set aside as `server.log.old` and begun anew; on disk are at most two.
const LARGEST_FILE: u64 = 4 << 20;
/// A longer line is cut into several.
const LONGEST_LINE: u64 = 16 << 10;
/// How many lines an error message carries.
const TAIL_LINES: usize = 20;

/// A log that several threads may write.
#[derive(Clone)]
pub(super) struct Log {
    state: Arc<Mutex<State>>,
}

struct State {
    path: PathBuf,
    file: File,
    size: u64,
    tail: VecDeque<String>,
}

impl Log {
    /// Appends to the file at `path`, readable by its owner alone: statements with their values may be in it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        let state = State { path: path.to_owned(), file, size, tail: VecDeque::with_capacity(TAIL_LINES) };
        Ok(Log { state: Arc::new(Mutex::new(state)) })
    }

    /// Writes one line. A disk that takes no more must not stop the server, so failures are passed over.
    pub(super) fn line(&self, text: &str) {
        let mut state = self.state();
        if state.tail.len() == TAIL_LINES {
            state.tail.pop_front();
        }
        state.tail.push_back(text.to_owned());
        if state.size > LARGEST_FILE {
            let _ = state.begin_anew();
        }
        let line = format!("{text}\n");
        if state.file.write_all(line.as_bytes()).is_ok() {
            state.size += line.len() as u64;
        }
    }

    /// Writes what comes from `source` until its end, in a thread.
    pub(super) fn follow(&self, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                log.line(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
        })
    }

    /// The last lines, indented.
    pub(super) fn tail(&self) -> String {
        self.state().tail.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin_anew(&mut self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension("log.old"))?;
        self.file = append_to(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

/// Opens the log file for appending, made if missing.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_bounded_and_the_tail_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("server.log");
        let log = Log::open(&path).unwrap();
        let lines = "x".repeat(1023) + "\n";
        let source = io::Cursor::new(lines.repeat(3 * (LARGEST_FILE as usize) / lines.len()) + "the end\n");
        log.follow(source).join().unwrap();
        let sizes = ["server.log", "server.log.old"].map(|name| fs::metadata(root.path().join(name)).unwrap().len());
        assert!(sizes.iter().all(|size| *size <= LARGEST_FILE + 1024 * 2), "{sizes:?}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
        assert_eq!(log.tail().lines().count(), TAIL_LINES);
        assert!(log.tail().ends_with("  the end"));
    }
}
