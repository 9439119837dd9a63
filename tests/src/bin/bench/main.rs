//! What a step costs, each figure beside the limit it is held against, measured in the same run.
//!
//! Machines differ and are noisy; the ratios are the result. Each pair of figures is measured in turns (one of these, one
//! of those), so that both see the same weather.

mod growth;
mod neighbours;
mod retries;
mod samples;
mod sandbox;
mod whole;

use std::process::ExitCode;
use std::time::Duration;

use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::{HttpSettings, Sandbox, SandboxSettings};
use tasker_wasm_tests::{package, workspace};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let measured = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(measure()));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> anyhow::Result<()> {
    if neighbours::alone() {
        return beside_neighbours().await;
    }
    let sandbox = Sandbox::new(&SandboxSettings {
        cache_dir: workspace().join("target/test-cache/components"),
        max_concurrent: 33,
        max_memory_bytes: 128 << 20,
        http: HttpSettings::default(),
    })?;
    println!("{}\n", sandbox.facts());

    let linear =
        sandbox.prepare(&Package::load(&package("linear").join("dist/linear.wasm"))?, Granted::default()).await?;
    let floor = sandbox::floor(&sandbox).await?;
    let cost = sandbox::measure(&sandbox, &linear, &floor).await?;
    println!("one attempt in the sandbox: store + instantiate + call + drop");
    row("TypeScript step, p10", cost.typescript.percentile(10), "");
    row("TypeScript step, p50", cost.typescript.percentile(50), &format!("{} units of fuel", cost.fuel));
    row("WAT component, p10", cost.floor.percentile(10), "");
    row("WAT component, p50", cost.floor.percentile(50), "the floor of the mechanism");
    ratio("TypeScript / floor, p10", cost.typescript.percentile(10), cost.floor.percentile(10));

    let whole = whole::measure(&sandbox, &linear).await?;
    println!("\nfour-step linear task, durable (fsync and synchronous_commit on), idle host");
    row("end to end, p50", whole.linear.percentile(50), "");
    row("end to end, p95", whole.linear.percentile(95), "");
    row("one create, p50", whole.create.percentile(50), "a durable commit");
    row("one claim, p50", whole.claim.percentile(50), "");
    row("one call, p50", whole.call.percentile(50), "");
    row("one completion, p50", whole.complete.percentile(50), "a durable commit");
    row("the sum of its parts", whole.sum_of_parts(), "one create, four claims, calls and completions");
    ratio("end to end / sum of parts, p50", whole.linear.percentile(50), whole.sum_of_parts());
    println!("\nsaturated: {} tasks of four steps", whole::TASKS);
    println!("  {:<34} {:>10.0} steps/s", "end to end", whole.steps_per_second);

    let growth = growth::measure().await?;
    println!("\none claim and one completion of a step, beside {} finished tasks", growth::FINISHED);
    row("in an empty database, p50", growth.empty.percentile(50), "");
    row("beside the finished tasks, p50", growth.full.percentile(50), "");
    ratio("beside finished / empty, p50", growth.full.percentile(50), growth.empty.percentile(50));

    let late = retries::measure().await?;
    println!("\nretries on an idle host: from the end of a {} ms backoff to the claim", retries::BACKOFF.as_millis());
    row("late, p50", late.percentile(50), "");
    row("late, p99", late.percentile(99), "at most 20 ms are meant");
    beside_neighbours().await
}

async fn beside_neighbours() -> anyhow::Result<()> {
    println!("\none small step of a tenant, created to complete, alone and beside a neighbour in every slot it gets");
    for beside in neighbours::measure().await? {
        println!("  a neighbour that is {}", beside.kind);
        row("alone, p50", beside.calm.percentile(50), "");
        row("beside it, p50", beside.hostile.percentile(50), "");
        row("alone, p99", beside.calm.percentile(99), "");
        row("beside it, p99", beside.hostile.percentile(99), "");
        ratio("beside / alone, p50", beside.hostile.percentile(50), beside.calm.percentile(50));
        ratio("beside / alone, p99", beside.hostile.percentile(99), beside.calm.percentile(99));
    }
    Ok(())
}

fn row(name: &str, time: Duration, note: &str) {
    println!("  {name:<34} {:>10.1} µs  {note}", time.as_secs_f64() * 1e6);
}

fn ratio(name: &str, time: Duration, limit: Duration) {
    println!("  {name:<34} {:>10.2} ×", time.as_secs_f64() / limit.as_secs_f64());
}
