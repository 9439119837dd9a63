//! Whether the host keeps its memory when many attacks have come and gone.

use std::path::Path;
use std::time::Instant;

use super::attacks::{self, Component};
use super::{DoctorError, Finding, invocation, write};
use crate::sandbox::Sandbox;

/// Attempts before the first look: slots, caches and the allocator's arenas fill up.
const WARM_UP: u32 = 200;
const ATTEMPTS: u32 = 1_000;

/// By how much the memory may differ afterwards, in percent: the allocator's own coming and going.
const TOLERANCE: f64 = 5.0;

/// The memory is some 8 MiB, to which the allocator adds an arena of 0.4 now and then. What is kept of attempts is added in
/// every round.
const ROUNDS: u32 = 3;

/// Fuel of an attempt here; the attacks are cut short, so that there are many of them.
const FUEL: u64 = 500_000;

/// Runs the attacks that need no waiting again and again. Nothing where the system does not tell a process's memory.
pub(super) async fn after_many(sandbox: &Sandbox, directory: &Path) -> Result<Option<Finding>, DoctorError> {
    let mut prepared = Vec::new();
    for mut attack in attacks::all() {
        let waits = attack.limits.fuel == u64::MAX || attack.target == "network";
        if waits || matches!(attack.component, Component::Bytes(_)) {
            continue;
        }
        let package = write(directory, "attack", &attack.component)?;
        if let Ok(component) = sandbox.prepare(&package, attack.granted).await {
            attack.limits.fuel = FUEL;
            prepared.push((component, attack.limits));
        }
    }
    let start = Instant::now();
    let mut turns = prepared.iter().cycle();
    let mut attempt = async |count: u32| {
        for (component, limits) in turns.by_ref().take(count as usize) {
            sandbox.invoke(component, invocation(limits.clone())).await?;
        }
        Ok::<_, DoctorError>(())
    };
    attempt(WARM_UP).await?;
    let Some(mut after) = anonymous_kib() else { return Ok(None) };
    let mut change = 0.0;
    for _ in 0..ROUNDS {
        let before = after;
        attempt(ATTEMPTS).await?;
        let Some(now) = anonymous_kib() else { return Ok(None) };
        after = now;
        change = (after - before) / before * 100.0;
        if change <= TOLERANCE {
            break;
        }
    }
    Ok(Some(Finding {
        target: "memory",
        attack: format!("comes back {ATTEMPTS} times"),
        expected: format!("within {TOLERANCE} %"),
        ended: format!("{:.1} MiB, {change:+.1} %", after / 1024.0),
        millis: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        // Less is no breach.
        held: change <= TOLERANCE,
    }))
}

/// Memory of this process that no file backs, in KiB.
fn anonymous_kib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
