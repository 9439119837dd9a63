//! What the statements of a step's common way say to the queues of its namespace.
//!
//! Each namespace has a queue of its own, and the name of its table is part of a statement's text. A function of the schema
//! that is told the name has the statement planned each time it runs, which takes the server three times as long as
//! running it; a text that the host sends is planned once for a connection. So the functions that create and complete
//! answer what is to become of messages, and the statement that calls them does it, in the same transaction.
//!
//! There is one text for each namespace, and connections keep those they used last. Work of several namespaces in one
//! commit goes through the functions: a text that names five queues takes the server twice as long as they do, one that
//! names a hundred five times.

/// Those of the messages in `spent` of `done`, in the same order.
const SPENT_NAMESPACES: &str =
    "array(select ($1[place]).namespace from unnest(accepted) place where ($1[place]).message is not null)";

/// The queues that one statement is about.
pub(super) enum Queues<'a> {
    /// That of one namespace.
    One(&'a str),
    /// Those of several.
    Several,
}

impl<'a> Queues<'a> {
    /// Those of the namespaces of some steps or tasks.
    pub(super) fn of(mut namespaces: impl Iterator<Item = &'a str>) -> Self {
        match namespaces.next() {
            Some(first) if namespaces.all(|other| other == first) => Self::One(first),
            _ => Self::Several,
        }
    }

    /// What a statement reads from besides, to have the part of this name done: what changes rows itself is done in any case.
    pub(super) fn and_does(&self, part: &str) -> String {
        match self {
            Self::One(_) => String::new(),
            Self::Several => format!(", (select count(*) from {part}) {part}"),
        }
    }

    /// Sends what `created` has in `namespaces` and `messages`, as `sent`.
    pub(super) fn send_created(&self) -> String {
        match self {
            Self::One(namespace) => format!(
                "sent as (insert into {} (vt, message) select clock_timestamp(), unnest(messages) from created)",
                table(namespace)
            ),
            Self::Several => {
                "sent as materialized (select tasker.send_messages(namespaces, messages) from created)".into()
            }
        }
    }

