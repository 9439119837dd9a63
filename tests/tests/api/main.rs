//! The REST API as a client written for Tasker meets it.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod access;
mod command_line;
mod load;
mod operations;
mod shared;
mod stream;
mod tenancy;
mod tokens;
mod transport;
