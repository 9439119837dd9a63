//! The processor time that processes have had, by the kernel's account.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use sqlx::PgPool;

/// The kernel's unit, whatever the clock of the processor: `getconf CLK_TCK` is 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

struct Process {
    pid: u32,
    parent: u32,
    used: Duration,
}

/// What a process and all below it have used so far. A process that has ended counts for nobody but its parent.
pub fn tree(root: u32) -> anyhow::Result<Duration> {
    let all = all()?;
    let mut used = Duration::ZERO;
    let mut members = vec![root];
    while let Some(member) = members.pop() {
        used += all.iter().filter(|process| process.pid == member).map(|process| process.used).sum::<Duration>();
        members.extend(all.iter().filter(|process| process.parent == member).map(|process| process.pid));
    }
    Ok(used)
}

/// What the database server has used so far, in all its processes.
pub async fn server(pool: &PgPool) -> anyhow::Result<Duration> {
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(pool).await?;
    let own = all()?.into_iter().find(|process| process.pid == backend.unsigned_abs());
    tree(own.context("the database server runs on another machine")?.parent)
}

/// What the processors of the machine have done since it was started, in the kernel's units: how long they were busy, and in all.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    busy: f64,
    all: f64,
}

impl Machine {
    pub fn now() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        // The sum of all processors: user, nice, system, idle, waiting for a disk, …
        let times = stat.lines().next().context("/proc/stat has no line")?.split_whitespace().skip(1);
        let times: Vec<f64> = times.map(str::parse).collect::<Result<_, _>>()?;
        let (all, idle) = (times.iter().sum::<f64>(), times.iter().skip(3).take(2).sum::<f64>());
        Ok(Self { busy: all - idle, all })
    }

    /// Which part of the time since then they were busy.
    pub fn busy_since(self, then: Self) -> f64 {
        (self.busy - then.busy) / (self.all - then.all)
    }
}

fn all() -> anyhow::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")?.filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // One that ends meanwhile is none.
    Ok(pids.filter_map(|pid: u32| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect())
}

/// The name in brackets may hold anything; behind it, fields are numbers: state, parent, …, user and system time, and the
/// same of the children that were waited for.
fn parse(pid: u32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u32 = fields.get(11..15)?.iter().map(|field| field.parse().unwrap_or(0)).sum();
    Some(Process { pid, parent: fields.get(1)?.parse().ok()?, used: TICK * ticks })
}
