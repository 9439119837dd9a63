//! Hostile bytes against everything that reads them: components, what guests hand over, templates, manifests, settings and
//! URL patterns. Nothing may panic or hang, and what is refused must be refused by name.
//!
//! Each target takes a valid document and edits that random bytes stand for ([`edit`]), so that most of what is tried is
//! nearly valid. `cargo test -p tasker-wasm-host --test fuzz` tries each for about five seconds;
//! `BOLERO_RANDOM_TEST_TIME_MS=600000` makes that ten minutes. A failure prints the shrunk input and its seed, and
//! `BOLERO_RANDOM_SEED=<seed>` tries it again. `cargo bolero test -p tasker-wasm-host <target>` lets coverage guide the
//! edits.

#![allow(clippy::unwrap_used)]

mod components;
mod edit;
mod manifests;
mod results;
mod settings;
mod templates;
mod urls;

use std::panic::RefUnwindSafe;
use std::time::{Duration, Instant};

/// The longest one try may take: far more than any takes on a busy machine, far less than for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries inputs until the time is over.
macro_rules! target {
    ($try:expr) => {{
        let target = bolero::check!();
        let target = match std::env::var_os("BOLERO_RANDOM_TEST_TIME_MS") {
            Some(_) => target,
            None => target.with_test_time(std::time::Duration::from_secs(5)),
        };
        target.with_max_len(256).for_each(crate::patient($try));
    }};
}
use target;

/// Fails when a try takes too long.
fn patient(mut attempt: impl FnMut(&[u8]) + RefUnwindSafe) -> impl FnMut(&[u8]) + RefUnwindSafe {
    move |input| {
        let start = Instant::now();
        attempt(input);
        assert!(start.elapsed() < PATIENCE, "one input took {:?}", start.elapsed());
    }
}
