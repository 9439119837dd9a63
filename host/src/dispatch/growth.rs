//! What a decision or a batch adds to its task: planned from what the task has, committed with the step that decides.
//!
//! Between the two another step may have added to the task. The database notices, and the addition is planned again; so
//! the plan can be made here, in plain Rust, and no lock is held while it is.

use std::sync::Arc;

use uuid::Uuid;

use super::Shared;
use super::templates::KnownTemplate;
use crate::orchestration::grow::{self, Directive, InvalidOutcome};
use crate::orchestration::outcome;
use crate::sandbox::OutputCommit;
use crate::store::{ClaimedStep, Completion, StoreError, Verdict};
use crate::template::StepDefinition;

/// What an addition is planned from.
pub(super) struct Deciding {
    task_uuid: Uuid,
    template: Arc<KnownTemplate>,
    step: String,
    directive: Directive,
}

/// What the end of an attempt adds to its task; what it was planned from, if anything.
pub(super) async fn grow(
    shared: &Shared,
    template: &Arc<KnownTemplate>,
    step: &ClaimedStep,
    definition: &StepDefinition,
    completion: Completion,
    output: &OutputCommit,
) -> Result<(Completion, Option<Deciding>), StoreError> {
    let Verdict::Complete { result } = &completion.verdict else {
        return Ok((completion, None));
    };
    let directive = match grow::directive(definition, result) {
        Ok(Some(directive)) => directive,
        Ok(None) => return Ok((completion, None)),
        Err(invalid) => return Ok((refuse(completion, &invalid), None)),
    };
    let deciding = Deciding {
        task_uuid: step.lease.task_uuid,
        template: template.clone(),
        step: definition.name.clone(),
        directive,
    };
    // What the database says of the task must not be older than the results that the step began with.
    output.wait().await;
    let completion = deciding.plan(shared, completion).await?;
    Ok((completion, Some(deciding)))
}

impl Deciding {
    /// Plans, or plans again. A completion that can't add what it decided fails its step.
    pub(super) async fn plan(&self, shared: &Shared, completion: Completion) -> Result<Completion, StoreError> {
        let state = shared.store.growth_state(self.task_uuid).await?;
        let template = &self.template.template;
        let planned = grow::plan_growth(template, &self.step, &self.directive, &state, &shared.settings.growth);
        Ok(match planned {
            Ok(growth) => Completion { growth, ..completion },
            Err(invalid) => refuse(completion, &invalid),
        })
    }
}

fn refuse(completion: Completion, invalid: &InvalidOutcome) -> Completion {
    let InvalidOutcome { error_type, message } = invalid;
    tracing::warn!(error_type, error = message, "the attempt failed");
    outcome::refused(completion, error_type, message)
}
