//! What a workflow means, apart from where it is stored and where it runs.
//!
//! Everything here is a plain calculation over a template and an attempt's report: a request becomes planned steps
//! ([`create`], [`identity`]), a claimed step becomes the event its handler sees ([`event`]), a report becomes a verdict
//! and a stored result ([`outcome`], [`retry`], [`hint`]), the result of a decision or of a batchable step becomes new
//! steps ([`grow`]), and a step that ends becomes the claims of its successors ([`planned`], [`successors`]). No I/O, so all of it can be tested without a database or a sandbox.

pub mod checkpoint;
pub mod create;
pub mod event;
pub mod grow;
pub mod hint;
pub mod identity;
pub mod outcome;
pub mod planned;
pub mod retry;
pub mod successors;
