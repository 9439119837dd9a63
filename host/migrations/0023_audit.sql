-- What people did, beside what they did to tasks and steps: that stands in the transitions they made.

create table tasker.operator_actions (
    action_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    kind text not null check (kind in ('namespace', 'dead_letter', 'api_key')),
    -- Null for what is not one namespace's.
    namespace text,
    subject text not null,
    reason text
);

create index transitions_of_people on tasker.transitions (at) where actor is not null;

-- Everything that people did.
create view tasker.audit as
select c.at, c.actor, c.from_state || ' -> ' || c.to_state as action, t.namespace,
    case when c.step_uuid is null then 'task' else 'step' end as kind, coalesce(c.step_uuid, c.task_uuid)::text as subject,
    c.task_uuid, c.reason
from tasker.transitions c join tasker.tasks t on t.task_uuid = c.task_uuid
where c.actor is not null
union all
select a.at, a.actor, a.action, a.namespace, a.kind, a.subject, null, a.reason
from tasker.operator_actions a;
