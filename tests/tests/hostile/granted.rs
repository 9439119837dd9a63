//! How each handler of `tests/hostile/granted` ends: it was granted a little, and gets no more.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use serde_json::{Value, json};
use tasker_wasm_host::grants::{
    Access, Allowed, Asks, Granted, HttpAllowed, HttpAsk, MountAllowed, MountAsk, SecretAllowed,
};
use tasker_wasm_tests::{Guest, PlainServer};

use super::case::Case;
use super::case::Ends::*;
use super::case::run_all;
use super::plain::refused;

/// The value of the secret, which no guest and no stranger ever sees.
const SECRET: &str = "sk_live_51HostilesNeverSeeThis";

const FILES: &[Case] = &[
    Case {
        handler: "read_granted",
        ends: Success(|result| *result == json!({"paths": ["/data", "/out"], "text": "a note"})),
    },
    Case { handler: "read_absolute", ends: Success(all_refused) },
    Case { handler: "read_upwards", ends: Success(all_refused) },
    Case { handler: "read_symlinks", ends: Success(all_refused) },
    Case { handler: "make_symlinks", ends: Success(all_refused) },
    Case { handler: "move_out", ends: Success(all_refused) },
    Case { handler: "write_read_only", ends: Success(all_refused) },
    Case { handler: "fill_disk", ends: Error(&["fs_write_bytes_exceeded"]) },
    Case { handler: "fill_by_stream", ends: Error(&["fs_write_bytes_exceeded"]) },
    Case { handler: "fill_in_place", ends: Error(&["fs_write_bytes_exceeded"]) },
    Case { handler: "fill_by_size", ends: Error(&["fs_write_bytes_exceeded"]) },
    Case { handler: "fill_by_hole", ends: Error(&["fs_write_bytes_exceeded"]) },
    Case { handler: "open_forever", ends: Error(&["guest_trap"]) },
    Case { handler: "read_pipe", ends: Failure("ComponentError", "not-permitted") },
];

const ENVIRONMENT: &[Case] = &[
    Case {
        handler: "read_environment",
        ends: Success(|result| {
            let seen = &result["environment"];
            let names: Vec<_> = seen.as_object().unwrap().keys().map(String::as_str).collect();
            names == ["API_KEY", "REGION"]
                && seen["REGION"] == "eu-west-1"
                && seen["API_KEY"].as_str().is_some_and(|placeholder| !placeholder.contains(SECRET))
                && result["process"] == *seen
                && result["arguments"] == json!([])
                && result["cwd"].is_null()
        }),
    },
    Case { handler: "read_known", ends: Success(|result| *result == json!({"found": []})) },
    Case { handler: "write_environment", ends: Success(|result| *result == json!({"found": null})) },
    Case { handler: "secret_in_log", ends: Success(|_| true) },
    Case { handler: "secret_in_result", ends: Success(|result| !result.to_string().contains(SECRET)) },
    Case { handler: "secret_in_error", ends: Failure("Error", "cannot use tasker-secret-") },
];

