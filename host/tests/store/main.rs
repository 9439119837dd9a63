//! The store against a real server, filed under the SQL function each test pins.
//!
//! Every test has a database of its own, made on the server of `DATABASE_URL` or on a private one, and dropped after.
#![allow(clippy::unwrap_used)]

mod claim_steps;
mod complete_steps;
mod connect;
mod create_tasks;
mod enqueue_due;
mod leases;
mod migrate;
mod register_template;
mod support;
mod views;
mod wake;
