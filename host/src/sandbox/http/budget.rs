//! What one attempt may request, send and receive, and what it has.
//!
//! Bytes are those of HTTP/1.1, whatever travels: names, values and what separates them, and bodies after decoding of their
//! framing. Secrets count as their placeholders, so that no guest can learn from a limit how long one is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::{HeaderMap, request, response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sandbox::Exceeded;
use crate::sandbox::limits::Limits;
use crate::sandbox::violations::Violations;

/// The limit was exceeded, or the attempt has ended; whatever it wanted is not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spent;

/// The counts of one attempt, shared by its requests.
#[derive(Debug)]
pub(super) struct Budget {
    violations: Violations,
    requests: Count,
    /// Bodies of requests that were begun; a guest needs one a request.
    bodies: Count,
    sent: Count,
    received: Count,
    places: Arc<Semaphore>,
    ended: AtomicBool,
}

#[derive(Debug)]
struct Count {
    exceeded: Exceeded,
    limit: u64,
    used: AtomicU64,
}

impl Count {
    fn new(exceeded: Exceeded, limit: u64) -> Self {
        Self { exceeded, limit, used: AtomicU64::new(0) }
    }
}

impl Budget {
    pub(super) fn new(limits: &Limits, violations: Violations) -> Self {
        // A guest that may make requests may make one at a time.
        let places = (limits.http_concurrent as usize).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            violations,
            requests: Count::new(Exceeded::HttpRequests, limits.http_requests.into()),
            bodies: Count::new(Exceeded::HttpRequests, limits.http_requests.into()),
            sent: Count::new(Exceeded::HttpRequestBytes, limits.http_request_bytes),
            received: Count::new(Exceeded::HttpResponseBytes, limits.http_response_bytes),
            places: Arc::new(Semaphore::new(places)),
            ended: AtomicBool::new(false),
        }
    }

    /// Counts a request, granted or not.
    pub(super) fn request(&self) -> Result<(), Spent> {
        self.add(&self.requests, 1)
    }

    /// Counts a body that a guest begins to write, before it is sent anywhere: each holds memory of the host's.
    pub(super) fn body(&self) -> Result<(), Spent> {
        self.add(&self.bodies, 1)
    }

    pub(super) fn send(&self, bytes: usize) -> Result<(), Spent> {
        self.add(&self.sent, bytes as u64)
    }

    pub(super) fn receive(&self, bytes: usize) -> Result<(), Spent> {
        self.add(&self.received, bytes as u64)
    }

    fn add(&self, count: &Count, more: u64) -> Result<(), Spent> {
        let used = count.used.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if used > count.limit {
            self.violations.exceed(count.exceeded, count.limit, used);
            return Err(Spent);
        }
        if self.has_ended() { Err(Spent) } else { Ok(()) }
    }

    /// Waits for one of the places of requests that run at the same time; held until it is dropped.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Spent> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Spent)
    }

    /// Requests so far.
    pub(super) fn requests(&self) -> u32 {
        u32::try_from(self.requests.used.load(Ordering::Relaxed)).unwrap_or(u32::MAX)
    }

    /// From now on nothing is sent or received.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.places.close();
    }

    /// Whether the attempt has ended, or is about to because a limit was exceeded.
    pub(super) fn is_spent(&self) -> bool {
        self.has_ended() || self.violations.first().is_some()
    }

    /// Whether the attempt has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// Bytes of a request without its body.
pub(super) fn request_head(head: &request::Parts) -> usize {
    let url = head.uri.path_and_query().map_or(1, |path| path.as_str().len());
    // The rest of the line is two spaces, the version and the line's end.
    head.method.as_str().len() + url + 12 + header_bytes(&head.headers) + 2
}

/// Bytes of a response without its body.
pub(super) fn response_head(head: &response::Parts) -> usize {
    let reason = head.status.canonical_reason().map_or(0, str::len);
    15 + reason + header_bytes(&head.headers) + 2
}

/// Bytes of headers, or of trailers.
pub(super) fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::AttemptError;

    #[test]
    fn what_exceeds_a_limit_is_a_violation_that_names_it() {
        let limits = Limits { http_requests: 2, http_request_bytes: 10, ..Limits::default() };
        let violations = Violations::default();
        let budget = Budget::new(&limits, violations.clone());
        assert_eq!((budget.request(), budget.request(), budget.send(10)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(violations.first(), None);

        assert_eq!(budget.request(), Err(Spent));

        let expected = AttemptError::LimitExceeded { exceeded: Exceeded::HttpRequests, limit: 2, used: 3 };
        assert_eq!(violations.first(), Some(expected));
        assert_eq!(budget.requests(), 3);
    }

    #[test]
    fn heads_are_counted_as_http_1_1_writes_them() {
        let request = http::Request::post("https://a.example/v1?x=y").header("accept", "*/*").body(()).unwrap();
        let written = "POST /v1?x=y HTTP/1.1\r\naccept: */*\r\n\r\n";
        assert_eq!(request_head(&request.into_parts().0), written.len());

        let response = http::Response::builder().status(404).header("server", "x").body(()).unwrap();
        let written = "HTTP/1.1 404 Not Found\r\nserver: x\r\n\r\n";
        assert_eq!(response_head(&response.into_parts().0), written.len());
    }

    #[tokio::test]
    async fn nobody_waits_for_a_place_of_an_attempt_that_has_ended() {
        let budget = Budget::new(&Limits { http_concurrent: 1, ..Limits::default() }, Violations::default());
        let _place = budget.place().await.unwrap();

        budget.end();

        assert!(budget.place().await.is_err());
        assert_eq!(budget.receive(1), Err(Spent));
    }
}
