//! Generated from `wit/`; private, so that the rest of the host never meets a generated type.
//!
//! The world with every export serves all components: what a component exports is looked up interface by interface
//! ([`super::component`]), so one without publishers or subscribers needs no bindings of its own.
//!
//! Imports are plain functions because none of them waits, but for the one that stores: they look at the attempt's own
//! state. Exports are async so that fuel can make a computing guest yield its thread.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "full-handler",
    imports: { "tasker:handler/execution.save-checkpoint": async },
    exports: { default: async },
});
