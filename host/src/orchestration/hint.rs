//! When a handler says how long to wait before the next attempt.
//!
//! A handler that talks to a service is told by it when to come back (`Retry-After`), and passes that on in its
//! metadata: in the headers or the back-off hint of `orchestration_metadata`, or as `retry_after_seconds`. Metadata is a
//! handler's own; what does not fit is no hint, and no error.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Metadata {
    #[serde(alias = "orchestrationMetadata", default)]
    orchestration_metadata: Option<Box<RawValue>>,
    #[serde(alias = "retryAfterSeconds", default)]
    retry_after_seconds: Option<Json>,
}

#[derive(Deserialize)]
struct Advice {
    #[serde(default)]
    headers: Option<BTreeMap<String, Json>>,
    #[serde(alias = "backoffHint", default)]
    backoff_hint: Option<BackoffHint>,
}

#[derive(Deserialize)]
struct BackoffHint {
    #[serde(alias = "delaySeconds", default)]
    delay_seconds: Option<Json>,
}

/// The wait that the metadata of a failure asks for, counted from `now`; a header counts before a hint, a hint before
/// `retry_after_seconds`. A date that has passed is no wait.
pub fn requested_wait(metadata: &RawValue, now: DateTime<Utc>) -> Option<Duration> {
    let Metadata { orchestration_metadata, retry_after_seconds } = serde_json::from_str(metadata.get()).ok()?;
    let advice = orchestration_metadata.and_then(|advice| serde_json::from_str::<Advice>(advice.get()).ok());
    let (headers, hint) = advice.map_or((None, None), |advice| (advice.headers, advice.backoff_hint));
    let header = headers.and_then(|headers| {
        headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after")).map(|(_, value)| value)
    });
    [header, hint.and_then(|hint| hint.delay_seconds), retry_after_seconds]
        .into_iter()
        .flatten()
        .find_map(|value| wait(&value, now))
}

/// Seconds, as a number or a text, or a date as HTTP writes it.
fn wait(value: &Json, now: DateTime<Utc>) -> Option<Duration> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    match value {
        Json::Number(number) => seconds(number.as_f64()?),
        Json::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => seconds(number),
            Err(_) => {
                let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
                Some((date.to_utc() - now).to_std().unwrap_or_default())
            }
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(metadata: &Json) -> Option<f64> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        requested_wait(&serde_json::value::to_raw_value(metadata).unwrap(), now).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn a_wait_is_read_from_the_header_the_hint_or_the_number_in_either_casing() {
        let header =
            |name: &str, value: Json| serde_json::json!({"orchestration_metadata": {"headers": {name: value}}});
        assert_eq!(seconds(&header("Retry-After", "7".into())), Some(7.0));
        assert_eq!(seconds(&header("retry-after", 7.into())), Some(7.0));
        assert_eq!(seconds(&header("Retry-After", "Thu, 01 Jan 2026 00:01:30 GMT".into())), Some(90.0));
        assert_eq!(seconds(&header("Retry-After", "Wed, 31 Dec 2025 00:00:00 GMT".into())), Some(0.0), "it has passed");
        let hint = serde_json::json!({"backoff_hint": {"backoff_type": "RateLimit", "delay_seconds": 0.25}});
        assert_eq!(seconds(&serde_json::json!({"orchestration_metadata": hint})), Some(0.25));
        let camel =
            serde_json::json!({"orchestrationMetadata": {"backoffHint": {"backoffType": "Custom", "delaySeconds": 3}}});
        assert_eq!(seconds(&camel), Some(3.0));
        assert_eq!(
            seconds(&serde_json::json!({"retry_after_seconds": 60, "headers": {"retry-after": "1"}})),
            Some(60.0)
        );
    }

    #[test]
    fn a_header_counts_before_a_hint_and_a_hint_before_the_number() {
        let all = serde_json::json!({
            "retry_after_seconds": 3,
            "orchestration_metadata": {"headers": {"Retry-After": "1"}, "backoff_hint": {"delay_seconds": 2}},
        });
        assert_eq!(seconds(&all), Some(1.0));
        let unreadable = serde_json::json!({
            "retry_after_seconds": 3,
            "orchestration_metadata": {"headers": {"Retry-After": "soon"}, "backoff_hint": {"delay_seconds": 2}},
        });
        assert_eq!(seconds(&unreadable), Some(2.0));
    }

    #[test]
    fn what_does_not_fit_is_no_hint() {
        for metadata in [
            serde_json::json!({}),
            serde_json::json!([]),
            serde_json::json!({"retry_after_seconds": -1}),
            serde_json::json!({"retry_after_seconds": "NaN"}),
            serde_json::json!({"retry_after_seconds": 1e300}),
            serde_json::json!({"retry_after_seconds": {"n": 1}}),
            serde_json::json!({"orchestration_metadata": null}),
            serde_json::json!({"orchestration_metadata": "soon"}),
            serde_json::json!({"orchestration_metadata": {"headers": ["Retry-After", 1]}}),
        ] {
            assert_eq!(seconds(&metadata), None, "{metadata}");
        }
        let text = RawValue::from_string("7".to_owned()).unwrap();
        assert_eq!(requested_wait(&text, Utc::now()), None);
    }
}
