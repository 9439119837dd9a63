//! `Portfolio.Check`: refuses what can't be simulated, before much is computed.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::step::{Error, Step, success};
use crate::tasker::handler::log;
use crate::tasker::handler::types::StepOutcome;

#[derive(Deserialize)]
struct Input {
    positions: Vec<Position>,
}

/// What the check returns and the simulation takes.
#[derive(Deserialize, Serialize)]
pub struct Portfolio {
    pub value_cents: u64,
    pub positions: Vec<Position>,
}

#[derive(Deserialize, Serialize)]
pub struct Position {
    pub symbol: String,
    pub value_cents: u32,
    /// Of a year: 0.2 is 20 %.
    pub volatility: f64,
}

pub fn call(step: &Step) -> Result<StepOutcome, Error> {
    let Input { positions } = step.input()?;
    if positions.is_empty() {
        return Err(Error::permanent("empty_portfolio", "positions is empty, expected at least one"));
    }
    let mut symbols = HashSet::new();
    for Position { symbol, volatility, .. } in &positions {
        if !symbols.insert(symbol) {
            let message = format!("{symbol} is there twice, expected once with the value of both");
            return Err(Error::permanent("duplicate_position", message));
        }
        if !(0.0..=5.0).contains(volatility) {
            let message = format!("the volatility of {symbol} is {volatility}, expected 0 to 5");
            return Err(Error::permanent("volatility_out_of_range", message));
        }
    }
    let value_cents = positions.iter().map(|position| u64::from(position.value_cents)).sum();
    let fields = json!({ "positions": positions.len(), "value_cents": value_cents });
    log::emit(log::Level::Info, "the portfolio can be simulated", &fields.to_string());
    Ok(success(&Portfolio { value_cents, positions }))
}
