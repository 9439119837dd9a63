//! The program `tasker-wasm-host`: parses the command line and calls the verb.

use std::process::ExitCode;

use clap::Parser;
use tasker_wasm_host::cli::Cli;
use tasker_wasm_host::store::managed::{SUPERVISOR_COMMAND, supervisor};

fn main() -> ExitCode {
    // Before any thread exists: the supervisor of the private server forks and drops privileges.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|command| command == SUPERVISOR_COMMAND) {
        return supervisor::main(arguments);
    }
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli.execute()),
        Err(error) => {
            eprintln!("error: the async runtime can't be started: {error}");
            ExitCode::from(4)
        }
    }
}
