//! What the claims of a step's successors will say, before they are made.
//!
//! When all that a step waits for has ended on one host, that host knows everything the step's execution needs: its key and
//! settings come from the plan ([`super::planned`]), its task and the results of the steps before it from the claims of
//! those that ended and from what they brought. So it may run the step while the commit that makes it ready is under way,
//! and keep what came of it if that commit claims it.
//!
//! It can be wrong in nothing but whether the step is claimed. Keys agree only where plans do, tasks and results of complete
//! steps never change, and what follows a step that was claimed once and is not done has never been claimed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::planned::PlannedSteps;
use crate::store::{ClaimedStep, NewStep, StepResult};
use crate::template::Template;

/// Most that a step may carry, in bytes of its task and of the results before it, for something to be foreseen from it: each
/// of those that follow has a copy, and all are kept until the step is committed.
const LARGEST: usize = 64 << 10;

/// Whether so many bytes are few enough for copies.
#[must_use]
pub fn is_light(bytes: usize) -> bool {
    bytes <= LARGEST
}

/// Who follows whom in the tasks of a template.
pub struct Successors {
    planned: PlannedSteps,
    places: HashMap<String, usize>,
    /// Of the step in each place.
    children: Vec<Vec<usize>>,
}

/// A step that was claimed for the first time, and is complete as soon as this is committed.
pub struct Done<'a> {
    /// The step as it was claimed.
    pub step: &'a ClaimedStep,
    /// What it brought.
    pub result: &'a RawValue,
}

impl Successors {
    /// Those in tasks of `template`, as it is in its environment. None can be foreseen where steps are added while a task
    /// runs, or where the template can't be planned.
    #[must_use]
    pub fn of(template: &Template) -> Option<Self> {
        let planned = PlannedSteps::of(template).ok().filter(|planned| !planned.grows())?;
        let mut children = vec![Vec::new(); planned.steps().len()];
        for (place, step) in planned.steps().iter().enumerate() {
            step.parents.iter().for_each(|parent| children[*parent].push(place));
        }
        let places = planned.steps().iter().enumerate().map(|(place, step)| (step.name.clone(), place)).collect();
        Some(Self { planned, places, children })
    }

    /// Whether some step waits for several others.
    #[must_use]
    pub fn have_joins(&self) -> bool {
        self.steps().iter().any(|step| step.parents.len() > 1)
    }

    /// The keys of the steps that wait for this one. None if its task was planned otherwise, and somebody may.
    #[must_use]
    pub fn after(&self, step: &ClaimedStep) -> Option<Vec<Uuid>> {
        // Of a task to which nothing is added only the last ones are guarded.
        if step.lease.guarded {
            return Some(Vec::new());
        }
        let task = step.lease.task_uuid;
        let children = &self.children[self.planned_place(step)?];
        Some(children.iter().map(|place| self.planned.key(task, *place)).collect())
    }

    /// The first of the successors of `done` that may run once these are complete, at most so many, as they will be claimed
    /// then. `before` are steps of the same task that were done before, as far as that is known. The leases have no messages
    /// yet.
    ///
    /// # Errors
    ///
    /// A result is no JSON.
    pub fn foresee(
        &self,
        done: &[Done<'_>],
        before: &[Done<'_>],
        most: usize,
    ) -> Result<Vec<ClaimedStep>, serde_json::Error> {
        let (done, all) = (self.placed(done), [self.placed(done), self.placed(before)].concat());
        let own: Vec<_> =
            all.iter().map(|(place, done)| Ok((*place, done_as_dependency(done)?))).collect::<Result<_, _>>()?;
        let mut results: HashMap<usize, &RawValue> = own.iter().map(|(place, result)| (*place, &**result)).collect();
        for (_, done) in &all {
            let before: BTreeMap<String, &RawValue> = serde_json::from_str(done.step.dependency_results.get())?;
            results.extend(before.into_iter().filter_map(|(name, result)| Some((*self.places.get(&name)?, result))));
        }
        let may_run = |place: &usize| self.steps()[*place].parents.iter().all(|parent| results.contains_key(parent));
        let following: BTreeSet<_> = done.iter().flat_map(|(place, _)| self.children[*place].iter().copied()).collect();
        following
            .into_iter()
            .filter(may_run)
            .take(most)
            .map(|place| self.claim(place, done[0].1.step, &results))
            .collect()
    }

    fn steps(&self) -> &[NewStep] {
        self.planned.steps()
    }

    /// The step's place in the plan, if it was planned like this and claimed once.
    fn place(&self, step: &ClaimedStep) -> Option<usize> {
        self.planned_place(step).filter(|_| step.lease.claim == 1)
    }

    /// The step's place in the plan, if it was planned like this.
    fn planned_place(&self, step: &ClaimedStep) -> Option<usize> {
        let place = *self.places.get(&step.name)?;
        (step.lease.step_uuid == self.planned.key(step.lease.task_uuid, place)).then_some(place)
    }

    fn placed<'a, 'd>(&self, done: &'a [Done<'d>]) -> Vec<(usize, &'a Done<'d>)> {
        done.iter().filter_map(|done| Some((self.place(done.step)?, done))).collect()
    }

    /// The first claim of the step in this place. `relative` is a step of the same task.
    fn claim(
        &self,
        place: usize,
        relative: &ClaimedStep,
        results: &HashMap<usize, &RawValue>,
    ) -> Result<ClaimedStep, serde_json::Error> {
        let step = &self.steps()[place];
        let before = self.before(place).into_iter();
        let before: BTreeMap<_, _> =
            before.filter_map(|place| Some((&self.steps()[place].name, *results.get(&place)?))).collect();
        let step_uuid = self.planned.key(relative.lease.task_uuid, place);
        let is_sink = self.children[place].is_empty();
        Ok(ClaimedStep::foreseen(&relative.kin(), step, step_uuid, is_sink, to_raw_value(&before)?))
    }

    /// The places of all steps that come before the one in this place.
    fn before(&self, place: usize) -> BTreeSet<usize> {
        let mut before = BTreeSet::new();
        let mut next = vec![place];
        while let Some(place) = next.pop() {
            next.extend(self.steps()[place].parents.iter().filter(|parent| before.insert(**parent)));
        }
        before
    }
}

fn done_as_dependency(done: &Done<'_>) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(&StepResult::new(done.step.lease.step_uuid, Some(done.result)))
}
