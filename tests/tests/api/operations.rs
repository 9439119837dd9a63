//! Every operation, and what is said when it is refused.

use futures::future::join_all;
use serde_json::{Value, json};
use tasker_wasm_host::template;
use tasker_wasm_tests::{HostProcess, Settings, TestDatabase, package, registered, wait_for};
use uuid::Uuid;

use super::shared::{GUARDED, host, linear, request};

#[tokio::test]
async fn a_task_is_created_looked_at_listed_and_its_steps_shown() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;

    let created = api.post("/v1/tasks", &linear(json!({"even_number": 6}))).await.ok();
    let task: Uuid = created["task_uuid"].as_str().unwrap().parse().unwrap();
    assert_eq!((&created["total_steps"], &created["initiator"]), (&json!(4), &json!("ada")));
    wait_for(&database.store, task, &["complete"]).await;

    let shown = api.get(&format!("/v1/tasks/{task}")).await.ok();
    assert_eq!((&shown["status"], &shown["execution_status"]), (&json!("complete"), &json!("all_complete")));
    assert_eq!(shown["context"], json!({"even_number": 6}));
    assert_eq!(shown["steps"].as_array().unwrap().len(), 4);
    assert_eq!(shown["steps"][0]["current_state"], "complete");

    let listed = api.get("/v1/tasks?namespace=linear_workflow&status=complete&per_page=1").await.ok();
    assert_eq!(listed["tasks"][0]["task_uuid"], json!(task));
    assert_eq!(
        listed["pagination"],
        json!({"page": 1, "per_page": 1, "total_count": 1, "total_pages": 1, "has_next": false, "has_previous": false})
    );

    let steps = api.get(&format!("/v1/tasks/{task}/workflow_steps")).await.ok();
    let last = &steps[3];
    assert_eq!(last["results"]["result"]["result"], json!(6_i64.pow(16)));
    let step = last["step_uuid"].as_str().unwrap();
    let step_path = format!("/v1/tasks/{task}/workflow_steps/{step}");
    assert_eq!(api.get(&step_path).await.ok()["name"], "linear_step_4");
    let audit = api.get(&format!("{step_path}/audit")).await.ok();
    assert_eq!(audit[0]["to_state"], "complete");
    database.drop().await;
}

#[tokio::test]
async fn a_creation_is_answered_with_what_a_look_at_the_task_shows() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let diamond = template::load(&package("diamond").join("template.yaml")).unwrap();
    // The host has no component for it, so nothing happens between the answers.
    let row = registered(&database.store, &diamond).await.unwrap();
    let mut body = request(&row.namespace, &row.name, json!({"even_number": 6, "as": "it is"}));
    let given = json!({"tags": ["a", "b"], "priority": -3, "parent_correlation_id": Uuid::now_v7()});
    body.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());

    let created = api.post("/v1/tasks", &body).await.ok();

    let shown = api.get(&format!("/v1/tasks/{}", created["task_uuid"].as_str().unwrap())).await.ok();
    assert_eq!((&created, created["steps"].as_array().unwrap().len()), (&shown, 4));
    database.drop().await;
}

#[tokio::test]
async fn a_task_is_created_from_the_template_that_was_registered_last_wherever_that_was() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let ask = async |version: Option<&str>| {
        let mut body = linear(json!({"even_number": 6}));
        body["idempotency_key"] = json!(Uuid::now_v7());
        body["version"] = json!(version);
        let task = api.post("/v1/tasks", &body).await.ok();
        (task["version"].clone(), task["total_steps"].clone())
    };
    let mut other = template::load(&package("linear").join("template.yaml")).unwrap();
    let first = other.template.version.clone();
    assert_eq!(ask(None).await, (json!(first), json!(4)));

    // Another host registers a version with fewer steps, and then other content of the first one.
    other.template.version = "9.0.0".into();
    other.template.steps.truncate(2);
    registered(&database.store, &other).await.unwrap();
    assert_eq!(ask(None).await, (json!("9.0.0"), json!(2)));
    assert_eq!(ask(Some(&first)).await, (json!(first), json!(4)));
    other.template.version = first.clone();
    other.digest = "another".into();
    registered(&database.store, &other).await.unwrap();
    assert_eq!(ask(Some(&first)).await, (json!(first), json!(2)));
    assert_eq!(ask(None).await, (json!(first), json!(2)));
    database.drop().await;
}

