//! Generated from `wit/`; private, so that the rest of the host never meets a generated type.
//!
//! The world with every interface serves all components: what a component exports is looked up interface by interface
//! ([`super::component`]), so one without publishers or subscribers needs no bindings of its own.
//!
//! Imports are plain functions where they only look at the attempt's own state, and async where they wait for others. Exports are async so that fuel can make a computing guest yield its thread.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "every-interface",
    imports: {
        "tasker:handler/execution.save-checkpoint": async,
        "tasker:handler/client": async,
        "tasker:handler/events": async,
    },
    exports: { default: async },
});
