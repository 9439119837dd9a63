//! A workflow engine in one program: PostgreSQL holds all state, PGMQ carries the work, and every step attempt runs a
//! handler inside a WebAssembly component, in a store of its own that is thrown away afterwards.
//!
//! A step is **claim → execute → complete**. A module knows only what stands left of it in
//! `document → grants → config → template → store → registry → sandbox → orchestration → client → events → dispatch →
//! host → api → doctor → cli`; [`telemetry`] stands beside them. Only [`store`] holds SQL; only [`sandbox`] knows wasmtime; the guest knows nothing of PostgreSQL.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod dispatch;
pub mod doctor;
pub mod document;
pub mod events;
pub mod grants;
pub mod host;
pub mod orchestration;
pub mod registry;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod template;