    /// Sends what `created` has in `messages`, and in `taken` hidden and as if it had been read. Which message is that of which taken step is in `held`; who
    /// reads from it has all of it done. `lease` is the place of the parameter that says for how many seconds what was taken
    /// is hidden.
    pub(super) fn send_taken(namespace: &str, lease: usize) -> String {
        format!(
            "sent as (
                insert into {} (read_ct, vt, message)
                select 0, clock_timestamp(), unnest(messages) from created
                union all
                select 1, clock_timestamp() + make_interval(secs => ${lease}), unnest(taken) from created
                returning msg_id, (message ->> 'step_uuid')::uuid as step_uuid, vt
            ), held as materialized (select msg_id, step_uuid from sent where vt > clock_timestamp())",
            table(namespace)
        )
    }

    /// Sends messages for the one row of `task`, as the statement itself, and answers `msg_id` and `step_uuid` of each. `messages`
    /// is the place of their parameter; that of `lease` says for how many seconds they are hidden, as if they had been read.
    pub(super) fn send_for_task(namespace: &str, messages: usize, lease: Option<usize>) -> String {
        let (read_ct, hidden) = match lease {
            Some(lease) => (1, format!("make_interval(secs => ${lease})")),
            None => (0, "interval '0'".to_owned()),
        };
        format!(
            "insert into {} (read_ct, vt, message)
            select {read_ct}, clock_timestamp() + {hidden}, unnest(${messages}) from task
            returning msg_id, (message ->> 'step_uuid')::uuid as step_uuid",
            table(namespace)
        )
    }

    /// Does with messages what `done` says in `spent` and `ready`, where nothing was taken, as `followed`.
    pub(super) fn follow_completions(&self) -> String {
        match self {
            Self::One(namespace) => format!(
                "sent as (
                    insert into {queue} (vt, message) select clock_timestamp(), unnest(ready) from done
                ), followed as (delete from {queue} where msg_id = any ((select spent from done)::bigint[]))",
                queue = table(namespace)
            ),
            Self::Several => format!(
                "followed as materialized (
                    select tasker.send_messages(ready_namespaces, ready),
                        tasker.replace_messages({SPENT_NAMESPACES}, spent, '{{}}', '{{}}', '0')
                    from done
                )"
            ),
        }
    }

    /// Deletes the messages of the parameter at the place `messages`, as `followed`, where there is a row of `task`.
    pub(super) fn delete_for_task(namespace: &str, messages: usize) -> String {
        format!(
            "followed as (
                delete from {} where msg_id = any ((select ${messages}::bigint[] from task)::bigint[])
            )",
            table(namespace)
        )
    }

    /// Deletes messages if `done` says so, as `followed`. These are places of parameters: of the `messages`, and of their
    /// `namespaces`.
    pub(super) fn follow_planned(&self, messages: usize, namespaces: usize) -> String {
        match self {
            // The namespaces have to be named for the server to know their type.
            Self::One(namespace) => format!(
                "followed as (
                    delete from {} where msg_id = any (
                        (select case when done then ${messages} end from done)::bigint[]
                    ) and ${namespaces}::text[] is not null
                )",
                table(namespace)
            ),
            Self::Several => format!(
                "followed as materialized (
                    select case when done then tasker.delete_messages(${namespaces}, ${messages}) end from done
                )"
            ),
        }
    }

    /// Does with messages what `done` says in `spent`, `ready` and `taken`. Which message is now that of which taken step is in
    /// `held`; who reads from it has all of it done. `lease` is the place of the parameter that says for how many seconds
    /// what was taken is hidden.
    ///
    /// A spent message that is not there any more leaves its successor without one: that gets a new one like those that there
    /// was no spent one for.
    pub(super) fn hand_over(&self, lease: usize) -> String {
        let hidden = format!("make_interval(secs => ${lease})");
        let Self::One(namespace) = self else {
            return format!(
                "held as materialized (
                    select unnest(replaced.messages) as msg_id, unnest(replaced.steps) as step_uuid
                    from done cross join lateral tasker.send_messages(ready_namespaces, ready)
                    cross join lateral tasker.replace_messages(
                        {SPENT_NAMESPACES}, spent, coalesce(taken_namespaces, '{{}}'), coalesce(taken, '{{}}'), {hidden}
                    ) replaced
                )"
            );
        };
        let queue = table(namespace);
        format!(
            "replaced as (
                update {queue} set enqueued_at = clock_timestamp(), vt = clock_timestamp() + {hidden}, read_ct = 0,
                    message = (select taken from done)[array_position((select spent from done), msg_id)]
                where msg_id = any ((select spent[:cardinality(taken)] from done)::bigint[])
                returning msg_id, (message ->> 'step_uuid')::uuid as step_uuid
            ), added as (
                insert into {queue} (vt, message)
                select clock_timestamp() + {hidden}, message from done, unnest(taken) message
                where (message ->> 'step_uuid')::uuid not in (select step_uuid from replaced)
                union all
                select clock_timestamp(), message from done, unnest(ready) message
                returning msg_id, (message ->> 'step_uuid')::uuid as step_uuid, vt
            ), deleted as (
                delete from {queue}
                where msg_id = any ((select spent[coalesce(cardinality(taken), 0) + 1:] from done)::bigint[])
            ), held as materialized (
                select * from replaced
                union all select msg_id, step_uuid from added where vt > clock_timestamp()
            )"
        )
    }
}

/// Reads messages of a queue and hides them, urgent ones first or by age alone. These are places of parameters: `name` of the
/// namespace, `limit` of how many there may be at most, and `lease` of for how many seconds.
///
/// Where there is an index of the times until which messages are hidden, it is of no use, because its order is another: what
/// is added to the times keeps the planner from it. What was read is changed by the place of its row, which was just locked.
pub(super) fn read(namespace: &str, by_age: bool, name: usize, limit: usize, lease: usize) -> String {
    let queue = table(namespace);
    let urgency = if by_age { "" } else { "coalesce((message ->> 'priority')::integer, 0) desc, " };
    format!(
        "update {queue} set vt = clock_timestamp() + make_interval(secs => ${lease}), read_ct = read_ct + 1
        where ctid = any (array(
            select ctid from {queue} where vt + interval '0' <= clock_timestamp() order by {urgency}msg_id
            limit tasker.room_for(${name}, ${limit}) for update skip locked
        ))
        returning msg_id, read_ct, message"
    )
}

/// The table of a namespace's queue, as it stands in a statement. The same as `tasker.queue_table`.
fn table(namespace: &str) -> String {
    format!("pgmq.\"q_worker_{}_queue\"", namespace.to_ascii_lowercase().replace('"', "\"\""))
}
