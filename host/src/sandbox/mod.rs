//! Runs one attempt of a handler in a WebAssembly component, under limits, and says how it ended and what it used.
//!
//! This is the only module that knows wasmtime. Engine, linker, compiled code and [`Prepared`] components are shared and
//! live as long as the process; a store with its memory, tables and resources lives for one attempt. So a guest cannot
//! reach another's data, and cannot harm the host by how it ends: it may loop, allocate, recurse, crash or stall, and its
//! attempt is over with an error that has a name.
//!
//! ```text
//! Package ──prepare──► Prepared ──invoke──► AttemptReport { outcome, usage }
//!            │                     │
//!      compile or map        Store + instance + call, dropped
//! ```
//!
//! Guests compute on threads of their own, which take turns between namespaces: see `processors`.
//!
//! A [`HostFailure`] is never the step's fault; an [`AttemptError`] is never the host's.

mod accept;
mod attempt;
mod bindings;
mod cache;
mod checkpoint;
mod client;
mod component;
mod contract;
mod describe;
mod direct_events;
mod engine;
mod events;
mod failure;
mod files;
mod http;
mod imports;
mod invoke;
mod json;
mod limits;
mod output;
mod output_commit;
mod processors;
mod records;
mod residency;
mod source_maps;
mod telling;
#[cfg(test)]
pub(crate) mod tests;
mod turns;
mod violations;

pub use cache::CacheError;
pub use checkpoint::CheckpointSink;
pub use client::{ClientCall, ClientError, ClientHandle, StepOfTask, TaskQuery, TaskSubmission};
pub use component::{ComponentError, Prepared};
pub use contract::{
    AttemptReport, DispatchError, ErrorType, Failure, HandlerRef, Invocation, StepContext, StepOutcome, Success,
};
pub use describe::{ComponentInfo, Sdk};
pub use direct_events::{DirectEvent, DirectEventError, DirectEventHandle};
pub use engine::{ResetStrategy, SandboxFacts};
pub use events::{EventCall, EventCallError, Publication, PublishRequest};
pub use failure::{AttemptError, Exceeded, HostFailure};
pub use http::{HttpSettings, TlsError, tls_client};
pub(crate) use imports::log::TARGET as GUEST_LOG;
pub use json::unstorable;
pub use limits::{Limits, Usage};
pub use output_commit::{CommitNotice, OutputCommit};
pub use records::{LogRecord, LogRecords};

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::grants::Granted;
use crate::registry::Package;
use attempt::Attempt;
use cache::CompileCache;
use processors::Processors;

/// How the sandbox is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSettings {
    /// Directory of compiled components; made if need be, and must be closed to other users.
    pub cache_dir: PathBuf,
    /// Attempts that may run at once. Each reserves address space (about 8 GiB); memory is only used by those that run.
    /// 64 to 256 are sensible.
    pub max_concurrent: u32,
    /// Ceiling over [`Limits::memory_bytes`] of every attempt, and the greatest size of one linear memory; in bytes, at most
    /// 4 GiB. 256 MiB is sensible.
    pub max_memory_bytes: usize,
    /// Attempts that compute at once; others wait for their turn. One less than there are cores leaves one to the host and a
    /// database beside it.
    pub max_computing: usize,
    /// How outbound HTTP is set up.
    pub http: HttpSettings,
}

/// The sandbox could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine or its pool of slots could not be made.
    #[error(
        "cannot set up the sandbox for {slots} concurrent attempts: {detail}; each reserves about 8 GiB of address space, so \
         lower max_concurrent, or raise `ulimit -v`"
    )]
    Engine {
        /// Attempts that were to run at once.
        slots: u32,
        /// What failed.
        detail: String,
    },
    /// The threads that guests compute on could not be started.
    #[error("cannot start the threads that handlers compute on: {0}; raise the limit of threads (`ulimit -u`)")]
    Threads(std::io::Error),
    /// The compile cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Outbound HTTP could not be set up.
    #[error(transparent)]
    Http(#[from] TlsError),
}

/// Compiles, links and runs handler components. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

struct Shared {
    engine: Engine,
    linker: Linker<Attempt>,
    cache: CompileCache,
    outbound: http::Outbound,
    facts: SandboxFacts,
    processors: Processors,
}

impl Sandbox {
    /// Makes the engine and its slots, and opens the compile cache.
    ///
    /// # Errors
    ///
    /// [`SandboxError`], with what to change.
    pub fn new(settings: &SandboxSettings) -> Result<Self, SandboxError> {
        let cache = CompileCache::open(&settings.cache_dir)?;
        let outbound = http::Outbound::new(&settings.http)?;
        let (engine, facts) = engine::build(settings)?;
        let mut linker = Linker::new(&engine);
        imports::link(&mut linker)
            .map_err(|error| SandboxError::Engine { slots: settings.max_concurrent, detail: format!("{error:#}") })?;
        let processors = Processors::start(settings.max_computing).map_err(SandboxError::Threads)?;
        Ok(Self(Arc::new(Shared { engine, linker, cache, outbound, facts, processors })))
    }

