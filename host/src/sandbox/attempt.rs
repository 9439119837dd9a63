//! What the host holds for one attempt: the data of its store, made before it and dropped with it.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::bindings::tasker::handler::types;
use super::contract::StepContext;
use super::imports::http::HttpRefusals;
use super::imports::log::Log;
use super::limits::{Limiter, Limits};
use super::output::Tail;

/// Settings of a package: keys, and values as JSON text.
pub(super) type Settings = Arc<[(String, String)]>;

/// The state behind a guest's imports.
pub(super) struct Attempt {
    pub(super) limiter: Limiter,
    pub(super) log: Log,
    pub(super) settings: Settings,
    pub(super) deadline: Instant,
    pub(super) cancellation: CancellationToken,
    /// Calls of the `tasker:handler` imports.
    pub(super) host_calls: u32,
    pub(super) stdout: Tail,
    pub(super) stderr: Tail,
    pub(super) refusals: HttpRefusals,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    resources: ResourceTable,
}

impl Attempt {
    /// State of an attempt that begins at `start`.
    pub(super) fn new(
        context: &StepContext,
        limits: &Limits,
        settings: Settings,
        cancellation: CancellationToken,
        start: Instant,
    ) -> Self {
        let (stdout, stderr) = (Tail::default(), Tail::default());
        // A context grants nothing that is not named here: no arguments, no environment, no directory, closed input.
        let wasi = WasiCtx::builder().stdout(stdout.clone()).stderr(stderr.clone()).build();
        Self {
            limiter: Limiter::new(limits.memory_bytes),
            log: Log::new(context, limits),
            settings,
            deadline: start + limits.deadline,
            cancellation,
            host_calls: 0,
            stdout,
            stderr,
            refusals: HttpRefusals::default(),
            wasi,
            http: WasiHttpCtx::new(),
            resources: ResourceTable::new(),
        }
    }
}

impl types::Host for Attempt {}

impl WasiView for Attempt {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

impl WasiHttpView for Attempt {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.refusals, table: &mut self.resources, ctx: &mut self.http }
    }
}
