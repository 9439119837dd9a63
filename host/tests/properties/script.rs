//! What the handler of one step does, claim after claim.

use fastrand::Rng;

/// One claim of a step: the checkpoints it saves, and how it ends.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Items processed in all, at each checkpoint; growing over all turns of a script.
    pub checkpoints: Vec<u64>,
    /// How it ends.
    pub end: End,
}

/// How a claim ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The attempt succeeds.
    Succeed,
    /// The attempt fails and may be tried again.
    FailRetryably,
    /// The attempt fails for good.
    FailForGood,
    /// The holder falls silent and the lease runs out.
    Lapse,
    /// The holder gives the step back.
    PutBack,
}

impl End {
    pub fn is_verdict(self) -> bool {
        matches!(self, Self::Succeed | Self::FailRetryably | Self::FailForGood)
    }
}

/// Everything that happens to one step; the last turn ends it.
#[derive(Debug, Clone)]
pub struct Script {
    /// One turn a claim.
    pub turns: Vec<Turn>,
    /// The holder whose lease lapsed last is not silent after all: its result races with the next claim.
    pub races: bool,
}

/// How likely things go wrong in a case, each from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Temper {
    pub retry: f64,
    pub refuse: f64,
    pub lapse: f64,
    pub put_back: f64,
    pub checkpoint: f64,
    pub invalid: f64,
}

impl Temper {
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            retry: *rng.choice(&[0.0, 0.1, 0.4]).unwrap(),
            refuse: *rng.choice(&[0.0, 0.0, 0.02, 0.1]).unwrap(),
            lapse: *rng.choice(&[0.0, 0.0, 0.2]).unwrap(),
            put_back: *rng.choice(&[0.0, 0.0, 0.2]).unwrap(),
            checkpoint: *rng.choice(&[0.0, 0.0, 0.3]).unwrap(),
            invalid: *rng.choice(&[0.0, 0.0, 0.0, 0.3]).unwrap(),
        }
    }
}

/// Most leases that lapse between two verdicts; hosts give a step up after five.
const MOST_LAPSES: usize = 4;

impl Script {
    pub fn draw(rng: &mut Rng, temper: &Temper, max_attempts: u32, retryable: bool) -> Self {
        let chance = |rng: &mut Rng, share: f64| rng.f64() < share;
        let failures = match () {
            () if !chance(rng, temper.retry) => 0,
            () if rng.u8(..20) == 0 => u32::MAX,
            // Fewer than it may: most steps come through.
            () if rng.u8(..8) > 0 => rng.u32(..max_attempts),
            () => rng.u32(1..4),
        };
        let refuses = chance(rng, temper.refuse);
        let mut turns = Vec::new();
        let mut items = 0;
        for attempt in 1.. {
            let mut turn = |rng: &mut Rng, end| {
                let mut checkpoints = Vec::new();
                while checkpoints.len() < 3 && chance(rng, temper.checkpoint) {
                    items += rng.u64(1..100);
                    checkpoints.push(items);
                }
                turns.push(Turn { checkpoints, end });
            };
            for _ in 0..MOST_LAPSES {
                if chance(rng, temper.lapse) {
                    turn(rng, End::Lapse);
                }
                if chance(rng, temper.put_back) {
                    turn(rng, End::PutBack);
                }
            }
            if attempt <= failures {
                turn(rng, End::FailRetryably);
                if attempt == max_attempts || !retryable {
                    break;
                }
            } else {
                turn(rng, if refuses { End::FailForGood } else { End::Succeed });
                break;
            }
        }
        let lapses_last = turns.len() > 1 && turns[turns.len() - 2].end == End::Lapse;
        let races = lapses_last && turns.last().is_some_and(|turn| turn.checkpoints.is_empty()) && rng.bool();
        Self { turns, races }
    }

    /// Whether the last attempt succeeds.
    pub fn succeeds(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.end == End::Succeed)
    }

    /// Attempts that reach a verdict.
    pub fn attempts(&self) -> usize {
        self.turns.iter().filter(|turn| turn.end.is_verdict()).count()
    }

    /// Checkpoints that are saved.
    pub fn checkpoints(&self) -> usize {
        self.turns.iter().map(|turn| turn.checkpoints.len()).sum()
    }

    /// What the claim with this place, from zero, is told: which attempt it is, how many leases lapsed, and the last
    /// checkpoint.
    pub fn before(&self, claim: usize) -> (usize, usize, Option<u64>) {
        let (mut attempt, mut lapses, mut items) = (1, 0, None);
        for turn in &self.turns[..claim] {
            if let Some(last) = turn.checkpoints.last() {
                (items, lapses) = (Some(*last), 0);
            }
            match turn.end {
                End::Lapse => lapses += 1,
                End::PutBack => {}
                _ => (attempt, lapses) = (attempt + 1, 0),
            }
        }
        (attempt, lapses, items)
    }
}
