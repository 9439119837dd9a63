//! What a tenant notices of a hostile one beside it: its steps beside one that misbehaves in every slot it gets, and its
//! steps alone, in turns.

use std::env;

use tasker_wasm_tests::Street;

use super::samples::Samples;

/// Turns of each kind: calm, then beside the hostile one.
const TURNS: usize = 5;
/// Steps in a turn.
pub const STEPS: usize = 100;

/// One way to misbehave, and the handlers that do.
const KINDS: [(&str, &[&str]); 4] = [
    ("spinning", &["hostile.spin", "hostile.spin_microtasks"]),
    ("allocating", &["hostile.allocate"]),
    ("flooding the log", &["hostile.log_flood"]),
    ("all of it, and sleeping", &["hostile.spin", "hostile.allocate", "hostile.log_flood", "hostile.sleep_forever"]),
];

/// Steps alone and beside one kind of neighbour.
pub struct Beside {
    /// What the neighbour does.
    pub kind: &'static str,
    /// Without it.
    pub calm: Samples,
    /// With it.
    pub hostile: Samples,
}

/// Times the steps of a tenant beside each kind of neighbour.
pub async fn measure() -> anyhow::Result<Vec<Beside>> {
    let street = Street::open(|_| {}).await?;
    street.trickle(STEPS).await?;
    let mut all = Vec::new();
    for (kind, callables) in KINDS {
        let mut templates = Vec::new();
        for callable in callables {
            templates.push(street.template("hostile", callable).await?);
        }
        let mut beside = Beside { kind, calm: Samples::default(), hostile: Samples::default() };
        for _ in 0..TURNS {
            let calm = street.trickle(STEPS).await?;
            calm.into_iter().for_each(|took| beside.calm.push(took));
            let hostile = street.beside(&templates, street.trickle(STEPS)).await?;
            hostile.into_iter().for_each(|took| beside.hostile.push(took));
        }
        all.push(beside);
    }
    street.close().await;
    Ok(all)
}

/// Whether only this part of the bench is asked for.
pub fn alone() -> bool {
    env::args().nth(1).is_some_and(|part| part == "neighbours")
}
