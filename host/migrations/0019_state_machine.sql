-- The database refuses a change of state that the state machines do not have, whoever asks for it.
--
-- Legality is a function in the triggers' WHEN clause, 0.9 microseconds a change (an UPDATE of the state of 100,000 rows took
-- 180 ms with its trigger and 95 ms without, medians of 30 on PostgreSQL 18). The clause is read from its text whenever a
-- statement begins. One that holds the states itself takes half as long for a row, but that was 4.5 % of what the server did
-- for a host that commits one step at a time; one that asks whether the state changes at all, and then the function, was 3 %.
--
-- Beside the moves of the contract the functions know those that one commit makes of several: a host that goes on with a
-- step takes it pending -> in_progress; a result takes its step in_progress -> complete and its task steps_in_process ->
-- complete or blocked_by_failures; a retry that is due goes waiting_for_retry -> enqueued; a step that is put back goes
-- in_progress -> enqueued; a step or task that is reset goes on where it would have gone, without a rest in pending.
-- `complete` and `resolved_manually` are open to an operator from every state. A state that is written again is no change:
-- a claim whose lease lapsed is followed by another. What is asked most often is asked first.

create function tasker.refuse_transition() returns trigger
language plpgsql as $$
declare
    v_kind text := tg_argv[0];
    v_key uuid := (to_jsonb(old) ->> (v_kind || '_uuid'))::uuid;
begin
    raise exception '% %: there is no transition from % to %', v_kind, v_key, old.state, new.state using
        errcode = 'check_violation', schema = tg_table_schema, table = tg_table_name, constraint = tg_name,
        hint = 'change states with the functions of the schema tasker';
end
$$;

create function tasker.refuses_task_transition(p_from tasker.task_state, p_to tasker.task_state) returns boolean
language plpgsql immutable parallel safe as $$
begin
    if p_to in (p_from, 'resolved_manually') then
        return false;
    end if;
    case p_from
        when 'steps_in_process' then
            return p_to not in (
                'complete', 'blocked_by_failures', 'evaluating_results', 'waiting_for_retry', 'error', 'cancelled'
            );
        when 'pending' then return p_to not in ('initializing', 'steps_in_process', 'complete', 'cancelled');
        when 'initializing' then
            return p_to not in ('enqueuing_steps', 'waiting_for_dependencies', 'complete', 'cancelled');
        when 'enqueuing_steps' then return p_to not in ('steps_in_process', 'error', 'cancelled');
        when 'evaluating_results' then
            return p_to not in (
                'enqueuing_steps', 'waiting_for_dependencies', 'blocked_by_failures', 'complete', 'cancelled'
            );
        when 'waiting_for_dependencies' then return p_to not in ('evaluating_results', 'error', 'cancelled');
        when 'waiting_for_retry' then return p_to not in ('enqueuing_steps', 'error', 'cancelled');
        when 'blocked_by_failures' then return p_to not in ('steps_in_process', 'complete', 'error', 'cancelled');
        when 'error' then return p_to not in ('pending', 'steps_in_process', 'complete');
        else return true;
    end case;
end
$$;

create function tasker.refuses_step_transition(p_from tasker.step_state, p_to tasker.step_state) returns boolean
language plpgsql immutable parallel safe as $$
begin
    if p_to in (p_from, 'complete', 'resolved_manually') then
        return false;
    end if;
    case p_from
        when 'pending' then
            return p_to not in ('in_progress', 'enqueued', 'waiting_for_retry', 'error', 'cancelled');
        when 'enqueued' then return p_to not in ('in_progress', 'waiting_for_retry', 'error', 'cancelled');
        when 'in_progress' then
            return p_to not in (
                'enqueued', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration', 'waiting_for_retry',
                'error', 'cancelled'
            );
        when 'enqueued_for_orchestration' then return p_to not in ('error', 'cancelled');
        when 'enqueued_as_error_for_orchestration' then return p_to not in ('waiting_for_retry', 'error', 'cancelled');
        when 'waiting_for_retry' then return p_to not in ('pending', 'enqueued', 'cancelled');
        when 'error' then return p_to not in ('pending', 'enqueued', 'cancelled');
        else return true;
    end case;
end
$$;

create trigger task_transitions before update of state on tasker.tasks
for each row when (tasker.refuses_task_transition(old.state, new.state))
execute function tasker.refuse_transition('task');

create trigger step_transitions before update of state on tasker.steps
for each row when (tasker.refuses_step_transition(old.state, new.state))
execute function tasker.refuse_transition('step');

-- What happened stays written. The purge of old tasks says that it is one, for its own transaction.
create function tasker.refuse_change_of_history() returns trigger
language plpgsql as $$
begin
    raise exception 'tasker.transitions is append-only: % is refused', lower(tg_op) using
        errcode = 'check_violation', schema = tg_table_schema, table = tg_table_name, constraint = tg_name,
        hint = 'old tasks go with all their rows, by tasker.purge_tasks';
end
$$;

create trigger transitions_stay before update or truncate on tasker.transitions
for each statement execute function tasker.refuse_change_of_history();

create trigger transitions_go_with_their_task before delete on tasker.transitions
for each statement when (current_setting('tasker.purging', true) is distinct from 'on')
execute function tasker.refuse_change_of_history();
