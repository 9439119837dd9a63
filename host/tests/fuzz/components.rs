//! Component bytes: whatever a file holds, preparing it ends, and what is still a component runs under its limits.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::Limits;

use crate::edit::edited;
use crate::results::{Bench, invocation};
use crate::target;

const FLOOR: &str = include_str!("../../src/doctor/floor.wat");

#[test]
fn components() {
    let floor = wat::parse_str(FLOOR).unwrap();
    let bench = AssertUnwindSafe(Bench::new());
    let bench = &bench;
    target!(move |input: &[u8]| {
        let bench: &Bench = bench;
        let path = bench.directory.path().join("edited.wasm");
        std::fs::write(&path, edited(&floor, input, &["\0asm", "tasker:handler/handlers@0.1.0"])).unwrap();
        let package = Package::load(&path).unwrap();
        match bench.runtime.block_on(bench.sandbox.prepare(&package, Granted::default())) {
            Ok(prepared) => {
                let limits = Limits { fuel: 10_000_000, deadline: Duration::from_secs(2), ..Limits::default() };
                let _ = bench.runtime.block_on(bench.sandbox.describe(&prepared));
                bench.runtime.block_on(bench.sandbox.invoke(&prepared, invocation("{}".into(), limits))).unwrap();
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}
