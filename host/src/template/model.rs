//! A template as data, under the names it has in YAML and in the stored JSON.
//!
//! Reading the stored JSON back is lenient (unknown keys are passed over, absent ones get their defaults), because rows
//! outlive the version that wrote them. Writing is complete: every key Tasker has, `null` where nothing was said.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::step::{Retry, StepDefinition};
use crate::config::limits::LimitSet;

/// A workflow: named steps and how they depend on each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// The task's name; with namespace and version it identifies the template.
    pub name: String,
    /// The namespace, which is also the tenant, and part of the queue's name.
    pub namespace_name: String,
    /// `x.y.z`.
    pub version: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Who wrote it, and other notes.
    #[serde(default)]
    pub metadata: Option<Metadata>,
    /// The systems it talks to.
    #[serde(default)]
    pub system_dependencies: SystemDependencies,
    /// The events it is known to publish.
    #[serde(default)]
    pub domain_events: Vec<DomainEvent>,
    /// JSON Schema that a task's context must fit.
    #[serde(default)]
    pub input_schema: Option<Json>,
    /// What makes two requests the same task.
    #[serde(default)]
    pub identity_strategy: IdentityStrategy,
    /// The steps, in the order they were written.
    #[serde(default)]
    pub steps: Vec<StepDefinition>,
    /// What differs by environment; see [`Template::for_environment`].
    #[serde(default)]
    pub environments: BTreeMap<String, EnvironmentOverride>,
    /// How long its tasks may take.
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
}

impl Template {
    /// The step called `name`.
    pub fn step(&self, name: &str) -> Option<&StepDefinition> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The PGMQ queue its steps are claimed from.
    pub fn queue_name(&self) -> String {
        queue_name(&self.namespace_name)
    }

    /// The template as it is in `environment`: the overrides of that name are applied in the order they were written,
    /// `ALL` to every step. `initialization` and `limits` are merged key by key; `retry` and `timeout_seconds` replace.
    #[must_use]
    pub fn for_environment(&self, environment: &str) -> Template {
        let mut resolved = self.clone();
        for over in self.environments.get(environment).into_iter().flat_map(|named| &named.steps) {
            for step in resolved.steps.iter_mut().filter(|step| over.name == ALL_STEPS || over.name == step.name) {
                if let Some(initialization) = over.handler.as_ref().and_then(|handler| handler.initialization.clone()) {
                    step.handler.initialization.extend(initialization);
                }
                if let Some(retry) = &over.retry {
                    step.retry = retry.clone();
                }
                step.override_limits(over.timeout_seconds, &over.limits);
            }
        }
        resolved
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace_name, self.name, self.version)
    }
}

/// What makes two requests for a template the same task. A request that brings an idempotency key is identified by the
/// key, whatever the strategy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityStrategy {
    /// The same context.
    #[default]
    Strict,
    /// The same idempotency key, which every request must bring.
    CallerProvided,
    /// Nothing: every request is a task of its own.
    AlwaysUnique,
}

/// The step name of an override that means every step.
pub(super) const ALL_STEPS: &str = "ALL";

pub(super) fn queue_name(namespace: &str) -> String {
    format!("worker_{namespace}_queue")
}

/// Notes about a template; nothing depends on them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Who wrote it.
    pub author: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Where more is written.
    pub documentation_url: Option<String>,
    /// When it was first written, as the author put it.
    pub created_at: Option<String>,
    /// When it was last changed, as the author put it.
    pub updated_at: Option<String>,
}

/// The systems a template's steps talk to; declared, not enforced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemDependencies {
    /// The system of every step that names none.
    pub primary: String,
    /// Others.
    pub secondary: Vec<String>,
}

impl Default for SystemDependencies {
    fn default() -> Self {
        Self { primary: "default".to_owned(), secondary: Vec::new() }
    }
}

/// An event a template declares; what publishes it is [`super::EventDeclaration`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DomainEvent {
    /// Its name.
    pub name: String,
    /// What it tells.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON Schema of its payload.
    #[serde(default)]
    pub schema: Option<Json>,
}

/// What differs in one environment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentOverride {
    /// The steps that differ.
    #[serde(default)]
    pub steps: Vec<StepOverride>,
}

/// What differs for one step, or for every step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepOverride {
    /// The step, or `ALL`.
    pub name: String,
    /// Merged into the step's handler.
    #[serde(default)]
    pub handler: Option<HandlerOverride>,
    /// Replaces the step's limit.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// Laid over the step's limits.
    #[serde(default, skip_serializing_if = "LimitSet::is_empty")]
    pub limits: LimitSet,
    /// Replaces the step's retry as a whole.
    #[serde(default)]
    pub retry: Option<Retry>,
}

/// What differs for a handler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HandlerOverride {
    /// Merged key by key.
    #[serde(default)]
    pub initialization: Option<Map<String, Json>>,
}

/// How long a template's tasks may take. Minutes; `None` leaves it to the settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifecycle {
    /// From creation to the end: 1 to 43,200 (30 days).
    pub max_duration_minutes: Option<u32>,
    /// Waiting for dependencies: 1 to 10,080 (a week).
    pub max_waiting_for_dependencies_minutes: Option<u32>,
    /// Waiting for a retry: 1 to 10,080.
    pub max_waiting_for_retry_minutes: Option<u32>,
    /// With steps in process: 1 to 10,080.
    pub max_steps_in_process_minutes: Option<u32>,
    /// What happens to a task that took longer.
    pub staleness_action: StalenessAction,
    /// Whether such a task becomes an error.
    pub auto_fail_on_timeout: Option<bool>,
    /// Whether such a task becomes a dead letter.
    pub auto_dlq_on_timeout: Option<bool>,
}

/// What happens to a task that takes longer than its lifecycle allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StalenessAction {
    /// It becomes a dead letter.
    #[default]
    Dlq,
    /// It becomes an error.
    Error,
    /// Nothing.
    None,
}
