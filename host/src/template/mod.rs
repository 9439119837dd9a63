//! Task templates: the YAML a workflow is described in, and what becomes of it.
//!
//! The schema is the one Tasker has, so that templates written for it are read here unchanged. A file passes three gates:
//! [`parse`] (its shape), validation (what it says about itself: names, dependencies, cycles), and [`plan`] (whether it
//! can be run). The first two report everything wrong at once, with file, line and column; a key nobody knows
//! is ignored, as Tasker does, but warned about, because `dependancies` would otherwise silently reorder a workflow.
//!
//! The parsed [`Template`] is stored as JSON under the same names and is read back from there; [`digest`] tells two
//! versions of a template apart whatever their comments and layout.

mod digest;
mod graph;
mod model;
mod parse;
mod plan;
mod scan;
mod schema;
mod shape;
mod step;
#[cfg(test)]
mod tests;
mod validate;

pub use digest::digest;
pub use graph::Graph;
pub use model::{
    DomainEvent, EnvironmentOverride, HandlerOverride, IdentityStrategy, Lifecycle, Metadata, StalenessAction,
    StepOverride, SystemDependencies, Template,
};
pub use parse::{Parsed, TemplateError, parse};
pub use plan::{Plan, PlanError, PlannedStep, plan};
pub use scan::{LoadedTemplate, Scan, load, scan};
pub use schema::{Schema, SchemaError};
pub use shape::is_event_name;
pub use step::{
    Backoff, BatchConfig, DeliveryMode, EventCondition, EventDeclaration, FailureStrategy, Handler, Retry,
    StepDefinition, StepType,
};
