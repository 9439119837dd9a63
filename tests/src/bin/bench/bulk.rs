//! A long life in a minute: rows of as many tasks as a test can't run, exactly as the functions write them.

use anyhow::Context;
use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tasker_wasm_tests::TestDatabase;
use uuid::Uuid;

/// The tables of a task, those with the most to write first.
const TABLES: [&str; 5] = ["transitions", "tasks", "steps", "attempts", "edges"];
/// Tables that are written at once: each takes a processor.
const AT_ONCE: usize = 2;
/// Messages that are sent in one call.
const SENT: i64 = 1_000;

/// Copies a task with all its rows, and looks after the tables as the server would. Each copy has the keys of another
/// millisecond of the past; what is random in them stays, so that they still meet.
pub async fn multiply(database: &TestDatabase, task: Uuid, copies: i64) -> anyhow::Result<()> {
    sqlx::query("select tasker.write_planned(array[$1], false)").bind(task).execute(database.pool()).await?;
    let tables = futures::stream::iter(TABLES.map(anyhow::Ok));
    tables
        .try_for_each_concurrent(AT_ONCE, async |table| copy(database, task, copies, table).await.context(table))
        .await
}

/// Sends the messages of the first steps of all tasks but this one.
pub async fn enqueue(database: &TestDatabase, sent: Uuid, namespace: &str) -> anyhow::Result<()> {
    let mut connection = connect(database).await?;
    let send =
        "select tasker.send_steps(array_agg(step_uuid order by step_uuid), array_agg(task_uuid order by step_uuid))
        from (
            select step_uuid, task_uuid, row_number() over (order by step_uuid) / $2 as call
            from tasker.steps where state = 'enqueued' and task_uuid <> $1
        ) waiting
        group by call order by call";
    sqlx::query(send).bind(sent).bind(SENT).execute(&mut connection).await?;
    let queue: String =
        sqlx::query_scalar("select tasker.queue_table($1)").bind(namespace).fetch_one(&mut connection).await?;
    sqlx::query(AssertSqlSafe(format!("vacuum analyze pgmq.{queue}"))).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn copy(database: &TestDatabase, task: Uuid, copies: i64, table: &str) -> anyhow::Result<()> {
    let mut connection = connect(database).await?;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select column_name::text, case
            when column_name = 'identity' then 'sha256(convert_to(copy.time, ''UTF8''))'
            when data_type = 'uuid' and column_name <> 'template_uuid'
            then format('overlay(r.%1$I::text placing copy.time from 1 for 13)::uuid', column_name)
            else format('r.%I', column_name)
        end
        from information_schema.columns
        where table_schema = 'tasker' and table_name = $1 and is_identity = 'NO' order by ordinal_position",
    )
    .bind(table)
    .fetch_all(&mut connection)
    .await?;
    let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let rows = match table {
        "edges" => "child_uuid in (select step_uuid from tasker.steps where task_uuid = $1)",
        "attempts" => "step_uuid in (select step_uuid from tasker.steps where task_uuid = $1)",
        _ => "task_uuid = $1",
    };
    let copy = format!(
        "insert into tasker.{table} ({}) select {} from (
            select overlay(lpad(to_hex(1700000000000 + n), 12, '0') placing '-' from 9 for 0) as time
            from generate_series(1, {copies}) n
        ) copy cross join (select * from tasker.{table} where {rows}) r",
        names.join(", "),
        values.join(", "),
    );
    sqlx::query(AssertSqlSafe(copy)).bind(task).execute(&mut connection).await?;
    sqlx::query(AssertSqlSafe(format!("vacuum analyze tasker.{table}"))).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// A connection that does not wait for the disk.
async fn connect(database: &TestDatabase) -> anyhow::Result<PgConnection> {
    let mut connection = PgConnection::connect(&database.url).await?;
    sqlx::query("set synchronous_commit = off").execute(&mut connection).await?;
    Ok(connection)
}
