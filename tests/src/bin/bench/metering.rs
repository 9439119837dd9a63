//! What it costs that an attempt is bounded, counted and granted things: the sandbox beside bare wasmtime, the same step of
//! the same component in turns.

use std::sync::Arc;

use tasker_wasm_host::grants::{Access, Granted, Mount};
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::{Invocation, Limits, Prepared, Sandbox};
use tasker_wasm_tests::package;

use super::bare::Bare;
use super::report::{Row, Section};
use super::samples::Samples;
use super::sandbox::empty_step;
use super::setup::Setup;

/// Calls of each kind, after a tenth as many to warm up.
const ROUNDS: usize = 3000;

/// Times the kinds of call in turns.
pub async fn measure(setup: &Setup) -> anyhow::Result<Section> {
    let probe = Package::load(&package("probe").join("dist/probe.wasm"))?;
    let bare = Bare::prepare(setup.sandbox.facts(), &probe, None)?;
    let fuelled = Bare::prepare(setup.sandbox.facts(), &probe, Some(Limits::default().fuel))?;
    let mut live = bare.instance().await?;
    let folder = tempfile::tempdir()?;
    let mut granted = Granted::default();
    granted.env = (0..20).map(|n| (format!("VARIABLE_{n}"), "value".to_owned())).collect();
    granted.mounts = vec![Mount { path: "/data".into(), directory: folder.path().into(), access: Access::ReadWrite }];
    (granted.client, granted.events) = (true, true);
    let granted = setup.sandbox.prepare(&probe, granted).await?;

    let [mut ours, mut with_grants, mut bare_took, mut fuelled_took, mut live_took]: [Samples; 5] = Default::default();
    let mut order = [0, 1, 2, 3, 4];
    for round in 0..ROUNDS + ROUNDS / 10 {
        if round == ROUNDS / 10 {
            [ours, with_grants, bare_took, fuelled_took, live_took] = Default::default();
        }
        // What came before decides what is left in the processor's caches.
        fastrand::shuffle(&mut order);
        for kind in order {
            match kind {
                0 => invoke(&setup.sandbox, &setup.probe, &mut ours).await?,
                1 => invoke(&setup.sandbox, &granted, &mut with_grants).await?,
                2 => bare_took.time(bare.call(&empty_step())).await?,
                3 => fuelled_took.time(fuelled.call(&empty_step())).await?,
                _ => live_took.time(live.call(&empty_step())).await?,
            }
        }
    }
    let mut section = Section::new("limits and grants: an empty TypeScript step in the sandbox and in bare wasmtime");
    for percent in [10, 50] {
        let row = Row::new(format!("in the sandbox, p{percent}"), ours.percentile(percent))
            .beside("in bare wasmtime", bare_took.percentile(percent));
        section.push(if percent == 10 { row.ratio_at_most(1.25) } else { row });
    }
    section.push(
        Row::new("  in bare wasmtime with fuel, p10", fuelled_took.percentile(10))
            .beside("in bare wasmtime", bare_took.percentile(10)),
    );
    section.push(
        Row::new("  with files, environment and events granted, p50", with_grants.median())
            .beside("with nothing granted", ours.median()),
    );
    section.push(
        Row::new("empty step on a live instance, p50", live_took.median())
            .beside("in bare wasmtime", bare_took.median()),
    );
    Ok(section)
}

async fn invoke(sandbox: &Sandbox, component: &Arc<Prepared>, into: &mut Samples) -> anyhow::Result<()> {
    into.time(sandbox.invoke(component, Invocation::new(empty_step(), Limits::default()))).await?.outcome?;
    Ok(())
}
