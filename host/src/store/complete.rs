//! Completing: committing the outcomes of many attempts at once.

use std::borrow::Borrow;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, Row, ValueRef};
use uuid::Uuid;

use super::claim::{Which, claimed};
use super::columns::column;
use super::completion::{Completion, CompletionRow};
use super::queues::Queues;
use super::{ClaimedStep, Store, StoreError, TaskState};

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
            (true, false) => (queues.hand_over(9), AND_CLAIMED.to_owned()),
            (true, true) => (queues.hand_over(9), AND_WHICH.to_owned()),
            (false, _) => (queues.follow_completions(), format!(" from done{}", queues.and_does("followed"))),
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

/// PostgreSQL has no unsigned numbers.
fn integer(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
