//! What is granted is sent, and nothing else.

use std::pin::pin;

use http::Request;
use wasmtime_wasi_http::Error;

use super::servers::{Server, reply};
use super::*;
use crate::sandbox::OutputCommit;

#[tokio::test]
async fn a_granted_get_is_sent_as_it_was_made() {
    let server = Server::start(|_| async { reply(201, b"made") }).await;
    let client = Client::new(granted(&[&server.url("/v1")], LOOPBACK));
    let request = Request::get(server.url("/v1/x?y=z")).header("accept", "text/plain").body(empty()).unwrap();

    let answer = client.send(request).await.unwrap();

    assert_eq!((answer.status.as_u16(), &answer.body[..]), (201, &b"made"[..]));
    let [seen] = &server.seen()[..] else { panic!("{:?}", server.seen()) };
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v1/x?y=z"));
    assert_eq!(seen.headers["accept"], "text/plain");
    assert_eq!(seen.headers["host"], format!("127.0.0.1:{}", server.port));
    assert_eq!((client.causes(), client.exceeded()), (String::new(), None));
}

#[tokio::test]
async fn a_request_leaves_when_the_commit_is_durable() {
    let server = Server::echo().await;
    let mut client = Client::new(granted(&[&server.url("/")], LOOPBACK));
    let (notice, output) = OutputCommit::under_way();
    client.session.output = output;
    let url = server.url("/");
    let mut answer = pin!(client.get(&url));

    assert!(tokio::time::timeout(Duration::from_millis(50), &mut answer).await.is_err());
    assert_eq!(server.accepted(), 0);
    notice.durable();
    assert_eq!(answer.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_granted_post_carries_its_body_both_ways() {
    let server = Server::echo().await;
    let client = Client::new(granted(&[&server.url("/")], LOOPBACK));
    let text = "x".repeat(300_000);
    let request = Request::post(server.url("/")).body(whole(&text)).unwrap();

    let answer = client.send(request).await.unwrap();

    assert_eq!(answer.body, text);
}

#[tokio::test]
async fn what_no_grant_names_is_refused_with_the_line_to_add() {
    let server = Server::echo().await;
    let port = server.port;
    let url = format!("http://127.0.0.1:{port}/v1");
    let client = Client::new(grants(&[&url], &["GET", "POST"], LOOPBACK, &[]));
    for (method, url) in [
        ("DELETE", server.url("/v1")),
        ("get", server.url("/v1")),
        ("GET", server.url("/")),
        ("GET", server.url("/v1x")),
        ("GET", server.url("/v1/../admin")),
        ("GET", server.url("/v1/%2e%2e/admin")),
        ("GET", format!("http://127.0.0.1:{}/v1", port ^ 1)),
        ("GET", format!("https://127.0.0.1:{port}/v1")),
        ("GET", format!("http://127.0.0.2:{port}/v1")),
        ("GET", format!("http://localhost:{port}/v1")),
    ] {
        let request = Request::builder().method(method).uri(&url).body(empty()).unwrap();
        let error = client.send(request).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestDenied), "{method} {url}: {error:?}");
    }
    assert_eq!(server.accepted(), 0);
    assert_eq!(client.session.requests(), 10);

    let client = Client::new(granted(&["https://a.example"], &[]));
    client.get("https://B.example/x?key=secret").await.unwrap_err();
    assert_eq!(
        client.causes(),
        "outbound HTTP GET https://b.example/x is not granted: add { url = \"https://b.example\", methods = [\"GET\"] } to \
         `http` of [grants] in tasker.toml and of worker.namespaces.shop.grants in the settings"
    );
}

#[tokio::test]
async fn tunnels_and_echoes_are_never_granted() {
    let server = Server::echo().await;
    let client = Client::new(granted(&[&server.url("/")], LOOPBACK));
    for method in ["CONNECT", "connect", "TRACE", "TRACK"] {
        let request = Request::builder().method(method).uri(server.url("/")).body(empty()).unwrap();
        let error = client.send(request).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestMethodInvalid), "{method}: {error:?}");
        assert!(client.causes().contains(&format!("{method} is never granted")), "{}", client.causes());
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_url_with_a_password_is_refused_and_not_repeated() {
    let server = Server::echo().await;
    let client = Client::new(granted(&[&format!("http://*:{}", server.port)], LOOPBACK));

    let error = client.get(&format!("http://user:hunter2@127.0.0.1:{}/", server.port)).await.unwrap_err();

    assert!(matches!(error, Error::HttpRequestUriInvalid), "{error:?}");
    assert!(client.causes().contains("send them in the header `authorization`"), "{}", client.causes());
    assert!(!client.causes().contains("hunter2") && server.accepted() == 0);
}

