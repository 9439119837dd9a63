//! How late retries are on an idle host: from the end of the backoff to the claim of the next attempt.

use std::time::Duration;

use anyhow::{Context, ensure};
use tasker_wasm_host::host::Host;
use tasker_wasm_tests::{TestDatabase, config};

use super::latency::run_one;
use super::report::{Row, Section};
use super::samples::Samples;

/// Retries that are timed, one after the other.
const ROUNDS: usize = 100;
/// The wait before the first retry of the template `flaky`.
const BACKOFF: Duration = Duration::from_millis(50);

/// How late each retry was claimed.
pub async fn measure() -> anyhow::Result<Section> {
    let database = TestDatabase::create().await;
    let mut config = config(&database, &["probe"]);
    config.common.backoff.jitter_enabled = false;
    let host = Host::start(&config).await?;
    let template = host.store().find_template("probe", "flaky", None).await?.context("the template is registered")?;
    for _ in 0..ROUNDS {
        run_one(&host, &template, r#"{"failures": 1}"#).await?;
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
    let mut section = Section::new(format!(
        "retries on an idle host: from the end of a {} ms backoff to the claim",
        BACKOFF.as_millis()
    ));
    section.push(Row::new("late, p50", samples.median()));
    section.push(Row::new("late, p99", samples.percentile(99)).at_most(Duration::from_millis(20)));
    Ok(section)
}
