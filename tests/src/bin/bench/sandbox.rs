//! One attempt, apart from everything around it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::registry::Package;
use tasker_wasm_host::sandbox::{HandlerRef, Invocation, Limits, Prepared, Sandbox, StepContext};
use tasker_wasm_tests::workspace;
use uuid::Uuid;

use super::samples::Samples;

/// Attempts of each kind, after a tenth as many to warm up.
const ROUNDS: usize = 3000;

/// What attempts cost.
pub struct Cost {
    /// The first step of the linear example.
    pub typescript: Samples,
    /// A hand-written component that does nothing.
    pub floor: Samples,
    /// Fuel of one TypeScript attempt.
    pub fuel: u64,
}

/// A component without a language inside.
pub async fn floor(sandbox: &Sandbox) -> anyhow::Result<Arc<Prepared>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("floor.wasm");
    std::fs::write(&file, wat::parse_file(workspace().join("host/src/doctor/floor.wat"))?)?;
    Ok(sandbox.prepare(&Package::load(&file)?, Granted::default()).await?)
}

/// Times both kinds in turns.
pub async fn measure(sandbox: &Sandbox, typescript: &Arc<Prepared>, floor: &Arc<Prepared>) -> anyhow::Result<Cost> {
    let mut cost = Cost { typescript: Samples::default(), floor: Samples::default(), fuel: 0 };
    for round in 0..ROUNDS + ROUNDS / 10 {
        let (took, fuel) = call(sandbox, typescript, linear_step()).await.context("the linear example")?;
        let (floor_took, _) = call(sandbox, floor, context("floor", "{}".into())).await.context("the floor")?;
        if round >= ROUNDS / 10 {
            cost.typescript.push(took);
            cost.floor.push(floor_took);
            cost.fuel = fuel;
        }
    }
    Ok(cost)
}

async fn call(sandbox: &Sandbox, component: &Arc<Prepared>, context: StepContext) -> anyhow::Result<(Duration, u64)> {
    let invocation = Invocation::new(context, Limits::default());
    let start = Instant::now();
    let report = sandbox.invoke(component, invocation).await?;
    let took = start.elapsed();
    match report.outcome {
        Ok(_) => Ok((took, report.usage.fuel)),
        Err(error) => bail!(error),
    }
}

fn linear_step() -> StepContext {
    let event = serde_json::json!({
        "eventId": Uuid::now_v7(), "taskUuid": Uuid::now_v7(), "stepUuid": Uuid::now_v7(), "correlationId": Uuid::now_v7(),
        "task": {"name": "mathematical_sequence", "namespace": "linear_workflow", "version": "1.0.0", "context": {"even_number": 6}},
        "workflowStep": {"name": "linear_step_1", "retryable": true, "attempts": 0, "maxAttempts": 3, "inputs": {}},
        "stepDefinition": {
            "name": "linear_step_1", "dependencies": [], "handlerCallable": "LinearWorkflow.StepHandlers.LinearStep1Handler",
            "handlerInitialization": {}, "retryable": true, "maxAttempts": 3, "backoff": "exponential"
        },
        "dependencyResults": {}
    });
    context("LinearWorkflow.StepHandlers.LinearStep1Handler", event.to_string())
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
