//! From the component path to what can be called, or to a reason why not.
//!
//! What a package asks for is held against what its namespace is allowed before anything of it runs. A package with an ask
//! that nothing overlaps is left out, with the lines that would allow it; so is one whose component does not fit. The
//! others go on: one tenant's broken file does not stop the steps of the others.
//!
//! Reasons are told when the database is open, because it knows what the same package asked for the last time: an upgrade
//! that asks for more is told with the difference, whether it was refused for it or not.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::StartError;
use crate::config::limits::{Limit, LimitSet};
use crate::config::{LimitPolicy, Worker};
use crate::dispatch::Components;
use crate::events::EventComponents;
use crate::grants::{Asks, Granted, Missing};
use crate::registry::{self, Package, RegistryError};
use crate::sandbox::{ComponentError, Limits, Sandbox};
use crate::store::{FoundComponent, KnownComponent};

/// Wall clock of one call of a publisher or subscriber. A step's result waits for its publishers.
const EVENT_DEADLINE: Duration = Duration::from_secs(5);

/// Components that were found on a path, ready to be called.
#[derive(Default)]
pub struct Loaded {
    /// The handlers and their code.
    pub components: Components,
    /// The publishers and subscribers and their code.
    pub events: EventComponents,
    /// Those that cannot be called.
    pub left_out: Vec<LeftOut>,
    /// The packages of those that can.
    served: Vec<Arc<Package>>,
}

/// A component that is not served.
#[derive(Debug)]
pub struct LeftOut {
    /// Its package.
    pub package: Arc<Package>,
    /// Why it is not.
    pub error: LoadError,
}

/// Why one component is left out.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It asks for what its namespace is not allowed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A directory it was granted cannot be mounted.
    #[error(
        "the directory {} of the mount {path} is not there, or is none; make it, or correct `mounts` in the grants of \
         namespace {namespace}",
        directory.display()
    )]
    Mount {
        /// Where it would be in the guest.
        path: String,
        /// Where it should be in the host.
        directory: PathBuf,
        /// The namespace it is granted to.
        namespace: String,
    },
    /// It cannot be used.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// Something of it is another's already.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// A package that asks for what its namespace is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    package: String,
    namespace: String,
    missing: Box<Missing>,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, namespace, missing } = self;
        writeln!(f, "{package} asks for what namespace {namespace} is not allowed:\n")?;
        missing.asks().lines().iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "\nTake it out of the package's tasker.toml, or allow it in the settings:\n")?;
        f.write_str(missing.settings_lines(namespace).trim_end())
    }
}

/// What a package asks for beyond the build of it that ran before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Upgrade {
    digest: String,
    last_run_at: DateTime<Utc>,
    more: Asks,
}

impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.digest.get(..12).unwrap_or(&self.digest);
        let last = self.last_run_at.format("%Y-%m-%d %H:%M UTC");
        writeln!(f, "New since the build that ran before ({short}, last started {last}):")?;
        self.more.lines().iter().try_for_each(|line| write!(f, "\n+ {line}"))
    }
}

impl Upgrade {
    /// What `package` asks for beyond what was known of it; none when it is the same build, or asks for no more.
    fn of(package: &Package, before: &[KnownComponent]) -> Option<Self> {
        let known = before.iter().find(|known| known.namespace == package.namespace && known.name == package.name)?;
        if known.digest == package.digest.to_string() {
            return None;
        }
        let asked: Asks = serde_json::from_str(known.asks.get())
            .inspect_err(
                |error| tracing::warn!(%error, package = package.name, "what its last build asked for can't be read"),
            )
            .ok()?;
        let more = package.asks.beyond(&asked);
        (!more.is_empty()).then(|| Self { digest: known.digest.clone(), last_run_at: known.last_run_at, more })
    }
}

impl Loaded {
    /// Every component that was found, for the record of what ran.
    pub(super) fn found(&self) -> Result<Vec<FoundComponent>, serde_json::Error> {
        let served = self.served.iter().map(|package| (package, true));
        let left_out = self.left_out.iter().map(|left_out| (&left_out.package, false));
        let found = |(package, runs): (&Arc<Package>, bool)| {
            Ok(FoundComponent {
                namespace: package.namespace.clone(),
                name: package.name.clone(),
                digest: package.digest.to_string(),
                asks_json: serde_json::to_string(&package.asks)?,
                runs,
            })
        };
        served.chain(left_out).map(found).collect()
    }

