//! A PostgreSQL of the host's own, for when `DATABASE_URL` names none.
//!
//! [`ManagedServer::start`] finds PostgreSQL's programs on the machine, makes data, starts a server, and shares the one
//! that runs already. All hosts that name the same folder use one server; it goes down when the last of them has gone,
//! by whatever death. The parts, in the order of a start:
//!
//! | file | reason to exist |
//! |---|---|
//! | `home` | the folder and what is in it |
//! | `lock` | file locks: the only truth about who is alive |
//! | `binaries` | which PostgreSQL |
//! | `launch` | the host's side of the supervisor |
//! | `supervisor` | the process that owns the server |
//! | `identity` | whose rights the server has, root's not being accepted |
//! | `staging` | programs that cannot be run where they are |
//! | `cluster` | the commands that make data and run a server |
//! | `log` | a bounded log |
//! | `database` | URLs, making and dropping databases |
//!
//! Four locks, each for one question. `start.lock`: may I decide? (a host, for the length of a start). `users.lock`: does
//! anyone need the server? (shared by hosts). `supervisor.lock`: is it cared for? (the supervisor, which gets the lock as
//! its standard input). `server.lock`: is any process of it left? (every process of the server, likewise). They are taken
//! in this order, so none waits for another in a circle: a host that arrives while the server goes down waits for
//! `users.lock`, and finds `supervisor.lock` free when it has it.
//!
//! The server listens on a Unix socket in a folder that is closed to all others, and trusts who gets there. It writes with
//! PostgreSQL's own durability.

mod binaries;
mod cluster;
mod database;
mod error;
mod home;
mod identity;
mod launch;
mod lock;
mod log;
mod staging;
pub mod supervisor;

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

pub use self::binaries::{NEWEST_MAJOR, OLDEST_MAJOR};
pub use self::error::ManagedError;

use self::binaries::Search;
use self::home::Home;
use self::launch::{Launcher, unblock};
use self::lock::Kind;

/// The first command line argument that makes the program a supervisor: `main` then calls [`supervisor::main`] with the
/// others.
pub const SUPERVISOR_COMMAND: &str = "internal-postgres-supervisor";

/// The superuser that owns everything in the server.
const USER: &str = "tasker";
/// The database that is always there; connected to for making others.
const MAINTENANCE_DATABASE: &str = "postgres";
/// How long a start may take. Making data takes seconds; recovering from a crash with a full gigabyte of WAL about half a
/// minute on a busy machine, and an impatient host would only make it begin again.
const START_BOUND: Duration = Duration::from_secs(600);
/// How long [`ManagedServer::stop`] waits for the server to be down.
const STOP_BOUND: Duration = Duration::from_secs(30);
/// How often a condition that is about to change is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How often a host looks whether the supervisor lives. It costs one system call.
const WATCH: Duration = Duration::from_secs(1);
/// The pause after a supervisor could not be started again.
const WATCH_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How to start the private server. The default is right for the program itself; tests name a folder and a supervisor.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder to keep everything in; made if missing. Default:
    /// `$XDG_DATA_HOME/tasker-wasm-host/postgres-<major version>`, or below `/var/lib` for root if other users cannot
    /// enter that. If it holds data, programs of the same major version are looked for.
    pub data_dir: Option<PathBuf>,
    /// A tasker-wasm-host program to run as the supervisor. Default: the program that is running.
    pub supervisor_exe: Option<PathBuf>,
    /// The folder that holds `postgres` and `initdb`; goes before `TASKER_POSTGRES_BIN` and the search.
    pub binaries: Option<PathBuf>,
}

/// A share in a running private server. Dropping it leaves the server, as ending the process does; the last to leave
/// takes it down.
#[derive(Debug)]
pub struct ManagedServer {
    launcher: Launcher,
    version: String,
    /// Declared, and so dropped, before `share`: it must not start anew what is no longer needed.
    watch: AbortOnDropHandle<()>,
    /// The shared lock of the users' file.
    share: File,
}

impl ManagedServer {
    /// Joins the server of the folder, started first if it is not running. Comes back when it accepts connections: in
    /// milliseconds if it ran already, in about two seconds if data had to be made. Needs the runtime to go on running.
    pub async fn start(options: Options) -> Result<Self, ManagedError> {
        let launcher = launcher(options).await?;
        let begun = Instant::now();
        let starting = lock::lock(&launcher.home.start_lock(), Kind::Exclusive, START_BOUND).await?;
        let share = lock::lock(&launcher.home.users_lock(), Kind::Shared, START_BOUND).await?;
        launcher.ensure_supervisor().await?;
        drop(starting);
        let version = loop {
            match database::server_version(&launcher.home).await {
                Ok(version) => break version,
                Err(error) if begun.elapsed() > START_BOUND => return Err(error),
                // It is being started by the supervisor; or that one has died or given up, and will say why.
                Err(_) if launcher.is_supervised()? => sleep(LOOK).await,
                Err(_) => revive(&launcher).await?,
            }
        };
        let watch = AbortOnDropHandle::new(tokio::spawn(watch(launcher.clone())));
        Ok(ManagedServer { launcher, version, watch, share })
    }

