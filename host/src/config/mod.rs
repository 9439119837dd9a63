//! The settings: TOML in layers, environment variables on top, one typed [`Config`] at the end.
//!
//! | layer, later ones win | where from |
//! |---|---|
//! | base | `config/tasker/base/*.toml`, built into the program, so that it runs without any file |
//! | environment | `config/tasker/environments/{test,development,production}/*.toml`, built in, chosen by `TASKER_ENV` |
//! | workspace | `$WORKSPACE_PATH/config/tasks` as the place of templates |
//! | file | the file or folder named by `--config` or `TASKER_CONFIG_PATH` |
//! | variables | `DATABASE_URL` and the others of [`VARIABLES`] |
//!
//! Names are Tasker's where the host has the same thing, so a file written for it can be used: what it says beyond that
//! is ignored with a warning, for a misspelt setting must not pass for a set one. A wrong value is an error that names
//! its layer, line and key. Values taken from the environment are in no message, and neither is a secret or the password
//! of a database URL.

mod database_url;
mod layers;
mod legacy;
pub mod limits;
mod load;
mod model;
mod namespaces;
mod policy;
mod shape;
mod substitute;
#[cfg(test)]
mod tests;
mod variables;
mod web;

pub use database_url::DatabaseUrl;
pub use load::{ConfigError, LoadOptions, Loaded};
pub use model::{
    Backoff, BatchProcessing, Common, Config, Database, DecisionPoints, Dlq, Environment, Execution, HandlerDispatch,
    Http, InProcessEvents, MpscChannels, Namespace, Orchestration, Pgmq, Pool, Queues, Retention, Sandbox,
    StalenessDetection, TaskTemplates, Thresholds, Worker,
};
pub use policy::{ALL_NAMESPACES, LimitPolicy};
pub use variables::VARIABLES;
pub use web::{Web, WebAuth, WebTls};