    /// Logs what is left out and why, and which upgrades ask for more than what was known `before`. Texts end with their own
    /// line, so that what a log writes after them is not copied with them.
    pub fn report(&self, before: &[KnownComponent]) {
        for left_out in &self.left_out {
            let component = left_out.package.path.display();
            tracing::error!(%component, "this component is left out: {}\n", left_out.told(before));
        }
        for package in &self.served {
            if let Some(upgrade) = Upgrade::of(package, before) {
                let (component, namespace) = (package.path.display(), &package.namespace);
                tracing::warn!(%component, namespace, "{} asks for more, and is allowed it. {upgrade}\n", package.name);
            }
        }
    }
}

impl LeftOut {
    fn told(&self, before: &[KnownComponent]) -> String {
        match Upgrade::of(&self.package, before) {
            Some(upgrade) => format!("{}\n\n{upgrade}", self.error),
            None => self.error.to_string(),
        }
    }
}

/// Prepares every component of the configured path. One that can't be used is left out; [`Loaded::report`] tells.
///
/// # Errors
///
/// The path can't be read.
pub async fn load_components(sandbox: &Sandbox, worker: &Worker) -> Result<Loaded, StartError> {
    let mut loaded = Loaded::default();
    let limits = worker.limit_policy();
    for package in registry::scan(&worker.component_path)? {
        let package = Arc::new(package);
        match load(sandbox, worker, &limits, &package, &mut loaded).await {
            Ok(()) => {
                warn_of_lowered(&package, &limits);
                loaded.served.push(package);
            }
            Err(error) => loaded.left_out.push(LeftOut { package, error }),
        }
    }
    Ok(loaded)
}

async fn load(
    sandbox: &Sandbox,
    worker: &Worker,
    limits: &LimitPolicy,
    package: &Arc<Package>,
    loaded: &mut Loaded,
) -> Result<(), LoadError> {
    let granted = grant(package, worker)?;
    for mount in &granted.mounts {
        if !mount.directory.is_dir() {
            let (path, directory) = (mount.path.clone(), mount.directory.clone());
            return Err(LoadError::Mount { path, directory, namespace: package.namespace.clone() });
        }
    }
    let prepared = sandbox.prepare(package, granted).await?;
    let described = sandbox.describe(&prepared).await?;
    let handlers = described.handlers.len();
    // A component serves with all it has or not at all.
    loaded.events.table().check(package, &described.publishers)?;
    loaded.components.add(package, described.handlers, Arc::clone(&prepared))?;
    let (publishers, subscribers) = (described.publishers.len(), described.subscriptions.len());
    let of_events = limits_of_events(package, limits);
    loaded.events.add(package, described.publishers, described.subscriptions, prepared, of_events)?;
    tracing::info!(
        component = package.name,
        namespace = package.namespace,
        handlers,
        publishers,
        subscribers,
        "component loaded"
    );
    Ok(())
}

/// What a package gets of what it asks for.
///
/// # Errors
///
/// Something it asks for meets nothing that is allowed.
pub fn grant(package: &Package, worker: &Worker) -> Result<Granted, Refused> {
    let allowed = worker.allowed(&package.namespace);
    match Missing::of(&package.asks, &allowed, &worker.allowed_by_its_own(&package.namespace)) {
        None => Ok(Granted::intersection(&package.asks, &allowed)),
        Some(missing) => {
            let (package, namespace) = (package.name.clone(), package.namespace.clone());
            Err(Refused { package, namespace, missing: Box::new(missing) })
        }
    }
}

/// Publishers and subscribers have no template that speaks of them: the package's limits, and little time.
fn limits_of_events(package: &Package, policy: &LimitPolicy) -> Limits {
    let limits = Limits::from(&policy.effective(&package.namespace, &package.limits));
    Limits { deadline: limits.deadline.min(EVENT_DEADLINE), ..limits }
}

fn warn_of_lowered(package: &Package, policy: &LimitPolicy) {
    let lowered = |limits: &LimitSet| policy.lowered(&package.namespace, limits);
    let (component, namespace) = (&package.name, &package.namespace);
    for lowered in lowered(&package.limits) {
        tracing::warn!(component, namespace, "a limit of the package is above its namespace's ceiling: {lowered}");
    }
    for handler in package.manifest.iter().flat_map(|manifest| &manifest.handlers) {
        for lowered in lowered(&handler.limits) {
            let handler = &handler.name;
            tracing::warn!(
                component,
                namespace,
                handler,
                "a handler's limit is above its namespace's ceiling: {lowered}"
            );
        }
    }
}

/// Bytes of the greatest memory any attempt may have: the size of a slot.
pub(super) fn greatest_memory(policy: &LimitPolicy) -> usize {
    let greatest = policy.greatest(Limit::MemoryMb).map(|value| LimitSet::default().with(Limit::MemoryMb, value));
    Limits::from(&greatest.unwrap_or_default()).memory_bytes
}

#[cfg(test)]
mod tests;
