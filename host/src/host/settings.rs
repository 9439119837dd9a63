//! What the parts of a host are told, from its configuration.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use super::{components, upkeep};
use crate::config::Config;
use crate::dispatch;
use crate::events;
use crate::orchestration::grow::GrowthLimits;
use crate::orchestration::retry::BackoffDefaults;
use crate::sandbox::{HttpSettings, SandboxSettings};
use crate::store::StalenessThresholds;

/// Base delay of a retry when its template sets none: the contract's default for `backoff_base_ms`.
const BACKOFF_BASE: Duration = Duration::from_secs(1);

/// Subscribers that run at once. They share the processors with the handlers, so they are few.
const EVENT_SUBSCRIBERS: u32 = 4;

/// The part of the configuration that the sandbox needs.
pub fn sandbox_settings(config: &Config) -> SandboxSettings {
    SandboxSettings {
        cache_dir: config.worker.sandbox.cache_dir.clone(),
        // More than there are handlers: subscribers run beside them, and one more, because a component may be described
        // while all slots are taken. A publisher takes the slot of the attempt it follows.
        max_concurrent: (config.worker.mpsc_channels.handler_dispatch.max_concurrent_handlers)
            .saturating_add(EVENT_SUBSCRIBERS + 1),
        max_memory_bytes: components::greatest_memory(&config.worker.limit_policy()),
        max_computing: computing(config.worker.processes),
        http: http_settings(config),
    }
}

/// The share that a process has of the cores but one.
fn computing(processes: Option<NonZeroUsize>) -> usize {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    (cores - 1) / processes.map_or(1, NonZeroUsize::get)
}

fn http_settings(config: &Config) -> HttpSettings {
    let http = &config.worker.http;
    HttpSettings {
        connect_timeout: http.connect_timeout,
        response_timeout: http.response_timeout,
        idle_timeout: http.idle_timeout,
        ca_files: http.ca_files.clone(),
    }
}

pub(super) fn dispatch_settings(config: &Config) -> dispatch::Settings {
    let channels = &config.worker.mpsc_channels.handler_dispatch;
    dispatch::Settings {
        worker_id: config.worker.worker_id.clone(),
        max_concurrent: channels.max_concurrent_handlers as usize,
        max_share: channels.max_share_per_namespace,
        dispatch_buffer: channels.dispatch_buffer,
        completion_buffer: channels.completion_buffer,
        lease: config.common.queues.lease,
        poll_interval: config.common.queues.pgmq.poll_interval,
        sweep_interval: config.orchestration.sweep_interval,
        drain_timeout: config.orchestration.shutdown_timeout,
        limits: config.worker.limit_policy(),
        environment: config.common.execution.environment.clone(),
        max_lapses: config.orchestration.max_lapses.try_into().unwrap_or(i32::MAX),
        growth: growth_limits(config),
        backoff: backoff_defaults(config),
    }
}

pub(super) fn backoff_defaults(config: &Config) -> BackoffDefaults {
    let backoff = &config.common.backoff;
    BackoffDefaults {
        base: BACKOFF_BASE,
        cap: backoff.max_backoff,
        jitter: if backoff.jitter_enabled { backoff.jitter_max_percentage } else { 0.0 },
    }
}

/// The part of the configuration that bounds how tasks grow.
pub fn growth_limits(config: &Config) -> GrowthLimits {
    GrowthLimits {
        max_steps_per_decision: config.orchestration.decision_points.max_steps_per_decision as usize,
        max_decision_depth: config.orchestration.decision_points.max_decision_depth as usize,
        max_workers: config.orchestration.batch_processing.max_workers as usize,
    }
}

pub(super) fn upkeep_settings(config: &Config) -> upkeep::Settings {
    let retention = &config.orchestration.retention;
    upkeep::Settings {
        staleness: staleness(config),
        retention: upkeep::Retention {
            finished_tasks: retention.finished_tasks,
            archives: retention.archives,
            domain_events: retention.domain_events,
            interval: retention.interval,
            batch: retention.batch_size,
        },
    }
}

fn staleness(config: &Config) -> Option<upkeep::Staleness> {
    let detection = &config.orchestration.dlq.staleness_detection;
    detection.enabled.then(|| upkeep::Staleness {
        interval: detection.interval,
        batch: detection.batch_size,
        dry_run: detection.dry_run,
        thresholds: thresholds(config),
    })
}

/// How long tasks may rest.
pub fn thresholds(config: &Config) -> StalenessThresholds {
    let thresholds = &config.orchestration.dlq.staleness_detection.thresholds;
    StalenessThresholds {
        waiting_for_dependencies: thresholds.waiting_for_dependencies_minutes,
        waiting_for_retry: thresholds.waiting_for_retry_minutes,
        steps_in_process: thresholds.steps_in_process_minutes,
        lifetime: thresholds.task_max_lifetime_hours * 60,
    }
}

pub(super) fn event_settings(config: &Config) -> events::Settings {
    events::Settings {
        buffer: config.worker.mpsc_channels.in_process_events.broadcast_buffer_size,
        concurrency: EVENT_SUBSCRIBERS as usize,
    }
}
