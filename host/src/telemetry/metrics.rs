//! What is counted, for Prometheus. A namespace is the finest label: tasks and steps are in the database, and a label for
//! each would make a scrape as large as it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::store::{Completion, NamespaceView};

/// Upper bounds of durations in seconds: from an empty step to one at its deadline.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

/// The counters of a process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Counted>);

struct Counted {
    registry: Registry,
    attempts: Family<AttemptLabels, Counter>,
    attempt_seconds: Family<NamespaceLabels, Histogram>,
    fuel: Family<NamespaceLabels, Counter>,
    durable_events: Counter,
    dead_events: Counter,
    refused: Counter,
    put_back: Counter,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    queued: Family<NamespaceLabels, Gauge>,
    leased: Family<NamespaceLabels, Gauge>,
    in_flight: Gauge,
    connections: Gauge,
    idle_connections: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NamespaceLabels {
    namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    namespace: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

/// The events that left with an attempt.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    durable: Vec<IgnoredAny>,
    #[serde(default)]
    dead: Vec<IgnoredAny>,
}

/// What is only known when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// The queues.
    pub namespaces: &'a [NamespaceView],
    /// Steps that this host holds.
    pub in_flight: usize,
    /// The API's connections, and how many nobody uses.
    pub connections: (u32, u32),
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tasker");
        let seconds = || Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let counted = Counted {
            attempts: Family::default(),
            attempt_seconds: seconds(),
            fuel: Family::default(),
            durable_events: Counter::default(),
            dead_events: Counter::default(),
            refused: Counter::default(),
            put_back: Counter::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram),
            queued: Family::default(),
            leased: Family::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            idle_connections: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("attempts", "Attempts of steps that ended here, by outcome", counted.attempts.clone());
        let unit = Unit::Seconds;
        registry.register_with_unit("attempt", "How long attempts took", unit.clone(), counted.attempt_seconds.clone());
        registry.register("fuel", "Fuel that attempts used", counted.fuel.clone());
        registry.register("durable_events", "Domain events sent to queues", counted.durable_events.clone());
        registry.register("dead_events", "Domain events that could not be told", counted.dead_events.clone());
        registry.register("refused_results", "Results that came too late to count", counted.refused.clone());
        registry.register("steps_put_back", "Steps that this host could not run", counted.put_back.clone());
        registry.register("http_requests", "Requests to the API", counted.requests.clone());
        registry.register_with_unit("http_request", "How long requests took", unit, counted.request_seconds.clone());
        registry.register("queued_steps", "Steps that wait in a queue", counted.queued.clone());
        registry.register("leased_steps", "Steps that hosts hold", counted.leased.clone());
        registry.register("in_flight_steps", "Steps that this host holds", counted.in_flight.clone());
        registry.register("api_connections", "Connections of the API to the database", counted.connections.clone());
        registry.register("api_idle_connections", "Those that nobody uses", counted.idle_connections.clone());
        Self(Arc::new(Counted { registry, ..counted }))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// An attempt was committed.
    pub(crate) fn attempt(&self, completion: &Completion) {
        let (namespace, attempt) = (&completion.lease.namespace, &completion.attempt);
        let outcome = if attempt.error_type.is_none() { "completed" } else { attempt.outcome.as_str() };
        let labels = AttemptLabels { namespace: namespace.clone(), outcome: outcome.to_owned() };
        self.0.attempts.get_or_create(&labels).inc();
        let labels = NamespaceLabels { namespace: namespace.clone() };
        self.0.fuel.get_or_create(&labels).inc_by(attempt.usage.fuel);
        self.0.attempt_seconds.get_or_create(&labels).observe(attempt.usage.total_us as f64 / 1e6);
        if let Some(sent) =
            completion.events.as_ref().and_then(|events| serde_json::from_str::<Sent>(events.get()).ok())
        {
            self.0.durable_events.inc_by(sent.durable.len() as u64);
            self.0.dead_events.inc_by(sent.dead.len() as u64);
        }
    }

    /// Domain events that were sent to queues, and those that could not be told.
    pub(crate) fn events(&self) -> (u64, u64) {
        (self.0.durable_events.get(), self.0.dead_events.get())
    }

    /// Results were refused.
    pub(crate) fn refused(&self, results: usize) {
        self.0.refused.inc_by(results as u64);
    }

    /// Steps were put back.
    pub(crate) fn put_back(&self, steps: usize) {
        self.0.put_back.inc_by(steps as u64);
    }

