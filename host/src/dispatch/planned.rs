//! Planned tasks: those that this host has begun with and whose steps nobody has written yet.
//!
//! A short task is over before anybody asks for its steps. So its ends wait for each other as long as one of its attempts is
//! computing, and then the task is completed with all its steps in one go: each row is written once, and for a task of one
//! step the server works half as much as to create the step, to claim it and to end it, for a tree of eight a little more than
//! half. Nobody waits longer for it: an attempt that needs a commit before it goes on has what ended before committed at once.
//! What takes longer than a short while, or ends otherwise than in success, goes the way of all other steps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::Shared;
use super::backlog;
use super::end::{End, Finished};
use super::in_flight::Begun;
use super::onwards::Onwards;
use crate::store::Verdict;

/// How long an end waits for others of its task at most: a host that dies repeats so much of its work, and it is some ten times
/// what a short task takes under load. The steps of a task that a host has begun with for so long are written.
const HOLD: Duration = Duration::from_millis(50);
/// The same of an end where steps wait for slots. A commit takes a quarter of it there.
const HOLD_IN_BACKLOG: Duration = backlog::SLICE;
/// The same of a task where steps wait for slots. Most that are claimed there have not begun, because all slots compute in turns.
const UNSEEN_IN_BACKLOG: Duration = Duration::from_secs(1);

/// What is to be done with the ends of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// They wait: for the creation of the task, or for more of its ends.
    Wait,
    /// They are all of its ends, and it is completed with them.
    Whole,
    /// They are committed like any others.
    Now,
}

/// How far the tasks of some ends are.
pub(super) struct Standing {
    turns: HashMap<Uuid, Turn>,
    rest: Option<Duration>,
}

/// What is known of a task.
struct Task {
    /// How many steps it has, if they are not written yet.
    planned: Option<usize>,
    /// Those that have ended, and those that are this host's at all.
    ends: usize,
    steps: usize,
    /// Whether all ends are successes that add nothing.
    are_successes: bool,
    /// Whether it is known that the steps are this host's, or will be with the others that have ended.
    is_decided: bool,
    /// Whether one that computes waits for the commit of what has ended.
    is_wanted: bool,
    /// How long the first of them may wait yet.
    left: Duration,
}

impl Task {
    fn turn(&self) -> Turn {
        let may_be_whole = self.planned.is_some() && self.are_successes;
        if !self.is_decided {
            Turn::Wait
        } else if may_be_whole && self.planned == Some(self.ends) {
            Turn::Whole
        } else if may_be_whole && self.steps > self.ends && !self.is_wanted && !self.left.is_zero() {
            Turn::Wait
        } else {
            Turn::Now
        }
    }
}

impl Standing {
    pub(super) fn of(shared: &Shared, ends: &[Finished], onwards: &Onwards<'_>) -> Self {
        let mut tasks: HashMap<Uuid, Task> = HashMap::new();
        for Finished { end, output } in ends {
            let lease = end.lease();
            let task = tasks.entry(lease.task_uuid).or_insert_with(|| Task {
                planned: lease.planned.as_ref().map(|planned| planned.steps.get() as usize),
                ends: 0,
                steps: 0,
                are_successes: true,
                is_decided: true,
                is_wanted: lease.planned.is_some() && onwards.is_wanted(lease.task_uuid),
                // The first of them comes first.
                left: left(shared, end),
            });
            task.ends += 1;
            task.is_decided &= output.is_done() || onwards.has(lease.step_uuid);
            task.are_successes &= is_success(end);
        }
        shared.in_flight.count_planned(&mut tasks, |task| task.steps += 1);
        let turns: HashMap<_, _> = tasks.iter().map(|(uuid, task)| (*uuid, task.turn())).collect();
        let resting = tasks.values().filter(|task| task.is_decided && task.turn() == Turn::Wait);
        Self { turns, rest: resting.map(|task| task.left).min() }
    }

    /// How long those that wait for more ends may do so. None where there are none.
    pub(super) fn rest(&self) -> Option<Duration> {
        self.rest
    }

    /// What is to be done with the ends of this task.
    pub(super) fn turn(&self, task: Uuid) -> Turn {
        self.turns.get(&task).copied().unwrap_or(Turn::Now)
    }
}

/// Whether it says no more than that the step is complete, and may still be said with all others of its task.
fn is_success(end: &End) -> bool {
    match end {
        End::Attempt(ended) => {
            ended.is_planned && matches!(ended.completion.verdict, Verdict::Complete { .. }) && ended.deciding.is_none()
        }
        End::PutBack(_) | End::Lost(_) => false,
    }
}

/// How long an end may wait yet for others of its task.
fn left(shared: &Shared, end: &End) -> Duration {
    let hold = if shared.backlog.holds(&end.lease().namespace) { HOLD_IN_BACKLOG } else { HOLD };
    match end {
        End::Attempt(ended) if !shared.draining.is_cancelled() => hold.saturating_sub(ended.at.elapsed()),
        _ => Duration::ZERO,
    }
}

/// Whether the steps of a task are to be written that has not ended.
fn is_old(shared: &Shared, task: &Begun) -> bool {
    let hold = if shared.backlog.holds(&task.namespace) { UNSEEN_IN_BACKLOG } else { HOLD };
    task.is_created && task.since.elapsed() >= hold
}

/// Has the steps of those tasks written that take longer.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut written = HashSet::new();
    while shared.finished.run_until_cancelled(shared.in_flight.some_planned()).await.is_some() {
        loop {
            tokio::time::sleep(HOLD).await;
            let planned = shared.in_flight.planned();
            written.retain(|task| planned.contains_key(task));
            let old = planned.iter().filter(|(_, task)| is_old(&shared, task));
            let old: Vec<_> = old.map(|(task, _)| *task).filter(|task| !written.contains(task)).collect();
            if !old.is_empty() {
                match shared.store.write_planned(&old, &shared.settings.worker_id).await {
                    Ok(()) => written.extend(old),
                    Err(error) => tracing::warn!(%error, "can't write the steps of new tasks: trying again"),
                }
            }
            if written.len() == planned.len() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of two steps in a row that has ended while the other computes.
    const HALF: Task = Task {
        planned: Some(2),
        ends: 1,
        steps: 2,
        are_successes: true,
        is_decided: true,
        is_wanted: false,
        left: HOLD,
    };

    #[test]
    fn ends_wait_as_long_as_another_step_of_their_task_computes_and_are_committed_together() {
        assert_eq!(HALF.turn(), Turn::Wait);
        assert_eq!(Task { ends: 2, ..HALF }.turn(), Turn::Whole);
        assert_eq!(Task { ends: 2, left: Duration::ZERO, ..HALF }.turn(), Turn::Whole);
    }

    #[test]
    fn ends_do_not_wait_where_nothing_comes_of_it_or_somebody_waits_for_them() {
        for task in [
            Task { steps: 1, ..HALF },
            Task { is_wanted: true, ..HALF },
            Task { left: Duration::ZERO, ..HALF },
            Task { are_successes: false, ..HALF },
            Task { planned: None, ..HALF },
            Task { ends: 2, are_successes: false, ..HALF },
        ] {
            assert_eq!(task.turn(), Turn::Now);
        }
    }

    #[test]
    fn no_end_is_committed_before_its_task_is_created() {
        for task in [HALF, Task { ends: 2, ..HALF }, Task { planned: None, ..HALF }] {
            assert_eq!(Task { is_decided: false, ..task }.turn(), Turn::Wait);
        }
    }
}