#[tokio::test]
async fn requests_that_come_together_are_each_answered_with_their_own_task() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let ask = async |number: u32| {
        let mut body = request("probe", "sleep", json!({"ms": number}));
        body["idempotency_key"] = json!(format!("pair {}", number / 2));
        (number, api.post("/v1/tasks", &body).await)
    };
    let answers = join_all((0..40).map(ask)).await;
    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, answer)| answer.status.is_success());
    assert_eq!((created.len(), refused.len()), (20, 20));
    for (number, answer) in created {
        let task = answer.ok();
        assert_eq!(task["context"], json!({"ms": number}));
        let (_, twin) = refused.iter().find(|(other, _)| other / 2 == number / 2).unwrap();
        assert!(twin.message().contains(task["task_uuid"].as_str().unwrap()), "{twin:?}");
    }
    database.drop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_taskers_words() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "[orchestration.web]\nmax_body_bytes = 4096\n").await;
    let unknown = Uuid::now_v7();
    let task = api.post("/v1/tasks", &linear(json!({"even_number": 2}))).await.ok();
    let again = api.post("/v1/tasks", &linear(json!({"even_number": 2}))).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "CONFLICT"));
    assert!(again.message().contains(task["task_uuid"].as_str().unwrap()), "{again:?}");

    let mut nameless = linear(json!({}));
    nameless.as_object_mut().unwrap().remove("name");
    let mut unregistered = linear(json!({}));
    unregistered["name"] = json!("no_such_template");
    let large = linear(json!({"text": "x".repeat(5_000)}));
    for (answer, status, code, message) in [
        (api.get("/v1/tasks/7").await, 400, "INVALID_UUID", "give it a UUID"),
        (api.get(&format!("/v1/tasks/{unknown}")).await, 404, "NOT_FOUND", "there is no task"),
        (api.get("/v1/tasks?per_page=101").await, 400, "BAD_REQUEST", "from 1 to 100"),
        (api.get("/v1/tasks?status=lost").await, 400, "BAD_REQUEST", "which no task has"),
        (api.post("/v1/tasks", &nameless).await, 422, "UNPROCESSABLE_ENTITY", "missing field `name`"),
        (api.post("/v1/tasks", &unregistered).await, 404, "NOT_FOUND", "no_such_template"),
        (api.post("/v1/tasks", &large).await, 413, "PAYLOAD_TOO_LARGE", "4096 bytes"),
        (api.send(http::Method::POST, "/v1/tasks", "{".into()).await, 400, "JSON_ERROR", "not JSON"),
        (api.send(http::Method::PUT, "/v1/tasks", "{}".into()).await, 405, "METHOD_NOT_ALLOWED", "openapi.json"),
        (api.get("/v1/fish").await, 404, "NOT_FOUND", "/v1/fish"),
        (api.get("/v1/templates/%ff/a/b").await, 404, "NOT_FOUND", "no text"),
        (api.get("/v1/templates/a%00b/a/b").await, 404, "NOT_FOUND", "no template"),
        (api.get("/v1/usage?since=-9999-01-01T00:00:00Z").await, 400, "BAD_REQUEST", "year -9999"),
        (api.get("/v1/dlq?offset=2147483648").await, 400, "BAD_REQUEST", "from 0 to 2147483647"),
        (api.post("/v1/namespaces/a%00b/pause", &json!({"reason": "x"})).await, 404, "NOT_FOUND", "no namespace"),
        (
            api.send(http::Method::PUT, "/v1/namespaces/probe/limit", "{}".into()).await,
            422,
            "UNPROCESSABLE_ENTITY",
            "max_concurrent",
        ),
        (
            api.send(http::Method::PUT, "/v1/namespaces/probe/limit", "[5]".into()).await,
            422,
            "UNPROCESSABLE_ENTITY",
            "object",
        ),
        (api.post("/v1/tasks", &linear(json!({"even_number": 2, "nul": "\0"}))).await, 400, "BAD_REQUEST", "`context`"),
    ] {
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{answer:?}");
        assert!(answer.message().contains(message), "{answer:?}");
        assert!(answer.headers.contains_key("x-request-id"), "{answer:?}");
    }
    assert_eq!(api.get("/v1/tasks?namespace=%00").await.ok()["tasks"], json!([]));
    database.drop().await;
}

