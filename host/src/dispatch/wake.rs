//! Tells the claim that there may be work, and whose. In one process this is a signal; from other processes it arrives as
//! a line of the first process or a notification of PostgreSQL, which [`crate::host`] forwards here; a poll is the backstop
//! for all. A look into one queue costs the server a tenth of one into five, so who knows whose work it is says so.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// In whose queues there may be work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// In anybody's.
    Anywhere,
    /// In those of these namespaces.
    Of(BTreeSet<String>),
}

/// A wake-up that is never lost: one that comes while nobody waits is kept for the next who does.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<State>);

#[derive(Debug, Default)]
struct State {
    said: Notify,
    work: Mutex<Option<Work>>,
}

impl Work {
    /// In the queues of these.
    pub fn of<'a>(namespaces: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Of(namespaces.into_iter().map(str::to_owned).collect())
    }

    /// Whether there is none.
    pub(super) fn is_nowhere(&self) -> bool {
        matches!(self, Self::Of(some) if some.is_empty())
    }

    /// Whether it is known to be in no queue but of these.
    pub(crate) fn is_only_of(&self, mut served: impl FnMut(&str) -> bool) -> bool {
        matches!(self, Self::Of(some) if some.iter().all(|name| served(name)))
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(mut some), Self::Of(others)) => {
                some.extend(others);
                Self::Of(some)
            }
            _ => Self::Anywhere,
        }
    }

    /// Those of them that are to be looked into.
    pub(super) fn among(&self, served: &[String]) -> Vec<String> {
        match self {
            Self::Anywhere => served.to_vec(),
            Self::Of(some) => served.iter().filter(|name| some.contains(*name)).cloned().collect(),
        }
    }
}

/// The names with spaces between them; nothing for anywhere.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere => Ok(()),
            Self::Of(some) => f.write_str(&some.iter().map(String::as_str).collect::<Vec<_>>().join(" ")),
        }
    }
}

impl From<&str> for Work {
    fn from(names: &str) -> Self {
        if names.trim().is_empty() { Self::Anywhere } else { Self::of(names.split_whitespace()) }
    }
}

impl Wake {
    /// Wakes the one who waits, or the next one to do so.
    pub fn wake(&self, work: Work) {
        let mut said = self.0.work.lock().unwrap_or_else(PoisonError::into_inner);
        *said = Some(match said.take() {
            Some(before) => before.and(work),
            None => work,
        });
        drop(said);
        self.0.said.notify_one();
    }

    /// Returns at the next wake-up, with all that was said until then.
    pub(crate) async fn said(&self) -> Work {
        loop {
            self.0.said.notified().await;
            if let Some(work) = self.0.work.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return work;
            }
        }
    }

    /// The same, but at the latest after `longest`: then there may be work anywhere.
    pub(super) async fn wait(&self, longest: Duration) -> Work {
        tokio::time::timeout(longest, self.said()).await.unwrap_or(Work::Anywhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_said_before_anybody_waits_is_heard_together() {
        let wake = Wake::default();
        wake.wake(Work::of(["b"]));
        wake.wake(Work::of(["a"]));
        assert_eq!(wake.said().await, Work::of(["a", "b"]));
        wake.wake(Work::of(["a"]));
        wake.wake(Work::Anywhere);
        wake.wake(Work::of(["b"]));
        assert_eq!(wake.said().await, Work::Anywhere);
        assert_eq!(wake.wait(Duration::ZERO).await, Work::Anywhere);
    }

    #[test]
    fn of_what_is_said_only_what_is_served_is_looked_into() {
        let served = ["a".to_owned(), "b".to_owned()];
        assert_eq!(Work::of(["b", "c"]).among(&served), ["b"]);
        assert_eq!(Work::Anywhere.among(&served), served);
    }

    #[test]
    fn a_line_tells_the_same_as_what_it_was_made_of() {
        for work in [Work::Anywhere, Work::of(["a"]), Work::of(["a", "b_2"])] {
            assert_eq!(Work::from(work.to_string().as_str()), work);
        }
    }
}
