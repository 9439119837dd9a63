//! How late retries are on an idle host: from the end of the backoff to the claim of the next attempt.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::value::RawValue;
use tasker_wasm_host::host::Host;
use tasker_wasm_host::orchestration::create::{TaskRequest, plan_task};
use tasker_wasm_tests::TestDatabase;
use uuid::Uuid;

use super::samples::Samples;
use super::whole::config;

/// Retries that are timed, one after the other.
const ROUNDS: usize = 100;
/// The wait before the first retry of the template `flaky`.
pub const BACKOFF: Duration = Duration::from_millis(50);

/// How late each retry was claimed.
pub async fn measure() -> anyhow::Result<Samples> {
    let database = TestDatabase::create().await;
    let mut config = config(&database, "probe")?;
    config.common.backoff.jitter_enabled = false;
    let environment = config.common.execution.environment.clone();
    let host = Host::start(&config).await?;
    let template = host.store().find_template("probe", "flaky", None).await?.context("the template is registered")?;
    let mut changes = host.dispatch().task_changes();
    for _ in 0..ROUNDS {
        let request = TaskRequest {
            name: template.name.clone(),
            namespace: template.namespace.clone(),
            version: None,
            context: RawValue::from_string(r#"{"failures": 1}"#.into())?,
            initiator: "bench".into(),
            source_system: "bench".into(),
            reason: "to be late".into(),
            tags: Vec::new(),
            priority: 0,
            correlation_id: None,
            parent_correlation_id: None,
            idempotency_key: Some(Uuid::now_v7().to_string()),
        };
        let task = plan_task(&template, request, &environment)?;
        host.create_tasks(std::slice::from_ref(&task)).await?;
        while changes.recv().await?.task_uuid != task.task_uuid {}
    }

    // The wait begins with the transaction that ends the first attempt.
    let late: Vec<f64> = sqlx::query_scalar(
        "select extract(epoch from again.at - parked.at)::float8 from tasker.transitions parked
        join tasker.transitions again on again.step_uuid = parked.step_uuid and again.task_uuid = parked.task_uuid
        where parked.to_state = 'waiting_for_retry' and again.to_state = 'in_progress' and again.attempt = 2",
    )
    .fetch_all(database.pool())
    .await?;
    ensure!(late.len() == ROUNDS, "{} retries instead of {ROUNDS}", late.len());
    let mut samples = Samples::default();
    for waited in late {
        let waited = Duration::from_secs_f64(waited);
        samples.push(waited.checked_sub(BACKOFF).context("a retry was claimed before it was due")?);
    }
    host.drain().await;
    database.drop().await;
    Ok(samples)
}
