//! How claimed steps end, on their way from the executors to the completion channel.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::growth::Deciding;
use super::slots::Slot;
use super::templates::KnownTemplate;
use crate::events::Outbox;
use crate::orchestration::successors::is_light;
use crate::sandbox::OutputCommit;
use crate::store::{ClaimedStep, Completion, Lease};

/// A claimed step that has ended on this host.
pub(super) struct Finished {
    pub(super) end: End,
    /// What its claim rests on.
    pub(super) output: OutputCommit,
}

/// How a claimed step ended.
pub(super) enum End {
    /// The attempt has a verdict to commit.
    Attempt(Box<Ended>),
    /// The host could not run it: another attempt starts as if this one had not been.
    PutBack(Lease),
    /// Another host owns the step by now: there is nothing to say.
    Lost(Lease),
}

/// An attempt that has a verdict.
pub(super) struct Ended {
    pub(super) completion: Completion,
    /// When it was there.
    pub(super) at: Instant,
    /// The events that follow the commit.
    pub(super) outbox: Outbox,
    /// What its growth was planned from, if it decides over its task.
    pub(super) deciding: Option<Deciding>,
    /// What follows the step is foreseen from this, if it can be and has not been.
    pub(super) origin: Option<Origin>,
    /// The steps that wait for it, where they are known.
    pub(super) successors: Option<Vec<Uuid>>,
    /// The slot it ran in, until it is known what follows it there.
    pub(super) slot: Option<Slot>,
    /// Whether its task may still be completed with all its steps at once.
    pub(super) is_planned: bool,
    /// In which turn of its commit it ends: after so many others of its task that are in the same one.
    pub(super) turn: usize,
}

impl Ended {
    /// An end of which nothing more is known.
    pub(super) fn new(completion: Completion, outbox: Outbox) -> Self {
        let is_planned = completion.lease.planned.is_some();
        let at = Instant::now();
        Self { completion, at, outbox, deciding: None, origin: None, successors: None, slot: None, is_planned, turn: 0 }
    }
}

impl Ended {
    /// Whether it is known that no step waits for it.
    pub(super) fn is_last(&self) -> bool {
        self.successors.as_ref().is_some_and(Vec::is_empty)
    }
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        Self::Attempt(Box::new(ended))
    }
}

/// A step as it was claimed, and the template of its task.
pub(super) struct Origin {
    pub(super) step: ClaimedStep,
    pub(super) template: Arc<KnownTemplate>,
}

impl Origin {
    pub(super) fn of(step: ClaimedStep, template: Arc<KnownTemplate>) -> Option<Self> {
        let carries = step.task.get().len() + step.dependency_results.get().len();
        let is_worker = step.template_step.is_some();
        ((template.successors.is_some() || is_worker) && is_light(carries)).then_some(Self { step, template })
    }
}

impl End {
    pub(super) fn put_back(step: &Lease, reason: &str) -> Self {
        tracing::warn!(reason, "putting the step back; no attempt is spent");
        Self::PutBack(step.clone())
    }

    pub(super) fn lease(&self) -> &Lease {
        match self {
            Self::Attempt(ended) => &ended.completion.lease,
            Self::PutBack(lease) | Self::Lost(lease) => lease,
        }
    }

    pub(super) fn into_attempt(self) -> Option<Box<Ended>> {
        match self {
            Self::Attempt(ended) => Some(ended),
            Self::PutBack(_) | Self::Lost(_) => None,
        }
    }

    pub(super) fn attempt(&mut self) -> Option<&mut Ended> {
        match self {
            Self::Attempt(ended) => Some(ended),
            Self::PutBack(_) | Self::Lost(_) => None,
        }
    }
}
