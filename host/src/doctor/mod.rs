//! Whether this installation holds what it promises.
//!
//! The attacks are hand-written components (`attacks.rs`), so they run wherever the host does, without a toolchain, a
//! database or a network: in the very engine, with the very imports, that handlers get. Each must come to the end that is
//! written beside it, no later than its deadline, and a well-behaved handler must run right after it.

mod attacks;
pub(crate) mod guest;
mod memory;
mod wasi;

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use uuid::Uuid;

use crate::registry::{Package, RegistryError};
use crate::sandbox::{
    AttemptReport, ComponentError, HandlerRef, HostFailure, Invocation, Limits, Sandbox, StepContext, StepOutcome,
};
use attacks::{Attack, Component, End};

/// How much later than its deadline an attack may end.
const GRACE: Duration = Duration::from_millis(50);

/// How often an attack that ended too late is tried: a busy machine is no breach.
const TRIES: u32 = 3;

/// What came of one attack.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What the attack is on.
    pub target: &'static str,
    /// What it does.
    pub attack: String,
    /// How it must end.
    pub expected: String,
    /// How it ended.
    pub ended: String,
    /// From its start to its end, in milliseconds.
    pub millis: u64,
    /// Whether the sandbox held.
    pub held: bool,
}

/// The suite could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// A component could not be written.
    #[error("cannot write a component into {}: {source}", path.display())]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A component is not right, which is a mistake of this program.
    #[error("the attack {attack:?} is not written right: {detail}")]
    Attack {
        /// The attack.
        attack: String,
        /// What is wrong.
        detail: String,
    },
    /// A component could not be read back.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The well-behaved handler can't be used.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The host could not run an attempt.
    #[error(transparent)]
    Host(#[from] HostFailure),
}

/// Runs every attack in `sandbox`, one after the other. Components are written into `directory`.
///
/// # Errors
///
/// [`DoctorError`] when the suite itself fails; a sandbox that does not hold is a [`Finding`].
pub async fn attack(sandbox: &Sandbox, directory: &Path) -> Result<Vec<Finding>, DoctorError> {
    let well_behaved = write(directory, "well-behaved", &Component::Text(guest::FLOOR.to_owned()))?;
    let well_behaved = sandbox.prepare(&well_behaved, crate::grants::Granted::default()).await?;
    let mut findings = Vec::new();
    for attack in attacks::all() {
        let mut finding = try_once(sandbox, directory, &attack).await?;
        for _ in 1..TRIES {
            if !finding.late(&attack) {
                break;
            }
            finding = try_once(sandbox, directory, &attack).await?;
        }
        if finding.late(&attack) {
            finding.ended.push_str(", too late");
            finding.held = false;
        }
        let after = sandbox.invoke(&well_behaved, invocation(Limits::default())).await?;
        if !matches!(after.outcome, Ok(StepOutcome::Success(_))) {
            finding.ended.push_str(", and the next handler failed");
            finding.held = false;
        }
        findings.push(finding);
    }
    findings.extend(memory::after_many(sandbox, directory).await?);
    Ok(findings)
}

impl Finding {
    fn late(&self, attack: &Attack) -> bool {
        u128::from(self.millis) > (attack.limits.deadline + GRACE).as_millis()
    }
}

async fn try_once(sandbox: &Sandbox, directory: &Path, attack: &Attack) -> Result<Finding, DoctorError> {
    let package = write(directory, "attack", &attack.component)?;
    let prepared = sandbox.prepare(&package, attack.granted.clone()).await;
    let mut start = Instant::now();
    let (ended, held) = match prepared {
        Err(error) => {
            let ended = error.to_string().replace(&package.path.display().to_string(), "it");
            let held = matches!(attack.end, End::Refused(part) if ended.contains(part));
            (format!("refused: {}", first_clause(&ended)), held)
        }
        Ok(prepared) => {
            // What the first attempt left behind would be found by the second.
            sandbox.invoke(&prepared, invocation(attack.limits.clone())).await?;
            start = Instant::now();
            let report = sandbox.invoke(&prepared, invocation(attack.limits.clone())).await?;
            attack.end.judge(&report)
        }
    };
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Finding {
        target: attack.target,
        attack: attack.name.clone(),
        expected: attack.end.to_string(),
        ended,
        millis,
        held,
    })
}

fn write(directory: &Path, name: &str, component: &Component) -> Result<Package, DoctorError> {
    let bytes = match component {
        Component::Bytes(bytes) => bytes.clone(),
        Component::Text(text) => wat::parse_str(text)
            .map_err(|error| DoctorError::Attack { attack: name.to_owned(), detail: error.to_string() })?,
    };
    let path = directory.join(format!("{name}.wasm"));
    std::fs::write(&path, bytes).map_err(|source| DoctorError::Write { path: path.clone(), source })?;
    Ok(Package::load(&path)?)
}

impl End {
    /// How the attempt ended, in words, and whether that is this end.
    fn judge(self, report: &AttemptReport) -> (String, bool) {
        match &report.outcome {
            Ok(StepOutcome::Success(_)) => ("it got nothing".to_owned(), self == Self::Harmless),
            Ok(StepOutcome::Failure(failure)) => {
                let held = matches!(self, Self::Denied(part) if failure.message.contains(part));
                // The guest's own message is where it wanted to go; the cause follows in parentheses.
                let cause = failure.message.split_once(" (").map_or(failure.message.as_str(), |(_, cause)| cause);
                (format!("denied: {}", first_clause(cause)), held)
            }
            Ok(StepOutcome::Checkpoint(_)) => ("a checkpoint".to_owned(), false),
            Err(error) => (error.error_type().to_owned(), self == Self::Error(error.error_type())),
        }
    }
}

/// What happened, without what to do about it.
fn first_clause(message: &str) -> &str {
    let end = [";", ": add "].iter().filter_map(|mark| message.find(mark)).min();
    &message[..end.unwrap_or(message.len())]
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(_) => f.write_str("refused"),
            Self::Error(error_type) => f.write_str(error_type),
            Self::Denied(_) => f.write_str("denied"),
            Self::Harmless => f.write_str("it gets nothing"),
        }
    }
}

fn invocation(limits: Limits) -> Invocation {
    let context = StepContext {
        task_uuid: Uuid::nil(),
        step_uuid: Uuid::nil(),
        correlation_id: Uuid::nil(),
        handler: HandlerRef { callable: "floor".into(), method: None, resolver: None },
        attempts: 0,
        max_attempts: 1,
        event: "{}".into(),
    };
    Invocation::new(context, limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{HttpSettings, SandboxSettings};

    #[tokio::test]
    async fn the_sandbox_holds_against_every_attack() {
        let directory = tempfile::tempdir().unwrap();
        let cache_dir = directory.path().join("cache");
        let settings = SandboxSettings {
            cache_dir,
            max_concurrent: 4,
            max_memory_bytes: 64 << 20,
            max_computing: 1,
            http: HttpSettings::default(),
        };
        let findings = attack(&Sandbox::new(&settings).unwrap(), directory.path()).await.unwrap();

        let breaches: Vec<_> = findings.iter().filter(|finding| !finding.held).collect();
        assert!(breaches.is_empty(), "{breaches:#?}");
        assert!(findings.len() > 30);
    }
}