    /// What the machine allowed.
    pub fn facts(&self) -> &SandboxFacts {
        &self.0.facts
    }

    /// Makes a package ready to be called: maps its compiled code, or compiles it (about ten seconds for a TypeScript
    /// component; one process of a machine does it for all), and checks that it fits the contract. Its calls may reach what is
    /// `granted`.
    ///
    /// # Errors
    ///
    /// [`ComponentError`], naming the file and what to do.
    ///
    /// # Panics
    ///
    /// If the compiler does.
    pub async fn prepare(&self, package: &Package, granted: Granted) -> Result<Arc<Prepared>, ComponentError> {
        let shared = Arc::clone(&self.0);
        let package = package.clone();
        let preparing = tokio::task::spawn_blocking(move || {
            let Shared { engine, linker, cache, outbound, facts, .. } = &*shared;
            component::prepare(engine, linker, cache, outbound, &facts.fingerprint, &package, granted)
        });
        match preparing.await {
            Ok(prepared) => prepared.map(Arc::new),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_shutdown) => Err(HostFailure::Cancelled.into()),
        }
    }

    /// Asks a component which handlers, publishers and subscriptions it carries.
    ///
    /// # Errors
    ///
    /// [`ComponentError`] when it cannot say, or says nonsense.
    pub async fn describe(&self, prepared: &Arc<Prepared>) -> Result<ComponentInfo, ComponentError> {
        let (component, limits) = (Arc::clone(prepared), self.clamped(Limits::default()));
        self.compute(prepared, async move { describe::describe(&component, &limits).await }).await?
    }

    /// Runs one attempt. To stop it at the end of its slice, drop the future.
    ///
    /// # Errors
    ///
    /// [`HostFailure`] when the attempt could not be made for a reason of the host. How the attempt itself ended, well or
    /// badly, is in the report.
    pub async fn invoke(&self, prepared: &Arc<Prepared>, invocation: Invocation) -> Result<AttemptReport, HostFailure> {
        let component = Arc::clone(prepared);
        let invocation = Invocation { limits: self.clamped(invocation.limits), ..invocation };
        self.compute(prepared, async move { invoke::handle(&component, invocation).await }).await?
    }

    /// Asks a publisher of the component what an event says; `None` when it decides that there is none.
    ///
    /// # Errors
    ///
    /// [`EventCallError`]; the step is as it was.
    pub async fn prepare_event(
        &self,
        prepared: &Arc<Prepared>,
        call: &EventCall,
        request: &PublishRequest,
    ) -> Result<Option<Publication>, EventCallError> {
        let (component, call, request) = (Arc::clone(prepared), self.clamped_call(call), request.clone());
        self.compute(prepared, async move { events::prepare(&component, &call, &request).await }).await?
    }

    /// Tells a publisher that its event left, or why it did not.
    ///
    /// # Errors
    ///
    /// [`EventCallError`]; the event is as it was.
    pub async fn published(
        &self,
        prepared: &Arc<Prepared>,
        call: &EventCall,
        request: &PublishRequest,
        publication: &Publication,
        failure: Option<&str>,
    ) -> Result<(), EventCallError> {
        let (component, call, request) = (Arc::clone(prepared), self.clamped_call(call), request.clone());
        let (publication, failure) = (publication.clone(), failure.map(str::to_owned));
        let told =
            async move { events::published(&component, &call, &request, &publication, failure.as_deref()).await };
        self.compute(prepared, told).await?
    }

    /// Delivers an event to a subscriber of the component. `event` is the text of a JSON object, as
    /// `wit/subscribers.wit` describes it.
    ///
    /// # Errors
    ///
    /// [`EventCallError`]; the subscriber did not take the event.
    pub async fn on_event(
        &self,
        prepared: &Arc<Prepared>,
        call: &EventCall,
        subscriber: &str,
        event: String,
    ) -> Result<(), EventCallError> {
        let (component, call, subscriber) = (Arc::clone(prepared), self.clamped_call(call), subscriber.to_owned());
        self.compute(prepared, async move { events::on_event(&component, &call, &subscriber, event).await }).await?
    }

    /// Runs a call into a component where guests compute, in the turns of its namespace.
    async fn compute<T: Send + 'static>(
        &self,
        prepared: &Prepared,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, HostFailure> {
        self.0.processors.run(&prepared.namespace, call).await
    }

    fn clamped_call(&self, call: &EventCall) -> EventCall {
        EventCall { limits: self.clamped(call.limits.clone()), ..call.clone() }
    }

    /// No attempt may have more memory than a slot: the pool would refuse the rest, and nobody could tell why.
    fn clamped(&self, limits: Limits) -> Limits {
        Limits { memory_bytes: limits.memory_bytes.min(self.0.facts.max_memory_bytes), ..limits }
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("facts", &self.0.facts).finish_non_exhaustive()
    }
}
