//! How requests come in: bounds, browsers, TLS.

use serde_json::json;
use sqlx::Connection as _;
use tasker_wasm_tests::{ApiClient, HostProcess, Settings, TestDatabase, run_cli_with};

use super::shared::{host, linear};

#[tokio::test]
async fn a_page_of_another_origin_may_only_what_was_allowed() {
    let database = TestDatabase::create().await;
    let config = "[orchestration.web]\ncors_allowed_origins = [\"https://ui.example\"]\n";
    let (_host, api) = host(&database, config).await;
    let from = async |origin: &str| api.clone().with("origin", origin).get("/v1/tasks").await.headers;
    assert_eq!(from("https://ui.example").await["access-control-allow-origin"], "https://ui.example");
    assert!(!from("https://evil.example").await.contains_key("access-control-allow-origin"));

    let other = TestDatabase::create().await;
    let (_other_host, closed) = host(&other, "").await;
    let answer = closed.clone().with("origin", "https://ui.example").get("/v1/tasks").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "off unless it is said");
    other.drop().await;
    database.drop().await;
}

#[tokio::test]
async fn bodies_beyond_what_may_be_read_at_once_are_told_to_come_again() {
    let database = TestDatabase::create().await;
    let config = "[orchestration.web]\nmax_bytes_in_flight = 1048576\nmax_body_bytes = 2097152\n";
    let (_host, api) = host(&database, config).await;
    let large = api.post("/v1/tasks", &linear(json!({"text": "x".repeat(1_500_000)}))).await;
    assert_eq!((large.status.as_u16(), large.code()), (503, "BACKPRESSURE"));
    assert_eq!(
        (&large.headers["retry-after"], &large.body["error"]["retry_after_seconds"]),
        (&"1".parse().unwrap(), &json!(1))
    );
    api.post("/v1/tasks", &linear(json!({"even_number": 2, "text": "x".repeat(900_000)}))).await.ok();
    database.drop().await;
}

#[tokio::test]
async fn the_api_is_served_with_tls_and_the_command_line_trusts_who_it_is_told_to() {
    let database = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = format!("[orchestration.web.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    let host = HostProcess::start(&database, Settings { packages: &["linear"], config: &config }).await;
    let port = host.api().url("").rsplit(':').next().unwrap().to_owned();
    let url = format!("https://localhost:{port}");

    let trust = certificate.to_str().unwrap();
    let (code, out, err) = run_cli_with(&[("SSL_CERT_FILE", trust)], &["template", "list", "--server", &url]).await;
    assert!(code == 0 && out.contains("mathematical_sequence"), "{err}");
    let (code, _, err) = run_cli_with(&[("SSL_CERT_FILE", "")], &["template", "list", "--server", &url]).await;
    assert!(code == 1 && err.contains("can't reach https://localhost"), "{err}");
    let plain = ApiClient::new(&format!("127.0.0.1:{port}"));
    assert!(plain.try_get("/health").await.is_err(), "no answer without TLS");
    database.drop().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_before_anything_is_started() {
    let database = TestDatabase::create().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [("DATABASE_URL", database.url.as_str()), ("TASKER_WEB_BIND_ADDRESS", address.as_str())];
    let (code, _, err) = run_cli_with(&variables, &["run"]).await;
    assert_eq!(code, 3);
    assert!(err.contains(&format!("cannot listen on {address}")) && err.contains("bind_address"), "{err}");
    database.drop().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_and_leaves_the_api_as_it_was() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "[orchestration.web]\nrequest_timeout_ms = 300\nmax_connections = 1\n").await;
    let mut locked = database.pool().begin().await.unwrap();
    sqlx::query("lock table tasker.dead_letters in access exclusive mode").execute(&mut *locked).await.unwrap();
    let late = api.get("/v1/dlq").await;
    assert_eq!((late.status.as_u16(), late.code()), (408, "TIMEOUT"), "{late:?}");
    // The one connection comes back though the lock is still held.
    loop {
        if api.get("/v1/tasks").await.status.is_success() {
            break;
        }
    }
    locked.rollback().await.unwrap();
    api.get("/v1/dlq").await.ok();
    database.drop().await;
}

#[tokio::test]
async fn a_failure_in_the_database_names_nothing_of_it() {
    let database = TestDatabase::create().await;
    let (mut host, api) = host(&database, "").await;
    sqlx::query("drop function tasker.usage").execute(database.pool()).await.unwrap();
    let failed = api.clone().with("x-request-id", "of-a-test").get("/v1/usage").await;
    assert_eq!((failed.status.as_u16(), failed.code()), (500, "DATABASE_ERROR"));
    assert!(!failed.message().contains("usage") && !failed.message().contains("function"), "{failed:?}");
    assert_eq!(failed.headers["x-request-id"], "of-a-test");
    host.wait_for_line("of-a-test").await;

    // Nobody gets into the database any more.
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(database.pool()).await.unwrap();
    let mut beside = sqlx::PgConnection::connect(&database.url.replace(&name, "postgres")).await.unwrap();
    let close = format!("alter database \"{name}\" with allow_connections false");
    sqlx::query(sqlx::AssertSqlSafe(close)).execute(&mut beside).await.unwrap();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    sqlx::query(end).bind(&name).execute(&mut beside).await.unwrap();
    let ready = api.get("/health/ready").await;
    assert_eq!((ready.status.as_u16(), &ready.body["status"]), (503, &json!("unhealthy")));
    assert_eq!(api.get("/health").await.ok()["status"], "healthy");
    let away = api.get("/v1/tasks").await;
    assert_eq!((away.status.as_u16(), away.code()), (503, "SERVICE_UNAVAILABLE"), "{away:?}");
    assert_eq!(away.headers["retry-after"], "1");
    drop(host);
    database.drop().await;
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_takes_that() {
    let database = TestDatabase::create().await;
    let (_host, api) = host(&database, "").await;
    let encoding = async |accepted: &str| {
        let answer = api.clone().with("accept-encoding", accepted).get("/api-docs/openapi.json").await;
        answer.headers.get("content-encoding").map(|encoding| encoding.to_str().unwrap().to_owned())
    };
    assert_eq!(encoding("gzip").await.as_deref(), Some("gzip"));
    assert_eq!(encoding("zstd, gzip").await.as_deref(), Some("zstd"));
    assert_eq!(encoding("identity").await, None);
    database.drop().await;
}
