//! The templates that tasks are asked for, as this process last saw them. Whether one is still the current one is seen where
//! the task is created ([`TemplateChoice`](crate::store::TemplateChoice)), so a request costs no look of its own; only
//! one that meets another in its place looks again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::orchestration::create::{CreateError, Plannable, TaskRequest};
use crate::store::{Store, StoreError};

/// Namespace, name, and the version where one was asked for.
type Asked = (String, String, Option<String>);

/// Why there is no template to plan a task from.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The database can't be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored can't be read.
    #[error(transparent)]
    Template(#[from] CreateError),
}

/// Cheap to clone; clones know the same.
#[derive(Clone)]
pub struct CurrentTemplates {
    store: Store,
    environment: String,
    known: Arc<RwLock<HashMap<Asked, Arc<Plannable>>>>,
}

impl CurrentTemplates {
    /// Those in `store`, as they are in `environment`.
    #[must_use]
    pub fn new(store: Store, environment: String) -> Self {
        Self { store, environment, known: Arc::default() }
    }

    /// The template that `request` means, as it was last seen; none if there is none.
    ///
    /// # Errors
    ///
    /// [`LookupError`].
    pub async fn get(&self, request: &TaskRequest) -> Result<Option<Arc<Plannable>>, LookupError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&asked(request)).cloned();
        match known {
            Some(known) => Ok(Some(known)),
            None => self.look(request).await,
        }
    }

    /// The same as it is now.
    ///
    /// # Errors
    ///
    /// [`LookupError`].
    pub async fn look(&self, request: &TaskRequest) -> Result<Option<Arc<Plannable>>, LookupError> {
        let (namespace, name, version) = (&request.namespace, &request.name, request.version.as_deref());
        let Some(row) = self.store.find_template(namespace, name, version).await? else { return Ok(None) };
        let template = Arc::new(Plannable::new(&row, &self.environment)?);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(asked(request), Arc::clone(&template));
        Ok(Some(template))
    }
}

fn asked(request: &TaskRequest) -> Asked {
    (request.namespace.clone(), request.name.clone(), request.version.clone())
}