    /// The address of a database, for sqlx and libpq alike: `postgresql://tasker@localhost:5432/<database>?host=<folder
    /// of the socket>`.
    pub fn url(&self, database: &str) -> String {
        database::url(&self.launcher.home, database)
    }

    /// PostgreSQL's version: `18.4`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The folder that everything is kept in.
    pub fn dir(&self) -> &Path {
        self.launcher.home.dir()
    }

    /// Makes a database unless it exists; hosts may do so at the same time.
    pub async fn create_database(&self, name: &str) -> Result<(), ManagedError> {
        database::create(&self.launcher.home, name).await
    }

    /// Drops a database if it exists, ending the connections to it.
    pub async fn drop_database(&self, name: &str) -> Result<(), ManagedError> {
        database::drop(&self.launcher.home, name).await
    }

    /// Leaves the server, and if nobody else uses it waits, 30 s at most, until it is down.
    pub async fn stop(self) {
        let ManagedServer { launcher, watch, share, .. } = self;
        watch.abort();
        let _ = watch.await;
        // With this lock no other host looks at the locks at the same time, so what is seen is not its looking.
        let looking = lock::lock(&launcher.home.start_lock(), Kind::Exclusive, STOP_BOUND).await;
        drop(share);
        let left = match looking {
            Ok(_looking) => wait_until_down(&launcher).await,
            Err(error) => Err(error),
        };
        if let Err(error) = left {
            tracing::warn!(%error, dir = %launcher.home.dir().display(), "left the private PostgreSQL, which may still run");
        }
    }
}

/// Settles the folder. Without one named, the programs found choose it, for their data cannot be read by others.
async fn launcher(options: Options) -> Result<Launcher, ManagedError> {
    let exe = match options.supervisor_exe {
        Some(exe) => std::path::absolute(&exe).map_err(ManagedError::path("resolve", &exe))?,
        None => {
            env::current_exe().map_err(ManagedError::path("find the running program in", Path::new("/proc/self")))?
        }
    };
    let search = Search::of_this_machine(options.binaries);
    let (dir, found) = match options.data_dir {
        Some(dir) => (dir, None),
        None => {
            let search = search.clone();
            let found = unblock(move || search.find(None)).await?;
            let dir = Home::default_dir(found.major)?;
            tell_of_other_data(&dir);
            (dir, Some(found))
        }
    };
    Ok(Launcher { home: Home::prepare(&dir)?, exe, search, found })
}

/// Nobody shall think the data are lost because another major version of the programs was found this time.
fn tell_of_other_data(dir: &Path) {
    let Some(parent) = dir.parent().filter(|_| !dir.exists()) else {
        return;
    };
    for other in parent.read_dir().into_iter().flatten().flatten() {
        if let Some(major) = binaries::major_of_data(&other.path().join("data")) {
            tracing::warn!(
                "beginning with empty data in {}: those of PostgreSQL {major} stay in {}; carry them over with its \
                 pg_dump, or set TASKER_POSTGRES_BIN to the programs of that version to go on with them",
                dir.display(),
                other.path().display()
            );
        }
    }
}

/// Starts a supervisor if none lives; for a host that shares the server already.
async fn revive(launcher: &Launcher) -> Result<(), ManagedError> {
    let _starting = lock::lock(&launcher.home.start_lock(), Kind::Exclusive, START_BOUND).await?;
    launcher.ensure_supervisor().await
}

/// Keeps the server cared for while this host shares it: a supervisor that was killed took it down.
async fn watch(launcher: Launcher) {
    let dir = launcher.home.dir().display();
    loop {
        sleep(WATCH).await;
        if !matches!(launcher.is_supervised(), Ok(false)) {
            continue;
        }
        tracing::warn!(%dir, "the supervisor of the private PostgreSQL has ended; starting both again");
        if let Err(error) = revive(&launcher).await {
            tracing::error!(%dir, %error, "the private PostgreSQL is down");
            sleep(WATCH_AFTER_FAILURE).await;
        }
    }
}

/// Comes back at once if others share the server, else when the supervisor, which outlives the server, has ended.
async fn wait_until_down(launcher: &Launcher) -> Result<(), ManagedError> {
    let users = launcher.home.users_lock();
    let begun = Instant::now();
    while launcher.is_supervised()? {
        // Nobody has it: the supervisor is about to. Shared by others: it stays. Neither: the supervisor stops the server.
        if lock::try_lock(&users, Kind::Exclusive)?.is_none() && lock::try_lock(&users, Kind::Shared)?.is_some() {
            return Ok(());
        }
        if begun.elapsed() > STOP_BOUND {
            return Err(ManagedError::TimedOut {
                what: "the private PostgreSQL to shut down".into(),
                waited: STOP_BOUND,
                cure: format!("see {}", launcher.home.log().display()),
            });
        }
        sleep(LOOK).await;
    }
    Ok(())
}
