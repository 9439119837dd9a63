//! The program as a person runs it: a process with a command line, signals and an exit code.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{ApiClient, TestDatabase, host_binary, package, workspace};

/// What a test host is given.
pub struct Settings<'a> {
    /// Packages whose components and templates it serves.
    pub packages: &'a [&'a str],
    /// Further configuration, as TOML.
    pub config: &'a str,
}

/// A running `tasker-wasm-host run`. Killed when dropped.
pub struct HostProcess {
    child: Child,
    log: mpsc::UnboundedReceiver<String>,
    deaf: CancellationToken,
    seen: Vec<String>,
    _config: tempfile::TempDir,
}

impl HostProcess {
    /// Starts a host on `database` and waits until it claims steps.
    ///
    /// # Panics
    ///
    /// If it does not get there.
    pub async fn start(database: &TestDatabase, settings: Settings<'_>) -> Self {
        let mut host = Self::launch(&database.url, &settings);
        host.wait_for_line("claiming steps").await;
        host
    }

    /// Starts a host on the database at `url`, and leaves it to itself.
    ///
    /// # Panics
    ///
    /// If the program can't be started.
    pub fn launch(url: &str, settings: &Settings<'_>) -> Self {
        let config = tempfile::tempdir().expect("a temporary directory");
        let file = config.path().join("tasker.toml");
        std::fs::write(&file, settings.config).expect("the configuration can be written");
        let folders: Vec<PathBuf> = settings.packages.iter().map(|name| package(name)).collect();
        let mut command = Command::new(host_binary());
        // One process, so that a signal to it is one to the host; `processes` of the settings says otherwise.
        let processes = if settings.config.contains("processes") { &[][..] } else { &["--processes", "1"] };
        command.arg("run").args(processes).arg("--config").arg(&file).env("DATABASE_URL", url).env("RUST_LOG", "info");
        // Many hosts run side by side.
        command.env("TASKER_WEB_BIND_ADDRESS", "127.0.0.1:0");
        command.env("XDG_CACHE_HOME", workspace().join("target/test-cache"));
        for folder in &folders {
            command.arg("--components").arg(folder.join("dist")).arg("--templates").arg(folder);
        }
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the host can be started");
        let (lines, log) = mpsc::unbounded_channel();
        let stderr = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let deaf = CancellationToken::new();
        let deafened = deaf.clone();
        tokio::spawn(async move {
            let mut stderr = stderr.lines();
            loop {
                tokio::select! {
                    biased;
                    // The pipe stays open, and fills.
                    () = deafened.cancelled() => std::future::pending().await,
                    line = stderr.next_line() => match line {
                        Ok(Some(line)) => drop(lines.send(line)),
                        _ => return,
                    }
                }
            }
        });
        Self { child, log, deaf, seen: Vec::new(), _config: config }
    }

    /// Leaves what it logs from now on unread.
    pub fn stop_reading(&self) {
        self.deaf.cancel();
    }

    /// Whether the host has ended by itself or by a signal.
    ///
    /// # Panics
    ///
    /// If it can't be waited for.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the host can be waited for").is_some()
    }

    /// The last lines it logged; those before are forgotten.
    pub fn last_lines(&mut self, count: usize) -> &[String] {
        while let Ok(line) = self.log.try_recv() {
            self.seen.push(line);
        }
        self.seen.drain(..self.seen.len().saturating_sub(count));
        &self.seen
    }

    /// Waits until the host has logged a line that contains `text`.
    ///
    /// # Panics
    ///
    /// If the host ends without having said so, or is silent for too long.
    pub async fn wait_for_line(&mut self, text: &str) {
        loop {
            let line = tokio::time::timeout(Duration::from_secs(120), self.log.recv()).await;
            match line {
                Ok(Some(line)) => {
                    self.seen.push(line);
                    if self.seen.last().is_some_and(|line| line.contains(text)) {
                        return;
                    }
                }
                _ => panic!("the host never logged {text:?}; it said:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Its worker processes, each as it was started last.
    ///
    /// # Panics
    ///
    /// If the log says it in another way.
    pub fn workers(&mut self) -> Vec<Pid> {
        while let Ok(line) = self.log.try_recv() {
            self.seen.push(line);
        }
        let mut workers = BTreeMap::new();
        for line in self.seen.iter().filter(|line| line.contains("a worker process claims steps")) {
            let number = |name: &str| -> i32 {
                let (_, rest) = line.split_once(name).expect("the line names it");
                rest.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
            };
            workers.insert(number("worker="), Pid::from_raw(number("pid=")));
        }
        workers.into_values().collect()
    }

    /// Its process; its workers are below it.
    ///
    /// # Panics
    ///
    /// If the host is gone.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the host runs")
    }

    /// A client of its API.
    ///
    /// # Panics
    ///
    /// If it has not said yet where that is.
    pub fn api(&self) -> ApiClient {
        let told = self.seen.iter().find_map(|line| line.split_once("the API is open")?.1.split_once("address="));
        let (_, rest) = told.unwrap_or_else(|| panic!("no API was opened:\n{}", self.seen.join("\n")));
        ApiClient::new(rest.split_whitespace().next().expect("an address"))
    }

    /// Its resident memory, in bytes.
    ///
    /// # Panics
    ///
    /// If the host is gone.
    pub fn resident_bytes(&self) -> u64 {
        let pid = self.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the host runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// If the host is gone.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id() as i32), signal).expect("the host can be signalled");
    }

    /// Drains it, and waits until it has ended well.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn stop(self) {
        self.signal(Signal::SIGTERM);
        let (status, log) = self.ended().await;
        assert!(status.success(), "the host did not end well: {status}\n{log}");
    }

    /// Waits until the host has ended; gives its exit status and what it logged.
    ///
    /// # Panics
    ///
    /// If it does not end within a minute.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let status = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        let status = status.expect("the host ends").expect("the host can be waited for");
        while let Some(line) = self.log.recv().await {
            self.seen.push(line);
        }
        (status, self.seen.join("\n"))
    }
}

/// Runs the program to its end with `arguments`, on `database`. Gives exit code, standard output and standard error.
///
/// # Panics
///
/// If it can't be started.
pub async fn run_cli(database: Option<&TestDatabase>, arguments: &[&str]) -> (i32, String, String) {
    let variables: Vec<_> = database.iter().map(|database| ("DATABASE_URL", database.url.as_str())).collect();
    run_cli_with(&variables, arguments).await
}

/// As [`run_cli`], with these environment variables.
///
/// # Panics
///
/// If it can't be started.
pub async fn run_cli_with(variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(host_binary());
    command.args(arguments).env("XDG_CACHE_HOME", workspace().join("target/test-cache")).stdin(Stdio::null());
    command.env_remove("DATABASE_URL").envs(variables.iter().copied());
    let output = command.output().await.expect("the program can be started");
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}
