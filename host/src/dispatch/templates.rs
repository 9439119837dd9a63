//! Template rows by identifier, as they are in this host's environment, with the limits of each step. Rows are immutable, and so
//! are this host's components and settings, so one that was read once is
//! valid for ever; a step of a template that another host registered is found by reading it then.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::value::RawValue;
use uuid::Uuid;

use super::Settings;
use super::components::Components;
use crate::config::LimitPolicy;
use crate::events::Declarations;
use crate::orchestration::event;
use crate::orchestration::successors::Successors;
use crate::sandbox::Limits;
use crate::store::{Store, StoreError};
use crate::template::{Schema, SchemaError, StepDefinition, Template};

/// Why a template can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TemplateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("template {0} is not in the database")]
    Missing(Uuid),
    #[error("template {0} has no step {1:?}")]
    NoSuchStep(Uuid, String),
    #[error("the stored template can't be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the `result_schema` of step {step:?} can't be used: {error}")]
    Schema { step: String, error: SchemaError },
}

/// A template, with what each of its attempts needs prepared once.
pub(super) struct KnownTemplate {
    pub(super) template: Template,
    /// Who follows whom, where that can be foreseen.
    pub(super) successors: Option<Successors>,
    uuid: Uuid,
    prepared: HashMap<String, PreparedStep>,
}

struct PreparedStep {
    place: usize,
    event_part: Box<RawValue>,
    result_schema: Option<Schema>,
    declarations: Declarations,
    limits: Limits,
}

/// One step of a template.
pub(super) struct TemplateStep<'t> {
    pub(super) definition: &'t StepDefinition,
    /// Its part of the handler's event.
    pub(super) event_part: &'t RawValue,
    pub(super) result_schema: Option<&'t Schema>,
    /// The events it announces.
    pub(super) declarations: &'t Declarations,
    /// What one attempt of it may use.
    pub(super) limits: &'t Limits,
}

impl KnownTemplate {
    fn new(uuid: Uuid, template: Template, limits: impl Fn(&StepDefinition) -> Limits) -> Result<Self, TemplateError> {
        let prepare = |(place, step): (usize, &StepDefinition)| {
            let schema = step.result_schema.as_ref().map(Schema::compile).transpose();
            let result_schema = schema.map_err(|error| TemplateError::Schema { step: step.name.clone(), error })?;
            let (event_part, declarations) = (event::definition(step)?, Declarations::of(step)?);
            let limits = limits(step);
            Ok((step.name.clone(), PreparedStep { place, event_part, result_schema, declarations, limits }))
        };
        let prepared = template.steps.iter().enumerate().map(prepare).collect::<Result<_, TemplateError>>()?;
        Ok(Self { successors: Successors::of(&template), template, uuid, prepared })
    }

    /// The step `name` of the template.
    pub(super) fn step(&self, name: &str) -> Result<TemplateStep<'_>, TemplateError> {
        let prepared = self.prepared.get(name).ok_or_else(|| TemplateError::NoSuchStep(self.uuid, name.to_owned()))?;
        Ok(TemplateStep {
            definition: &self.template.steps[prepared.place],
            event_part: &prepared.event_part,
            result_schema: prepared.result_schema.as_ref(),
            declarations: &prepared.declarations,
            limits: &prepared.limits,
        })
    }
}

pub(super) struct Templates {
    store: Store,
    environment: String,
    limits: LimitPolicy,
    components: Arc<Components>,
    known: RwLock<HashMap<Uuid, Arc<KnownTemplate>>>,
}

impl Templates {
    pub(super) fn new(store: Store, settings: &Settings, components: Arc<Components>) -> Self {
        let (environment, limits) = (settings.environment.clone(), settings.limits.clone());
        Self { store, environment, limits, components, known: RwLock::default() }
    }

    /// A template.
    pub(super) async fn get(&self, uuid: Uuid) -> Result<Arc<KnownTemplate>, TemplateError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&uuid).cloned();
        match known {
            Some(known) => Ok(known),
            None => self.read(uuid).await,
        }
    }

    async fn read(&self, uuid: Uuid) -> Result<Arc<KnownTemplate>, TemplateError> {
        let row = self.store.template(uuid).await?.ok_or(TemplateError::Missing(uuid))?;
        let template: Template = serde_json::from_str(row.configuration.get())?;
        let template = template.for_environment(&self.environment);
        let namespace = template.namespace_name.clone();
        // A step whose handler is not here does not run here.
        let limits = |step: &StepDefinition| {
            let handler = self.components.table().find(&namespace, &step.handler.callable);
            let asked = step.all_limits().or(&handler.map(|handler| handler.limits()).unwrap_or_default());
            Limits::from(&self.limits.effective(&namespace, &asked))
        };
        let known = Arc::new(KnownTemplate::new(uuid, template, limits)?);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(uuid, known.clone());
        Ok(known)
    }
}
