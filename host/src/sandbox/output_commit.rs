//! The output commit: what an attempt does to the outside waits until the claim of its step is durable.
//!
//! An attempt may begin before its step is claimed, and while the commit of the results that made it ready is on its way to
//! the disk. Until that is there the results could still be lost, and with them the reason to run the step. So the
//! attempt computes, and whatever others could see of it is held back: requests, files, and all that it asks of the
//! orchestrator, progress and events included. If the commit fails, nothing was done. Only log lines are written at once:
//! they are for the operator, and say what ran.

use tokio::sync::watch;

/// Tells an attempt of a commit. Dropped without a word, the commit has failed.
#[derive(Debug)]
pub struct CommitNotice(watch::Sender<bool>);

/// Whether the commit that an attempt rests on is durable. Clones are of the same commit.
#[derive(Debug, Clone, Default)]
pub struct OutputCommit(Option<watch::Receiver<bool>>);

impl OutputCommit {
    /// A commit that is under way, and who tells of its end.
    #[must_use]
    pub fn under_way() -> (CommitNotice, Self) {
        let (notice, commit) = watch::channel(false);
        (CommitNotice(notice), Self(Some(commit)))
    }

    /// None is under way: there is nothing to wait for.
    #[must_use]
    pub fn done() -> Self {
        Self(None)
    }

    /// Whether it is durable by now.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(|commit| *commit.borrow())
    }

    /// Returns when it is durable. Never if it has failed: whoever waits is to be stopped, see [`OutputCommit::failed`].
    pub async fn wait(&self) {
        if let Some(commit) = &self.0
            && commit.clone().wait_for(|durable| *durable).await.is_err()
        {
            std::future::pending().await
        }
    }

    /// Returns when it has failed, and never if it has not.
    pub async fn failed(&self) {
        match &self.0 {
            Some(commit) if commit.clone().wait_for(|durable| *durable).await.is_err() => {}
            _ => std::future::pending().await,
        }
    }
}

impl CommitNotice {
    /// The commit is durable.
    pub fn durable(self) {
        self.0.send_replace(true);
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
        notice.durable();
        assert!(commit.is_done());
        assert_eq!((commit.wait().now_or_never(), commit.failed().now_or_never()), (Some(()), None));
    }

    #[test]
    fn who_waits_for_a_commit_that_failed_never_goes_on() {
        let (notice, commit) = OutputCommit::under_way();
        drop(notice);
        assert!(!commit.is_done());
        assert_eq!((commit.wait().now_or_never(), commit.failed().now_or_never()), (None, Some(())));
    }

    #[test]
    fn where_none_is_under_way_nobody_waits() {
        let commit = OutputCommit::done();
        assert!(commit.is_done());
        assert_eq!((commit.wait().now_or_never(), commit.failed().now_or_never()), (Some(()), None));
    }
}
