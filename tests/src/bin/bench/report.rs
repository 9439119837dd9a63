//! Figures, each beside the limit it is held against: a table for people, JSON for programs.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

/// A number and what it counts.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "unit", content = "value", rename_all = "snake_case")]
pub enum Quantity {
    /// In seconds.
    Seconds(f64),
    /// How often in a second.
    PerSecond(f64),
    /// In bytes.
    Bytes(f64),
    /// Of one core, of a whole: 0.01 is one percent.
    Share(f64),
    /// Things.
    Count(f64),
}

impl Quantity {
    fn number(self) -> f64 {
        match self {
            Self::Seconds(number)
            | Self::PerSecond(number)
            | Self::Bytes(number)
            | Self::Share(number)
            | Self::Count(number) => number,
        }
    }
}

impl From<Duration> for Quantity {
    fn from(time: Duration) -> Self {
        Self::Seconds(time.as_secs_f64())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Seconds(seconds) if seconds < 1e-3 => write!(f, "{:.0} µs", seconds * 1e6),
            Self::Seconds(seconds) if seconds < 1.0 => write!(f, "{:.2} ms", seconds * 1e3),
            Self::Seconds(seconds) => write!(f, "{seconds:.2} s"),
            Self::PerSecond(rate) => write!(f, "{rate:.0} /s"),
            Self::Bytes(bytes) if bytes < 1e6 => write!(f, "{:.1} kB", bytes / 1e3),
            Self::Bytes(bytes) => write!(f, "{:.1} MB", bytes / 1e6),
            Self::Share(share) => write!(f, "{:.2} %", share * 100.0),
            Self::Count(count) => write!(f, "{count:.2}"),
        }
    }
}

/// What a figure is meant to be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    AtMost(Quantity),
    AtLeast(Quantity),
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::RatioAtMost(most) => write!(f, "≤ {most:.2} ×"),
            Self::RatioAtLeast(least) => write!(f, "≥ {least:.2} ×"),
        }
    }
}

/// One figure.
#[derive(Debug, Serialize)]
pub struct Row {
    figure: String,
    measured: Quantity,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Target>,
    met: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Limit {
    name: String,
    measured: Quantity,
}

impl Row {
    /// A figure by its name.
    pub fn new(figure: impl Into<String>, measured: impl Into<Quantity>) -> Self {
        Self {
            figure: figure.into(),
            measured: measured.into(),
            limit: None,
            ratio: None,
            targets: Vec::new(),
            met: None,
        }
    }

    /// What it is held against, measured in the same run.
    pub fn beside(mut self, name: impl Into<String>, measured: impl Into<Quantity>) -> Self {
        let limit = Limit { name: name.into(), measured: measured.into() };
        self.ratio = Some(self.measured.number() / limit.measured.number());
        self.limit = Some(limit);
        self
    }

    /// It is meant to be no more than this.
    pub fn at_most(self, most: impl Into<Quantity>) -> Self {
        self.target(Target::AtMost(most.into()))
    }

    /// It is meant to be no less than this.
    pub fn at_least(self, least: impl Into<Quantity>) -> Self {
        self.target(Target::AtLeast(least.into()))
    }

    /// It is meant to be no more than so many times its limit.
    pub fn ratio_at_most(self, most: f64) -> Self {
        self.target(Target::RatioAtMost(most))
    }

    /// It is meant to be no less than so many times its limit.
    pub fn ratio_at_least(self, least: f64) -> Self {
        self.target(Target::RatioAtLeast(least))
    }

    fn target(mut self, target: Target) -> Self {
        let ratio = self.ratio.unwrap_or(f64::NAN);
        let met = match target {
            Target::AtMost(most) => self.measured.number() <= most.number(),
            Target::AtLeast(least) => self.measured.number() >= least.number(),
            Target::RatioAtMost(most) => ratio <= most,
            Target::RatioAtLeast(least) => ratio >= least,
        };
        self.met = Some(self.met.unwrap_or(true) && met);
        self.targets.push(target);
        self
    }
}

/// Figures that were measured together.
#[derive(Debug, Serialize)]
pub struct Section {
    title: String,
    rows: Vec<Row>,
}

impl Section {
    /// A section without figures.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// Adds a figure.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.title)?;
        for row in &self.rows {
            let limit =
                row.limit.as_ref().map(|limit| format!("{} {}", limit.measured, limit.name)).unwrap_or_default();
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default();
            let targets: Vec<_> = row.targets.iter().map(ToString::to_string).collect();
            let met = match row.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            let line = format!(
                "  {:<44} {:>12} {ratio:>10}  {:<44} {:<22} {met}",
                row.figure,
                row.measured.to_string(),
                limit,
                targets.join(", ")
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// All that was measured in one run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    sections: Vec<Section>,
}

impl Report {
    /// Shows a section and keeps it.
    pub fn push(&mut self, section: Section) {
        print!("{section}");
        self.sections.push(section);
    }

    /// How many targets are met, and how many there are.
    pub fn score(&self) -> (usize, usize) {
        let verdicts: Vec<bool> =
            self.sections.iter().flat_map(|section| &section.rows).filter_map(|row| row.met).collect();
        (verdicts.iter().filter(|met| **met).count(), verdicts.len())
    }

    /// Writes everything as JSON.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        std::fs::write(file, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("can't write {}", file.display()))
    }
}