#[tokio::test]
async fn a_host_header_of_the_guests_own_is_not_sent() {
    let server = Server::echo().await;
    let client = Client::new(granted(&[&server.url("/")], LOOPBACK));
    let request = Request::get(server.url("/")).header("host", "internal.example").body(empty()).unwrap();

    client.send(request).await.unwrap();

    let hosts: Vec<_> = server.seen()[0].headers.get_all("host").iter().cloned().collect();
    assert_eq!(hosts, [format!("127.0.0.1:{}", server.port).as_str()]);
}

#[tokio::test]
async fn no_spelling_of_an_address_that_is_not_public_is_connected_to() {
    let server = Server::echo().await;
    let client = Client::new(granted(&[&format!("http://*:{}", server.port)], &[]));
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "localhost",
        "LocalHost.",
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0",
        "0.0.0.0",
        "0x0",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "10.0.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "255.255.255.255",
        "224.0.0.1",
    ] {
        let client = Client::attempt(&client.gateway, &Limits::default());
        let error = client.get(&format!("http://{host}:{}/", server.port)).await.unwrap_err();

        assert!(matches!(error, Error::DestinationIpProhibited), "{host}: {error:?}");
        let causes = client.causes();
        assert!(causes.contains("the name leads to an address that is not public"), "{host}: {causes}");
        assert!(causes.contains("worker.namespaces.shop.grants.http"), "{host}: {causes}");
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_refused_address_looks_the_same_whether_anything_listens_there() {
    let server = Server::echo().await;
    let pattern = |port: u16| format!("http://*:{port}");
    let mut causes = Vec::new();
    for port in [server.port, 1] {
        let client = Client::new(granted(&[&pattern(port)], &[]));
        let error = client.get(&format!("http://127.0.0.1:{port}/")).await.unwrap_err();
        causes.push((format!("{error:?}"), client.causes().replace(&format!(":{port}/"), ":PORT/")));
    }
    assert_eq!(causes[0], causes[1]);
}

#[tokio::test]
async fn of_many_addresses_only_those_that_may_be_are_connected_to() {
    let server = Server::echo().await;
    let url = format!("http://mixed.example:{}/", server.port);
    let limits = Limits::default();
    let lookup = || leading_to(&["10.0.0.1", "169.254.169.254", "127.0.0.1", "192.168.0.1"]);

    let client = Client::with(granted(&[&url], &["127.0.0.1/32"]), limits.clone(), &settings(), lookup());
    assert_eq!(client.get(&url).await.unwrap().status, 200);

    let client = Client::with(granted(&[&url], &["127.0.0.2/32"]), limits, &settings(), lookup());
    assert!(matches!(client.get(&url).await.unwrap_err(), Error::DestinationIpProhibited));
}

#[tokio::test]
async fn the_host_follows_no_redirect_and_checks_the_hop_a_guest_makes() {
    let inner = Server::echo().await;
    let location = inner.url("/admin");
    let server = Server::start(move |_| {
        let location = location.clone();
        async move {
            let mut response = reply(302, b"");
            response.headers_mut().insert("location", location.parse().unwrap());
            response
        }
    })
    .await;
    let client = Client::new(granted(&[&server.url("/")], LOOPBACK));

    let answer = client.get(&server.url("/start")).await.unwrap();
    assert_eq!((answer.status.as_u16(), inner.accepted()), (302, 0));

    let next = answer.headers["location"].to_str().unwrap();
    let error = client.get(next).await.unwrap_err();
    assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
    assert!(client.causes().contains(&format!("GET {next} is not granted")), "{}", client.causes());
    assert_eq!(inner.accepted(), 0);
}

#[tokio::test]
async fn a_redirect_to_an_address_that_is_not_public_is_refused_under_a_wide_grant() {
    let server = Server::start(|_| async {
        let mut response = reply(307, b"");
        response.headers_mut().insert("location", "http://169.254.169.254/latest/meta-data/".parse().unwrap());
        response
    })
    .await;
    let client = Client::new(granted(&[&server.url("/"), "http://*"], LOOPBACK));

    let answer = client.get(&server.url("/")).await.unwrap();
    let error = client.get(answer.headers["location"].to_str().unwrap()).await.unwrap_err();

    assert!(matches!(error, Error::DestinationIpProhibited), "{error:?}");
}
