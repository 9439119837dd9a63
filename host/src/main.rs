//! The program `tasker-wasm-host`: parses the command line and calls the verb.

use std::process::ExitCode;

use clap::Parser;
use tasker_wasm_host::cli::Cli;
use tasker_wasm_host::store::managed::{SUPERVISOR_COMMAND, supervisor};

/// Times a busy worker thread polls tasks before it looks at its timers and sockets. A computing guest yields every
/// 0.1 to 0.2 ms, so deadlines and heartbeats are served within about 3 ms even when every thread computes; with
/// tokio's 61 it would be 12.
const EVENT_INTERVAL: u32 = 16;

fn main() -> ExitCode {
    // Before any thread exists: the supervisor of the private server forks and drops privileges.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|command| command == SUPERVISOR_COMMAND) {
        return supervisor::main(arguments);
    }
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENT_INTERVAL).build() {
        Ok(runtime) => runtime.block_on(cli.execute()),
        Err(error) => {
            eprintln!("error: the async runtime can't be started: {error}");
            ExitCode::from(4)
        }
    }
}
