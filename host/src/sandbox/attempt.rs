//! What the host holds for one attempt: the data of its store, made before it and dropped with it.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::bindings::tasker::handler::types;
use super::checkpoint::CheckpointSink;
use super::component::Prepared;
use super::files::Files;
use super::http::{Placeholders, Session};
use super::imports::client::ClientState;
use super::imports::events::EventsState;
use super::imports::filesystem::FilesView;
use super::imports::log::{Identity, Log};
use super::limits::{Limiter, Limits};
use super::output::Tail;
use super::output_commit::OutputCommit;
use super::violations::Violations;
use crate::grants::Granted;

/// Streams, pollables, descriptors, headers, requests and the like an attempt may have at once; each lives in the host's
/// memory. A request under way takes about ten, a timer two.
pub(super) const RESOURCES: usize = 2_048;

/// Bytes of one collection of headers, with what the host needs to keep them. Servers take 8 to 16 KiB of headers.
const FIELD_BYTES: usize = 32 << 10;

/// Random bytes of one call; `crypto.getRandomValues` gives no more either.
const RANDOM_BYTES: u64 = 64 << 10;

/// Settings of a package: keys, and values as JSON text.
pub(super) type Settings = Arc<[(String, String)]>;

/// The state behind a guest's imports.
pub(super) struct Attempt {
    pub(super) limiter: Limiter,
    pub(super) log: Log,
    pub(super) settings: Settings,
    pub(super) start: Instant,
    pub(super) deadline: Instant,
    pub(super) cancellation: CancellationToken,
    /// What is waited for before others see anything of it.
    pub(super) output: OutputCommit,
    /// Where progress is stored; nowhere while the component describes itself or handles an event.
    pub(super) checkpoints: Option<CheckpointSink>,
    /// How often progress was stored.
    pub(super) saves: u32,
    /// Bytes of each part of a checkpoint.
    pub(super) checkpoint_bytes: usize,
    /// What it asks of the orchestrator.
    pub(super) client: ClientState,
    /// What it publishes.
    pub(super) direct_events: EventsState,
    /// Calls of the `tasker:handler` imports.
    pub(super) host_calls: u32,
    pub(super) stdout: Tail,
    pub(super) stderr: Tail,
    /// Dropped before `resources`: requests that are under way must learn that the attempt has ended before their bodies
    /// seem to.
    pub(super) outbound: Session,
    pub(super) violations: Violations,
    pub(super) granted: Arc<Granted>,
    /// Bytes host functions moved since the attempt last yielded in one.
    pub(super) moved: usize,
    files: Files,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    resources: ResourceTable,
}

impl Attempt {
    /// State of a call that begins now. What only handlers have (a wish to stop, a place for progress, who answers them) is added to it.
    pub(super) fn new(identity: Identity, limits: &Limits, prepared: &Prepared) -> Self {
        let start = Instant::now();
        let (stdout, stderr) = (Tail::default(), Tail::default());
        let violations = Violations::default();
        let placeholders = Placeholders::new(&prepared.granted.secrets);
        // The context grants nothing that is not named here: no directory, closed input.
        let wasi =
            WasiCtx::builder().stdout(stdout.clone()).stderr(stderr.clone()).max_random_size(RANDOM_BYTES).build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELD_BYTES);
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCES);
        Self {
            limiter: Limiter::new(limits.memory_bytes),
            log: Log::new(identity, limits),
            settings: prepared.settings.clone(),
            start,
            deadline: start + limits.deadline,
            cancellation: CancellationToken::new(),
            output: OutputCommit::done(),
            checkpoints: None,
            saves: 0,
            checkpoint_bytes: limits.checkpoint_bytes,
            client: ClientState::new(prepared.granted.client, limits),
            direct_events: EventsState::new(prepared.granted.events, limits),
            host_calls: 0,
            stdout,
            stderr,
            outbound: Session::new(Arc::clone(&prepared.http), placeholders, limits, violations.clone()),
            files: Files::new(&prepared.mounts, limits, &violations),
            violations,
            granted: prepared.granted.clone(),
            moved: 0,
            wasi,
            http,
            resources,
        }
    }

    /// The files, for the functions that work on them.
    pub(super) fn files(&mut self) -> FilesView<'_> {
        FilesView { files: &mut self.files, wasi: self.wasi.filesystem(), table: &mut self.resources }
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
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.resources, ctx: &mut self.http }
    }
}
