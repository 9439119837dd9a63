//! Step handlers in Rust: a component of the world `handler`, with nothing between it and the interface but the bindings
//! that `wit-bindgen` makes of `wit/`.

mod check;
mod losses;
mod simulate;
mod step;

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use exports::tasker::handler::handlers::{ComponentInfo, Guest, HandlerDescriptor, SdkInfo};
use step::Step;
use tasker::handler::log;
use tasker::handler::types::{DispatchError, StepContext, StepOutcome};

const CHECK: &str = "Portfolio.Check";
const SIMULATE: &str = "Portfolio.Simulate";

struct Component;

impl Guest for Component {
    fn describe() -> ComponentInfo {
        let handler = |name: &str| HandlerDescriptor {
            name: name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            capabilities: vec!["process".into()],
            methods: vec!["call".into()],
            config_schema: None,
        };
        ComponentInfo {
            sdk: SdkInfo { name: "none".into(), version: "0.0.0".into(), language: "rust".into() },
            handlers: vec![handler(CHECK), handler(SIMULATE)],
        }
    }

    fn handle(context: StepContext) -> Result<StepOutcome, DispatchError> {
        // A panic is a trap, and what it has to say would go to a standard error that this target does not have.
        std::panic::set_hook(Box::new(|panic| log::emit(log::Level::Error, &panic.to_string(), "{}")));

        let step = Step::parse(&context.event).map_err(|error| DispatchError::InvalidContext(error.to_string()))?;
        let outcome = match context.handler.callable.as_str() {
            CHECK => check::call(&step),
            SIMULATE => simulate::call(&step),
            unknown => return Err(DispatchError::HandlerNotFound(unknown.into())),
        };
        Ok(outcome.unwrap_or_else(Into::into))
    }
}

export!(Component);