#[tokio::test]
async fn a_failed_step_is_retried_resolved_and_completed_by_hand() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let request = |key: &str| {
        let mut request = request("probe", "fails", json!({}));
        request["idempotency_key"] = json!(key);
        request
    };
    for (key, action, state) in [
        ("reset", json!({"action_type": "reset_for_retry", "reason": "again", "reset_by": "ada"}), "error"),
        (
            "resolve",
            json!({"action_type": "resolve_manually", "reason": "enough", "resolved_by": "ada"}),
            "resolved_manually",
        ),
        (
            "complete",
            json!({
                "action_type": "complete_manually", "completion_data": {"result": {"by": "hand"}}, "reason": "known",
                "completed_by": "ada"
            }),
            "complete",
        ),
    ] {
        let task = api.post("/v1/tasks", &request(key)).await.ok();
        let task: Uuid = task["task_uuid"].as_str().unwrap().parse().unwrap();
        wait_for(&database.store, task, &["blocked_by_failures"]).await;
        let steps = api.get(&format!("/v1/tasks/{task}/workflow_steps")).await.ok();
        let path = format!("/v1/tasks/{task}/workflow_steps/{}", steps[0]["step_uuid"].as_str().unwrap());
        api.patch(&path, &action).await.ok();
        wait_for(&database.store, task, &["blocked_by_failures", "complete"]).await;
        let step = api.get(&path).await.ok();
        assert_eq!(step["current_state"], state, "{key}: {step}");
        let audit = api.get(&format!("{path}/audit")).await.ok();
        assert!(audit.as_array().unwrap().iter().any(|change| change["actor"] == "ada (anonymous)"), "{audit}");
    }
    database.drop().await;
}

#[tokio::test]
async fn health_is_told_to_everybody_and_the_document_describes_every_operation() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    for path in ["/health", "/health/live", "/health/ready", "/health/detailed"] {
        assert_eq!(api.get(path).await.ok()["status"], "healthy", "{path}");
    }
    let ready = api.get("/health/ready").await.ok();
    assert_eq!(ready["checks"]["web_database"]["status"], "healthy");
    assert_eq!(ready["info"]["operational_state"], "running");

    assert!(api.get("/api-docs/ui").await.ok().as_str().unwrap().contains("openapi.json"));
    let document = api.get("/api-docs/openapi.json").await.ok();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 35, "{:?}", paths.keys());
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(
                !operation["summary"].as_str().unwrap_or_default().is_empty(),
                "{method} {path} says nothing of itself"
            );
            if !path.starts_with("/health") {
                let answer =
                    api.send(method.to_uppercase().parse().unwrap(), &path.replace(['{', '}'], ""), "{}".into()).await;
                assert!([400, 401].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
            }
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn the_same_request_with_the_same_idempotency_key_is_answered_with_the_same_task() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let keyed = api.clone().with("idempotency-key", "order-7");
    let first = keyed.post("/v1/tasks", &linear(json!({"even_number": 8}))).await.ok();
    let again = keyed.post("/v1/tasks", &linear(json!({"even_number": 8}))).await.ok();
    assert_eq!(first["task_uuid"], again["task_uuid"]);
    let mut long = linear(json!({"even_number": 8}));
    long["idempotency_key"] = json!("x".repeat(256));
    assert_eq!(keyed.post("/v1/tasks", &long).await.status.as_u16(), 400);
    let other = keyed.post("/v1/tasks", &linear(json!({"even_number": 10}))).await;
    assert_eq!((other.status.as_u16(), other.code()), (409, "CONFLICT"));
    assert!(other.message().contains("with another request"), "{other:?}");
    assert_eq!(api.get("/v1/tasks").await.ok()["pagination"]["total_count"], 1);
    database.drop().await;
}

