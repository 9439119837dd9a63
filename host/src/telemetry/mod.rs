//! What the host says about itself while it runs: `tracing` to standard error, so that standard output stays the
//! command's own.
//!
//! Nobody waits for standard error: see `writer`.
//!
//! `RUST_LOG` chooses what is said, `info` by default. What handlers log has the target `handler`: `RUST_LOG=warn,handler=debug`
//! shows them and little else.

pub mod metrics;
mod writer;

use std::time::Duration;
use std::{env, io, io::IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use writer::Lossy;

/// How a record is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line for a person, coloured on a terminal.
    #[default]
    Human,
    /// A JSON object on a line, fields at the top.
    Json,
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` cannot be understood.
    #[error("RUST_LOG is not a filter: {0}; expected something like `info`, or `warn,handler=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The thread that writes the log could not be started.
    #[error("the thread that writes the log can't be started: {0}")]
    Thread(io::Error),
    /// This process logs already.
    #[error("logging is already set up in this process")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
}

/// How long the end of the process waits until the log is written.
const FLUSH: Duration = Duration::from_secs(2);

/// The log of the process. When it is dropped, what was logged has been written, unless nobody reads it.
#[must_use = "what is logged last is lost unless this is dropped when the process ends"]
pub struct Logging(Lossy);

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.flush(FLUSH);
    }
}

/// Sets up logging for the whole process, once.
pub fn init(format: Format) -> Result<Logging, TelemetryError> {
    let log = Lossy::to(io::stderr()).map_err(TelemetryError::Thread)?;
    let registry = tracing_subscriber::registry().with(filter(env::var("RUST_LOG").ok().as_deref())?);
    match format {
        Format::Human => {
            let coloured = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
            registry.with(fmt::layer().with_writer(log.clone()).with_ansi(coloured)).try_init()?;
        }
        Format::Json => registry.with(fmt::layer().with_writer(log.clone()).json().flatten_event(true)).try_init()?,
    }
    Ok(Logging(log))
}

fn filter(rust_log: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let directives = rust_log.filter(|directives| !directives.trim().is_empty()).unwrap_or("info");
    Ok(EnvFilter::try_new(directives)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_the_default_and_a_filter_that_is_none_is_refused() {
        assert_eq!(filter(None).unwrap().to_string(), "info");
        assert_eq!(filter(Some(" ")).unwrap().to_string(), "info");
        assert_eq!(filter(Some("handler=debug")).unwrap().to_string(), "handler=debug");
        let error = filter(Some("handler=loud")).unwrap_err().to_string();
        assert!(error.starts_with("RUST_LOG is not a filter: "), "{error}");
    }
}
