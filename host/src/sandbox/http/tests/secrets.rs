//! Secrets on the wire: values outside, placeholders inside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;

use super::servers::{Server, reply};
use super::*;

const KEY: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

fn with_key(server: &Server, path: &str) -> Client {
    Client::new(grants(&[&server.url("/")], &[], LOOPBACK, &[("STRIPE_KEY", KEY, &server.url(path))]))
}

#[tokio::test]
async fn the_server_gets_the_secret_and_the_guest_does_not() {
    let server = Server::start(|seen| async move {
        let mut response = reply(200, b"");
        for name in ["authorization", "x-key"] {
            if let Some(value) = seen.headers.get(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    })
    .await;
    let client = with_key(&server, "/v1");
    let placeholder = client.placeholder("STRIPE_KEY").to_owned();
    let basic = format!("Basic {}", STANDARD.encode(format!("{placeholder}:")));
    let request = Request::post(server.url("/v1/charges"))
        .header("authorization", &basic)
        .header("x-key", &placeholder)
        .body(whole(&placeholder))
        .unwrap();

    let answer = client.send(request).await.unwrap();

    let seen = &server.seen()[0];
    assert_eq!(seen.headers["authorization"], format!("Basic {}", STANDARD.encode(format!("{KEY}:"))));
    assert_eq!(seen.headers["x-key"], KEY);
    // A body streams: it is sent as it is.
    assert_eq!(seen.body.as_ref().unwrap(), &placeholder);
    assert_eq!(
        (&answer.headers["authorization"], &answer.headers["x-key"]),
        (&basic.parse().unwrap(), &placeholder.parse().unwrap())
    );
}

#[tokio::test]
async fn a_secret_is_refused_where_it_is_not_granted_for() {
    let server = Server::echo().await;
    let client = with_key(&server, "/v1");
    let placeholder = client.placeholder("STRIPE_KEY");
    let basic = format!("Basic {}", STANDARD.encode(format!("user:{placeholder}")));
    for value in [placeholder, &format!("Bearer {placeholder}"), &basic] {
        let request = Request::get(server.url("/v2")).header("authorization", value).body(empty()).unwrap();
        let error = client.send(request).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
    }

    let origin = server.url("");
    let expected = format!("the secret STRIPE_KEY may not be sent to {origin}");
    assert!(client.causes().contains(&expected), "{}", client.causes());
    assert!(!client.causes().contains(KEY) && server.accepted() == 0);
}

#[tokio::test]
async fn a_secret_in_a_url_is_refused() {
    let server = Server::echo().await;
    let client = with_key(&server, "/");
    let placeholder = client.placeholder("STRIPE_KEY");
    for url in [server.url(&format!("/{placeholder}/x")), server.url(&format!("/?key={placeholder}"))] {
        let error = client.get(&url).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
    }
    assert!(client.causes().contains("the secret STRIPE_KEY stands in the URL"), "{}", client.causes());
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn the_placeholder_of_another_attempt_means_nothing() {
    let server = Server::echo().await;
    let client = with_key(&server, "/");
    let other = Client::attempt(&client.gateway, &Limits::default());
    let request =
        Request::get(server.url("/")).header("x-key", client.placeholder("STRIPE_KEY")).body(empty()).unwrap();

    other.send(request).await.unwrap();

    assert_eq!(server.seen()[0].headers["x-key"], client.placeholder("STRIPE_KEY"));
}

#[tokio::test]
async fn a_secret_that_is_granted_opens_no_way_of_its_own() {
    let server = Server::echo().await;
    // Granted for the secret, and not for requests.
    let secrets = [("STRIPE_KEY", KEY, server.url("/"))];
    let secrets = secrets.each_ref().map(|(name, value, url)| (*name, *value, url.as_str()));
    let client = Client::new(grants(&["https://elsewhere.example"], &[], LOOPBACK, &secrets));
    let placeholder = client.placeholder("STRIPE_KEY");
    let request = Request::get(server.url("/")).header("x-key", placeholder).body(empty()).unwrap();

    let error = client.send(request).await.unwrap_err();

    assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
    assert!(client.causes().contains("is not granted") && server.accepted() == 0, "{}", client.causes());
}
