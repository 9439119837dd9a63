//! How names become connections, and who shares them.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Version;
use tokio::io::AsyncWriteExt;
use wasmtime_wasi_http::Error;

use super::servers::{Authority, Server, closed, read_some, reply};
use super::*;

#[tokio::test]
async fn a_name_is_looked_up_once_and_the_connection_goes_to_what_was_found() {
    let server = Server::echo().await;
    // The first answer is granted, all further ones are not: who asks twice connects to the wrong one.
    let lookups = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lookups);
    let lookup: Lookup = Arc::new(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { [127, 0, 0, 1] } else { [127, 0, 0, 9] }.into()])
    });
    let url = format!("http://rebinding.example:{}/", server.port);
    let client = Client::with(granted(&[&url], &["127.0.0.1/32"]), Limits::default(), &settings(), lookup);

    for _ in 0..3 {
        assert_eq!(client.get(&url).await.unwrap().status, 200);
    }

    assert_eq!((lookups.load(Ordering::SeqCst), server.accepted()), (1, 1));
    assert_eq!(server.seen()[0].headers["host"], format!("rebinding.example:{}", server.port));
}

#[tokio::test]
async fn a_name_that_turns_private_after_a_public_answer_is_refused() {
    let server = Server::echo().await;
    // 192.0.2.1 stands for the public answer: it is granted, and nobody is there.
    let lookups = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lookups);
    let lookup: Lookup = Arc::new(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { [192, 0, 2, 1] } else { [127, 0, 0, 1] }.into()])
    });
    let url = format!("http://rebinding.example:{}/", server.port);
    let settings = HttpSettings { connect_timeout: Duration::from_millis(300), ..settings() };
    let client = Client::with(granted(&[&url], &["192.0.2.0/24"]), Limits::default(), &settings, lookup);

    client.get(&url).await.unwrap_err();
    assert_eq!(lookups.load(Ordering::SeqCst), 1);
    assert!(matches!(client.get(&url).await.unwrap_err(), Error::DestinationIpProhibited));

    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn attempts_of_one_package_share_connections() {
    let server = Server::echo().await;
    let first = Client::new(granted(&[&server.url("/")], LOOPBACK));
    first.get(&server.url("/1")).await.unwrap();
    let second = Client::attempt(&first.gateway, &Limits::default());
    drop(first);

    second.get(&server.url("/2")).await.unwrap();

    assert_eq!((server.accepted(), server.seen().len()), (1, 2));
}

#[tokio::test]
async fn packages_and_networks_do_not_share_connections() {
    let server = Server::echo().await;
    let outbound = Outbound::with_lookup(&settings(), system_lookup()).unwrap();
    let wide = granted(&[&server.url("/")], LOOPBACK);
    for _ in 0..2 {
        let gateway = Arc::new(outbound.gateway("shop", Arc::new(wide.clone())));
        Client::attempt(&gateway, &Limits::default()).get(&server.url("/")).await.unwrap();
    }
    assert_eq!(server.accepted(), 2);

    // One package, one server: only requests to /internal may reach loopback.
    let mut asks = Asks::default();
    let mut allowed = Allowed::default();
    for (path, networks) in [("/internal", vec!["127.0.0.0/8".parse().unwrap()]), ("/public", Vec::new())] {
        let url: crate::grants::UrlPattern = server.url(path).parse().unwrap();
        asks.http.push(HttpAsk { url: url.clone(), methods: Vec::new() });
        allowed.http.push(HttpAllowed { url, methods: Vec::new(), networks });
    }
    let client = Client::new(Granted::intersection(&asks, &allowed));
    client.get(&server.url("/internal")).await.unwrap();
    // The connection that is open now would do, and may not be used.
    let error = client.get(&server.url("/public")).await.unwrap_err();
    assert!(matches!(error, Error::DestinationIpProhibited), "{error:?}");
    client.get(&server.url("/internal")).await.unwrap();
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn connections_beyond_those_that_are_kept_serve_one_request() {
    // Each answer waits until all requests are there, so that each has a connection of its own.
    let all = Arc::new(tokio::sync::Barrier::new(70));
    let server = Server::start(move |_| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            reply(200, b"")
        }
    })
    .await;
    let limits = Limits { http_concurrent: 100, ..Limits::default() };
    // Many names, because few idle connections are kept of each.
    let client = Client::with(
        granted(&[&format!("http://*:{}", server.port)], LOOPBACK),
        limits,
        &settings(),
        leading_to(&["127.0.0.1"]),
    );
    let urls: Vec<_> = (0..70).map(|n| format!("http://n{n}.example:{}/", server.port)).collect();

    let answers = futures::future::join_all(urls.iter().map(|url| client.get(url))).await;

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    eventually("closing the surplus", || server.open() <= 64).await;
    assert_eq!(server.accepted(), 70);
}

