//! Bodies on their way: counted, cut off when the attempt ends, and timed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::{Error, WasiBody};

use super::budget::{Budget, header_bytes};
use super::causes::Causes;
use super::failure;
use super::secrets::Echoes;

/// Bytes of a body that are read before the guest wants them. Most responses of an API fit, so that they end, and give
/// their place to the next request, though the guest has not read them yet.
const READ_AHEAD: usize = 64 << 10;

/// Bytes of an HTTP/2 frame without content.
const FRAME_HEADER: usize = 9;

/// When a request last made progress on its way out.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a guest sends.
pub(super) struct RequestBody {
    body: WasiBody,
    budget: Arc<Budget>,
    progress: Progress,
}

impl RequestBody {
    pub(super) fn new(body: WasiBody, budget: Arc<Budget>, progress: Progress) -> Self {
        Self { body, budget, progress }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // When a guest is gone its bodies seem to end, and a server must not take half of one for the whole.
        if self.budget.has_ended() {
            return Poll::Ready(Some(Err(Error::HttpRequestDenied)));
        }
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            if self.budget.send(bytes_of(frame)).is_err() {
                return Poll::Ready(Some(Err(Error::HttpRequestDenied)));
            }
            self.progress.made();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn bytes_of(frame: &Frame<Bytes>) -> usize {
    let data = frame.data_ref().map_or(0, Bytes::len);
    data + frame.trailers_ref().map_or(0, header_bytes)
}

/// A response's body between the server and the guest. [`Relay::run`] moves it; dropping that closes the connection.
pub(super) struct Relay {
    pub(super) body: Incoming,
    pub(super) budget: Arc<Budget>,
    pub(super) causes: Causes,
    pub(super) echoes: Echoes,
    /// The request, for causes.
    pub(super) label: String,
    pub(super) idle_timeout: Duration,
    /// Held until the body has been received.
    pub(super) place: OwnedSemaphorePermit,
}

impl Relay {
    /// The guest's end, and what has to run for it.
    pub(super) fn start(self) -> (WasiBody, impl Future<Output = Result<(), Error>> + Send + 'static) {
        let (frames, received) = unbounded_channel();
        let room = Arc::new(Semaphore::new(READ_AHEAD));
        let guest = ReceivedBody { frames: received, room: Arc::clone(&room) };
        (guest.boxed_unsync(), self.run(frames, room))
    }

    async fn run(
        mut self,
        frames: UnboundedSender<Result<Frame<Bytes>, Error>>,
        room: Arc<Semaphore>,
    ) -> Result<(), Error> {
        loop {
            let frame = match timeout(self.idle_timeout, self.body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    let failure = failure::of_body(&error);
                    self.causes.note(&format!("HTTP {} failed: {}", self.label, failure.cause));
                    let _ = frames.send(Err(failure.error));
                    break;
                }
                Err(_elapsed) => {
                    let limit = self.idle_timeout.as_secs_f64();
                    self.causes.note(&format!("HTTP {} failed: nothing came for {limit} s", self.label));
                    let _ = frames.send(Err(Error::ConnectionReadTimeout));
                    break;
                }
            };
            // A server could send empty frames without end; nobody needs them, and their headers count.
            let empty = frame.data_ref().is_some_and(Bytes::is_empty);
            let bytes = if empty { FRAME_HEADER } else { bytes_of(&frame) };
            if self.budget.receive(bytes).is_err() {
                let _ = frames.send(Err(Error::HttpResponseBodySize(None)));
                break;
            }
            if empty {
                continue;
            }
            let frame = match frame.into_trailers() {
                Ok(mut trailers) => {
                    self.echoes.conceal(&mut trailers);
                    Frame::trailers(trailers)
                }
                Err(frame) => frame,
            };
            let Ok(taken) = room.acquire_many(permits(&frame)).await else { break };
            taken.forget();
            if frames.send(Ok(frame)).is_err() {
                break;
            }
        }
        drop(self.place);
        Ok(())
    }
}

/// Room that a frame takes while the guest has not read it.
fn permits(frame: &Frame<Bytes>) -> u32 {
    frame.data_ref().map_or(0, |data| data.len().min(READ_AHEAD)) as u32
}

/// What a guest receives.
struct ReceivedBody {
    frames: UnboundedReceiver<Result<Frame<Bytes>, Error>>,
    room: Arc<Semaphore>,
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = self.frames.poll_recv(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.room.add_permits(permits(frame) as usize);
        }
        frame
    }
}
