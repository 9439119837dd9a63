//! Completing: committing the outcomes of many attempts at once.

use std::borrow::Borrow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, Row, ValueRef};
use uuid::Uuid;

use super::claim::{Which, claimed};
use super::columns::{column, composite};
use super::queues::Queues;
use super::{ClaimedStep, Growth, Lease, Store, StoreError, TaskState};

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The claim it was made under.
    pub lease: Lease,
    /// What becomes of the step.
    pub verdict: Verdict,
    /// What the handler tells of its execution, a JSON object.
    pub metadata: Box<RawValue>,
    /// What the attempt was and used.
    pub attempt: AttemptRecord,
    /// What the task gains by it.
    pub growth: Option<Growth>,
    /// The events that leave with it: `{"durable": [...], "dead": [...]}`, messages of the namespace's event queue and of
    /// the queue for those that cannot be published.
    pub events: Option<Box<RawValue>>,
}

/// What becomes of a step. An `error` is a JSON object: `message`, `error_type`, `error_code`, `retryable`, `backtrace`.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is complete.
    Complete {
        /// Its result, any JSON value.
        result: Box<RawValue>,
    },
    /// It is tried again.
    Retry {
        /// Not before this long from now.
        after: Duration,
        /// Why.
        error: Box<RawValue>,
    },
    /// It failed for good.
    Error {
        /// Why.
        error: Box<RawValue>,
    },
}

/// One finished attempt, as it is kept.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The outcome's name.
    pub outcome: String,
    /// The failure's type; none for a success.
    pub error_type: Option<String>,
    /// Where it ran.
    pub host: String,
    /// When its execution began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// What it used.
    pub usage: Usage,
    /// The end of its log, a JSON object: `{records: [{at, level, message, fields}], dropped}`.
    pub log: Option<Box<RawValue>>,
}

/// What an attempt used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    /// Units of fuel.
    pub fuel: u64,
    /// The most linear memory it had at once, in bytes.
    pub peak_memory_bytes: u64,
    /// Microseconds to make its instance.
    pub instantiate_us: u64,
    /// Microseconds inside the guest.
    pub guest_us: u64,
    /// Microseconds from beginning to end.
    pub total_us: u64,
    /// Calls of host functions.
    pub host_calls: u64,
}

/// What a host has room for of the steps that may run once others are complete. They are claimed in the commit that makes
/// them ready, which saves the claim its round trip, its look into the queue and its commit.
#[derive(Debug, Clone, Default)]
pub struct GoOn {
    /// The namespaces whose steps it goes on with.
    pub namespaces: Vec<String>,
    /// How many steps of each at most beside those it has begun with, in the same order.
    pub places: Vec<u32>,
    /// Steps of these namespaces that it has begun with, see [`TakeOver::has_begun`].
    pub begun: Vec<Uuid>,
    /// For how long the steps are its own unless renewed.
    pub lease: Duration,
    /// How many of the completions, the last ones, are of steps that nobody has claimed yet, because they wait for others of
    /// them, which come before: these are claimed and end at once, and need no place. All are of one namespace then, and have
    /// no growth.
    pub unclaimed: u32,
}

/// What a commit of completions brought.
#[derive(Debug, Clone, Default)]
pub struct CompletionReport {
    /// For each completion given, what became of it.
    pub accepted: Vec<Acceptance>,
    /// How many successors were queued.
    pub enqueued: u32,
    /// The tasks that came to rest: complete, or blocked by a failure.
    pub tasks: Vec<TaskChange>,
    /// When the first of the retries is due, from now; none if there was no retry.
    pub next_retry: Option<Duration>,
}

/// Who goes on with what a commit claims.
pub trait TakeOver {
    /// Whether it has begun with this step, whose message this is: then it knows what the step needs. The claim counts.
    /// Not asked unless there are [some](GoOn::begun).
    fn has_begun(&mut self, step: Uuid, message: i64) -> bool;

    /// Gets one of the steps. A commit that claims it is not durable yet, and may still fail.
    fn take(&mut self, step: ClaimedStep) -> impl Future<Output = ()> + Send;
}

/// Keeps them until the commit is done.
impl TakeOver for Vec<ClaimedStep> {
    fn has_begun(&mut self, _: Uuid, _: i64) -> bool {
        false
    }

    async fn take(&mut self, step: ClaimedStep) {
        self.push(step);
    }
}