#[tokio::test]
async fn the_attempts_of_a_task_have_their_errors_stacks_and_logs() {
    let database = TestDatabase::create().await;
    let host = HostProcess::start(&database, Settings { packages: &["linear", "retries"], config: "" }).await;
    let api = host.api();
    let task = api.post("/v1/tasks", &request("retries", "failing_calls", json!({}))).await.ok();
    let task: Uuid = task["task_uuid"].as_str().unwrap().parse().unwrap();
    let attempts = loop {
        let attempts = api.get(&format!("/v1/tasks/{task}/attempts")).await.ok();
        let of_step = attempts.as_array().unwrap().iter().filter(|attempt| attempt["step"] == "exhausted");
        let of_step: Vec<_> = of_step.cloned().collect();
        if of_step.len() == 3 {
            break of_step;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    for (attempt, n) in attempts.iter().zip(1..) {
        let message = format!("Service unavailable, attempt {n}");
        assert_eq!((&attempt["attempt"], &attempt["error"]["message"]), (&json!(n), &json!(message)));
        let stack = attempt["error"]["backtrace"].as_array().unwrap();
        assert!(stack.iter().any(|frame| frame.as_str().unwrap().contains("retry_step_handlers.ts:20")), "{stack:?}");
        assert!(attempt["fuel"].as_u64().unwrap() > 1_000, "{attempt}");
    }

    let task = api.post("/v1/tasks", &linear(json!({"even_number": 4}))).await.ok();
    let task: Uuid = task["task_uuid"].as_str().unwrap().parse().unwrap();
    wait_for(&database.store, task, &["complete"]).await;
    let steps = api.get(&format!("/v1/tasks/{task}/workflow_steps")).await.ok();
    let first = steps[0]["step_uuid"].as_str().unwrap();
    let attempts = api.get(&format!("/v1/tasks/{task}/attempts?step_uuid={first}")).await.ok();
    assert_eq!((attempts.as_array().unwrap().len(), &attempts[0]["error"]), (1, &Value::Null));
    let records = attempts[0]["log"]["records"].as_array().unwrap();
    assert!(records.iter().any(|record| record["message"] == "Starting the sequence"), "{records:?}");
    assert_eq!(attempts[0]["log"]["dropped"], 0);
    database.drop().await;
}

#[tokio::test]
async fn a_task_is_summed_up_on_one_page_with_its_dead_letter() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let task = api.post("/v1/tasks", &request("probe", "fails", json!({}))).await.ok();
    let task: Uuid = task["task_uuid"].as_str().unwrap().parse().unwrap();
    wait_for(&database.store, task, &["blocked_by_failures"]).await;
    let summary = api.get(&format!("/v1/tasks/{task}/summary")).await.ok();
    assert_eq!(summary["task"]["status"], "blocked_by_failures");
    assert_eq!(summary["template"]["steps"].as_array().unwrap().len(), summary["steps"].as_array().unwrap().len());
    assert!(summary["steps"][0]["error"]["error_type"].is_string(), "{summary}");
    assert_eq!(summary["dlq"], json!({"in_dlq": false, "dlq_reason": null, "resolution_status": null}));
    assert_eq!(summary["links"]["steps"], json!(format!("/v1/tasks/{task}/workflow_steps")));
    database.drop().await;
}

#[tokio::test]
async fn templates_handlers_components_usage_and_performance_tell_of_what_ran() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let task = api.post("/v1/tasks", &linear(json!({"even_number": 6}))).await.ok();
    wait_for(&database.store, task["task_uuid"].as_str().unwrap().parse().unwrap(), &["complete"]).await;

    let listed = api.get("/v1/templates?namespace=linear_workflow").await.ok();
    assert_eq!((&listed["total_count"], &listed["templates"][0]["step_count"]), (&json!(1), &json!(4)));
    assert_eq!(listed["supported_namespaces"], json!(["linear_workflow", "probe"]));
    let path = "/v1/templates/linear_workflow/mathematical_sequence/1.0.0";
    let template = api.get(path).await.ok();
    assert_eq!(template["template"]["template"]["name"], "mathematical_sequence");
    let validated = api.post(&format!("{path}/validate"), &json!({})).await.ok();
    assert_eq!((&validated["valid"], validated["step_handlers"].as_array().unwrap().len()), (&json!(true), 4));

    let handlers = api.get("/v1/handlers").await.ok();
    assert!(handlers.as_array().unwrap().iter().any(|handler| handler["component"] == "linear"), "{handlers}");
    let components = api.get("/v1/components").await.ok();
    assert_eq!(components[0]["digest"].as_str().unwrap().len(), 64);

    let used = api.get("/v1/usage?namespace=linear_workflow").await.ok();
    let steps: Vec<_> = used.as_array().unwrap().iter().map(|line| line["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["linear_step_1", "linear_step_2", "linear_step_3", "linear_step_4"]);
    assert!(used[0]["fuel"].as_i64().unwrap() > 100_000, "{used}");
    let performance = api.get("/v1/analytics/performance?hours=1").await.ok();
    assert_eq!((&performance["total_tasks"], &performance["completion_rate"]), (&json!(1), &json!(1.0)));
    let bottlenecks = api.get("/v1/analytics/bottlenecks?min_executions=1").await.ok();
    assert_eq!(bottlenecks["slow_steps"].as_array().unwrap().len(), 4);
    assert_eq!(bottlenecks["resource_utilization"]["system_health"]["complete_tasks"], 1);

    let metrics = api.get("/metrics").await;
    let text = metrics.body.as_str().unwrap();
    assert!(text.contains("tasker_attempts_total{namespace=\"linear_workflow\",outcome=\"completed\"} 4"), "{text}");
    assert!(text.contains("route=\"/v1/tasks\""), "{text}");
    assert_eq!(api.get("/metrics/worker").await.ok()["metrics"]["slots"]["metric_type"], "gauge");
    assert_eq!(api.get("/metrics/events").await.ok()["router"]["routing_errors"], 0);
    let config = api.get("/config").await.ok();
    assert_eq!((&config["auth"]["enabled"], &config["messaging"]["backend"]), (&json!(false), &json!("pgmq")));
    assert!(!config.to_string().contains("postgres"), "{config}");
    database.drop().await;
}

#[tokio::test]
async fn what_people_do_is_kept_with_who_and_why() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, GUARDED).await;
    let secret = super::shared::key(&database, "*", &[]).await;
    let api = api.with("x-api-key", &secret);
    api.post("/v1/namespaces/probe/pause", &json!({"reason": "upkeep", "paused_by": "grace"})).await.ok();
    assert!(api.get("/v1/namespaces").await.ok()[1]["paused_at"].is_string());
    let task = api.post("/v1/tasks", &request("probe", "sleep", json!({"ms": 1}))).await.ok();
    let path = format!("/v1/tasks/{}", task["task_uuid"].as_str().unwrap());
    api.delete(&format!("{path}?cancelled_by=grace&reason=not%20needed")).await.ok();
    api.post("/v1/namespaces/probe/resume?by=grace", &json!({})).await.ok();
    let entries = api.get("/v1/audit").await.ok();
    let told: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            (text("kind"), text("action"), text("actor"), text("reason"))
        })
        .collect();
    let is = |kind: &str, action: &str, actor: &str, reason: &str| {
        told.contains(&(kind.into(), action.into(), actor.into(), reason.into()))
    };
    assert!(is("namespace", "pause", "grace (key:a-test)", "upkeep"), "{told:?}");
    assert!(is("namespace", "resume", "grace (key:a-test)", ""), "{told:?}");
    assert!(is("task", "steps_in_process -> cancelled", "grace (key:a-test)", "not needed"), "{told:?}");
    assert!(told.iter().any(|(kind, action, _, _)| kind == "api_key" && action == "create"), "{told:?}");
    database.drop().await;
}

