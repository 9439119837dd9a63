//! Generated from `wit/`; private, so that the rest of the host never meets a generated type.
//!
//! Imports are plain functions because none of them waits: they look at the attempt's own state. Exports are async so
//! that fuel can make a computing guest yield its thread.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "handler",
    exports: { default: async },
});
