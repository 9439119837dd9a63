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