/// Everywhere in the public network is granted, and nowhere else.
const REQUESTS: &[Case] = &[
    Case { handler: "to_loopback", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_short", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_decimal", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_octal", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_hex", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_private", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_metadata", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_multicast", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_v6", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_mapped", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_translated", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_dotted", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_disguised", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_user_info", ends: Failure("TypeError", NOT_PUBLIC) },
    Case { handler: "to_names", ends: Failure("TypeError", "http://") },
    Case { handler: "to_ports", ends: Failure("TypeError", "is not granted") },
    Case { handler: "to_schemes", ends: Failure("Error", "host API") },
    Case { handler: "to_other_host", ends: Failure("TypeError", NOT_PUBLIC) },
];

/// One server of this machine is granted, with its port and network, and answers each request.
const STORM: &[Case] = &[Case { handler: "storm", ends: Error(&["http_requests_exceeded"]) }];

/// As before, and a `GET` is answered without end.
const TRAFFIC: &[Case] = &[
    Case { handler: "upload", ends: Error(&["http_request_bytes_exceeded"]) },
    Case { handler: "download", ends: Error(&["http_response_bytes_exceeded"]) },
];

const NOT_PUBLIC: &str = "not public";

/// Towards a server that is granted, and that the secret is not granted for.
const TO_STRANGER: &[Case] = &[
    Case { handler: "secret_in_header", ends: Failure("TypeError", "API_KEY") },
    Case { handler: "secret_in_basic", ends: Failure("TypeError", "API_KEY") },
    Case { handler: "secret_in_query", ends: Failure("TypeError", "API_KEY") },
    Case { handler: "secret_in_path", ends: Failure("TypeError", "API_KEY") },
    Case { handler: "secret_in_body", ends: Success(|_| true) },
    Case { handler: "secret_in_header_name", ends: Success(|_| true) },
    Case { handler: "secret_in_halves", ends: Success(|_| true) },
    Case { handler: "secret_reversed", ends: Success(|_| true) },
];

/// Towards the server that the secret is granted for, in places where it has no business.
const TO_FRIEND: &[Case] = &[
    Case { handler: "secret_in_query", ends: Failure("TypeError", "API_KEY") },
    Case { handler: "secret_in_path", ends: Failure("TypeError", "API_KEY") },
    Case { handler: "secret_in_body", ends: Success(|_| true) },
    Case { handler: "secret_in_header_name", ends: Success(|_| true) },
    Case { handler: "secret_in_halves", ends: Success(|_| true) },
    Case { handler: "secret_reversed", ends: Success(|_| true) },
];

/// Without a host there is nobody to ask; `whole_host` asks one.
const TENANTS: &[Case] = &[
    Case { handler: "read_theirs", ends: Success(all_refused) },
    Case { handler: "cancel_theirs", ends: Success(all_refused) },
    Case { handler: "name_theirs", ends: Success(all_refused) },
    Case { handler: "ask_nonsense", ends: Success(all_refused) },
    Case { handler: "submit_nonsense", ends: Success(all_refused) },
];

/// Every case there is.
pub const ALL: [&[Case]; 8] = [FILES, ENVIRONMENT, REQUESTS, STORM, TRAFFIC, TO_STRANGER, TO_FRIEND, TENANTS];

fn all_refused(result: &Value) -> bool {
    result.as_object().is_some_and(|outcomes| outcomes.values().all(refused))
}

/// Directories to be granted, beside files to keep from the guest.
struct Directories(tempfile::TempDir);

impl Directories {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (data, secret) = (root.path().join("data"), root.path().join("secret.txt"));
        std::fs::write(&secret, "a secret").unwrap();
        std::fs::create_dir_all(data.join("sub")).unwrap();
        std::fs::create_dir(root.path().join("out")).unwrap();
        std::fs::write(data.join("note.txt"), "a note").unwrap();
        for (name, target) in [
            ("to-secret", Path::new("../secret.txt")),
            ("to-secret-absolute", &secret),
            ("to-parent", Path::new("..")),
            ("to-root", Path::new("/")),
            ("to-proc", Path::new("/proc/self")),
            ("loop", Path::new("loop")),
        ] {
            symlink(target, data.join(name)).unwrap();
        }
        nix::unistd::mkfifo(&data.join("pipe"), Mode::S_IRWXU).unwrap();
        Self(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Everything but what may be written: names, and the content of files.
    fn kept(&self) -> Vec<(PathBuf, String)> {
        let mut kept = Vec::new();
        for folder in ["", "data", "data/sub"] {
            for entry in std::fs::read_dir(self.path(folder)).unwrap() {
                let path = entry.unwrap().path();
                let content = if path.symlink_metadata().unwrap().is_file() {
                    std::fs::read_to_string(&path).unwrap()
                } else {
                    String::new()
                };
                kept.push((path, content));
            }
        }
        kept.sort();
        kept
    }
}

/// A package with these mounts and a region, and the secret for `friend`, and requests to all of `urls`.
async fn prepared(directories: &Directories, urls: &[String], networks: &[&str], friend: &str) -> Guest {
    let url = |url: &String| url.parse().unwrap();
    let mount = |path: &str, access| MountAsk { path: path.to_owned(), access };
    let asks = Asks {
        http: urls.iter().map(|text| HttpAsk { url: url(text), methods: Vec::new() }).collect(),
        mounts: vec![mount("/data", Access::ReadOnly), mount("/out", Access::ReadWrite)],
        env: vec!["REGION".to_owned()],
        secrets: vec!["API_KEY".to_owned()],
        client: true,
        ..Asks::default()
    };
    let networks: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
    let allowed = Allowed {
        http: urls
            .iter()
            .map(|text| HttpAllowed { url: url(text), methods: Vec::new(), networks: networks.clone() })
            .collect(),
        // More than is asked: the lesser counts.
        mounts: ["data", "out"]
            .map(|name| MountAllowed {
                path: format!("/{name}"),
                directory: directories.path(name),
                access: Access::ReadWrite,
            })
            .into(),
        env: [("REGION", "eu-west-1"), ("DATABASE_URL", "postgres://not-asked")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        secrets: [(
            "API_KEY".to_owned(),
            SecretAllowed { value: SECRET.to_owned().into(), urls: vec![friend.parse().unwrap()] },
        )]
        .into(),
        client: true,
        ..Allowed::default()
    };
    Guest::prepare("hostile/granted", Granted::intersection(&asks, &allowed)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_of_files_and_environment_is_all_that_is_seen() {
    let directories = Directories::new();
    let before = directories.kept();
    let guest = prepared(&directories, &[], &[], "https://friend.example").await;

    run_all(&guest, "granted", FILES, &json!({})).await;
    run_all(&guest, "granted", ENVIRONMENT, &json!({})).await;
    run_all(&guest, "granted", TENANTS, &json!({})).await;

    assert_eq!(directories.kept(), before);
    let written: u64 =
        std::fs::read_dir(directories.path("out")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(written < 64 << 20, "{written} bytes were written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_disguise_of_an_address_leads_inside() {
    let directories = Directories::new();
    let everywhere = ["http://*".to_owned(), "https://*".to_owned()];
    let guest = prepared(&directories, &everywhere, &[], "https://friend.example").await;

    run_all(&guest, "granted", REQUESTS, &json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_ends_at_its_limits_and_no_redirect_leads_further() {
    let (server, inside) = (PlainServer::start().await, PlainServer::start().await);
    let directories = Directories::new();
    let guest = prepared(&directories, &[server.url("")], &["127.0.0.0/8"], "https://friend.example").await;

    run_all(&guest, "granted", STORM, &json!({"url": server.url("/")})).await;
    run_all(&guest, "granted", TRAFFIC, &json!({"url": server.url("/endless")})).await;
    let redirected = json!({"url": server.url(&format!("/redirect-to/{}", inside.url("/")))});
    let follow = Case { handler: "follow", ends: Failure("TypeError", "is not granted") };
    run_all(&guest, "granted", &[follow], &redirected).await;

    assert_eq!(inside.received(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_reaches_only_those_it_is_granted_for() {
    let (friend, stranger) = (PlainServer::start().await, PlainServer::start().await);
    let directories = Directories::new();
    let urls = [friend.url(""), stranger.url("")];
    let guest = prepared(&directories, &urls, &["127.0.0.0/8"], &friend.url("")).await;

    run_all(&guest, "granted", TO_STRANGER, &json!({"url": stranger.url("/")})).await;
    run_all(&guest, "granted", TO_FRIEND, &json!({"url": friend.url("/")})).await;

    let reversed: String = SECRET.chars().rev().collect();
    for request in stranger.received().iter().chain(&friend.received()) {
        assert!(!request.contains(SECRET) && !request.contains(&reversed), "{request}");
    }
    let rightly: &[Case] = &[Case { handler: "secret_in_header", ends: Success(|_| true) }];
    run_all(&guest, "granted", rightly, &json!({"url": friend.url("/")})).await;
    let last = friend.received().pop().unwrap();
    assert!(last.contains(&format!("authorization: Bearer {SECRET}")), "{last}");
}
