//! Planned tasks: those whose steps this host has begun with as it created them, and which nobody has written yet.
//!
//! A short task is over before anybody asks for its steps. So its ends wait for each other as long as one of its attempts is
//! computing, and then the task is completed with all its steps in one go: each row is written once, and for a task of one
//! step the server works half as much as to create the step, to claim it and to end it, for a tree of eight a little more than
//! half. Nobody waits longer for it: an attempt that needs a commit before it goes on has what ended before committed at once.
//! What takes longer than [`HOLD`], or ends otherwise than in success, goes the way of all other steps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use uuid::Uuid;

use super::Shared;
use super::complete::BATCH;
use super::end::{End, Finished};
use super::onwards::Onwards;
use crate::store::{Lease, Verdict};

/// How long after its creation the steps of a task are written at the latest. A host that dies repeats so much of its work at
/// most, and it is some ten times what a short task takes under load.
const HOLD: Duration = Duration::from_millis(50);

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

struct Task<'a> {
    lease: &'a Lease,
    ends: usize,
    /// Whether it is known that the steps are this host's, or will be with the others that have ended.
    is_decided: bool,
    may_be_whole: bool,
}

impl Standing {
    pub(super) fn of(shared: &Shared, ends: &[Finished], onwards: &Onwards<'_>) -> Self {
        let mut tasks: HashMap<Uuid, Task<'_>> = HashMap::new();
        for Finished { end, output } in ends {
            let lease = end.lease();
            let task = tasks.entry(lease.task_uuid).or_insert(Task {
                lease,
                ends: 0,
                is_decided: true,
                may_be_whole: lease.planned.is_some(),
            });
            task.ends += 1;
            task.is_decided &= output.is_done() || onwards.has(lease.step_uuid);
            task.may_be_whole &= may_be_of_whole(end);
        }
        let may_wait = !shared.draining.is_cancelled() && ends.len() < BATCH;
        let mut rest: Option<Duration> = None;
        let mut turn = |task: &Task<'_>| {
            let left = left(task.lease);
            let all = task.lease.planned.map_or(0, |steps| steps.get() as usize);
            if !task.is_decided {
                Turn::Wait
            } else if task.may_be_whole && task.ends == all {
                Turn::Whole
            } else if task.may_be_whole
                && may_wait
                && !left.is_zero()
                && !onwards.is_wanted(task.lease.task_uuid)
                && shared.in_flight.of_task(task.lease.task_uuid) > task.ends
            {
                rest = Some(rest.map_or(left, |rest| rest.min(left)));
                Turn::Wait
            } else {
                Turn::Now
            }
        };
        let turns = tasks.iter().map(|(task, standing)| (*task, turn(standing))).collect();
        Self { turns, rest }
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

fn may_be_of_whole(end: &End) -> bool {
    match end {
        End::Attempt(ended) => {
            ended.is_planned && matches!(ended.completion.verdict, Verdict::Complete { .. }) && ended.deciding.is_none()
        }
        End::PutBack(_) | End::Lost(_) => false,
    }
}

/// How long the steps of a task need not be written yet, by the time in its key.
fn left(lease: &Lease) -> Duration {
    let created = (lease.task_uuid.as_u128() >> 80) as i64;
    // No time is left where the clock was set back meanwhile.
    let age = u64::try_from(Utc::now().timestamp_millis() - created).map_or(HOLD, Duration::from_millis);
    HOLD.saturating_sub(age)
}

/// Has the steps of those tasks written that take longer.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut written = HashSet::new();
    while shared.finished.run_until_cancelled(shared.in_flight.some_planned()).await.is_some() {
        loop {
            tokio::time::sleep(HOLD).await;
            let planned = shared.in_flight.planned();
            let tasks: HashSet<_> = planned.iter().map(|lease| lease.task_uuid).collect();
            written.retain(|task| tasks.contains(task));
            let old = planned.iter().filter(|lease| left(lease).is_zero()).map(|lease| lease.task_uuid);
            let old: Vec<_> = old.filter(|task| !written.contains(task)).collect();
            if !old.is_empty() {
                match shared.store.write_planned(&old).await {
                    Ok(()) => written.extend(old),
                    Err(error) => tracing::warn!(%error, "can't write the steps of new tasks: trying again"),
                }
            }
            if written.len() == tasks.len() {
                break;
            }
        }
    }
}
