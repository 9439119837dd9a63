//! The commit of planned tasks all of whose steps have ended (`planned`), over a connection of its own: it is made at the same
//! time as that of other ends.

use std::collections::HashSet;

use super::Shared;
use super::complete::{pauses, try_again};
use super::end::Finished;
use super::foreseen::Foreseen;
use crate::store::{Completion, TaskChange, TaskState};

/// All ends of some tasks.
pub(super) struct Whole<'a> {
    ends: Vec<Finished>,
    /// Those of the steps that are not claimed yet.
    foreseen: Foreseen<'a>,
}

impl<'a> Whole<'a> {
    pub(super) fn new(ends: Vec<Finished>, foreseen: Foreseen<'a>) -> Self {
        Self { ends, foreseen }
    }

    /// Completes the tasks. Where the steps of one are written by now, it answers the ends, which are to be committed like others,
    /// and what is foreseen of them.
    pub(super) async fn commit(mut self, shared: &Shared) -> Option<(Vec<Finished>, Foreseen<'a>)> {
        let is_done = match self.ends.is_empty() {
            true => true,
            false => self.complete(shared).await?,
        };
        if !is_done {
            let attempts = self.ends.iter_mut().filter_map(|finished| finished.end.attempt());
            attempts.for_each(|ended| ended.is_planned = false);
            return Some((self.ends, self.foreseen));
        }
        let tasks: HashSet<_> = self.ends.iter().map(|finished| finished.end.lease().task_uuid).collect();
        for task_uuid in tasks {
            // An error only says that nobody listens.
            let _ = shared.changes.send(TaskChange { task_uuid, state: TaskState::Complete });
        }
        for Finished { end, .. } in self.ends {
            self.foreseen.claimed(end.lease().step_uuid, None);
            shared.in_flight.remove(end.lease());
            if let Some(ended) = end.into_attempt() {
                shared.metrics.attempt(&ended.completion);
                shared.events.committed(ended.outbox);
            }
        }
        self.foreseen.settle();
        None
    }

    /// Whether the tasks are complete. None if the host stops before that is known.
    async fn complete(&mut self, shared: &Shared) -> Option<bool> {
        let attempts = self.ends.iter_mut().filter_map(|finished| finished.end.attempt());
        let completions: Vec<&Completion> = attempts.map(|ended| &ended.completion).collect();
        for pause in pauses() {
            let error = match shared.planned.complete_planned(&completions).await {
                Ok(is_done) => return Some(is_done),
                Err(error) if !error.is_transient() => {
                    tracing::error!(%error, "can't complete tasks with all their steps: trying it step by step");
                    return Some(false);
                }
                Err(error) => error,
            };
            if !try_again(shared, &error, completions.len(), pause).await {
                break;
            }
        }
        None
    }
}
