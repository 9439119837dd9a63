//! The REST API: Tasker's v1, so that clients written for it work against this host, and what this host has beside it.
//!
//! * *A file a resource*; the operations' documentation is the OpenAPI document.
//! * *A caller sees its namespaces.* What is in another does not exist: the same words and the same lookup answer for what
//!   is not there and for what is another's.
//! * *The database is the truth.* The API holds no state of its own, so any host answers for all.

mod access;
mod analytics;
mod attempts;
mod audit;
mod changes;
mod components;
mod configuration;
mod dead_letters;
mod error;
mod extract;
mod health;
mod https;
mod metrics;
mod namespaces;
mod openapi;
mod server;
mod state;
mod steps;
mod summary;
mod tasks;
mod templates;
mod usage;

pub use access::keys::ApiKeyText;
pub use access::{Permission, Permissions, TokenError, UnknownPermission};
pub(crate) use https::{HttpsClient, https_client};
pub use server::{Listening, Server, ServerError, local};
