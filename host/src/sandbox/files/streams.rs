//! Streams of files, with every byte charged before it is written and every stream counted as an open file.
//!
//! A stream keeps its file open when the descriptor it was made of is long closed, which is why it has a [`Handle`] of its
//! own.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use super::Handle;

/// A stream that reads.
pub(in crate::sandbox) struct MeteredRead {
    stream: DynInputStream,
    _handle: Handle,
}

impl MeteredRead {
    pub(in crate::sandbox) fn new(stream: DynInputStream, handle: Handle) -> Self {
        Self { stream, _handle: handle }
    }
}

#[async_trait]
impl Pollable for MeteredRead {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[async_trait]
impl InputStream for MeteredRead {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.stream.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.stream.blocking_read(size).await
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

/// A stream that writes.
pub(in crate::sandbox) struct MeteredWrite {
    stream: DynOutputStream,
    handle: Handle,
    hole: Option<Hole>,
}

/// Where the first write goes, while it is not known whether the file reaches that far.
struct Hole {
    file: Arc<File>,
    offset: u64,
}

impl MeteredWrite {
    /// A stream that writes at the end.
    pub(in crate::sandbox) fn append(stream: DynOutputStream, handle: Handle) -> Self {
        Self { stream, handle, hole: None }
    }

    /// A stream that writes from `offset` on.
    pub(in crate::sandbox) fn at(stream: DynOutputStream, handle: Handle, file: Arc<File>, offset: u64) -> Self {
        Self { stream, handle, hole: (offset > 0).then_some(Hole { file, offset }) }
    }

    fn charge(&self, bytes: u64) -> StreamResult<()> {
        let quota = self.handle.quota();
        quota
            .charge(bytes)
            .map_err(|_| StreamError::LastOperationFailed(io::Error::from(io::ErrorKind::QuotaExceeded).into()))
    }

    /// Charges the hole the first write would leave. The attempt is over if that is too much, so nobody asks for the
    /// answer.
    async fn charge_hole(&mut self) {
        let Some(Hole { file, offset }) = self.hole.take() else { return };
        let size =
            AbortOnDropHandle::new(tokio::task::spawn_blocking(move || file.metadata().map(|found| found.len())));
        if let Ok(Ok(size)) = size.await {
            let _ = self.charge(offset.saturating_sub(size));
        }
    }
}

#[async_trait]
impl Pollable for MeteredWrite {
    async fn ready(&mut self) {
        self.charge_hole().await;
        self.stream.ready().await;
    }
}

#[async_trait]
impl OutputStream for MeteredWrite {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.hole.is_some() {
            return Err(StreamError::trap("write not permitted: the stream was not ready"));
        }
        self.charge(bytes.len() as u64)?;
        self.stream.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.charge_hole().await;
        self.charge(bytes.len() as u64)?;
        self.stream.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.hole.is_some() { Ok(0) } else { self.stream.check_write() }
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}
