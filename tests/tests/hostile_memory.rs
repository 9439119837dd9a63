//! What a thousand rounds of hostile handlers leave in the memory of the process that ran them: nothing. A test of its own,
//! because that memory is counted for the whole process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use std::time::Duration;

use serde_json::json;
use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::sandbox::Limits;
use tasker_wasm_tests::Guest;

/// Each ends in another way: fuel, memory, stack, trap, result, verdict, success.
const HANDLERS: [&str; 9] = [
    "spin",
    "spin_microtasks",
    "allocate",
    "recurse",
    "forge_views",
    "forge_stringify",
    "never_settle",
    "throw_error",
    "leave_timers",
];
const WARM_UP: usize = 100;
const ROUNDS: usize = 1_000;
/// Part by which the memory may differ afterwards.
const TOLERANCE: f64 = 0.05;

#[tokio::test]
async fn a_thousand_hostile_rounds_leave_the_hosts_memory_as_it_was() {
    let guest = Guest::prepare("hostile", Granted::default()).await;
    for _ in 0..WARM_UP {
        round(&guest).await;
    }
    let before = resident_bytes();

    for _ in 0..ROUNDS {
        round(&guest).await;
    }

    let after = resident_bytes();
    let change = after as f64 / before as f64 - 1.0;
    println!("{} MiB before, {} MiB after {ROUNDS} rounds: {:+.1} %", before >> 20, after >> 20, change * 100.0);
    assert!(change.abs() <= TOLERANCE, "{before} bytes before, {after} bytes after");
}

async fn round(guest: &Guest) {
    let limits =
        Limits { fuel: 20_000_000, memory_bytes: 24 << 20, deadline: Duration::from_secs(5), ..Limits::default() };
    for handler in HANDLERS {
        // How each ends is another test's affair.
        let _ = guest.run(&format!("hostile.{handler}"), json!({}), limits.clone()).await;
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
