//! The one Engine, and why each of its knobs stands where it stands.
//!
//! Figures are p10 of make store + instantiate + call + drop on a 2-core AMD EPYC, for a small TypeScript step on
//! StarlingMonkey (JS) and a hand-written component (floor).

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig};

use super::limits::{CORE_INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};
use super::{SandboxError, SandboxSettings};

/// Fuel of a slice, 0.1 to 0.2 ms of computing: how long the next in turn waits at most, and how late a deadline stops a
/// guest that computes alone. Instructions that fill or copy memory take fuel for each byte, but are not interrupted: a
/// slice that fills 128 MiB takes some 20 ms.
pub(super) const FUEL_YIELD_INTERVAL: u64 = 1_000_000;

/// Stack of the guest in bytes. StarlingMonkey stops recursion itself well before; a deeper stack would only let other
/// engines run into their own guard pages, which reads worse than a stack overflow.
pub(super) const STACK_BYTES: usize = 512 << 10;

/// Bytes of a memory that are reset in place when its slot is freed, instead of being given back to the kernel and
/// faulted in again. Covers all of a JS instance that a step has written to.
const MEMORY_KEEP_RESIDENT: usize = 16 << 20;

/// What the machine allowed; `run` logs it when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxFacts {
    /// Attempts that may run at once.
    pub slots: u32,
    /// Greatest size of one linear memory, in bytes.
    pub max_memory_bytes: usize,
    /// Names the compiler, its settings and this CPU's features: compiled components are cached under it.
    pub fingerprint: String,
    /// How freed slots are reset.
    pub reset: ResetStrategy,
}

/// How the memory of a freed slot is made new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResetStrategy {
    /// The kernel says which pages were written (`PAGEMAP_SCAN`), and only those are reset.
    PagemapScan,
    /// The first 16 MiB are rewritten blindly: right, and 0.3 to 0.5 ms slower for a JS step.
    Blind,
}

impl fmt::Display for SandboxFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slots of up to {} MiB", self.slots, self.max_memory_bytes >> 20)?;
        match &self.reset {
            ResetStrategy::PagemapScan => write!(f, ", reset by pagemap scan"),
            ResetStrategy::Blind => write!(
                f,
                ", reset blindly, which costs a TypeScript step 0.3 to 0.5 ms: the faster way needs Linux 6.7 and a readable \
                 /proc/self/pagemap"
            ),
        }
    }
}

/// Builds the Engine. Whether the kernel can scan page maps is found by really trying: wasmtime opens
/// `/proc/self/pagemap` and issues the ioctl. Containers forbid either often enough that a version check would not do.
pub(super) fn build(settings: &SandboxSettings) -> Result<(Engine, SandboxFacts), SandboxError> {
    let (pagemap_scan, reset) = if PoolingAllocationConfig::is_pagemap_scan_available() {
        (Enabled::Yes, ResetStrategy::PagemapScan)
    } else {
        (Enabled::No, ResetStrategy::Blind)
    };
    let engine = Engine::new(&config(settings, pagemap_scan))
        .map_err(|error| SandboxError::Engine { slots: settings.max_concurrent, detail: format!("{error:#}") })?;
    let facts = SandboxFacts {
        slots: settings.max_concurrent,
        max_memory_bytes: settings.max_memory_bytes,
        fingerprint: fingerprint(&engine),
        reset,
    };
    Ok((engine, facts))
}

fn config(settings: &SandboxSettings, pagemap_scan: Enabled) -> Config {
    let mut config = Config::new();
    config
        // Fuel caps computing, is the same in every run, and lets a computing guest yield, so that one timer is enough for
        // a deadline. Costs JS 20 to 25 %; epochs on top would cost 7 to 17 % more and add nothing.
        .consume_fuel(true)
        // An instance starts from its image copy-on-write; without it JS takes 2.8 ms instead of 0.9 ms.
        .memory_init_cow(true)
        // Component-model async is for guests with async exports; StarlingMonkey has none, and pays 25 us for it.
        .concurrency_support(false)
        // Bytes. A guest that needs more traps with a stack overflow.
        .max_wasm_stack(STACK_BYTES)
        // Bytes of the fiber a call runs on: the guest's stack and that of the host functions it calls.
        .async_stack_size(2 << 20)
        // JS engines carry no function names, so frames would say nothing; the guest SDK sends the real stack.
        .wasm_backtrace_max_frames(None)
        .allocation_strategy(pool(settings, pagemap_scan));
    config
}

/// Slots are made once, when the host starts, and reused: creating memory per step costs JS 20 us more, the floor 40 us.
/// Reserved address space is about 4 GiB a memory, of the 128 TiB there are; only what is written costs memory. When the
/// reservation fails (`ulimit -v`), the host does not start, and says so.
fn pool(settings: &SandboxSettings, pagemap_scan: Enabled) -> PoolingAllocationConfig {
    let slots = settings.max_concurrent;
    let mut pool = PoolingAllocationConfig::new();
    pool
        // Never the limit that is met first: the caller admits at most `slots` attempts at once. Short: `HostFailure`.
        .total_component_instances(slots)
        .total_stacks(slots)
        .total_core_instances(slots.saturating_mul(10))
        .total_memories(slots.saturating_mul(2))
        .total_tables(slots.saturating_mul(4))
        // One component cannot take everybody's slots. Short: instantiation fails, `cannot_instantiate`.
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .table_elements(TABLE_ELEMENTS)
        // Bytes; the ceiling over every attempt's own limit.
        .max_memory_size(settings.max_memory_bytes)
        // Bytes kept and reset in place, per memory, table and stack. Together with the scan: JS 870 -> 440 us, floor
        // 20 -> 7.5 us, because no page faults remain. Costs resident memory of the slots in use.
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(256 << 10)
        .async_stack_keep_resident(64 << 10)
        // A free slot keeps the image of the component it last ran, so that a host which serves many of them does not
        // map one anew for every step: in turns with another component, JS 700 -> 460 us, floor 89 -> 25 us. The slots
        // bound the memory, as many as may run at once.
        .max_unused_warm_slots(slots.saturating_mul(2))
        .pagemap_scan(pagemap_scan);
    pool
}

fn fingerprint(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
