//! The store against a real server, filed under the SQL function each test pins.
//!
//! Every test has a database of its own, made on the server of `DATABASE_URL` or on a private one, and dropped after.
#![allow(clippy::unwrap_used)]

mod changes;
mod checkpoints;
mod claim_steps;
mod complete_steps;
mod components;
mod connect;
mod create_tasks;
mod direct_events;
mod eager;
mod enqueue_due;
mod foreseen;
mod go_on;
mod grow_task;
mod leases;
mod migrate;
mod namespaces;
mod operate;
mod planned;
mod purge;
mod register_template;
mod send_events;
mod stale;
mod state_machine;
mod support;
mod unclaimed;
mod views;
mod wake;
mod within;
