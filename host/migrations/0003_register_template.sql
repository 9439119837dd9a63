-- Registers a template's content and answers its key. Makes the namespace and its queue on first sight. Content that is
-- known already keeps its row; it becomes the current one again if another was registered since.
create function tasker.register_template(
    p_template_uuid uuid, p_namespace text, p_name text, p_version text, p_description text, p_digest text,
    p_configuration text
) returns uuid
language plpgsql as $$
declare
    v_template uuid;
begin
    perform tasker.create_namespace(p_namespace);

    insert into tasker.templates (template_uuid, namespace, name, version, digest, description, configuration)
    values (p_template_uuid, p_namespace, p_name, p_version, p_digest, p_description, p_configuration::jsonb)
    on conflict (namespace, name, version, digest) do nothing
    returning template_uuid into v_template;
    if found then
        return v_template;
    end if;

    select template_uuid into strict v_template from tasker.templates
    where namespace = p_namespace and name = p_name and version = p_version and digest = p_digest;

    update tasker.templates known set registered_at = clock_timestamp()
    where known.template_uuid = v_template and exists (
        select from tasker.templates other
        where other.namespace = p_namespace and other.name = p_name and other.version = p_version
          and other.registered_at > known.registered_at
    );
    return v_template;
end
$$;
