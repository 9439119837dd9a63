//! Whether processes make the sandbox faster as cores do: the same calls in one process and in one a core, in turns.

use std::process::Stdio;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use tasker_wasm_host::sandbox::{Invocation, Limits};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::report::{Quantity, Row, Section};
use super::samples::median;
use super::sandbox::empty_step;
use super::setup::Setup;

/// Asks this program to be one of the processes, and says for how many seconds it calls each time it is told to.
pub const CALLS_FOR: &str = "--calls-for";

/// Turns of each kind; the one in the middle counts.
const TURNS: usize = 3;
/// Seconds of a turn.
const SECONDS: &str = "2";
/// Calls before a process is ready.
const WARM_UP: usize = 200;
/// What a process says when it is.
const READY: &str = "ready";

/// Measures one process and all of them in turns.
pub async fn measure() -> anyhow::Result<Section> {
    let cores = available_parallelism()?.get();
    let mut callers = try_join_all((0..cores).map(|_| Caller::start())).await?;
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        one.push(turn(&mut callers[..1]).await?);
        all.push(turn(&mut callers).await?);
    }
    for caller in callers {
        caller.end().await?;
    }
    let mut section = Section::new("calls of an empty TypeScript step in a second, each process with one at a time");
    section.push(
        Row::new(format!("{cores} processes"), Quantity::PerSecond(median(all)))
            .beside("1 process", Quantity::PerSecond(median(one)))
            .ratio_at_least(0.85 * cores as f64),
    );
    Ok(section)
}

/// The calls in a second that these make together.
async fn turn(callers: &mut [Caller]) -> anyhow::Result<f64> {
    Ok(try_join_all(callers.iter_mut().map(Caller::call)).await?.into_iter().sum())
}

/// This program once more.
struct Caller {
    child: Child,
    told: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Caller {
    async fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([CALLS_FOR, SECONDS]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (told, said) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        let mut caller = Self { child, told, said: BufReader::new(said).lines() };
        let said = caller.heard().await?;
        ensure!(said == READY, "a process said {said:?}");
        Ok(caller)
    }

    async fn call(&mut self) -> anyhow::Result<f64> {
        self.told.write_all(b"go\n").await?;
        Ok(self.heard().await?.parse()?)
    }

    async fn heard(&mut self) -> anyhow::Result<String> {
        self.said.next_line().await?.context("a process ended early")
    }

    async fn end(mut self) -> anyhow::Result<()> {
        drop(self.told);
        let status = self.child.wait().await?;
        ensure!(status.success(), "a process ended with {status}");
        Ok(())
    }
}

/// Is one of the processes until its input ends: calls for so many seconds whenever a line comes, and says how many calls
/// it made in a second.
pub async fn call_for(seconds: &str) -> anyhow::Result<()> {
    let time = Duration::from_secs_f64(seconds.parse().with_context(|| format!("{CALLS_FOR} {seconds}"))?);
    let setup = Setup::new().await?;
    for _ in 0..WARM_UP {
        call(&setup).await?;
    }
    println!("{READY}");
    for line in std::io::stdin().lines() {
        line?;
        let (start, mut calls) = (Instant::now(), 0_u32);
        while start.elapsed() < time {
            call(&setup).await?;
            calls += 1;
        }
        println!("{}", f64::from(calls) / start.elapsed().as_secs_f64());
    }
    Ok(())
}

async fn call(setup: &Setup) -> anyhow::Result<()> {
    let invocation = Invocation::new(empty_step(), Limits::default());
    setup.sandbox.invoke(&setup.probe, invocation).await?.outcome?;
    Ok(())
}