/// What became of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It is committed.
    Accepted,
    /// Its claim is no longer current: it changed nothing.
    Refused,
    /// Its task has grown since its growth was planned: it changed nothing, and is to be planned again.
    Outgrown,
}

/// A task's new state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskChange {
    /// The task.
    pub task_uuid: Uuid,
    /// The state it is in now.
    pub state: TaskState,
}

impl CompletionReport {
    /// How many completions came from claims that are no longer current.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.accepted.iter().filter(|accepted| **accepted == Acceptance::Refused).count()
    }

    fn append(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.enqueued += other.enqueued;
        self.tasks.extend(other.tasks);
        self.next_retry = [self.next_retry, other.next_retry].into_iter().flatten().min();
    }
}

impl Completion {
    /// Its task, where the commit changes that as well.
    fn touched_task(&self) -> Option<Uuid> {
        (self.lease.guarded || matches!(self.verdict, Verdict::Error { .. })).then_some(self.lease.task_uuid)
    }

    /// Its task, where its steps may not be written yet.
    fn planned_task(&self) -> Option<Uuid> {
        self.lease.planned.map(|_| self.lease.task_uuid)
    }

    /// The same attempt, failed because what it brought cannot be stored.
    fn unstorable(&self, reason: &StoreError) -> Self {
        const ERROR_TYPE: &str = "unstorable_result";
        let raw = |value: serde_json::Value| to_raw_value(&value).expect("a value in memory is JSON");
        let error = serde_json::json!({
            "message": format!("what the handler returned cannot be stored: {reason}"),
            "error_type": ERROR_TYPE,
            "retryable": false,
            "backtrace": [],
        });
        Self {
            lease: self.lease.clone(),
            verdict: Verdict::Error { error: raw(error) },
            metadata: raw(serde_json::json!({})),
            attempt: AttemptRecord {
                outcome: "failure".into(),
                error_type: Some(ERROR_TYPE.into()),
                log: None,
                ..self.attempt.clone()
            },
            growth: None,
            events: None,
        }
    }
}

/// What a commit that goes on answers besides: what the execution of each step needs that was claimed in it, from `held`.
///
/// The server commits when it has written its answer, and sends it when that is done, or as soon as it has 8 KiB of it. So
/// the last step comes twice, the second time with that much padding: all of them arrive while the commit is on its way to
/// the disk.
const AND_CLAIMED: &str = ", step.*, padding
    from done
    cross join (select array_agg(msg_id) as messages, array_agg(step_uuid) as steps from held) taken
    left join lateral tasker.claimed_steps(taken.messages, taken.steps) with ordinality step on true
    cross join lateral unnest(
        case when ordinality = cardinality(taken.steps) then array[null, repeat(' ', 8192)] else array[null] end
    ) padding";

/// What a commit that goes on answers besides where the host has begun with what it claims: only which steps these are. To
/// gather what the execution of a step needs takes the server a quarter of the commit's time.
const AND_WHICH: &str = ", messages, steps
    from done cross join (select array_agg(msg_id) as messages, array_agg(step_uuid) as steps from held) taken";

impl Store {
    /// Commits completions, all in one transaction that is on disk when this returns.
    ///
    /// A value that PostgreSQL cannot take (nested too deep, a NUL character in an error's type) fails its own step and
    /// no other: the completions are then committed one by one. In events, it costs the events.
    ///
    /// # Errors
    /// The database fails. Whether the commit happened is then unknown; sending the same completions again is safe.
    pub async fn complete_steps(&self, completions: &[Completion]) -> Result<CompletionReport, StoreError> {
        self.complete_and_go_on(completions, &GoOn::default(), &mut Vec::new()).await
    }

    /// The same, and in the same transaction the host claims what it goes on with. Who takes it over gets each step as soon as
    /// it is claimed, and knows by the answer whether that counts.
    ///
    /// # Errors
    /// The database fails. Steps it claimed before the answer was lost come back when their lease runs out.
    pub async fn complete_and_go_on(
        &self,
        completions: &[impl Borrow<Completion> + Sync],
        go_on: &GoOn,
        onwards: &mut impl TakeOver,
    ) -> Result<CompletionReport, StoreError> {
        // What can't be stored shows before a step is claimed.
        match self.commit(completions, go_on, onwards).await {
            Err(error) if error.is_about_data() => {
                tracing::warn!(%error, completions = completions.len(), "a result cannot be stored");
            }
            outcome => return outcome,
        }
        let mut report = CompletionReport::default();
        for completion in completions {
            report.append(self.commit_alone(completion.borrow()).await?);
        }
        Ok(report)
    }

