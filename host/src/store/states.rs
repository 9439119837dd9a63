//! The states of tasks, steps and dead letters, by the names that clients and the database know.
//!
//! Some of the names are only passed through inside one transaction and never rest in a row; they are here because a
//! client may ask for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A state's name that is not one of those known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a {kind}; expected one of {expected}")]
pub struct UnknownState {
    name: String,
    kind: &'static str,
    expected: String,
}

/// JSON has the same names as SQL.
macro_rules! states {
    ($(#[$doc:meta])* $type:ident, $kind:literal: $($variant:ident = $name:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $type {
            $(#[doc = concat!("`", $name, "`")] $variant),+
        }

        named!($type, $kind: $($variant = $name),+);
    };
}

/// JSON has the variants' own names, as Tasker's has, and is read with either.
macro_rules! states_of_dead_letters {
    ($(#[$doc:meta])* $type:ident, $kind:literal: $($variant:ident = $name:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $type {
            $(#[doc = concat!("`", $name, "`")] #[serde(alias = $name)] $variant),+
        }

        named!($type, $kind: $($variant = $name),+);
    };
}

macro_rules! named {
    ($type:ident, $kind:literal: $($variant:ident = $name:literal),+) => {
        impl $type {
            /// Every state, in the order of a life.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in SQL and on the command line.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl FromStr for $type {
            type Err = UnknownState;

            fn from_str(name: &str) -> Result<Self, UnknownState> {
                Self::ALL.iter().copied().find(|state| state.as_str() == name).ok_or_else(|| UnknownState {
                    name: name.to_owned(),
                    kind: $kind,
                    expected: Self::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

states! {
    /// The state of a task.
    TaskState, "task state":
    Pending = "pending",
    Initializing = "initializing",
    EnqueuingSteps = "enqueuing_steps",
    StepsInProcess = "steps_in_process",
    EvaluatingResults = "evaluating_results",
    WaitingForDependencies = "waiting_for_dependencies",
    WaitingForRetry = "waiting_for_retry",
    BlockedByFailures = "blocked_by_failures",
    Complete = "complete",
    Error = "error",
    Cancelled = "cancelled",
    ResolvedManually = "resolved_manually",
}

states! {
    /// The state of a step.
    StepState, "step state":
    Pending = "pending",
    Enqueued = "enqueued",
    InProgress = "in_progress",
    EnqueuedForOrchestration = "enqueued_for_orchestration",
    EnqueuedAsErrorForOrchestration = "enqueued_as_error_for_orchestration",
    WaitingForRetry = "waiting_for_retry",
    Complete = "complete",
    Error = "error",
    Cancelled = "cancelled",
    ResolvedManually = "resolved_manually",
}

states_of_dead_letters! {
    /// Why a task was given up.
    DeadLetterReason, "reason of a dead letter":
    StalenessTimeout = "staleness_timeout",
    MaxRetriesExceeded = "max_retries_exceeded",
    DependencyCycleDetected = "dependency_cycle_detected",
    WorkerUnavailable = "worker_unavailable",
    ManualDlq = "manual_dlq",
}

states_of_dead_letters! {
    /// What came of the investigation of a dead letter.
    Resolution, "resolution":
    Pending = "pending",
    ManuallyResolved = "manually_resolved",
    PermanentlyFailed = "permanently_failed",
    Cancelled = "cancelled",
}

states! {
    /// What is going on in a task.
    ExecutionStatus, "execution status":
    HasReadySteps = "has_ready_steps",
    Processing = "processing",
    WaitingForDependencies = "waiting_for_dependencies",
    BlockedByFailures = "blocked_by_failures",
    AllComplete = "all_complete",
}

states! {
    /// What somebody who looks after a task would do next.
    RecommendedAction, "recommended action":
    ExecuteReadySteps = "execute_ready_steps",
    WaitForCompletion = "wait_for_completion",
    WaitForDependencies = "wait_for_dependencies",
    HandleFailures = "handle_failures",
    FinalizeTask = "finalize_task",
}

states! {
    /// How a task is.
    HealthStatus, "health":
    Healthy = "healthy",
    Recovering = "recovering",
    Blocked = "blocked",
    Unknown = "unknown",
}

states! {
    /// How a step's latest attempt ended.
    ResultStatus, "status of a result":
    Completed = "completed",
    Failed = "failed",
    Error = "error",
}

impl TaskState {
    /// Whether a task in this state does not go on by itself.
    #[must_use]
    pub fn is_resting(self) -> bool {
        matches!(
            self,
            Self::BlockedByFailures | Self::Complete | Self::Error | Self::Cancelled | Self::ResolvedManually
        )
    }
}

impl StepState {
    /// Whether the steps that depend on a step in this state may run.
    #[must_use]
    pub fn satisfies_dependents(self) -> bool {
        matches!(self, Self::Complete | Self::ResolvedManually)
    }
}

/// Reads a state from the name that the database has for it.
pub(super) fn read<State>(name: &str) -> Result<State, sqlx::Error>
where
    State: FromStr<Err = UnknownState>,
{
    name.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
