//! Files that people write, read as trees whose every value knows where it stands.
//!
//! Deserialising straight into a struct stops at the first mistake, and a person who fixes one only meets the next.
//! So a file is read in three steps, shared by templates (YAML) and settings (TOML): [`yaml`] or [`toml`] makes a
//! [`Node`] tree; a [`Shape`] drops what is unknown (with a warning) and checks what is left, collecting every problem
//! with its line and column; only a tree without problems becomes a struct.

#[cfg(test)]
pub(crate) mod golden;
mod node;
mod problem;
mod shape;
pub mod toml;
pub mod yaml;

pub use node::{Entry, Node, Place, Value};
pub use problem::{Problem, Report, did_you_mean, lines, shortened};
pub use shape::{Field, Shape, TextRule};
