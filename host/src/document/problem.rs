//! What is wrong with a file, said so that the person who wrote it can mend it.

use std::{borrow::Cow, fmt};

use super::Place;

/// One thing that is wrong, and where. Displayed as `file:line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is wrong.
    pub at: Place,
    /// The thing, what was expected, what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// The problems, one a line.
pub fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Everything found in one reading.
#[derive(Debug, Default)]
pub struct Report {
    /// What makes the file unusable.
    pub errors: Vec<Problem>,
    /// What is ignored, and probably not what was meant.
    pub warnings: Vec<Problem>,
}

impl Report {
    /// Notes something that makes the file unusable.
    pub fn error(&mut self, at: &Place, message: impl Into<String>) {
        self.errors.push(Problem { at: at.clone(), message: message.into() });
    }

    /// Notes something that is passed over.
    pub fn warn(&mut self, at: &Place, message: impl Into<String>) {
        self.warnings.push(Problem { at: at.clone(), message: message.into() });
    }

    /// Adds what another reading found.
    pub fn append(&mut self, other: Report) {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }

    /// Puts both lists in reading order, whichever check found them first.
    pub fn sort(&mut self) {
        self.errors.sort();
        self.warnings.sort();
    }
}

/// `"; did you mean `x`?"` for the candidate nearest to `name`, or nothing when none is near.
///
/// Near is a third of the letters wrong, swapped, missing or too many: enough for `dependancies` and `stpes`, too little
/// for two short names that have nothing in common.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

/// The first `characters` of a text that may be of any length, and `…` if that is not all of it.
pub fn shortened(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_name_and_nothing_when_all_are_far() {
        let known = ["dependencies", "description", "retry"];
        assert_eq!(did_you_mean("dependancies", known), "; did you mean `dependencies`?");
        assert_eq!(did_you_mean("Retry", known), "; did you mean `retry`?");
        assert_eq!(did_you_mean("notes", known), "");
        assert_eq!(did_you_mean("a", ["b"]), "", "a name of one letter is near everything");
    }
}
