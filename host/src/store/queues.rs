//! What the statements of a step's common way say to the queues of its namespace.
//!
//! Each namespace has a queue of its own, and the name of its table is part of a statement's text. A function of the schema
//! that is told the name has the statement planned each time it runs, which takes the server three times as long as
//! running it; a text that the host sends is planned once for a connection. So the functions that create and complete
//! answer what is to become of messages, and the statement that calls them does it, in the same transaction.
//!
//! There is one text for each namespace, and connections keep those they used last. Work of several namespaces in one
//! commit has a text of its own, which is not kept: there are too many of them.

use std::collections::BTreeSet;
use std::fmt::Write;

/// The namespaces that one statement is about, in order.
pub(super) struct Queues(Vec<String>);

impl Queues {
    pub(super) fn of<'a>(namespaces: impl Iterator<Item = &'a str>) -> Self {
        Self(namespaces.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect())
    }

    /// The parameter that the texts take the namespaces from.
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether connections keep the statement.
    pub(super) fn are_kept(&self) -> bool {
        self.0.len() == 1
    }

    /// Sends what `created` has in `namespaces` and `messages`. `names` is the place of the parameter.
    pub(super) fn send_created(&self, names: usize) -> String {
        let mut text = String::new();
        for (place, namespace) in self.0.iter().enumerate() {
            let _ = write!(
                text,
                ", sent_{place} as (
                    insert into {queue} (vt, message)
                    select clock_timestamp(), given.message
                    from created, unnest(created.namespaces, created.messages) given (namespace, message)
                    where given.namespace = (${names})[{subscript}]
                )",
                queue = table(namespace),
                subscript = place + 1,
            );
        }
        text
    }

    /// Does with messages what `done` says in `spent`, `ready` and `taken`. Which message is now that of which taken step is in
    /// `held`. `names` and `lease` are the places of parameters: the namespaces, and for how many seconds what was taken
    /// is hidden.
    ///
    /// A spent message that is not there any more leaves its successor without one: that gets a new one like those that there
    /// was no spent one for.
    pub(super) fn follow_completions(&self, names: usize, lease: usize) -> String {
        let mut text = String::new();
        let mut held = Vec::new();
        for (place, namespace) in self.0.iter().enumerate() {
            let queue = table(namespace);
            let own = |column: &str| match self.are_kept() {
                true => column.to_owned(),
                false => format!(
                    "(select array_agg(message order by place) from unnest(done.{column}_namespaces, done.{column})
                        with ordinality given (namespace, message, place)
                        where given.namespace = (${names})[{}]) as {column}",
                    place + 1
                ),
            };
            let _ = write!(
                text,
                ", own_{place} as materialized (
                    select {spent}, {ready}, {taken} from done
                ), replaced_{place} as (
                    update {queue} set enqueued_at = clock_timestamp(), vt = clock_timestamp() + make_interval(secs => ${lease}),
                        read_ct = 0, message = (select taken from own_{place})[
                            array_position((select spent from own_{place}), msg_id)
                        ]
                    where msg_id = any ((select spent[:cardinality(taken)] from own_{place})::bigint[])
                    returning msg_id, enqueued_at, (message ->> 'step_uuid')::uuid as step_uuid
                ), added_{place} as (
                    insert into {queue} (vt, message)
                    select clock_timestamp() + make_interval(secs => ${lease}), message from own_{place}, unnest(taken) message
                    where (message ->> 'step_uuid')::uuid not in (select step_uuid from replaced_{place})
                    returning msg_id, enqueued_at, (message ->> 'step_uuid')::uuid as step_uuid
                ), sent_{place} as (
                    insert into {queue} (vt, message) select clock_timestamp(), unnest(ready) from own_{place}
                ), deleted_{place} as (
                    delete from {queue}
                    where msg_id = any ((select spent[coalesce(cardinality(taken), 0) + 1:] from own_{place})::bigint[])
                )",
                spent = own("spent"),
                ready = own("ready"),
                taken = own("taken"),
            );
            held.push(format!("select * from replaced_{place} union all select * from added_{place}"));
        }
        let _ = write!(text, ", held as materialized ({})", held.join(" union all "));
        text
    }
}

/// Reads up to as many messages of a queue as the parameter at `limit` says and hides them, `names` and `lease` as for the
/// others. Urgent ones first, or by age alone.
pub(super) fn read(namespace: &str, by_age: bool, names: usize, limit: usize, lease: usize) -> String {
    let queue = table(namespace);
    let urgency = if by_age { "" } else { "coalesce((message ->> 'priority')::integer, 0) desc, " };
    format!(
        "update {queue} set vt = clock_timestamp() + make_interval(secs => ${lease}), read_ct = read_ct + 1
        where msg_id = any (array(
            select msg_id from {queue} where vt <= clock_timestamp() order by {urgency}msg_id
            limit tasker.room_for((${names})[1], ${limit}) for update skip locked
        ))
        returning msg_id, enqueued_at, tasker.step_of(message ->> 'step_uuid') as step_uuid"
    )
}

/// The table of a namespace's queue, as it stands in a statement. The same as `tasker.queue_table`.
fn table(namespace: &str) -> String {
    format!("pgmq.\"q_worker_{}_queue\"", namespace.to_ascii_lowercase().replace('"', "\"\""))
}
