//! What a workflow means, apart from where it is stored and where it runs.
//!
//! Everything here is a plain calculation over a template and an attempt's report: a request becomes planned steps
//! ([`create`]), a claimed step becomes the event its handler sees ([`event`]), a report becomes a verdict and a stored
//! result ([`outcome`], [`retry`]). No I/O, so all of it can be tested without a database or a sandbox.

pub mod create;
pub mod event;
pub mod outcome;
pub mod retry;
