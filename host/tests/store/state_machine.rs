use sqlx::Executor;
use sqlx::postgres::PgDatabaseError;
use tasker_wasm_host::store::{StepState, TaskState};
use uuid::Uuid;

use super::support::Bench;

/// Each state with those it may become; what is not here is refused.
const TASKS: &[(&str, &str)] = &[
    ("pending", "initializing steps_in_process complete cancelled resolved_manually"),
    ("initializing", "enqueuing_steps waiting_for_dependencies complete cancelled resolved_manually"),
    ("enqueuing_steps", "steps_in_process error cancelled resolved_manually"),
    (
        "steps_in_process",
        "evaluating_results waiting_for_retry blocked_by_failures complete error cancelled resolved_manually",
    ),
    (
        "evaluating_results",
        "enqueuing_steps waiting_for_dependencies blocked_by_failures complete cancelled resolved_manually",
    ),
    ("waiting_for_dependencies", "evaluating_results error cancelled resolved_manually"),
    ("waiting_for_retry", "enqueuing_steps error cancelled resolved_manually"),
    ("blocked_by_failures", "steps_in_process complete error cancelled resolved_manually"),
    ("complete", "resolved_manually"),
    ("error", "pending steps_in_process complete resolved_manually"),
    ("cancelled", "resolved_manually"),
    ("resolved_manually", ""),
];

const STEPS: &[(&str, &str)] = &[
    ("pending", "enqueued in_progress waiting_for_retry complete error cancelled resolved_manually"),
    ("enqueued", "in_progress waiting_for_retry complete error cancelled resolved_manually"),
    (
        "in_progress",
        "enqueued enqueued_for_orchestration enqueued_as_error_for_orchestration waiting_for_retry complete error \
         cancelled resolved_manually",
    ),
    ("enqueued_for_orchestration", "complete error cancelled resolved_manually"),
    ("enqueued_as_error_for_orchestration", "waiting_for_retry complete error cancelled resolved_manually"),
    ("waiting_for_retry", "pending enqueued complete cancelled resolved_manually"),
    ("complete", "resolved_manually"),
    ("error", "pending enqueued complete cancelled resolved_manually"),
    ("cancelled", "complete resolved_manually"),
    ("resolved_manually", "complete"),
];

/// Writes a row in the first state and the second over it; the error that the change met.
async fn change(
    bench: &Bench,
    insert: &'static str,
    update: &'static str,
    from: &str,
    to: &str,
) -> (Uuid, Option<String>) {
    let key = Uuid::now_v7();
    sqlx::query(insert).bind(key).bind(from).execute(&bench.pool).await.unwrap();
    let changed = sqlx::query(update).bind(key).bind(to).execute(&bench.pool).await;
    let refused = changed.err().map(|error| {
        let error = error.into_database_error().unwrap().downcast::<PgDatabaseError>();
        assert_eq!(error.code(), "23514");
        error.message().to_owned()
    });
    (key, refused)
}

async fn check(bench: &Bench, kind: &str, table: &[(&str, &str)], insert: &'static str, update: &'static str) -> usize {
    let mut pairs = 0;
    for (from, legal) in table {
        for (to, _) in table {
            let (key, refused) = change(bench, insert, update, from, to).await;
            let expected = (from != to && !legal.split_whitespace().any(|state| state == *to))
                .then(|| format!("{kind} {key}: there is no transition from {from} to {to}"));
            assert_eq!(refused, expected, "{kind} {from} -> {to}");
            pairs += 1;
        }
    }
    pairs
}

#[tokio::test]
async fn every_change_of_a_task_is_accepted_or_refused_as_the_table_says() {
    assert!(TASKS.iter().map(|(state, _)| *state).eq(TaskState::ALL.iter().map(|state| state.as_str())));
    let bench = Bench::new().await;
    let insert = "insert into tasker.tasks (task_uuid, template_uuid, correlation_id, created_at, updated_at, state,
            sinks_left, priority, grows, namespace, name, version, initiator, source_system, reason, tags, context)
        values ($1, $1, $1, now(), now(), $2::text::tasker.task_state, 0, 0, false, 'n', 't', '1', '', '', '', '[]', '{}')";
    let update = "update tasker.tasks set state = $2::text::tasker.task_state where task_uuid = $1";
    assert_eq!(check(&bench, "task", TASKS, insert, update).await, 144);
}

#[tokio::test]
async fn every_change_of_a_step_is_accepted_or_refused_as_the_table_says() {
    assert!(STEPS.iter().map(|(state, _)| *state).eq(StepState::ALL.iter().map(|state| state.as_str())));
    let bench = Bench::new().await;
    let insert = "insert into tasker.steps (step_uuid, task_uuid, created_at, updated_at, state, pending_parents,
            max_attempts, is_sink, guarded, retryable, name, inputs)
        values ($1, $1, now(), now(), $2::text::tasker.step_state, 0, 1, true, true, true, 's', '{}')";
    let update = "update tasker.steps set state = $2::text::tasker.step_state where step_uuid = $1";
    assert_eq!(check(&bench, "step", STEPS, insert, update).await, 100);
}

#[tokio::test]
async fn history_is_neither_changed_nor_taken_away() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    for statement in [
        "update tasker.transitions set reason = 'another'",
        "delete from tasker.transitions",
        "truncate tasker.transitions",
    ] {
        let error = bench.pool.execute(statement).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    assert_eq!(bench.number("select count(*) from tasker.changes").await, 2);
}
