//! The output commit: what an attempt does to the outside waits until the claim of its step is durable.
//!
//! An attempt may begin before its step is claimed: while its task is created, or while the results that made it ready are
//! committed. Until that is on the disk it could still be lost, and with it the reason to run the step. So the
//! attempt computes, and whatever others could see of it is held back: requests, files, and all that it asks of the
//! orchestrator, progress and events included. If the commit fails, nothing was done. Only log lines are written at once:
//! they are for the operator, and say what ran.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

/// Tells an attempt of a commit. Dropped without a word, the commit has failed.
#[derive(Debug)]
pub struct CommitNotice {
    durable: watch::Sender<bool>,
    wanted: Arc<AtomicBool>,
}

/// Whether the commit that an attempt rests on is durable. Clones are of the same commit.
#[derive(Debug, Clone, Default)]
pub struct OutputCommit(Option<Commit>);

#[derive(Debug, Clone)]
struct Commit {
    durable: watch::Receiver<bool>,
    /// Whether somebody waits for it.
    wanted: Arc<AtomicBool>,
    /// Hears of that.
    committer: Arc<Notify>,
}

impl OutputCommit {
    /// A commit that is under way, and who tells of its end.
    #[must_use]
    pub fn under_way() -> (CommitNotice, Self) {
        Self::to_be_made(Arc::default())
    }

    /// A commit that `committer` may put off as long as [nobody waits](CommitNotice::is_wanted) for it, and who tells of its
    /// end. The first that does notifies `committer`.
    #[must_use]
    pub fn to_be_made(committer: Arc<Notify>) -> (CommitNotice, Self) {
        let (durable, receiver) = watch::channel(false);
        let wanted = Arc::<AtomicBool>::default();
        let commit = Commit { durable: receiver, wanted: wanted.clone(), committer };
        (CommitNotice { durable, wanted }, Self(Some(commit)))
    }

    /// None is under way: there is nothing to wait for.
    #[must_use]
    pub fn done() -> Self {
        Self(None)
    }

    /// Whether it is durable by now.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(|commit| *commit.durable.borrow())
    }

    /// Whether it has failed by now.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        // In this order: who tells is gone once it has told.
        self.0.as_ref().is_some_and(|Commit { durable, .. }| durable.has_changed().is_err() && !*durable.borrow())
    }

    /// Returns when it is known whether it is durable.
    pub async fn decided(&self) {
        if let Some(commit) = &self.0 {
            // Failed is decided, too.
            let _ = commit.durable.clone().wait_for(|durable| *durable).await;
        }
    }

    /// Returns when it is durable, and asks that it be made soon. Never if it has failed: whoever waits is to be stopped, see [`OutputCommit::failed`].
    pub async fn wait(&self) {
        let Some(commit) = &self.0 else { return };
        if !self.is_done() && !commit.wanted.swap(true, Ordering::Relaxed) {
            commit.committer.notify_one();
        }
        if commit.durable.clone().wait_for(|durable| *durable).await.is_err() {
            std::future::pending().await
        }
    }

    /// Returns when it has failed, and never if it has not.
    pub async fn failed(&self) {
        match &self.0 {
            Some(commit) if commit.durable.clone().wait_for(|durable| *durable).await.is_err() => {}
            _ => std::future::pending().await,
        }
    }
}

impl CommitNotice {
    /// The commit is durable.
    pub fn durable(self) {
        self.durable.send_replace(true);
    }

    /// Whether an attempt waits for the commit.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_waits_for_a_commit_goes_on_once_it_is_durable() {
        let (notice, commit) = OutputCommit::under_way();
        assert!(!commit.is_done());
        assert_eq!((commit.wait().now_or_never(), commit.failed().now_or_never()), (None, None));
        assert_eq!(commit.decided().now_or_never(), None);
        notice.durable();
        assert_eq!((commit.decided().now_or_never(), commit.has_failed()), (Some(()), false));
        assert!(commit.is_done());
        assert_eq!((commit.wait().now_or_never(), commit.failed().now_or_never()), (Some(()), None));
    }

    #[test]
    fn who_puts_a_commit_off_hears_that_somebody_waits_for_it() {
        let committer = Arc::<Notify>::default();
        let (notice, commit) = OutputCommit::to_be_made(committer.clone());
        assert!(
            !commit.is_done() && commit.decided().now_or_never().is_none() && commit.failed().now_or_never().is_none()
        );
        assert!(!notice.is_wanted());
        assert_eq!(commit.wait().now_or_never(), None);
        assert!(notice.is_wanted() && committer.notified().now_or_never().is_some());
    }

    #[test]
    fn who_waits_for_a_commit_that_failed_never_goes_on() {
        let (notice, commit) = OutputCommit::under_way();
        drop(notice);
        assert!(!commit.is_done());
        assert_eq!((commit.wait().now_or_never(), commit.failed().now_or_never()), (None, Some(())));
        assert_eq!((commit.decided().now_or_never(), commit.has_failed()), (Some(()), true));
    }

    #[test]
    fn where_none_is_under_way_nobody_waits() {
        let commit = OutputCommit::done();
        assert!(commit.is_done());
        assert_eq!((commit.wait().now_or_never(), commit.failed().now_or_never()), (Some(()), None));
    }
}
