//! What a handler may reach outside its sandbox.
//!
//! Two sides, deny by default: the author of a package *asks* (`[grants]` in `tasker.toml`, carried by the manifest), the
//! operator *allows* (`worker.namespaces.<namespace>.grants` in the settings), and a handler gets the intersection ([`Granted`]).
//! Both sides speak of the same things with the same words, so that a refusal can show the lines to add.
//!
//! ```text
//! tasker.toml ──► Asks ────┐
//!                          ├─ grant ──► Granted ──► sandbox
//! settings ─────► Allowed ─┘
//! ```

mod allowed;
mod asks;
mod granted;
mod lines;
mod missing;
mod shape;
mod shown;
#[cfg(test)]
mod tests;
mod url_pattern;

pub use allowed::{Allowed, HttpAllowed, MountAllowed, SecretAllowed, SecretValue};
pub use asks::{Access, Asks, HttpAsk, MountAsk};
pub use granted::{Granted, Mount, Secret};
pub use missing::Missing;
pub use shape::{ALLOWED, ASKS, check_allowed, check_asks, check_both};
pub use shown::ShownGrants;
pub use url_pattern::{Destination, Scheme, UrlPattern};