    /// Commits a completion that may hold what cannot be stored. Its events are given up first: what a step announces
    /// never changes how it ends.
    async fn commit_alone(&self, completion: &Completion) -> Result<CompletionReport, StoreError> {
        let error = match self.commit_only(std::slice::from_ref(completion)).await {
            Err(error) if error.is_about_data() => error,
            outcome => return outcome,
        };
        if completion.events.is_some() {
            match self.commit_only(&[Completion { events: None, ..completion.clone() }]).await {
                Err(without) if without.is_about_data() => {}
                outcome => {
                    tracing::error!(%error, step_uuid = %completion.lease.step_uuid, "the step's events cannot be stored");
                    return outcome;
                }
            }
        }
        self.commit_only(&[completion.unstorable(&error)]).await
    }

    /// Commits, and claims nothing.
    async fn commit_only(&self, completions: &[Completion]) -> Result<CompletionReport, StoreError> {
        self.commit(completions, &GoOn::default(), &mut Vec::new()).await
    }

    async fn commit(
        &self,
        completions: &[impl Borrow<Completion> + Sync],
        go_on: &GoOn,
        onwards: &mut impl TakeOver,
    ) -> Result<CompletionReport, StoreError> {
        if completions.is_empty() {
            return Ok(CompletionReport::default());
        }
        let completions: Vec<&Completion> = completions.iter().map(Borrow::borrow).collect();
        let growing = (1..).zip(&completions).filter(|(_, done)| done.growth.is_some()).map(|(place, _)| place);
        let queues = Queues::of(completions.iter().map(|done| done.lease.namespace.as_str()));
        let goes_on = !go_on.namespaces.is_empty();
        let foresees = !go_on.begun.is_empty();
        let (messages, and_claimed) = match (goes_on, foresees) {
            (true, false) => (queues.hand_over(9), AND_CLAIMED),
            (true, true) => (queues.hand_over(9), AND_WHICH),
            (false, _) => (queues.follow_completions(), " from done, (select count(*) from followed) followed"),
        };
        // One row, or one for each step that was claimed and one with the padding.
        let statement = format!(
            "with done as materialized (select * from tasker.complete_steps($1, $2, $3, $4, $5, $6, $7, $8)), {messages}
            select accepted, outgrown, coalesce(cardinality(ready), 0) as enqueued, changed_tasks, changed_states,
                next_retry_ms{and_claimed}"
        );
        let mut line = self.line().await?;
        // The last parameter is for a commit that goes on.
        let mut rows = sqlx::query(AssertSqlSafe(statement))
            .bind(column(&completions, |done| CompletionRow::from(*done)))
            .bind(Vec::from_iter(completions.iter().filter_map(|done| done.touched_task())))
            .bind(Vec::from_iter(completions.iter().filter_map(|done| done.planned_task())))
            .bind(Vec::<i32>::from_iter(growing))
            .bind(integer(go_on.unclaimed))
            .bind(&go_on.namespaces)
            .bind(column(&go_on.places, |places| integer(*places)))
            .bind(&go_on.begun)
            .bind(go_on.lease.as_secs_f64())
            .fetch(line.as_mut());
        let mut done = None;
        let mut which = Which::default();
        while let Some(row) = rows.try_next().await? {
            if done.is_none() {
                done = Some(Committed::from_row(&row)?);
            }
            let is_step = || Ok::<_, sqlx::Error>(!is_null(&row, "step_uuid")? && is_null(&row, "padding")?);
            if goes_on && foresees {
                which = Which::from_row(&row)?;
            } else if goes_on && is_step()? {
                onwards.take(ClaimedStep::from_row(&row)?).await;
            }
        }
        drop(rows);
        let others: Vec<_> = which.pairs().filter(|(step, message)| !onwards.has_begun(*step, *message)).collect();
        match claimed(line.as_mut(), &others).await {
            Ok(steps) => {
                line.keep();
                for step in steps {
                    onwards.take(step).await;
                }
            }
            Err(error) => tracing::error!(
                %error, steps = others.len(), "can't read what was claimed: the steps run again when their leases have lapsed"
            ),
        }
        done.ok_or(sqlx::Error::RowNotFound)?.report(completions.len())
    }
}

