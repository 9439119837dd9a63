//! Template rows by identifier. Rows are immutable, so one that was read once is valid for ever; a step of a template
//! that another host registered is found by reading it then.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::orchestration::event;
use crate::store::{Store, StoreError};
use crate::template::{StepDefinition, Template};

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
}

/// One step of a template, with its part of the handler's event written once.
pub(super) struct TemplateStep {
    pub(super) definition: StepDefinition,
    pub(super) event_part: Box<RawValue>,
}

type StepsByName = Arc<HashMap<String, Arc<TemplateStep>>>;

pub(super) struct Templates {
    store: Store,
    known: RwLock<HashMap<Uuid, StepsByName>>,
}

impl Templates {
    pub(super) fn new(store: Store) -> Self {
        Self { store, known: RwLock::default() }
    }

    /// The step `name` of a template.
    pub(super) async fn step(&self, template: Uuid, name: &str) -> Result<Arc<TemplateStep>, TemplateError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&template).cloned();
        let steps = match known {
            Some(steps) => steps,
            None => self.read(template).await?,
        };
        steps.get(name).cloned().ok_or_else(|| TemplateError::NoSuchStep(template, name.to_owned()))
    }

    async fn read(&self, uuid: Uuid) -> Result<StepsByName, TemplateError> {
        let row = self.store.template(uuid).await?.ok_or(TemplateError::Missing(uuid))?;
        let template: Template = serde_json::from_str(row.configuration.get())?;
        let mut steps = HashMap::with_capacity(template.steps.len());
        for definition in template.steps {
            let event_part = event::definition(&definition)?;
            steps.insert(definition.name.clone(), Arc::new(TemplateStep { definition, event_part }));
        }
        let steps = Arc::new(steps);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(uuid, steps.clone());
        Ok(steps)
    }
}
