//! What a guest writes to standard output and standard error: only the end is kept, for crash reports.
//!
//! Both take everything at once and forget the beginning, so a guest can neither block on them nor fill the host.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes that are kept of each stream.
const KEPT: usize = 4 << 10;

/// Bytes a guest may write at once; WASI streams use about as much.
const WRITE: usize = 64 << 10;

/// The end of one stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    /// The end of the stream, on one line, without control characters.
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = bytes.len().saturating_sub(KEPT);
        clean(String::from_utf8_lossy(&bytes[start..]).trim())
    }
}

/// Text a guest wrote, made fit for a log line, a terminal and a `text` column: line breaks become spaces, and control and
/// direction-changing characters vanish, so that no record can pretend to be two or be other than it reads.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|char| match char {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => None,
            char if char.is_control() => None,
            char => Some(char),
        })
        .collect()
}

impl IsTerminal for Tail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Tail {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only guests of WASI 0.3 ask for this form, and none is linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Tail {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Tail {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = bytes.len().saturating_sub(KEPT);
        kept.extend_from_slice(&bytes[end..]);
        // Forgetting in large strides keeps many small writes cheap.
        if kept.len() > 4 * KEPT {
            let surplus = kept.len() - KEPT;
            kept.drain(..surplus);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let mut tail = Tail::default();
        for _ in 0..1_000 {
            tail.write(Bytes::from(vec![b'x'; 1_000])).unwrap();
        }
        tail.write(Bytes::from_static(b"the end\n")).unwrap();

        let text = tail.text();
        assert!(text.ends_with("xthe end") && text.len() <= KEPT, "{} bytes", text.len());
        assert!(tail.0.lock().unwrap().len() <= 5 * KEPT);
    }

    #[test]
    fn guest_text_cannot_forge_lines_or_colours() {
        assert_eq!(clean("a\nERROR b\x1b[31m\r\0\u{9b}\u{202e}c\u{2028}d"), "a ERROR b[31mc d");
    }
}