fn is_null(row: &PgRow, column: &str) -> Result<bool, sqlx::Error> {
    Ok(row.try_get_raw(column)?.is_null())
}

/// A [`Completion`] as the database takes it.
#[derive(sqlx::Encode)]
pub(super) struct CompletionRow<'a> {
    step_uuid: Uuid,
    claim: i32,
    namespace: &'a str,
    message: Option<i64>,
    verdict: &'static str,
    delay_ms: Option<i64>,
    result: Option<&'a str>,
    metadata: &'a str,
    error: Option<&'a str>,
    growth: Option<String>,
    events: Option<&'a str>,
    outcome: &'a str,
    error_type: Option<&'a str>,
    host: &'a str,
    log: Option<&'a str>,
    fuel: i64,
    peak_memory_bytes: i64,
    instantiate_us: i64,
    guest_us: i64,
    total_us: i64,
    host_calls: i64,
    started_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
}

composite!(CompletionRow<'a>, "tasker.completion");

impl<'a> From<&'a Completion> for CompletionRow<'a> {
    fn from(done: &'a Completion) -> Self {
        let Completion { lease, verdict, metadata, attempt, growth, events } = done;
        Self {
            step_uuid: lease.step_uuid,
            claim: lease.claim,
            namespace: &lease.namespace,
            message: lease.message_id.get(),
            verdict: verdict.name(),
            delay_ms: verdict.delay_ms(),
            result: verdict.result(),
            metadata: metadata.get(),
            error: verdict.error(),
            growth: growth.as_ref().map(Growth::to_json),
            events: events.as_ref().map(|events| events.get()),
            outcome: &attempt.outcome,
            error_type: attempt.error_type.as_deref(),
            host: &attempt.host,
            log: attempt.log.as_ref().map(|log| log.get()),
            fuel: bigint(attempt.usage.fuel),
            peak_memory_bytes: bigint(attempt.usage.peak_memory_bytes),
            instantiate_us: bigint(attempt.usage.instantiate_us),
            guest_us: bigint(attempt.usage.guest_us),
            total_us: bigint(attempt.usage.total_us),
            host_calls: bigint(attempt.usage.host_calls),
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Committed {
    accepted: Vec<i32>,
    outgrown: Vec<i32>,
    enqueued: i32,
    changed_tasks: Option<Vec<Uuid>>,
    changed_states: Option<Vec<String>>,
    next_retry_ms: Option<i64>,
}

impl Committed {
    fn report(self, given: usize) -> Result<CompletionReport, StoreError> {
        let mut accepted = vec![Acceptance::Refused; given];
        // Places in SQL count from one.
        for place in self.accepted {
            accepted[place as usize - 1] = Acceptance::Accepted;
        }
        for place in self.outgrown {
            accepted[place as usize - 1] = Acceptance::Outgrown;
        }
        let changes = self.changed_tasks.unwrap_or_default().into_iter().zip(self.changed_states.unwrap_or_default());
        let tasks = changes
            .map(|(task_uuid, state)| Ok(TaskChange { task_uuid, state: super::states::read(&state)? }))
            .collect::<Result<_, sqlx::Error>>()?;
        Ok(CompletionReport {
            accepted,
            enqueued: self.enqueued.unsigned_abs(),
            tasks,
            next_retry: self.next_retry_ms.map(|ms| Duration::from_millis(ms.unsigned_abs())),
        })
    }
}

impl Verdict {
    fn name(&self) -> &'static str {
        match self {
            Self::Complete { .. } => "complete",
            Self::Retry { .. } => "retry",
            Self::Error { .. } => "error",
        }
    }

    fn result(&self) -> Option<&str> {
        match self {
            Self::Complete { result } => Some(result.get()),
            Self::Retry { .. } | Self::Error { .. } => None,
        }
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::Retry { error, .. } | Self::Error { error } => Some(error.get()),
            Self::Complete { .. } => None,
        }
    }

    fn delay_ms(&self) -> Option<i64> {
        match self {
            Self::Retry { after, .. } => Some(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
            Self::Complete { .. } | Self::Error { .. } => None,
        }
    }
}

/// PostgreSQL has no unsigned numbers.
fn integer(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// The same; a count this large is one that overflowed.
fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
