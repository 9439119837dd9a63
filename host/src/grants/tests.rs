//! What is asked, what is allowed, what is missing, and how all of it is told.

use serde_json::json;

use super::*;

fn asks(json: serde_json::Value) -> Asks {
    serde_json::from_value(json).unwrap()
}

fn allowed(json: serde_json::Value) -> Allowed {
    serde_json::from_value(json).unwrap()
}

fn everything() -> Asks {
    asks(json!({
        "http": [{"url": "https://*.example.com/v1", "methods": ["GET", "POST"]}, {"url": "http://localhost:8080"}],
        "mounts": [{"path": "/data", "access": "read-write"}, {"path": "/in"}],
        "env": ["REGION", "STAGE"], "secrets": ["STRIPE_KEY"], "client": true, "events": true
    }))
}

#[test]
fn the_lines_of_a_refusal_are_toml_that_allows_what_was_missing() {
    let nothing = Allowed::default();
    let lines = Missing::of(&everything(), &nothing, &nothing).unwrap().settings_lines("shop");
    let expected = r#"[worker.namespaces.shop.grants]
http = [{ url = "https://*.example.com/v1", methods = ["GET", "POST"] }, { url = "http://localhost:8080" }]
mounts = [{ path = "/data", directory = "/srv/shop/data", access = "read-write" }, { path = "/in", directory = "/srv/shop/in", access = "read-only" }]
env = { REGION = "${REGION}", STAGE = "${STAGE}" }
secrets = { STRIPE_KEY = { value = "${STRIPE_KEY}", urls = ["https://*.example.com/v1", "http://localhost:8080"] } }
client = true
events = true
"#;
    assert_eq!(lines, expected);

    let settings: toml::Table = toml::from_str(&lines).unwrap();
    let grants = settings["worker"]["namespaces"]["shop"]["grants"].clone();
    let allowed: Allowed = grants.try_into().unwrap();
    assert_eq!(Missing::of(&everything(), &allowed, &allowed), None);
}

#[test]
fn what_overlaps_is_not_missing_and_what_does_not_is_named_alone() {
    let own = allowed(json!({
        "http": [{"url": "https://api.example.com", "methods": ["GET"]}],
        "mounts": [{"path": "/data", "directory": "/srv", "access": "read-only"}],
        "env": {"STAGE": "x"}
    }));
    let missing = Missing::of(&everything(), &own, &own).unwrap();
    assert_eq!(
        missing.settings_lines("shop"),
        r#"[worker.namespaces.shop.grants]
http = [{ url = "http://localhost:8080" }]  # beside what it has
mounts = [{ path = "/in", directory = "/srv/shop/in", access = "read-only" }]  # beside what it has
env = { REGION = "${REGION}" }  # beside what it has
secrets = { STRIPE_KEY = { value = "${STRIPE_KEY}", urls = ["https://*.example.com/v1", "http://localhost:8080"] } }
client = true
events = true
"#
    );
    let other_method = asks(json!({"http": [{"url": "https://api.example.com", "methods": ["DELETE"]}]}));
    assert!(Missing::of(&other_method, &own, &own).is_some(), "a method that nobody allows");
}

#[test]
fn a_namespace_has_its_own_grants_and_those_of_all_and_its_own_go_before() {
    let all = allowed(json!({
        "http": [{"url": "https://all.example"}], "env": {"REGION": "all", "STAGE": "all"}, "events": true,
        "mounts": [{"path": "/data", "directory": "/all"}, {"path": "/all", "directory": "/all"}]
    }));
    let own = allowed(json!({
        "http": [{"url": "https://own.example"}], "env": {"REGION": "own"}, "client": true,
        "mounts": [{"path": "/data", "directory": "/own"}]
    }));
    let both = own.and(&all);
    assert_eq!((both.http.len(), both.client, both.events), (2, true, true));
    assert_eq!((both.env["REGION"].as_str(), both.env["STAGE"].as_str()), ("own", "all"));
    let mounts: Vec<_> =
        both.mounts.iter().map(|mount| (mount.path.as_str(), mount.directory.to_str().unwrap())).collect();
    assert_eq!(mounts, [("/data", "/own"), ("/all", "/all")]);
}

#[test]
fn an_upgrade_shows_only_what_it_asks_for_beyond_the_last() {
    let before = asks(json!({
        "http": [{"url": "https://*.example.com"}, {"url": "https://b.example", "methods": ["GET"]}],
        "mounts": [{"path": "/data"}], "env": ["REGION"], "client": true
    }));
    let after = asks(json!({
        "http": [{"url": "https://api.example.com/v1", "methods": ["POST"]}, {"url": "https://b.example"}],
        "mounts": [{"path": "/data", "access": "read-write"}], "env": ["REGION", "STAGE"], "secrets": ["KEY"]
    }));
    assert_eq!(
        after.beyond(&before).lines(),
        [
            r#"http = [{ url = "https://b.example" }]"#,
            r#"mounts = [{ path = "/data", access = "read-write" }]"#,
            r#"env = ["STAGE"]"#,
            r#"secrets = ["KEY"]"#,
        ]
    );
    assert!(before.beyond(&before).is_empty());
}

#[test]
fn what_is_shown_names_every_grant_and_no_value() {
    let allowed = allowed(json!({
        "http": [{"url": "https://api.example.com", "methods": ["GET"], "networks": ["10.0.0.0/8"]},
                 {"url": "https://elsewhere.example"}, {"url": "http://localhost:8080"}],
        "mounts": [{"path": "/data", "directory": "/srv/shop", "access": "read-only"}],
        "env": {"REGION": "geheim-1"}, "client": true, "events": false,
        "secrets": {"STRIPE_KEY": {"value": "geheim-2", "urls": ["https://api.stripe.com"]}}
    }));
    let asked = everything();
    let granted = Granted::intersection(&asked, &allowed);
    let shown = ShownGrants::new(&asked, &granted);
    assert_eq!(
        shown.to_string(),
        r#"asked    http = [{ url = "https://*.example.com/v1", methods = ["GET", "POST"] }, { url = "http://localhost:8080" }]
asked    mounts = [{ path = "/data", access = "read-write" }, { path = "/in", access = "read-only" }]
asked    env = ["REGION", "STAGE"]
asked    secrets = ["STRIPE_KEY"]
asked    client = true
asked    events = true
granted  http to https://api.example.com GET, also in 10.0.0.0/8
granted  http to http://localhost:8080
granted  /data of /srv/shop, read-only
granted  env REGION
granted  secret STRIPE_KEY, sent to https://api.stripe.com
granted  client"#
    );
    let everywhere = format!("{shown} {shown:?} {granted:?} {allowed:?} {}", json!(shown));
    assert!(!everywhere.contains("geheim"), "{everywhere}");
}
