//! One attempt, apart from everything around it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use tasker_wasm_host::sandbox::{HandlerRef, Invocation, Limits, Prepared, Sandbox, StepContext};
use uuid::Uuid;

use super::report::{Quantity, Row, Section};
use super::samples::Samples;
use super::setup::Setup;

/// Attempts of each kind, after a tenth as many to warm up.
const ROUNDS: usize = 3000;

/// What the attempts of one kind cost.
#[derive(Default)]
struct Cost {
    all: Samples,
    instantiate: Samples,
    guest: Samples,
    rest: Samples,
    fuel: u64,
}

/// Times a TypeScript step that does nothing, one that does something, and the floor of the mechanism in turns.
pub async fn measure(setup: &Setup) -> anyhow::Result<Section> {
    let (mut empty, mut linear, mut floor) = (Cost::default(), Cost::default(), Cost::default());
    for round in 0..ROUNDS + ROUNDS / 10 {
        if round == ROUNDS / 10 {
            (empty, linear, floor) = (Cost::default(), Cost::default(), Cost::default());
        }
        empty.add(&setup.sandbox, &setup.probe, empty_step()).await?;
        linear.add(&setup.sandbox, &setup.linear, linear_step()).await?;
        floor.add(&setup.sandbox, &setup.floor, context("floor", "{}".into())).await?;
    }
    let mut section = Section::new("one attempt in the sandbox: store + instantiate + call + drop");
    for percent in [10, 50, 99] {
        let row = Row::new(format!("empty TypeScript step, p{percent}"), empty.all.percentile(percent))
            .beside("WAT component", floor.all.percentile(percent));
        section.push(if percent == 10 { row.at_most(Duration::from_micros(240)) } else { row });
    }
    section.push(Row::new("  instantiation, p50", empty.instantiate.median()));
    section.push(Row::new("  in the guest, p50", empty.guest.median()));
    section.push(Row::new("  hand-over, store, report and drop, p50", empty.rest.median()));
    section.push(Row::new("  units of fuel", Quantity::Count(empty.fuel as f64)));
    section.push(Row::new("linear step with a log record, p10", linear.all.percentile(10)));
    section.push(Row::new("linear step with a log record, p50", linear.all.median()));
    section.push(Row::new("  units of fuel", Quantity::Count(linear.fuel as f64)));
    Ok(section)
}

impl Cost {
    async fn add(&mut self, sandbox: &Sandbox, component: &Arc<Prepared>, context: StepContext) -> anyhow::Result<()> {
        let invocation = Invocation::new(context, Limits::default());
        let start = Instant::now();
        let report = sandbox.invoke(component, invocation).await?;
        let took = start.elapsed();
        if let Err(error) = report.outcome {
            bail!(error);
        }
        self.all.push(took);
        self.instantiate.push(report.usage.instantiate);
        self.guest.push(report.usage.guest);
        self.rest.push(took.saturating_sub(report.usage.instantiate + report.usage.guest));
        self.fuel = report.usage.fuel;
        Ok(())
    }
}

/// One call of the handler that does nothing.
pub fn empty_step() -> StepContext {
    step("probe", "probe.empty")
}

/// One call of the first handler of the linear example.
pub fn linear_step() -> StepContext {
    step("linear_workflow", "LinearWorkflow.StepHandlers.LinearStep1Handler")
}

fn step(namespace: &str, callable: &str) -> StepContext {
    let event = serde_json::json!({
        "eventId": Uuid::now_v7(), "taskUuid": Uuid::now_v7(), "stepUuid": Uuid::now_v7(), "correlationId": Uuid::now_v7(),
        "task": {"name": "timed", "namespace": namespace, "version": "1.0.0", "context": {"even_number": 6}},
        "workflowStep": {"name": "timed", "retryable": true, "attempts": 0, "maxAttempts": 3, "inputs": {}},
        "stepDefinition": {
            "name": "timed", "dependencies": [], "handlerCallable": callable,
            "handlerInitialization": {}, "retryable": true, "maxAttempts": 3, "backoff": "exponential"
        },
        "dependencyResults": {}
    });
    context(callable, event.to_string())
}

fn context(callable: &str, event: String) -> StepContext {
    StepContext {
        task_uuid: Uuid::now_v7(),
        step_uuid: Uuid::now_v7(),
        correlation_id: Uuid::now_v7(),
        handler: HandlerRef { callable: callable.into(), method: None, resolver: None },
        attempts: 0,
        max_attempts: 3,
        event,
    }
}
