//! Outbound HTTP: what a handler may send where, and how it is sent.
//!
//! ```text
//! guest ──► wasi:http ──► Session ──admit──► Gateway ──► pool ──► Dial ──► TCP, TLS
//!                        (attempt)  │       (package)             │
//!                                   │                             └─ one lookup, every address checked, pinned
//!                                   └─ grant, limits, secrets
//! ```
//!
//! The rules:
//!
//! - **A request is granted or refused**, by method, scheme, host, port and path ([`Granted::http`]). What is sent is built
//!   anew from what was checked: the normalised host, no user name, the `Host` header of the host's own making. `CONNECT`
//!   and `TRACE` are never granted.
//! - **The host follows no redirect.** A guest that does sends a second request, and that one is checked like the first.
//! - **Addresses are checked after the lookup, and pinned.** A name is looked up once for a connection, only public
//!   addresses are taken unless the grant names further `networks` ([`addresses`]), and the connection goes to such an
//!   address, not to the name. Addresses written as hosts take the same way, however they are written.
//! - **Connections are pooled within one package and one list of networks**, so that no request travels over a connection
//!   that its own grant would not have opened. TLS sessions are not shared between packages either.
//! - **A limit ends the attempt**, whatever the guest makes of the error: requests, bytes sent, bytes received. Requests
//!   beyond the concurrent ones wait, on the attempt's own time. A request runs until its response has been received; of a
//!   body that the guest does not read, the host reads a little ahead, so that a handler may well wait for many small
//!   responses before it reads the first.
//! - **An attempt's end ends its requests**: what was under way is cut off, never left to run and never completed by
//!   accident. Only connections that are idle and whole outlive it.
//! - **Secrets are in the host only** ([`secrets`]).
//! - **The guest sees error codes, the operator sees causes**: they are noted in the log and in the step's failure. Of an
//!   address that is not public no cause says more than that, because the difference between "refused" and "timed out" is
//!   what port scanners live on.
//!
//! [`Granted::http`]: crate::grants::Granted::http

mod addresses;
mod admit;
mod bodies;
mod budget;
mod causes;
mod dial;
mod failure;
mod gateway;
mod secrets;
mod session;
#[cfg(test)]
mod tests;
mod tls;

pub(super) use gateway::{Gateway, Outbound};
pub(super) use secrets::Placeholders;
pub(super) use session::{Session, Transfer};
pub use tls::{TlsError, client as tls_client};

use std::path::PathBuf;
use std::time::Duration;

/// How outbound HTTP is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Longest time to look up a name, connect and shake hands. Default 10 s.
    pub connect_timeout: Duration,
    /// Longest time from the last byte of a request to the head of its response. Default 30 s.
    pub response_timeout: Duration,
    /// Longest time in which nothing of a response's body arrives. Default 30 s.
    pub idle_timeout: Duration,
    /// PEM files of certificate authorities that are trusted beside the system's. Default none.
    pub ca_files: Vec<PathBuf>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            ca_files: Vec::new(),
        }
    }
}
