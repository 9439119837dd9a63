//! Completing a step by hand. What a handler's result brings about, a person's brings about as well: a decision adds its
//! branches and a batchable step its workers, or is refused.

use serde_json::value::RawValue;

use crate::orchestration::grow::{GrowthLimits, InvalidOutcome, directive, plan_growth};
use crate::store::{Growth, OperateError, Operated, Operator, StepView, Store, StoreError};
use crate::template::Template;

/// How often a growth is planned again because the task grew meanwhile.
const PLANS: u32 = 10;

/// A result that a person gives to a step.
#[derive(Debug)]
pub struct ResultByHand<'a> {
    /// Any JSON value.
    pub result: &'a RawValue,
    /// What there is to say of it, a JSON object.
    pub metadata: Option<&'a RawValue>,
    /// Who gives it, and why.
    pub operator: &'a Operator,
}

/// Why a step was not completed.
#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    /// It is refused, or the database failed.
    #[error(transparent)]
    Operate(#[from] OperateError),
    /// The step decides over others, and the result does not say what.
    #[error("can't complete the step: {0}")]
    Outcome(#[from] InvalidOutcome),
    /// The stored template can't be read.
    #[error("the stored template can't be read: {0}; register it again")]
    Template(#[from] serde_json::Error),
}

impl From<StoreError> for ByHandError {
    fn from(error: StoreError) -> Self {
        Self::Operate(error.into())
    }
}

/// Completes `step` as if an attempt had returned `given`. `environment` names the overrides of the template that apply.
///
/// # Errors
///
/// [`ByHandError`]; nothing changed then.
pub async fn complete_step(
    store: &Store,
    step: &StepView,
    given: &ResultByHand<'_>,
    environment: &str,
    limits: &GrowthLimits,
) -> Result<Operated, ByHandError> {
    let template = template_of(store, step).await?.map(|template| template.for_environment(environment));
    for _ in 1..PLANS {
        match end(store, step, given, template.as_ref(), limits).await {
            Err(ByHandError::Operate(OperateError::Outgrown)) => {}
            ended => return ended,
        }
    }
    end(store, step, given, template.as_ref(), limits).await
}

async fn end(
    store: &Store,
    step: &StepView,
    given: &ResultByHand<'_>,
    template: Option<&Template>,
    limits: &GrowthLimits,
) -> Result<Operated, ByHandError> {
    let growth = match template {
        Some(template) => growth(store, step, given.result, template, limits).await?,
        None => None,
    };
    let ended = store.complete_step_manually(
        step.task_uuid,
        step.step_uuid,
        given.result,
        given.metadata,
        growth.as_ref(),
        given.operator,
    );
    Ok(ended.await?)
}

async fn growth(
    store: &Store,
    step: &StepView,
    result: &RawValue,
    template: &Template,
    limits: &GrowthLimits,
) -> Result<Option<Growth>, ByHandError> {
    let name = step.template_step.as_deref().unwrap_or(&step.name);
    let Some(definition) = template.step(name) else {
        return Ok(None);
    };
    let Some(directive) = directive(definition, result)? else {
        return Ok(None);
    };
    let state = store.growth_state(step.task_uuid).await?;
    Ok(plan_growth(template, name, &directive, &state, limits)?)
}

async fn template_of(store: &Store, step: &StepView) -> Result<Option<Template>, ByHandError> {
    let Some(task) = store.task(step.task_uuid).await? else {
        return Ok(None);
    };
    let row = store.template(task.template_uuid).await?;
    Ok(row.map(|row| serde_json::from_str(row.configuration.get())).transpose()?)
}
