-- Stores the progress of a step that runs on: whole in its row, its place in the history. Answers the checkpoint as it is
-- stored; null when the claim is no longer current, and changes nothing then. The commit waits for the disk: what the guest does next relies on it.
create function tasker.save_checkpoint(
    p_step uuid, p_claim integer, p_cursor text, p_items_processed bigint, p_accumulated_results text
) returns json
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_attempt integer;
    v_stored json;
begin
    update tasker.steps s
    set lapses = 0, updated_at = v_now, checkpoint = json_build_object(
        'cursor', p_cursor::json, 'items_processed', p_items_processed, 'timestamp', v_now,
        'accumulated_results', p_accumulated_results::json
    )
    where s.step_uuid = p_step and s.state = 'in_progress' and s.claims = p_claim
    returning s.attempts, s.checkpoint into v_attempt, v_stored;
    if not found then
        return null;
    end if;
    insert into tasker.checkpoints (step_uuid, items_processed, at, attempt, cursor)
    values (p_step, p_items_processed, v_now, v_attempt, p_cursor::json);
    return v_stored;
end
$$;

-- What a task has, for those who plan what to add to it.
create function tasker.growth_state(p_task uuid)
returns table (version integer, step_uuid uuid, name text, template_step text, finished boolean)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set jit = off
as $$
begin
    return query
    select t.growths, s.step_uuid, s.name, coalesce(s.template_step, s.name),
        tasker.is_finished(s.state, s.batch_uuid)
    from tasker.tasks t join tasker.steps s on s.task_uuid = t.task_uuid
    where t.task_uuid = p_task
    order by s.step_uuid;
end
$$;
