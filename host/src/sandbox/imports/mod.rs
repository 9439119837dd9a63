//! What a guest can call: one file an interface.
//!
//! | interface | what the guest gets |
//! |---|---|
//! | `tasker:handler/log` | records in the host's tracing, bounded |
//! | `tasker:handler/execution` | time left, whether to wind down, and progress that is stored |
//! | `tasker:handler/config` | the package's settings |
//! | `tasker:handler/client` | where granted: the tasks of its namespace |
//! | `tasker:handler/events` | where granted: events that leave at once |
//! | `wasi:io`, `wasi:clocks`, `wasi:random` | as they are: JavaScript has timers, dates and random numbers |
//! | `wasi:cli` | the granted environment, no arguments, closed input, output of which the end is kept |
//! | `wasi:filesystem` | the granted directories |
//! | `wasi:http` | requests that are granted, through a pool of connections |
//! | `wasi:sockets`, everything else | not linked: a component that asks is refused when it is prepared |
//!
//! A call costs the guest no fuel, and what the host keeps for it is not in its memory. So each thing a guest could have
//! the host do without end has a bound of its own:
//!
//! | what a guest could take | how | bound |
//! |---|---|---|
//! | a thread | calls that copy much, over and over | they yield: [`paced`] |
//! | a thread | calls that wait | they wait asynchronously, and the deadline ends the attempt |
//! | a thread | opening a pipe, a read that never returns | pipes and devices are not opened: [`filesystem`] |
//! | blocking threads | file operations | one for each open stream, at most 64; none outlives its 64 KiB |
//! | memory | arguments of a call | `handover_bytes` of the limits, some 3 MiB, freed when it returns |
//! | memory | streams, pollables, timers, descriptors, headers, requests | 2,048 at once, `attempt.rs` |
//! | memory | one collection of headers | 32 KiB, `attempt.rs` |
//! | memory | method, authority or path of a request | 16 KiB each: [`paced`] |
//! | memory | bodies of requests and responses | the HTTP limits |
//! | memory | random bytes of a call | 64 KiB, `attempt.rs` |
//! | memory | a read, a splice, zeroes | 64 KiB, by wasmtime, and 4 KiB where it blocks |
//! | memory | a poll | 4,096 pollables named: [`paced`] |
//! | memory | directory listings | 4 of at most 10,000 entries: [`filesystem`] |
//! | memory | standard output and error | the last 4 KiB of each are kept: `output.rs` |
//! | memory | resources of the component's own | 10,000 handles, `invoke.rs` |
//! | file descriptors | open files, and streams that outlive them | 64: [`filesystem`] |
//! | the disk | bytes, names, holes | `fs_write_bytes`; 1,000 waits for the disk: [`filesystem`] |
//! | the log | records | `log_lines` and `log_bytes`: [`log`] |
//! | the database | progress | 1,000 times a call: [`execution`] |

pub(super) mod client;
mod config;
mod environment;
pub(super) mod events;
mod execution;
pub(super) mod filesystem;
mod http;
pub(super) mod log;
mod paced;

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, filesystem as wasi_filesystem, random};
use wasmtime_wasi::random::WasiRandom;

use super::attempt::Attempt;
use super::bindings::EveryInterface;

/// Links everything a component may import.
pub(super) fn link(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    EveryInterface::add_to_linker::<_, HasSelf<_>>(linker, |attempt| attempt)?;

    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, |attempt| attempt.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, |attempt| attempt.ctx().ctx.random())?;
    cli::environment::add_to_linker::<_, HasSelf<Attempt>>(linker, |attempt| attempt)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, Attempt::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, Attempt::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, Attempt::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, Attempt::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, Attempt::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, Attempt::cli)?;
    wasi_filesystem::types::add_to_linker::<_, filesystem::HasFiles>(linker, Attempt::files)?;
    wasi_filesystem::preopens::add_to_linker::<_, filesystem::HasFiles>(linker, Attempt::files)?;

    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    paced::link(linker)
}
