//! A PostgreSQL server that belongs to one test, which may kill it.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tasker_wasm_host::store::Store;
use tasker_wasm_host::store::managed::{ManagedServer, Options};

const DATABASE: &str = "tasker";

/// A private server with one migrated database. Its supervisor starts it again whenever it dies.
pub struct OwnServer {
    /// How a host reaches the database.
    pub url: String,
    /// The store, for the test itself.
    pub store: Store,
    /// Connections for statements that no host makes.
    pub pool: PgPool,
    server: ManagedServer,
    dir: tempfile::TempDir,
}

impl OwnServer {
    /// Makes the server's data and starts it.
    ///
    /// # Panics
    ///
    /// If there is no PostgreSQL to be had.
    pub async fn start() -> Self {
        // Below `target`, because the server's user can enter that wherever the workspace is.
        let dir = tempfile::Builder::new().prefix("own-postgres-").tempdir_in(super::workspace().join("target"));
        let dir = dir.expect("a folder for the server's data");
        let options = Options {
            data_dir: Some(dir.path().into()),
            supervisor_exe: Some(super::host_binary()),
            ..Options::default()
        };
        open_to_all(dir.path());
        let server = ManagedServer::start(options).await.expect("the test's server starts");
        server.create_database(DATABASE).await.expect("the server creates a database");
        let url = server.url(DATABASE);
        let store = Store::connect(&url, 2).await.expect("a fresh database accepts connections");
        store.migrate().await.expect("a fresh database can be migrated");
        // Connections break when the server is killed: each is tested before it is used.
        let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(60)).connect(&url).await;
        Self { url, store, pool: pool.expect("a fresh database accepts connections"), server, dir }
    }

    /// Kills the server's first process, as the kernel does when memory runs out; the others end with it. False if there
    /// was none, because the server is on its way up.
    pub fn kill(&self) -> bool {
        let pid_file = std::fs::read_to_string(self.dir.path().join("data/postmaster.pid")).unwrap_or_default();
        let pid = pid_file.lines().next().and_then(|line| line.trim().parse::<i32>().ok()).filter(|pid| *pid > 1);
        pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
    }

    /// Stops the server and removes its data. A test that fails leaves both to the supervisor and the folder's end.
    pub async fn stop(self) {
        self.store.close().await;
        self.pool.close().await;
        self.server.stop().await;
    }
}

/// The server has a user of its own where root runs the tests, and must get to its data.
fn open_to_all(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("the folder is ours");
}
