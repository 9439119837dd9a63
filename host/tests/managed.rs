//! The private PostgreSQL: who starts it, who shares it, and that nothing of it is left behind.
//!
//! Hosts that must die are processes of their own: this program again, running only [`a_host`].

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tasker_wasm_host::store::managed::{ManagedError, ManagedServer, Options};
use tempfile::TempDir;

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_tasker-wasm-host");
/// Far longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that the server's user can enter when root runs the tests.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn options(dir: &Path) -> Options {
    Options { data_dir: Some(dir.to_owned()), supervisor_exe: Some(SUPERVISOR.into()), binaries: None }
}

async fn start(dir: &Path) -> ManagedServer {
    ManagedServer::start(options(dir)).await.unwrap()
}

/// A folder with data made already: a copy of one that is made once.
async fn initialised() -> (TempDir, PathBuf) {
    static SEED: tokio::sync::OnceCell<PathBuf> = tokio::sync::OnceCell::const_new();
    let seed = SEED
        .get_or_init(|| async {
            let dir = open_folder().keep().join("seed");
            start(&dir).await.stop().await;
            remove_at_exit(dir.parent().unwrap());
            dir
        })
        .await;
    let folder = open_folder();
    let dir = folder.path().join("home");
    let copied = Command::new("cp").arg("-a").arg(seed).arg(&dir).status().unwrap();
    assert!(copied.success());
    (folder, dir)
}

/// Statics are not dropped, so the seed's folder is removed by the C library's last act.
fn remove_at_exit(folder: &Path) {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        let _ = FOLDER.get().map(fs::remove_dir_all);
    }
    FOLDER.set(folder.to_owned()).unwrap();
    // SAFETY: `remove` only removes files, and neither exits nor unwinds.
    unsafe { nix::libc::atexit(remove) };
}

/// Asks again while the server is being replaced.
async fn answer_at_last(url: &str) -> Duration {
    let begun = Instant::now();
    while answer(url, "SELECT 1").await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "no answer");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

async fn answer(url: &str, query: &'static str) -> sqlx::Result<i32> {
    let mut connection = PgConnection::connect(url).await?;
    let row = connection.fetch_one(query).await?;
    row.try_get(0)
}

/// Processes whose command line names the folder: the supervisor, `initdb`, the postmaster.
fn processes_of(dir: &Path) -> Vec<(Pid, String)> {
    let dir = dir.to_str().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let words = fs::read_to_string(entry.path().join("cmdline")).ok()?.replace('\0', " ");
            (words.contains(dir) && pid != std::process::id().cast_signed()).then(|| (Pid::from_raw(pid), words))
        })
        .collect()
}

fn process_of(dir: &Path, word: &str) -> Option<Pid> {
    processes_of(dir).into_iter().find(|(_, words)| words.contains(word)).map(|(pid, _)| pid)
}

/// Waits until `happened`, and says how long that took.
fn eventually(what: &str, mut happened: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < PATIENCE, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begun.elapsed()
}

fn nothing_is_left(dir: &Path) -> Duration {
    let took = eventually("no process is left", || processes_of(dir).is_empty());
    // Every process of the server, not only the first, holds this lock.
    if let Ok(lock) = fs::File::open(dir.join("server.lock")) {
        assert!(lock.try_lock().is_ok(), "a process of the server is left");
    }
    took
}

/// A host in a process of its own.
struct Host {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Host {
    fn command() -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["a_host", "--exact", "--ignored", "--nocapture", "--quiet"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/");
        command
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Host { child, output }
    }

    fn on(dir: &Path) -> Self {
        let mut command = Self::command();
        command.env("MANAGED_TEST_DIR", dir);
        Self::spawn(command)
    }

    /// Waits for the server; the URL of its maintenance database.
    fn url(&mut self) -> String {
        self.told("ready ")
    }

