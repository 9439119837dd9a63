//! Results of steps that ended on this host a short while ago, from which their successors are foreseen.
//!
//! What waits for several steps is known when the last of them ends. Those that ended first may be committed by then, and
//! nothing that the last one was told says what they brought.

use std::collections::VecDeque;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::end::{Ended, Origin};
use super::slots::Slot;
use crate::orchestration::successors::{Done, Successors, is_light};
use crate::store::{ClaimedStep, Verdict};

/// Most bytes of what steps were told and brought that are kept: enough for a thousand small steps, and little beside what the
/// attempts of a host take.
const MOST: usize = 4 << 20;

/// What a step brought that is complete as soon as its end is committed.
pub(super) struct Known {
    origin: Origin,
    result: Box<RawValue>,
    /// The slot it ran in.
    slot: Option<Slot>,
}

impl Known {
    /// That of a step that has just ended and that others may wait for. None if they can't be foreseen, and the second time.
    pub(super) fn of(ended: &mut Ended) -> Option<Self> {
        let slot = ended.slot.take();
        let origin = ended.origin.take().filter(|_| !ended.is_last())?;
        match &ended.completion.verdict {
            Verdict::Complete { result } if is_light(result.get().len()) => {
                Some(Self { origin, result: result.clone(), slot })
            }
            _ => None,
        }
    }

    pub(super) fn claim(&self) -> &ClaimedStep {
        &self.origin.step
    }

    pub(super) fn task(&self) -> Uuid {
        self.origin.step.lease.task_uuid
    }

    pub(super) fn step(&self) -> Uuid {
        self.origin.step.lease.step_uuid
    }

    pub(super) fn namespace(&self) -> &str {
        &self.origin.step.lease.namespace
    }

    /// The slot that the step has left to what follows it.
    pub(super) fn leave_slot(&mut self) -> Option<Slot> {
        self.slot.take()
    }

    pub(super) fn successors(&self) -> Option<&Successors> {
        self.origin.template.successors.as_ref()
    }

    fn bytes(&self) -> usize {
        let ClaimedStep { task, inputs, dependency_results, .. } = &self.origin.step;
        [task, inputs, dependency_results, &self.result].iter().map(|text| text.get().len()).sum::<usize>()
            + size_of::<Self>()
    }

    pub(super) fn done(&self) -> Done<'_> {
        Done { step: &self.origin.step, result: &self.result }
    }
}

/// The results, by task, and how many bytes they are.
#[derive(Default)]
pub(super) struct Results {
    tasks: VecDeque<(Uuid, Vec<Known>)>,
    bytes: usize,
}

impl Results {
    /// Keeps those that may be asked for again, and drops those of the tasks that have been there longest for them.
    pub(super) fn keep(&mut self, results: Vec<Known>) {
        for known in results.into_iter().filter(|known| known.successors().is_some_and(Successors::have_joins)) {
            let task = known.task();
            self.bytes += known.bytes();
            match self.tasks.iter_mut().find(|(of, _)| *of == task) {
                Some((_, results)) => results.push(known),
                None => self.tasks.push_back((task, vec![known])),
            }
        }
        while self.bytes > MOST
            && let Some((_, dropped)) = self.tasks.pop_front()
        {
            self.bytes -= dropped.iter().map(Known::bytes).sum::<usize>();
        }
    }

    /// Those of a task.
    pub(super) fn of(&self, task: Uuid) -> &[Known] {
        self.tasks.iter().find(|(of, _)| *of == task).map_or(&[], |(_, results)| results)
    }

    /// Drops those of a task.
    pub(super) fn forget(&mut self, task: Uuid) {
        if let Some(place) = self.tasks.iter().position(|(of, _)| *of == task)
            && let Some((_, dropped)) = self.tasks.remove(place)
        {
            self.bytes -= dropped.iter().map(Known::bytes).sum::<usize>();
        }
    }
}
