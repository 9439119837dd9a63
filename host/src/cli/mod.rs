//! The command line: one file a verb. A verb reads its arguments, calls the library, and prints; nothing else knows that
//! there is a terminal. Results go to standard output, logs to standard error.

mod api_key;
mod audit;
mod client;
mod completion;
mod db;
mod dead_letter;
mod demo;
mod doctor;
mod event;
mod handler;
mod input;
mod namespace;
mod operator;
mod output;
mod run;
mod step;
mod task;
mod template;
mod tree;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, LoadOptions};
use crate::telemetry;

/// Runs Tasker workflows whose steps are WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "tasker-wasm-host", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Configuration: a TOML file, or a directory with base/ and environments/
    #[arg(long, global = true, env = "TASKER_CONFIG_PATH", value_name = "PATH")]
    config: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true)]
    json: bool,
    /// How log lines look on standard error
    #[arg(long, global = true, value_enum, default_value_t = telemetry::Format::Human, value_name = "FORMAT")]
    log_format: telemetry::Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Claim and run steps until stopped
    Run(run::RunArgs),
    /// Run the example workflows on a private PostgreSQL and show what they did
    Demo(demo::DemoArgs),
    /// Create tasks, look at them, and end them
    Task(task::TaskArgs),
    /// Help a step that can't help itself
    Step(step::StepArgs),
    /// Look at namespaces, pause and bound them
    Namespace(namespace::NamespaceArgs),
    /// Look into tasks that came to a stand
    DeadLetter(dead_letter::DeadLetterArgs),
    /// Look at the templates that can be run
    Template(template::TemplateArgs),
    /// Show what the steps of each template used
    Usage(usage::UsageArgs),
    /// Show what people did by hand
    Audit(audit::AuditArgs),
    /// Look at the domain events that wait for their consumers
    #[command(subcommand)]
    Event(event::EventCommand),
    /// Look at the handlers inside components
    #[command(subcommand)]
    Handler(handler::HandlerCommand),
    /// Make, list and end the keys of the REST API
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    /// Say whether this installation is well, and whether its sandbox holds
    Doctor(doctor::DoctorArgs),
    /// Bring the database schema up to date
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Print a completion script for a shell
    Completion(completion::CompletionArgs),
}

/// What a verb may end with, as an exit code: 0 done, 1 the thing asked about did not end well or the shutdown was not
/// clean, 3 the host could not start, 4 start-up failed unexpectedly, 5 an unhandled error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    NotWell = 1,
    CannotStart = 3,
    Unhandled = 5,
}

/// What stops a verb, with the exit code it asks for.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// The host, its configuration or its database can't be used.
    pub(crate) fn cannot_start(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::CannotStart, error: error.into() }
    }

    /// What was asked for did not happen.
    pub(crate) fn not_well(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::NotWell, error: error.into() }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Unhandled, error: error.into() }
    }
}

impl Cli {
    /// Carries the command out.
    pub async fn execute(self) -> ExitCode {
        let ended = match telemetry::init(self.global.log_format) {
            // Dropped before the failure is told, which comes after what led to it.
            Ok(_logging) => self.command.execute(&self.global).await,
            Err(error) => Err(Failure::cannot_start(error)),
        };
        match ended {
            Ok(exit) => ExitCode::from(exit as u8),
            Err(failure) => {
                eprintln!("error: {:#}", failure.error);
                ExitCode::from(failure.exit as u8)
            }
        }
    }
}

impl Command {
    async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::Run(args) => args.execute(global).await,
            Self::Demo(args) => args.execute(global).await,
            Self::Task(args) => args.execute(global).await,
            Self::Step(args) => args.execute(global).await,
            Self::Namespace(args) => args.execute(global).await,
            Self::DeadLetter(args) => args.execute(global).await,
            Self::Template(args) => args.execute(global).await,
            Self::Usage(args) => args.execute(global).await,
            Self::Audit(args) => args.execute(global).await,
            Self::Event(command) => command.execute(global).await,
            Self::Handler(command) => command.execute(global).await,
            Self::ApiKey(command) => command.execute(global).await,
            Self::Doctor(args) => args.execute(global).await,
            Self::Db(command) => command.execute(global).await,
            Self::Completion(args) => args.execute(),
        }
    }
}

impl Global {
    /// The layered configuration; its warnings are logged.
    fn config(&self) -> Result<Config, Failure> {
        let loaded = Config::load(&LoadOptions::of_process(self.config.clone())).map_err(Failure::cannot_start)?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        Ok(loaded.config)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_verb_has_options_that_clash() {
        Cli::command().debug_assert();
    }
}
