//! Which ends of an attempt a declaration is for.

use crate::store::Verdict;
use crate::template::EventCondition;

/// Whether an event with this condition is published when an attempt ends so. What counts is what becomes of the step,
/// not what the handler said: a retryable failure of the last attempt ends the step, so it is a permanent one.
pub(super) fn fits(condition: EventCondition, verdict: &Verdict) -> bool {
    match (condition, verdict) {
        (EventCondition::Always, _)
        | (EventCondition::Success, Verdict::Complete { .. })
        | (EventCondition::Failure, Verdict::Retry { .. } | Verdict::Error { .. })
        | (EventCondition::RetryableFailure, Verdict::Retry { .. })
        | (EventCondition::PermanentFailure, Verdict::Error { .. }) => true,
        (EventCondition::Success, Verdict::Retry { .. } | Verdict::Error { .. })
        | (EventCondition::Failure, Verdict::Complete { .. })
        | (EventCondition::RetryableFailure, Verdict::Complete { .. } | Verdict::Error { .. })
        | (EventCondition::PermanentFailure, Verdict::Complete { .. } | Verdict::Retry { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_condition_is_met_by_what_becomes_of_the_step() {
        let raw = || RawValue::from_string("{}".to_owned()).unwrap();
        let complete = Verdict::Complete { result: raw() };
        let retry = Verdict::Retry { after: Duration::ZERO, error: raw() };
        let error = Verdict::Error { error: raw() };
        for (condition, expected) in [
            (EventCondition::Success, [true, false, false]),
            (EventCondition::Failure, [false, true, true]),
            (EventCondition::RetryableFailure, [false, true, false]),
            (EventCondition::PermanentFailure, [false, false, true]),
            (EventCondition::Always, [true, true, true]),
        ] {
            let met = [&complete, &retry, &error].map(|verdict| fits(condition, verdict));
            assert_eq!(met, expected, "{condition:?}");
        }
    }
}
