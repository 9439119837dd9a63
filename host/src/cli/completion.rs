//! `completion`: a script that completes this program's words in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct CompletionArgs {
    /// The shell that will read the script
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionArgs {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        clap_complete::generate(self.shell, &mut Cli::command(), "tasker-wasm-host", &mut std::io::stdout());
        Ok(Exit::Done)
    }
}
