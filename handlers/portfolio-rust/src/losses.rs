//! How often each loss occurred. Equal ranges of losses are counted together, so that what a checkpoint stores has the same
//! size after a thousand scenarios and after a hundred million.

use serde::{Deserialize, Serialize};

const RANGES: usize = 2_000;

#[derive(Deserialize, Serialize)]
pub struct Losses {
    /// Losses beyond it, on either side, count as this much.
    worst: f64,
    counts: Vec<u64>,
    pub scenarios: u64,
}

impl Losses {
    pub fn new(worst: f64) -> Self {
        Self { worst, counts: vec![0; RANGES], scenarios: 0 }
    }

    pub fn add(&mut self, loss: f64) {
        let last = self.counts.len() - 1;
        // A cast of a float stops at the bounds of the integer.
        let range = ((loss / self.worst + 1.0) / 2.0 * self.counts.len() as f64) as usize;
        self.counts[range.min(last)] += 1;
        self.scenarios += 1;
    }

    /// The loss that is not exceeded in this share of the scenarios.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.scenarios as f64).ceil() as u64;
        let mut seen = 0;
        let below = self.counts.iter().take_while(|count| {
            seen += *count;
            seen < wanted
        });
        let upper = (below.count() + 1) as f64 / self.counts.len() as f64;
        (2.0 * upper - 1.0) * self.worst
    }
}
