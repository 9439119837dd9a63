//! A stream of changes, read from server-sent events.

use axum::body::Body;
use http_body_util::BodyExt;

use crate::cli::Failure;
use crate::store::Change;

/// The most bytes of one event: a change has a few hundred.
const EVENT_BYTES: usize = 1 << 20;

/// Changes as they come.
pub(in crate::cli) struct Changes {
    body: Body,
    /// What was received and not told.
    received: Vec<u8>,
    /// The `id` of the last change.
    last: Option<String>,
}

impl Changes {
    pub(super) fn new(body: Body) -> Self {
        Self { body, received: Vec::new(), last: None }
    }

    /// Where to go on when the stream has ended.
    pub(in crate::cli) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// The next change; none when the stream has ended.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Change>, Failure> {
        loop {
            while let Some(event) = self.event() {
                if let Some(change) = self.change(&event)? {
                    return Ok(Some(change));
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.received.extend(frame.into_data().unwrap_or_default()),
                // A stream that breaks off is one that has ended: whoever reads it goes on after the last change.
                Some(Err(_)) | None => return Ok(None),
            }
            if self.received.len() > EVENT_BYTES {
                return Err(Failure::not_well(anyhow::anyhow!("the server sends what is no stream of changes")));
            }
        }
    }

    /// The text of the next event that is there as a whole.
    fn event(&mut self) -> Option<String> {
        let end = self.received.windows(2).position(|two| two == b"\n\n")?;
        let event = self.received.drain(..end + 2).collect::<Vec<_>>();
        Some(String::from_utf8_lossy(&event).into_owned())
    }

    /// What an event tells; nothing if it only keeps the connection open.
    fn change(&mut self, event: &str) -> Result<Option<Change>, Failure> {
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_start().to_owned())
        };
        let Some(data) = field("data:") else { return Ok(None) };
        if let Some(id) = field("id:") {
            self.last = Some(id);
        }
        Ok(Some(serde_json::from_str(&data)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_read_however_they_are_cut_and_comments_are_none() {
        let data = serde_json::json!({
            "sequence": 4, "at": "2026-01-01T00:00:00Z", "namespace": "n", "task_uuid": uuid::Uuid::nil(), "step_uuid": null,
            "step": null, "attempt": null, "from_state": "pending", "to_state": "complete", "reason": null, "actor": null
        });
        let text = format!(":\n\nevent: task\nid: 9.4\ndata: {data}\n\n: more\n\n");
        let pieces: Vec<Result<_, std::convert::Infallible>> =
            text.into_bytes().chunks(7).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
        let mut changes = Changes::new(Body::from_stream(futures::stream::iter(pieces)));
        let change = changes.next().await.unwrap_or_else(|_| panic!("a change")).unwrap();
        assert_eq!((change.sequence, change.to_state.as_str(), changes.last()), (4, "complete", Some("9.4")));
        assert!(changes.next().await.unwrap_or_else(|_| panic!("the end")).is_none());
    }
}
