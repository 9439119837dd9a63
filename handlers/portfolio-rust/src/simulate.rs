//! `Portfolio.Simulate`: the losses that a portfolio may bring, by drawing many possible futures of it (Monte Carlo).
//!
//! It computes in slices, and looks between them whether its time runs out or the host wants to stop. Then it yields a
//! checkpoint, and goes on from there in a call with a deadline of its own. A slice draws from a random sequence of its
//! own, so the result is the same wherever the work was cut.

use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg32;
use serde::Deserialize;
use serde_json::json;

use crate::check::{Portfolio, Position};
use crate::losses::Losses;
use crate::step::{Error, Step, json, success};
use crate::tasker::handler::types::{CheckpointYield, StepOutcome};
use crate::tasker::handler::{execution, log};

/// Scenarios between two looks at the clock: a few milliseconds for a portfolio of a dozen positions.
const SLICE: u64 = 10_000;
/// What a slice and the way back to the host may take on a busy machine.
const MARGIN_MS: u32 = 100;
/// How much of a price's movement is the whole market's.
const CORRELATION: f64 = 0.3;
const TRADING_DAYS_PER_YEAR: f64 = 252.0;

#[derive(Deserialize)]
struct Input {
    #[serde(default = "hundred_thousand")]
    scenarios: u64,
    #[serde(default)]
    seed: u64,
}

fn hundred_thousand() -> u64 {
    100_000
}

pub fn call(step: &Step) -> Result<StepOutcome, Error> {
    let Input { scenarios, seed } = step.input()?;
    let portfolio: Portfolio = step.result_of("check_portfolio")?;
    let market = Market::of(&portfolio);
    let mut losses = step.progress()?.unwrap_or_else(|| Losses::new(market.worst_loss()));

    let left = execution::remaining_ms();
    if left < MARGIN_MS {
        let message = format!("{left} ms are left, and {SLICE} scenarios may take {MARGIN_MS}");
        return Err(Error::retryable("too_little_time", message));
    }
    while losses.scenarios < scenarios {
        let mut random = Pcg32::new(seed, losses.scenarios / SLICE);
        for _ in 0..SLICE.min(scenarios - losses.scenarios) {
            losses.add(market.loss(&mut random));
        }
        let must_stop = execution::remaining_ms() < MARGIN_MS || execution::cancellation_requested();
        if must_stop && losses.scenarios < scenarios {
            return Ok(checkpoint(&losses));
        }
    }
    Ok(success(&json!({
        "scenarios": scenarios,
        "value_cents": portfolio.value_cents,
        "value_at_risk_cents": { "95": losses.quantile(0.95) as i64, "99": losses.quantile(0.99) as i64 },
    })))
}

fn checkpoint(losses: &Losses) -> StepOutcome {
    log::emit(log::Level::Info, "to be continued", &json!({ "scenarios": losses.scenarios }).to_string());
    StepOutcome::Checkpoint(CheckpointYield {
        cursor: losses.scenarios.to_string(),
        items_processed: losses.scenarios,
        accumulated_results: Some(json(losses)),
    })
}

/// How each position may move within one day.
struct Market {
    /// Standard deviations, in cents.
    deviations: Vec<f64>,
}

impl Market {
    fn of(portfolio: &Portfolio) -> Self {
        let day = TRADING_DAYS_PER_YEAR.sqrt().recip();
        let deviation = |position: &Position| f64::from(position.value_cents) * position.volatility * day;
        Self { deviations: portfolio.positions.iter().map(deviation).collect() }
    }

    /// What all positions lose together once in a million years or so.
    fn worst_loss(&self) -> f64 {
        6.0 * self.deviations.iter().sum::<f64>()
    }

    /// What the portfolio loses in one scenario; a gain is negative.
    fn loss(&self, random: &mut Pcg32) -> f64 {
        let mut draw = || -> f64 { StandardNormal.sample(random) };
        let common = CORRELATION.sqrt() * draw();
        let own = (1.0 - CORRELATION).sqrt();
        self.deviations.iter().map(|deviation| deviation * (common + own * draw())).sum()
    }
}
