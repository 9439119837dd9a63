//! The steps that every task of a template begins with, and the keys they get.
//!
//! A key is made of the task's key, the whole plan and the step's place in it. So whoever has the template knows the keys of
//! any task's steps, and a step with the key that was expected was planned as it would be planned here: after the same
//! steps, with the same settings and inputs, whichever host made the task and in which environment.
//! [`super::successors`] rests on that.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::create::CreateError;
use crate::store::NewStep;
use crate::template::{Template, plan};

/// The planned steps of a template.
pub struct PlannedSteps {
    /// In an order in which they can run; without keys.
    steps: Vec<NewStep>,
    grows: bool,
    digest: [u8; 32],
}

impl PlannedSteps {
    /// Those of `template`, which is as it is in its environment.
    ///
    /// # Errors
    ///
    /// The stored template can't be planned.
    pub fn of(template: &Template) -> Result<Self, CreateError> {
        let plan = plan(template)?;
        let mut digest = Sha256::new();
        let mut steps = Vec::with_capacity(plan.steps.len());
        for planned in &plan.steps {
            let definition = planned.definition;
            let step = NewStep {
                step_uuid: Uuid::nil(),
                name: definition.name.clone(),
                parents: planned.parents.clone(),
                max_attempts: definition.retry.max_attempts.try_into().unwrap_or(i32::MAX),
                retryable: definition.retry.retryable,
                inputs: serde_json::value::to_raw_value(&definition.handler.initialization)?,
            };
            let told = (&step.name, &step.parents, step.max_attempts, step.retryable, &step.inputs);
            digest.update(serde_json::to_vec(&told)?);
            steps.push(step);
        }
        Ok(Self { steps, grows: plan.grows, digest: digest.finalize().into() })
    }

    /// Whether steps may be added while a task runs.
    #[must_use]
    pub fn grows(&self) -> bool {
        self.grows
    }

    /// The steps in an order in which they can run; their keys are those of no task.
    #[must_use]
    pub fn steps(&self) -> &[NewStep] {
        &self.steps
    }

    /// The steps of one task.
    #[must_use]
    pub fn of_task(&self, task: Uuid) -> Vec<NewStep> {
        let keyed = |(place, step): (usize, &NewStep)| NewStep { step_uuid: self.key(task, place), ..step.clone() };
        self.steps.iter().enumerate().map(keyed).collect()
    }

    /// The key of the step in this place: a version 7 UUID of the task's millisecond, so that rows of one task lie
    /// together on disk, which grows with the place as far as its twelve bits go.
    #[must_use]
    pub fn key(&self, task: Uuid, place: usize) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.digest);
        hash.update(task);
        hash.update((place as u64).to_be_bytes());
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&u16::try_from(place).unwrap_or(u16::MAX).min(0xFFF).to_be_bytes());
        rest[2..].copy_from_slice(&hash.finalize()[..8]);
        let milliseconds = (task.as_u128() >> 80) as u64;
        Builder::from_unix_timestamp_millis(milliseconds, &rest).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn planned(inputs: &serde_json::Value) -> PlannedSteps {
        let template = json!({"name": "t", "namespace_name": "n", "version": "1.0.0", "steps": [
            {"name": "a", "handler": {"callable": "A"}},
            {"name": "b", "handler": {"callable": "B", "initialization": inputs}, "dependencies": ["a"]},
        ]});
        PlannedSteps::of(&serde_json::from_value(template).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_the_same_for_whoever_plans_the_task_and_others_if_any_step_is_planned_otherwise() {
        let (here, there, otherwise) =
            (planned(&json!({"k": 1})), planned(&json!({"k": 1})), planned(&json!({"k": 2})));
        let task = Uuid::now_v7();
        for place in 0..2 {
            assert_eq!(here.key(task, place), there.key(task, place));
            assert_ne!(here.key(task, place), otherwise.key(task, place));
            assert_ne!(here.key(task, place), here.key(Uuid::now_v7(), place));
        }
    }

    #[test]
    fn keys_are_of_the_task_s_millisecond_and_grow_with_the_place() {
        let (planned, task) = (planned(&json!({})), Uuid::now_v7());
        let keys: Vec<_> = (0..5000).map(|place| planned.key(task, place)).collect();
        assert!(keys.iter().all(|key| key.get_version_num() == 7
            && key.get_timestamp().unwrap().to_unix().0 == task.get_timestamp().unwrap().to_unix().0));
        assert!(keys[..=0xFFF].is_sorted());
        assert_eq!(std::collections::HashSet::<_>::from_iter(&keys).len(), keys.len());
    }
}
