//! The command line of `tasker-wasm-host`.

fn main() {}
