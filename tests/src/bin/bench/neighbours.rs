//! What a tenant notices of a hostile one beside it: its steps beside one that misbehaves in every slot it gets, and its
//! steps alone, in turns.

use tasker_wasm_tests::Street;

use super::report::{Row, Section};
use super::samples::Samples;

/// Turns of each kind: calm, then beside the hostile one.
const TURNS: usize = 5;
/// Steps in a turn.
const STEPS: usize = 100;

/// One way to misbehave, and the handlers that do.
const KINDS: [(&str, &[&str]); 4] = [
    ("spinning", &["hostile.spin", "hostile.spin_microtasks"]),
    ("allocating", &["hostile.allocate"]),
    ("flooding the log", &["hostile.log_flood"]),
    ("all of it, and sleeping", &["hostile.spin", "hostile.allocate", "hostile.log_flood", "hostile.sleep_forever"]),
];

/// Times the steps of a tenant beside each kind of neighbour.
pub async fn measure() -> anyhow::Result<Section> {
    let street = Street::open(|_| {}).await?;
    street.trickle(STEPS).await?;
    let mut section =
        Section::new("one small step of a tenant, created to complete, beside a neighbour in every slot it gets");
    for (kind, callables) in KINDS {
        let mut templates = Vec::new();
        for callable in callables {
            templates.push(street.template("hostile", callable).await?);
        }
        let (mut alone, mut beside) = (Samples::default(), Samples::default());
        for _ in 0..TURNS {
            let calm = street.trickle(STEPS).await?;
            calm.into_iter().for_each(|took| alone.push(took));
            let hostile = street.beside(&templates, street.trickle(STEPS)).await?;
            hostile.into_iter().for_each(|took| beside.push(took));
        }
        for percent in [50, 99] {
            section.push(
                Row::new(format!("beside one that is {kind}, p{percent}"), beside.percentile(percent))
                    .beside("alone", alone.percentile(percent)),
            );
        }
    }
    street.close().await;
    Ok(section)
}
