//! What a step costs, each figure beside the limit it is held against, measured in the same run.
//!
//! Machines differ and are noisy; the ratios are the result. What is compared is measured in turns (some of these, some
//! of those), so that both see the same weather.
//!
//! `bench` measures everything, `bench PART...` only these parts. The figures are written to `target/bench.json`, too.

mod bare;
mod bulk;
mod cpu;
mod database;
mod growth;
mod idle;
mod latency;
mod load;
mod memory;
mod metering;
mod neighbours;
mod peers;
mod processes;
mod report;
mod rest;
mod retries;
mod samples;
mod sandbox;
mod setup;
mod start;
mod throughput;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use report::{Report, Section};
use setup::Setup;
use tasker_wasm_tests::workspace;

/// In the order in which they are measured.
const PARTS: [&str; 15] = [
    "sandbox",
    "metering",
    "processes",
    "start",
    "latency",
    "load",
    "rest",
    "throughput",
    "database",
    "peers",
    "growth",
    "retries",
    "neighbours",
    "memory",
    "idle",
];

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let measured = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(measure(&asked)));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(asked: &[String]) -> anyhow::Result<()> {
    if let [processes::CALLS_FOR, seconds] = asked.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return processes::call_for(seconds).await;
    }
    if let Some(unknown) = asked.iter().find(|part| !PARTS.contains(&part.as_str())) {
        bail!("there is no part {unknown:?}: name some of {}", PARTS.join(", "));
    }
    let start = Instant::now();
    let setup = Setup::new().await?;
    println!("{}", setup.sandbox.facts());
    let mut report = Report::default();
    for part in PARTS {
        if asked.is_empty() || asked.iter().any(|name| name == part) {
            report.push(run(part, &setup).await.with_context(|| format!("the part {part:?}"))?);
        }
    }
    let file = workspace().join("target/bench.json");
    report.write(&file)?;
    let (met, targets) = report.score();
    let took = start.elapsed().as_secs();
    println!("\n{met} of {targets} targets are met; measured in {took} s; as JSON: {}", file.display());
    Ok(())
}

async fn run(part: &str, setup: &Setup) -> anyhow::Result<Section> {
    match part {
        "sandbox" => sandbox::measure(setup).await,
        "metering" => metering::measure(setup).await,
        "processes" => processes::measure().await,
        "start" => start::measure(setup).await,
        "latency" => latency::measure(setup).await,
        "load" => load::measure().await,
        "rest" => rest::measure().await,
        "throughput" => throughput::measure(setup).await,
        "database" => database::measure().await,
        "peers" => peers::measure().await,
        "growth" => growth::measure().await,
        "retries" => retries::measure().await,
        "neighbours" => neighbours::measure().await,
        "memory" => memory::measure().await,
        "idle" => idle::measure().await,
        unknown => bail!("nothing measures the part {unknown:?}"),
    }
}