#[tokio::test]
async fn https_is_spoken_with_servers_that_a_ca_file_vouches_for() {
    let authority = Authority::of(&["api.test"], &[b"http/1.1"]);
    let server = Server::tls(authority.server.clone(), |_| async { reply(200, b"secure") }).await;
    let url = format!("https://api.test:{}/", server.port);
    let client = |ca_files| {
        let settings = HttpSettings { ca_files, ..settings() };
        Client::with(granted(&[&url], LOOPBACK), Limits::default(), &settings, leading_to(&["127.0.0.1"]))
    };

    let trusting = client(vec![authority.file()]);
    for _ in 0..2 {
        assert_eq!(trusting.get(&url).await.unwrap().body, "secure");
    }
    assert_eq!((server.accepted(), server.seen()[0].version), (1, Version::HTTP_11));

    let other = client(vec![]);
    let error = other.get(&url).await.unwrap_err();
    assert!(matches!(error, Error::TlsCertificateError), "{error:?}");
    let causes = other.causes();
    assert!(causes.contains("UnknownIssuer") && causes.contains("worker.http.ca_files"), "{causes}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let authority = Authority::of(&["other.test"], &[]);
    let server = Server::tls(authority.server.clone(), |_| async { reply(200, b"") }).await;
    let url = format!("https://api.test:{}/", server.port);
    let settings = HttpSettings { ca_files: vec![authority.file()], ..settings() };
    let client = Client::with(granted(&[&url], LOOPBACK), Limits::default(), &settings, leading_to(&["127.0.0.1"]));

    let error = client.get(&url).await.unwrap_err();

    assert!(matches!(error, Error::TlsCertificateError), "{error:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_offers_it() {
    let authority = Authority::of(&["api.test"], &[b"h2", b"http/1.1"]);
    let server = Server::tls(authority.server.clone(), |seen| async move { reply(200, &seen.body.unwrap()) }).await;
    let url = format!("https://api.test:{}/x", server.port);
    let settings = HttpSettings { ca_files: vec![authority.file()], ..settings() };
    let client = Client::with(granted(&[&url], LOOPBACK), Limits::default(), &settings, leading_to(&["127.0.0.1"]));
    client.get(&url).await.unwrap();

    let post = |text| client.send(Request::post(&url).header("host", "evil.test").body(whole(text)).unwrap());
    let (one, two, three) = tokio::join!(post("one"), post("two"), post("three"));

    assert_eq!(
        (one.unwrap().body, two.unwrap().body, three.unwrap().body),
        ("one".into(), "two".into(), "three".into())
    );
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.version == Version::HTTP_2), "{seen:?}");
    assert!(seen.iter().all(|seen| seen.target == url && seen.headers.get("host").is_none()), "{seen:?}");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_a_tls_failure() {
    let server = Server::raw(|mut stream| async move {
        read_some(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let url = format!("https://127.0.0.1:{}/", server.port);
    let client = Client::new(granted(&[&url], LOOPBACK));

    let error = client.get(&url).await.unwrap_err();

    assert!(matches!(error, Error::TlsProtocolError), "{error:?}");
    assert!(client.causes().contains("TLS failed"), "{}", client.causes());
}

#[tokio::test]
async fn failures_of_lookup_and_connection_are_told_apart() {
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port())
    };
    let client = Client::new(granted(&[&refused], LOOPBACK));
    assert!(matches!(client.get(&refused).await.unwrap_err(), Error::ConnectionRefused));
    assert!(client.causes().contains("Connection refused"), "{}", client.causes());

    let unknown: Lookup = Arc::new(|_| Err(io::Error::other("Name or service not known")));
    for (lookup, expected) in [(unknown, "Name or service not known"), (leading_to(&[]), "no address")] {
        let client = Client::with(granted(&["http://x.example"], &[]), Limits::default(), &settings(), lookup);
        let error = client.get("http://x.example/").await.unwrap_err();
        assert!(matches!(error, Error::DnsError { .. } | Error::DestinationNotFound), "{error:?}");
        assert!(client.causes().contains(expected), "{}", client.causes());
    }
}

#[tokio::test]
async fn another_protocol_is_not_switched_to() {
    let server = Server::raw(|mut stream| async move {
        read_some(&mut stream).await;
        let _ =
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n").await;
        closed(&mut stream).await;
    })
    .await;
    let client = Client::new(granted(&[&server.url("/")], LOOPBACK));

    client.get(&server.url("/")).await.unwrap_err();

    assert!(!client.causes().is_empty());
    eventually("closing the connection", || server.open() == 0).await;
}