    /// A request was answered. `route` is the pattern that its path fits, so that there are few.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        let labels = RouteLabels { method: method.clone(), route: route.clone() };
        self.0.request_seconds.get_or_create(&labels).observe(took.as_secs_f64());
        self.0.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// Everything, in the text format of OpenMetrics.
    ///
    /// # Errors
    /// A label could not be written.
    pub(crate) fn text(&self, now: Now<'_>) -> Result<String, fmt::Error> {
        for namespace in now.namespaces {
            let labels = NamespaceLabels { namespace: namespace.name.clone() };
            self.0.queued.get_or_create(&labels).set(namespace.queued);
            self.0.leased.get_or_create(&labels).set(namespace.in_progress);
        }
        self.0.in_flight.set(i64::try_from(now.in_flight).unwrap_or(i64::MAX));
        self.0.connections.set(now.connections.0.into());
        self.0.idle_connections.set(now.connections.1.into());
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

/// What this process counted and what its workers did, in one text: the samples of a worker have its number as a label, and
/// all of one name stand together, as the format wants it.
pub(crate) fn merged(own: &str, workers: &[(usize, String)]) -> String {
    let mut families: Vec<(&str, Vec<&str>, Vec<String>)> = Vec::new();
    let texts = std::iter::once((None, own)).chain(workers.iter().map(|(number, text)| (Some(*number), text.as_str())));
    for (worker, text) in texts {
        let mut family = 0;
        for line in text.lines().filter(|line| *line != "# EOF") {
            if let Some(about) = line.strip_prefix("# ") {
                let name = about.split(' ').nth(1).unwrap_or_default();
                family = families.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
                    families.push((name, Vec::new(), Vec::new()));
                    families.len() - 1
                });
                if !families[family].1.contains(&line) {
                    families[family].1.push(line);
                }
            } else if let Some((_, _, samples)) = families.get_mut(family) {
                samples.push(labelled(line, worker));
            }
        }
    }
    let lines =
        families.iter().flat_map(|(_, about, samples)| about.iter().copied().chain(samples.iter().map(String::as_str)));
    lines.chain(["# EOF"]).map(|line| format!("{line}\n")).collect()
}

fn labelled(sample: &str, worker: Option<usize>) -> String {
    let Some(number) = worker else { return sample.to_owned() };
    match (sample.split_once('{'), sample.split_once(' ')) {
        (Some((name, rest)), _) => format!("{name}{{worker=\"{number}\",{rest}"),
        (None, Some((name, value))) => format!("{name}{{worker=\"{number}\"}} {value}"),
        (None, None) => sample.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_counted_stands_beside_what_the_first_process_did() {
        let (own, worker) = (Metrics::default(), Metrics::default());
        own.request("GET", "/health", 200, Duration::from_millis(1));
        worker.refused(3);
        let text =
            |metrics: &Metrics| metrics.text(Now { namespaces: &[], in_flight: 0, connections: (0, 0) }).unwrap();
        let merged = merged(&text(&own), &[(1, text(&worker)), (2, text(&worker))]);
        assert_eq!(merged.matches("# TYPE tasker_refused_results counter").count(), 1);
        let samples = "tasker_refused_results_total 0\ntasker_refused_results_total{worker=\"1\"} 3\n\
                       tasker_refused_results_total{worker=\"2\"} 3\n";
        assert!(merged.contains(samples), "{merged}");
        assert!(
            merged.contains("tasker_http_requests_total{method=\"GET\"") && merged.ends_with("# EOF\n"),
            "{merged}"
        );
    }

    #[test]
    fn what_was_counted_is_written_by_namespace_and_route() {
        let metrics = Metrics::default();
        metrics.request("GET", "/v1/tasks/{task_uuid}", 404, Duration::from_millis(3));
        metrics.refused(2);
        let text = metrics.text(Now { namespaces: &[], in_flight: 7, connections: (4, 3) }).unwrap();
        for line in [
            "tasker_http_requests_total{method=\"GET\",route=\"/v1/tasks/{task_uuid}\",status=\"404\"} 1",
            "tasker_http_request_seconds_bucket{le=\"0.005\",method=\"GET\",route=\"/v1/tasks/{task_uuid}\"} 1",
            "tasker_refused_results_total 2",
            "tasker_in_flight_steps 7",
            "tasker_api_idle_connections 3",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
