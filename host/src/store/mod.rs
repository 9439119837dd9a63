//! All state, and every SQL statement of the host.
//!
//! State changes are SQL functions that take arrays: one call is one round trip, one transaction and, where it must be
//! durable, one flush of the log, however many steps it carries. The functions live in `host/migrations`, one file a
//! family, and each has its file here. A step's way is [`Store::create_tasks`] → [`Store::claim_steps`] →
//! [`Store::complete_steps`]; a claim is fenced by a number that only its holder knows to be current ([`Lease`]), so a
//! host that lost its lease can do no harm.
//!
//! What a step costs the server is in the nested statements of these functions: each is begun and ended, and on a host that
//! runs one step at a time nothing of that is in a cache. A commit of one step with the claim of its successor takes it some
//! 1 ms, 0.12 ms for each of a hundred: 2.6 million instructions (counted by callgrind in a server with one user).
//! Nearly half set up plans. So statements are few, the common case skips what it does not need, a message of a step that
//! ended becomes that of its successor, statements about a queue are planned once (`queues`), what is used all the time has
//! a connection of its own ([`Store::alone`]), and a host is not told what it knows ([`TakeOver::has_begun`]): the same
//! commit takes 1.9 million instructions then, and a claim 0.6 million instead of 1.3. `track_functions = all` shows which
//! function it is that takes long.
//!
//! Most tasks have few steps and are over soon. Theirs are written once, when all have ended (`planned`): a claim takes the server
//! 0.08 million instructions then for each of a hundred tasks, and the end of one of four steps 0.94 million.
//!
//! JSON that a guest wrote passes through as text ([`serde_json::value::RawValue`]): nobody builds a tree of it, and
//! what PostgreSQL cannot store fails its own step.
//!
//! Messages are PGMQ's, whether its extension is installed or not; [`Store::migrate`] sees to that.

mod api_keys;
mod audit;
mod changes;
mod checkpoint;
mod claim;
mod columns;
mod complete;
mod completion;
mod components;
mod connect;
mod create_planned;
mod dead_letters;
mod direct_events;
mod error;
mod events;
mod growth;
mod guests;
mod lease;
mod line;
pub mod managed;
mod migrate;
mod namespaces;
mod new_rows;
mod operate;
mod pgmq;
mod planned;
mod purge;
mod queues;
mod retry;
mod stale;
mod states;
mod statistics;
mod tasks;
mod templates;
mod view;
mod wake;
mod within;

pub use api_keys::{ApiKey, NewApiKey};
pub use audit::{AuditEntry, AuditFilter};
pub use changes::{Change, ChangePoint, NoChangePoint};
pub use checkpoint::Checkpoint;
pub(crate) use claim::StepResult;
pub use claim::{ClaimRequest, ClaimedStep};
pub use complete::{Acceptance, CompletionReport, GoOn, TakeOver, TaskChange};
pub use completion::{AttemptRecord, Completion, Usage, Verdict};
pub use components::{ComponentView, FoundComponent, KnownComponent};
pub use connect::Store;
pub use dead_letters::{DeadLetter, DeadLetterFilter, DeadLetterStats, DeadLetterUpdate, Investigation};
pub use direct_events::{DirectlyPublished, NewDirectEvent};
pub use error::StoreError;
pub use events::QueuedEvent;
pub use growth::{ExistingStep, GrownStep, Growth, GrowthState, NewBatch};
pub use lease::{Lease, MessageId};
pub use migrate::{MigrationState, MigrationStatus};
pub use namespaces::NamespaceView;
pub use operate::{Action, OperateError, Operated, Operator};
pub use pgmq::PgmqOrigin;
pub use planned::Planned;
pub use purge::{PurgedMessages, PurgedTasks};
pub use retry::Due;
pub use stale::{StalePage, StaleTask, StalenessThresholds};
pub use states::{
    DeadLetterReason, ExecutionStatus, HealthStatus, RecommendedAction, Resolution, ResultStatus, StepState, TaskState,
    UnknownState,
};
pub use statistics::{Counted, Performance, SlowStep, SlowTask, Staleness, StateCounts, UsageTotals};
pub use tasks::{CreationReport, EagerClaim, NewStep, NewTask, TemplateChoice};
pub use templates::{NewTemplate, TemplateRow};
pub use view::{
    AttemptDetail, AttemptFilter, AttemptTotals, AttemptView, ResultMetadata, StepAudit, StepExecutionResult,
    StepReadiness, StepView, TaskFilter, TaskView, TransitionView,
};
pub use wake::{Heard, WakeListener};
pub use within::Within;
