//! The workers of batches that steps of this host have made, from which those that wait for a place are foreseen.
//!
//! When a worker ends, the next one may begin in its place: the database releases them in the order of their places. The host
//! that runs them all knows that order, because it planned the batch. What the next one needs is what the one before was told,
//! with a key, a name and inputs of its own: what they wait for was complete before any of them began.
//!
//! Where others run some of them, or some fail, the next one is another than is expected here. Nothing comes of an attempt then,
//! and nothing more is foreseen of its batch.

use std::collections::{HashSet, VecDeque};

use uuid::Uuid;

use crate::store::{ClaimedStep, Completion, GrownStep, Lease, MessageId, Verdict};

/// Most batches that are kept.
const BATCHES: usize = 16;
/// Most bytes that the inputs of the workers of one may take: some thousand workers have less.
const LARGEST: usize = 1 << 20;

/// The batches, those that were made last first.
#[derive(Default)]
pub(super) struct Batches(VecDeque<Batch>);

struct Batch {
    task: Uuid,
    workers: HashSet<Uuid>,
    /// Those that have no place yet, in the order in which they get one.
    waiting: VecDeque<GrownStep>,
}

impl Batches {
    /// Learns from an end that is about to be committed: of a batch that it makes, or that a worker may have failed.
    pub(super) fn learn(&mut self, completion: &Completion) {
        let task = completion.lease.task_uuid;
        if matches!(completion.verdict, Verdict::Error { .. }) {
            return self.forget(task);
        }
        let Some((growth, batch)) = completion.growth.as_ref().and_then(|growth| Some((growth, growth.batch?))) else {
            return;
        };
        let workers: Vec<_> = growth.steps.iter().filter(|step| step.batch_place.is_some()).collect();
        let mut waiting: Vec<_> =
            workers.iter().filter(|step| step.batch_place >= Some(batch.parallelism)).copied().cloned().collect();
        if waiting.is_empty() || waiting.iter().map(|step| step.inputs.get().len()).sum::<usize>() > LARGEST {
            return;
        }
        waiting.sort_by_key(|step| step.batch_place);
        self.0.truncate(BATCHES - 1);
        let workers = workers.iter().map(|step| step.step_uuid).collect();
        self.0.push_front(Batch { task, workers, waiting: waiting.into() });
    }

    /// The worker that gets the place of this one, as its first claim will say. Each is told once.
    pub(super) fn next_after(&mut self, worker: &ClaimedStep) -> Option<ClaimedStep> {
        let batch = self.0.iter_mut().find(|batch| batch.workers.contains(&worker.lease.step_uuid))?;
        let GrownStep { step_uuid, name, template_step, retryable, max_attempts, inputs, .. } =
            batch.waiting.pop_front()?;
        let message_id = MessageId::default();
        Some(ClaimedStep {
            lease: Lease { step_uuid, message_id, claim: 1, ..worker.lease.clone() },
            name,
            template_step,
            attempts: 1,
            max_attempts,
            lapses: 0,
            retryable,
            inputs,
            checkpoint: None,
            ..worker.clone()
        })
    }

    /// Foresees nothing more of a task's batches.
    pub(super) fn forget(&mut self, task: Uuid) {
        self.0.retain(|batch| batch.task != task);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::{RawValue, to_raw_value};

    use super::*;
    use crate::store::{AttemptRecord, Growth, NewBatch};
    use crate::template::FailureStrategy;

    fn worker(place: i32, inputs: &str) -> GrownStep {
        GrownStep {
            step_uuid: Uuid::now_v7(),
            name: format!("worker_{place}"),
            template_step: Some("worker".to_owned()),
            retryable: true,
            max_attempts: 3,
            inputs: to_raw_value(&json!({"cursor": inputs})).unwrap(),
            batch_place: Some(place),
        }
    }

    /// The end of a step that makes a batch of these, two at once.
    fn making(steps: Vec<GrownStep>) -> Completion {
        let batch = NewBatch { parallelism: 2, failure_strategy: FailureStrategy::ContinueOnFailure };
        let empty = || RawValue::from_string("{}".to_owned()).unwrap();
        Completion {
            lease: claim(Uuid::now_v7()).lease,
            verdict: Verdict::Complete { result: empty() },
            metadata: empty(),
            attempt: AttemptRecord {
                outcome: "success".into(),
                error_type: None,
                host: "host".into(),
                started_at: chrono::DateTime::UNIX_EPOCH,
                finished_at: chrono::DateTime::UNIX_EPOCH,
                usage: crate::store::Usage::default(),
                log: None,
            },
            growth: Some(Growth { version: 0, steps, edges: Vec::new(), batch: Some(batch), brief: None }),
            events: None,
        }
    }

    /// A worker's second claim, after a retry.
    fn claim(step_uuid: Uuid) -> ClaimedStep {
        let json = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        ClaimedStep {
            lease: Lease {
                namespace: "shop".to_owned(),
                message_id: 7.into(),
                task_uuid: Uuid::nil(),
                step_uuid,
                claim: 2,
                guarded: true,
                planned: None,
            },
            template_uuid: Uuid::nil(),
            correlation_id: Uuid::nil(),
            name: "worker_0".to_owned(),
            template_step: Some("worker".to_owned()),
            attempts: 2,
            max_attempts: 3,
            lapses: 1,
            retryable: true,
            task: json(r#"{"name": "count"}"#),
            inputs: json("{}"),
            checkpoint: Some(json("[1]")),
            dependency_results: json(r#"{"split": 1}"#),
            created_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn those_without_a_place_follow_in_their_order_each_once_and_as_they_are_claimed_for_the_first_time() {
        let steps: Vec<_> = [3, 0, 2, 1].map(|place| worker(place, "x")).into();
        let (first, second) = (claim(steps[1].step_uuid), claim(steps[3].step_uuid));
        let mut batches = Batches::default();
        batches.learn(&making(steps.clone()));
        let next = batches.next_after(&second).unwrap();
        assert_eq!((next.lease.step_uuid, next.name.as_str()), (steps[2].step_uuid, "worker_2"));
        assert_eq!((next.lease.claim, next.attempts, next.lapses, next.lease.message_id.get()), (1, 1, 0, None));
        assert_eq!((next.inputs.get(), next.checkpoint.is_none()), (r#"{"cursor":"x"}"#, true));
        assert_eq!(next.dependency_results.get(), r#"{"split": 1}"#);
        assert_eq!(batches.next_after(&next).unwrap().name, "worker_3");
        assert!(batches.next_after(&first).is_none());
    }

    #[test]
    fn nothing_follows_a_step_of_no_batch_nor_where_one_has_failed_or_much_is_to_be_kept() {
        let steps: Vec<_> = (0..4).map(|place| worker(place, "x")).collect();
        let first = claim(steps[0].step_uuid);
        let mut batches = Batches::default();
        batches.learn(&making(steps.clone()));
        assert!(batches.next_after(&claim(Uuid::now_v7())).is_none());
        let error = to_raw_value(&json!({})).unwrap();
        batches.learn(&Completion { verdict: Verdict::Error { error }, growth: None, ..making(Vec::new()) });
        assert!(batches.next_after(&first).is_none());

        let heavy: Vec<_> = (0..4).map(|place| worker(place, &"x".repeat(LARGEST / 2))).collect();
        batches.learn(&making(heavy.clone()));
        assert!(batches.next_after(&claim(heavy[0].step_uuid)).is_none());
    }
}