#[tokio::test]
async fn a_dead_letter_is_listed_looked_at_and_resolved_as_taskers_clients_do() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let task = api.post("/v1/tasks", &request("probe", "fails", json!({}))).await.ok();
    let task: Uuid = task["task_uuid"].as_str().unwrap().parse().unwrap();
    wait_for(&database.store, task, &["blocked_by_failures"]).await;
    // As if nobody had looked after it for long.
    let aged = "update tasker.tasks set created_at = now() - interval '30 days', updated_at = created_at";
    sqlx::query(aged).execute(database.pool()).await.unwrap();
    let thresholds = tasker_wasm_host::store::StalenessThresholds {
        waiting_for_dependencies: 1,
        waiting_for_retry: 1,
        steps_in_process: 1,
        lifetime: 60,
    };
    let found = database.store.detect_stale_tasks(None, 10, thresholds, false).await.unwrap();
    assert_eq!(found.tasks.len(), 1);

    let listed = api.get("/v1/dlq?resolution_status=pending").await.ok();
    assert_eq!(
        (&listed[0]["resolution_status"], &listed[0]["dlq_reason"]),
        (&json!("Pending"), &json!("StalenessTimeout"))
    );
    let naive = listed[0]["dlq_timestamp"].as_str().unwrap();
    assert!(!naive.ends_with('Z') && !naive.contains('+'), "{naive}");
    assert_eq!(api.get(&format!("/v1/dlq/task/{task}")).await.ok(), listed[0]);
    assert_eq!(api.get("/v1/dlq/investigation-queue").await.ok()[0]["task_name"], "fails");
    assert_eq!(api.get("/v1/dlq/stats").await.ok()[0]["pending"], 1);
    assert_eq!(api.get(&format!("/v1/tasks/{task}/summary")).await.ok()["dlq"]["dlq_reason"], "staleness_timeout");
    let entry = format!("/v1/dlq/entry/{}", listed[0]["dlq_entry_uuid"].as_str().unwrap());
    let noted = api.patch(&entry, &json!({"resolution_status": "ManuallyResolved", "metadata": "by hand"})).await.ok();
    assert_eq!(noted["success"], true);
    let resolved = api.get(&entry).await.ok();
    assert_eq!(resolved["metadata"], json!({"operator_metadata": "by hand"}));
    assert_eq!(resolved["resolved_by"], "anonymous");
    let again = api.patch(&entry, &json!({"resolution_status": "cancelled"})).await;
    assert_eq!((again.status.as_u16(), again.code()), (400, "BAD_REQUEST"));
    assert_eq!(api.get("/v1/dlq/staleness").await.ok(), json!([]));
    database.drop().await;
}
