//! wasmtime without what the sandbox adds: no limits, no deadline, no account of what was used, nothing granted,
//! nothing kept of a log. What the sandbox costs is measured against it.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;

use anyhow::bail;
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::{SandboxFacts, StepContext};
use tasker_wasm_tests::workspace;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Store};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use bindings::tasker::handler::{config, execution, log, types};
use bindings::{Handler, HandlerPre};
use residency::{Residency, thread_faults};

mod bindings {
    wasmtime::component::bindgen!({ path: "../wit", world: "handler", exports: { default: async } });
}

/// The sandbox's own code that keeps an instance's pages in place between attempts: it is no part of what makes an attempt
/// safe, and without it wasmtime would be a slow limit.
#[path = "../../../../host/src/sandbox/residency.rs"]
mod residency;

/// A component that is ready to be called.
pub struct Bare {
    handler: HandlerPre<State>,
    residency: Residency,
    fuel: Option<u64>,
}

/// An instance that was called and can be called again, which the sandbox never does.
pub struct Live {
    store: Store<State>,
    handler: Handler,
}

/// An engine that is set up as the sandbox's is, with or without fuel.
pub fn engine(facts: &SandboxFacts, fuel: bool) -> anyhow::Result<Engine> {
    let scan = PoolingAllocationConfig::is_pagemap_scan_available();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(facts.slots)
        .total_stacks(facts.slots)
        .total_core_instances(facts.slots * 10)
        .total_memories(facts.slots * 2)
        .total_tables(facts.slots * 4)
        .table_elements(30_000)
        .max_memory_size(facts.max_memory_bytes)
        .linear_memory_keep_resident(16 << 20)
        .table_keep_resident(256 << 10)
        .async_stack_keep_resident(64 << 10)
        .max_unused_warm_slots(facts.slots * 2)
        .pagemap_scan(if scan { Enabled::Yes } else { Enabled::No });
    let mut config = Config::new();
    config
        .consume_fuel(fuel)
        .concurrency_support(false)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .wasm_backtrace_max_frames(None)
        .allocation_strategy(pool);
    Engine::new(&config).map_err(told)
}

/// Maps machine code.
pub fn map(engine: &Engine, code: &Path) -> anyhow::Result<Component> {
    // SAFETY: the file was written by wasmtime's compiler, for this program or for the sandbox, into a folder of this
    // user's, where compiled components are replaced and never changed.
    unsafe { Component::deserialize_file(engine, code) }.map_err(told)
}

/// Compiles a component.
pub fn compile(engine: &Engine, component: &[u8]) -> anyhow::Result<Component> {
    Component::new(engine, component).map_err(told)
}

/// wasmtime's errors are not those of everybody else.
fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into())
}

impl Bare {
    /// Compiles a component, or maps what an earlier run compiled, and links what it imports. Its calls get so much fuel,
    /// or none is counted.
    pub fn prepare(facts: &SandboxFacts, package: &Package, fuel: Option<u64>) -> anyhow::Result<Self> {
        let engine = engine(facts, fuel.is_some())?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let name = format!("{}-{:016x}.cwasm", package.digest, hasher.finish());
        let folder = workspace().join("target/test-cache/bare");
        let code = folder.join(&name);
        if !code.exists() {
            fs::create_dir_all(&folder)?;
            let compiled = engine.precompile_component(&fs::read(&package.path)?).map_err(told)?;
            let mut aside = tempfile::NamedTempFile::new_in(&folder)?;
            aside.write_all(&compiled)?;
            aside.persist(&code)?;
        }
        let handler = link(&map(&engine, &code)?).map_err(told)?;
        Ok(Self { handler, residency: Residency::new(name), fuel })
    }

    /// One call in an instance of its own, as the sandbox makes it.
    pub async fn call(&self, context: &StepContext) -> anyhow::Result<()> {
        let faults = thread_faults();
        let mut instance = self.instance().await?;
        instance.call(context).await?;
        self.residency.attempt_ended(thread_faults().saturating_sub(faults));
        Ok(())
    }

    /// An instance to be called over and over.
    pub async fn instance(&self) -> anyhow::Result<Live> {
        let mut store = Store::new(self.handler.engine(), State::default());
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel).map_err(told)?;
            store.fuel_async_yield_interval(Some(1_000_000)).map_err(told)?;
        }
        let handler = self.handler.instantiate_async(&mut store).await.map_err(told)?;
        Ok(Live { store, handler })
    }
}

impl Live {
    /// One more call.
    pub async fn call(&mut self, context: &StepContext) -> anyhow::Result<()> {
        let context = types::StepContext {
            task_uuid: context.task_uuid.to_string(),
            step_uuid: context.step_uuid.to_string(),
            correlation_id: context.correlation_id.to_string(),
            handler: types::HandlerRef {
                callable: context.handler.callable.clone(),
                method: context.handler.method.clone(),
                resolver: context.handler.resolver.clone(),
            },
            attempts: context.attempts,
            max_attempts: context.max_attempts,
            time_budget_ms: u32::MAX,
            event: context.event.clone(),
        };
        let called = self.handler.tasker_handler_handlers().call_handle(&mut self.store, &context).await;
        match called.map_err(told)? {
            Ok(types::StepOutcome::Success(_)) => Ok(()),
            other => bail!("the handler did not succeed: {other:?}"),
        }
    }
}

fn link(component: &Component) -> wasmtime::Result<HandlerPre<State>> {
    let mut linker = Linker::new(component.engine());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Handler::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    HandlerPre::new(linker.instantiate_pre(component)?)
}

#[derive(Default)]
struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    offline: Offline,
    table: ResourceTable,
}

/// Sends no requests.
#[derive(Default)]
struct Offline;

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.offline }
    }
}

type Received = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Offline {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Received,
    ) -> Box<dyn Future<Output = wasmtime_wasi_http::Result<(http::Response<WasiBody>, Received)>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

impl types::Host for State {}

impl log::Host for State {
    fn enabled(&mut self, _: log::Level) -> bool {
        false
    }

    fn emit(&mut self, _: log::Level, _: String, _: String) {}
}

impl config::Host for State {
    fn get(&mut self, _: String) -> Option<String> {
        None
    }

    fn entries(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl execution::Host for State {
    fn remaining_ms(&mut self) -> u32 {
        u32::MAX
    }

    fn cancellation_requested(&mut self) -> bool {
        false
    }

    fn save_checkpoint(&mut self, _: execution::CheckpointYield) -> Result<(), String> {
        Ok(())
    }
}