    fn told(&mut self, word: &str) -> String {
        let mut seen = String::new();
        loop {
            let begin = seen.len();
            assert_ne!(self.output.read_line(&mut seen).unwrap(), 0, "the host ended after saying {seen:?}");
            if let Some((_, rest)) = seen[begin..].split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }

    fn stop(mut self) {
        self.child.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        self.told("stopped");
        self.child.wait().unwrap();
    }

    /// Kills it, and waits for the end of its output: nobody else may hold that open.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.output.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[tokio::test]
#[ignore = "the process that other tests start, not a test"]
async fn a_host() {
    let data_dir = std::env::var_os("MANAGED_TEST_DIR").map(PathBuf::from);
    let options = Options { data_dir, supervisor_exe: Some(SUPERVISOR.into()), binaries: None };
    let server = ManagedServer::start(options).await.unwrap();
    println!("\nready {}", server.url("postgres"));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    server.stop().await;
    println!("\nstopped");
}

#[tokio::test]
async fn data_outlive_the_server_and_a_warm_start_is_cheap() {
    let folder = open_folder();
    let dir = folder.path().join("home");
    let begun = Instant::now();
    let server = start(&dir).await;
    let fresh = begun.elapsed();
    assert!((15..=18).contains(&server.version().split('.').next().unwrap().parse::<u32>().unwrap()));
    server.create_database("kept").await.unwrap();
    server.create_database("kept").await.unwrap();
    let mut connection = PgConnection::connect(&server.url("kept")).await.unwrap();
    connection.execute("CREATE TABLE t AS SELECT 42 AS n").await.unwrap();

    let begun = Instant::now();
    let second = start(&dir).await;
    let joined = begun.elapsed();
    let begun = Instant::now();
    second.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "one that is not the last waits for nothing");
    assert_eq!(answer(&server.url("kept"), "SELECT n FROM t").await.unwrap(), 42);

    let begun = Instant::now();
    server.stop().await;
    let stopped = begun.elapsed();
    assert_eq!(processes_of(&dir), []);
    nothing_is_left(&dir);

    let begun = Instant::now();
    let server = start(&dir).await;
    let warm = begun.elapsed();
    assert_eq!(answer(&server.url("kept"), "SELECT n FROM t").await.unwrap(), 42);
    server.drop_database("kept").await.unwrap();
    server.drop_database("kept").await.unwrap();
    assert!(answer(&server.url("kept"), "SELECT n FROM t").await.is_err());
    println!("PostgreSQL {}: fresh {fresh:?}, warm {warm:?}, joined {joined:?}, stopped {stopped:?}", server.version());
    server.stop().await;
}

#[tokio::test]
async fn hosts_that_start_at_once_share_one_server_until_the_last_is_killed() {
    let (_folder, dir) = initialised().await;
    let mut hosts: Vec<Host> = (0..4).map(|_| Host::on(&dir)).collect();
    let urls: Vec<String> = hosts.iter_mut().map(Host::url).collect();
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
    let processes = processes_of(&dir);
    assert_eq!(processes.iter().filter(|(_, words)| words.contains("internal-postgres-supervisor")).count(), 1);
    assert_eq!(processes.iter().filter(|(_, words)| words.contains("postgres -D")).count(), 1, "{processes:?}");

    let last = hosts.pop().unwrap();
    hosts.pop().unwrap().stop();
    for host in hosts {
        host.kill();
        assert_eq!(answer(&urls[0], "SELECT 1").await.unwrap(), 1);
    }
    last.kill();
    println!("all gone {:?} after the last host was killed", nothing_is_left(&dir));
}

#[tokio::test]
async fn hosts_that_come_and_go_all_find_a_server() {
    let (_folder, dir) = initialised().await;
    let comers = (0..4).map(|_| {
        let dir = dir.clone();
        tokio::spawn(async move {
            for _ in 0..3 {
                let server = start(&dir).await;
                assert_eq!(answer(&server.url("postgres"), "SELECT 1").await.unwrap(), 1);
                server.stop().await;
            }
        })
    });
    for comer in comers.collect::<Vec<_>>() {
        comer.await.unwrap();
    }
    nothing_is_left(&dir);
}

#[tokio::test]
async fn a_host_killed_while_data_are_made_leaves_neither_processes_nor_data() {
    let folder = open_folder();
    let dir = folder.path().join("home");
    let host = Host::on(&dir);
    eventually("initdb runs", || process_of(&dir, "initdb").is_some());
    host.kill();
    nothing_is_left(&dir);
    assert!(!dir.join("data").exists());
    assert!(!dir.join("data.partial").exists());
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let (_folder, dir) = initialised().await;
    let server = start(&dir).await;
    let url = server.url("postgres");
    let killed = process_of(&dir, "postgres -D").unwrap();
    kill(killed, Signal::SIGKILL).unwrap();
    println!("answers {:?} after the server was killed", answer_at_last(&url).await);
    assert_ne!(process_of(&dir, "postgres -D"), Some(killed));
    server.stop().await;
    nothing_is_left(&dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_supervisor_takes_the_server_down_and_a_host_brings_both_back() {
    let (_folder, dir) = initialised().await;
    let server = start(&dir).await;
    let killed = process_of(&dir, "internal-postgres-supervisor").unwrap();
    kill(killed, Signal::SIGKILL).unwrap();
    eventually("another supervisor", || {
        process_of(&dir, "internal-postgres-supervisor").is_some_and(|pid| pid != killed)
    });
    println!("answers {:?} after the supervisor was replaced", answer_at_last(&server.url("postgres")).await);
    server.stop().await;
    nothing_is_left(&dir);
}

#[tokio::test]
async fn a_host_that_starts_after_supervisor_and_server_were_killed_finds_a_server() {
    let (_folder, dir) = initialised().await;
    let mut host = Host::on(&dir);
    host.url();
    for word in ["internal-postgres-supervisor", "postgres -D"] {
        kill(process_of(&dir, word).unwrap(), Signal::SIGKILL).unwrap();
    }
    host.kill();
    eventually("no process is left", || processes_of(&dir).is_empty());
    assert!(dir.join("data/postmaster.pid").exists(), "the pid file of the dead is left");
    let server = start(&dir).await;
    assert_eq!(answer(&server.url("postgres"), "SELECT 1").await.unwrap(), 1);
    server.stop().await;
    nothing_is_left(&dir);
}

#[tokio::test]
async fn a_pid_file_that_lies_or_makes_no_sense_is_no_obstacle() {
    let (_folder, dir) = initialised().await;
    let this = std::process::id().to_string();
    for content in ["", "rubbish\n", &this] {
        fs::write(dir.join("data/postmaster.pid"), content).unwrap();
        start(&dir).await.stop().await;
    }
}

#[tokio::test]
async fn below_a_closed_folder_it_starts_too_and_what_an_interrupted_initialisation_left_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap(); // 0700: of root, the server's user cannot enter it
    let dir = folder.path().join("home");
    fs::create_dir_all(dir.join("data.partial/global")).unwrap();
    fs::write(dir.join("data.partial/PG_VERSION"), "18").unwrap();
    match ManagedServer::start(options(&dir)).await {
        Ok(server) => server.stop().await,
        Err(ManagedError::Start { reason, .. }) if reason.contains("nor may a user namespace") => {
            println!("skipped: no user namespaces here");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    assert!(dir.join("data/PG_VERSION").exists());
    assert!(!dir.join("data.partial").exists());
    start(&dir).await.stop().await;
}

/// Runs a host of that user, in a data home of its own.
async fn starts_as(uid: u32, gid: u32) {
    if !geteuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let folder = open_folder();
    chown(folder.path(), Some(uid), Some(gid)).unwrap();
    let mut command = Host::command();
    command.uid(uid).gid(gid).env("XDG_DATA_HOME", folder.path().join("share")).env("HOME", folder.path());
    let mut host = Host::spawn(command);
    let url = host.url();
    assert_eq!(answer(&url, "SELECT 1").await.unwrap(), 1);
    let dir = fs::read_dir(folder.path().join("share/tasker-wasm-host")).unwrap().flatten().next().unwrap();
    assert!(dir.file_name().to_str().unwrap().starts_with("postgres-1"), "{dir:?}");
    host.kill();
    nothing_is_left(&dir.path());
}

#[tokio::test]
async fn a_user_without_rights_starts_it_in_its_data_home() {
    let nobody = User::from_name("nobody").unwrap().unwrap();
    starts_as(nobody.uid.as_raw(), nobody.gid.as_raw()).await;
}

#[tokio::test]
async fn a_user_without_a_name_starts_it_too() {
    let uid = (60_000..65_000).find(|uid| User::from_uid((*uid).into()).unwrap().is_none()).unwrap();
    starts_as(uid, uid).await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_moves_the_socket() {
    let (folder, dir) = initialised().await;
    let long = folder.path().join("l".repeat(100));
    fs::rename(dir, &long).unwrap();
    let server = start(&long).await;
    assert!(server.url("postgres").contains("%2Ftmp%2Ftasker-wasm-host-"), "{}", server.url("postgres"));
    assert_eq!(answer(&server.url("postgres"), "SELECT 1").await.unwrap(), 1);
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_can_reach_the_socket_or_the_data() {
    let (_folder, dir) = initialised().await;
    let server = start(&dir).await;
    for closed in ["data", "socket"] {
        assert_eq!(fs::metadata(dir.join(closed)).unwrap().permissions().mode() & 0o077, 0, "{closed}");
    }
    server.stop().await;
}

#[tokio::test]
async fn data_of_another_major_version_are_refused_by_name() {
    let folder = open_folder();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/PG_VERSION"), "12\n").unwrap();
    let message = ManagedServer::start(options(folder.path())).await.unwrap_err().to_string();
    assert!(message.contains("holds the data of PostgreSQL 12"), "{message}");
    assert!(message.contains("pg_dump"), "{message}");
}

#[tokio::test]
async fn a_server_that_cannot_start_is_told_with_the_end_of_its_log() {
    let (_folder, dir) = initialised().await;
    let settings = dir.join("data/postgresql.conf");
    let sound = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{sound}\nno_such_setting = 1\n")).unwrap();
    let message = ManagedServer::start(options(&dir)).await.unwrap_err().to_string();
    assert!(message.contains("no_such_setting"), "{message}");
    assert!(message.contains("server.log"), "{message}");
    nothing_is_left(&dir);
    fs::write(&settings, sound).unwrap();
    start(&dir).await.stop().await;
}

#[tokio::test]
async fn a_supervisor_that_is_another_program_is_told_so() {
    let folder = open_folder();
    let options = Options { supervisor_exe: Some("/bin/true".into()), ..options(folder.path()) };
    let message = ManagedServer::start(options).await.unwrap_err().to_string();
    assert!(message.contains("/bin/true ended without a word"), "{message}");
}

#[tokio::test]
async fn a_folder_without_programs_is_told_so() {
    let folder = open_folder();
    let options = Options { binaries: Some(folder.path().to_owned()), ..options(folder.path()) };
    let message = ManagedServer::start(options).await.unwrap_err().to_string();
    assert!(message.contains("has no `postgres`"), "{message}");
}
