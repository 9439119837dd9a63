//! `wasi:http`: linked because StarlingMonkey components import it, and refused because nothing grants it.
//!
//! A guest sees only an opaque network error, the same for every cause, so the host remembers what it refused and says so
//! in the log and in the step's failure.

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// How many refused hosts are remembered.
const REMEMBERED: usize = 8;

/// Refuses every request and remembers where it would have gone.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct HttpRefusals {
    hosts: Vec<String>,
    requests: u32,
}

impl HttpRefusals {
    /// Requests that were refused.
    pub(in crate::sandbox) fn requests(&self) -> u32 {
        self.requests
    }

    /// Says what was refused, if anything was.
    pub(in crate::sandbox) fn reason(&self) -> Option<String> {
        (!self.hosts.is_empty()).then(|| format!("outbound HTTP to {} is not granted", self.hosts.join(", ")))
    }
}

/// A response, and what becomes of its connection.
type Sent = wasmtime_wasi_http::Result<(http::Response<WasiBody>, Transfer)>;
/// Ends when the transfer of a body does.
type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for HttpRefusals {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _transfer: Transfer,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        self.requests += 1;
        let host = request.uri().authority().map_or("an unnamed host", http::uri::Authority::as_str);
        if self.hosts.len() < REMEMBERED && !self.hosts.iter().any(|known| known == host) {
            self.hosts.push(host.to_owned());
        }
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}
