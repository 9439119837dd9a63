//! `wasi:http`: requests go out through the attempt's [`Session`], which says what may go where.
//!
//! A guest sees only an opaque network error, nearly the same for every cause, so the session notes the causes for the log
//! and the step's failure. Headers that belong to the connection (`connection`, `transfer-encoding`, `upgrade` and the like),
//! those for proxies, and `host` are refused by `wasi:http` itself where a guest makes them.

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::sandbox::http::{Session, Transfer};

/// Bytes a guest may write to a body at once. Two such pieces wait in the host for each body that is not sent.
const CHUNK: usize = 64 << 10;

/// A response, and what becomes of its connection.
type Sent = wasmtime_wasi_http::Result<(http::Response<WasiBody>, Transfer)>;

impl WasiHttpHooks for Session {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(self.send(request, options))
    }

    /// Asked whenever a guest begins a body.
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        self.begin_body();
        1
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}
