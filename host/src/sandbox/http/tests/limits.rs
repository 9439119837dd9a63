//! What an attempt may use, and what becomes of its requests when it ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use wasmtime_wasi_http::RequestOptions;

use super::servers::{Server, closed, read_some, reply};
use super::*;

fn limited(server: &Server, limits: Limits) -> Client {
    Client::with(granted(&[&server.url("/")], LOOPBACK), limits, &settings(), system_lookup())
}

/// A body that a guest writes bit by bit.
fn written() -> (mpsc::UnboundedSender<Bytes>, WasiBody) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let frames = futures::stream::unfold(receiver, |mut receiver: mpsc::UnboundedReceiver<Bytes>| async move {
        receiver.recv().await.map(|bytes| (Ok(Frame::data(bytes)), receiver))
    });
    (sender, BodyExt::boxed_unsync(StreamBody::new(frames)))
}

#[tokio::test]
async fn one_request_too_many_ends_the_attempt() {
    let server = Server::echo().await;
    let client = limited(&server, Limits { http_requests: 2, ..Limits::default() });
    client.get(&server.url("/")).await.unwrap();
    client.get("http://refused.example/").await.unwrap_err();
    assert_eq!(client.exceeded(), None);

    client.get(&server.url("/")).await.unwrap_err();

    assert_eq!(client.exceeded(), Some(("http_requests", 2, 3)));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn bodies_that_are_never_sent_count_as_requests() {
    let server = Server::echo().await;
    let client = limited(&server, Limits { http_requests: 3, ..Limits::default() });

    for _ in 0..4 {
        client.session.begin_body();
    }

    assert_eq!(client.exceeded(), Some(("http_requests", 3, 4)));
}

#[tokio::test]
async fn bytes_sent_are_those_of_all_requests_together() {
    let server = Server::echo().await;
    let limits = Limits { http_request_bytes: 2_000, ..Limits::default() };
    let client = limited(&server, limits.clone());
    let post = |bytes: usize| Request::post(server.url("/")).body(whole(&"x".repeat(bytes))).unwrap();
    client.send(post(900)).await.unwrap();
    client.send(post(900)).await.unwrap();
    assert_eq!(client.exceeded(), None);

    client.send(post(900)).await.unwrap_err();
    let (limit, allowed, used) = client.exceeded().unwrap();
    assert_eq!((limit, allowed), ("http_request_bytes", 2_000));
    assert!((2_700..2_900).contains(&used), "{used}");
    assert!(server.seen().iter().filter(|seen| seen.body.is_ok()).count() <= 2);

    // Headers count too.
    let client = limited(&server, limits);
    let request = Request::get(server.url("/")).header("x", "y".repeat(2_000)).body(empty()).unwrap();
    client.send(request).await.unwrap_err();
    assert_eq!(client.exceeded().unwrap().0, "http_request_bytes");
}

#[tokio::test]
async fn an_upload_without_end_is_cut_off_and_never_taken_for_whole() {
    let server = Server::echo().await;
    let client = limited(&server, Limits { http_request_bytes: 100_000, ..Limits::default() });
    let (chunks, body) = written();
    tokio::spawn(async move {
        while chunks.send(Bytes::from(vec![0; 10_000])).is_ok() {
            tokio::task::yield_now().await;
        }
    });

    client.send(Request::post(server.url("/")).body(body).unwrap()).await.unwrap_err();

    assert_eq!(client.exceeded().unwrap().0, "http_request_bytes");
    eventually("closing the connection", || server.open() == 0).await;
    assert!(server.seen().iter().all(|seen| seen.body.is_err()), "{:?}", server.seen());
}

#[tokio::test]
async fn bytes_received_are_those_of_all_responses_together() {
    let server = Server::start(|_| async { reply(200, &[b'x'; 1_000]) }).await;
    let client = limited(&server, Limits { http_response_bytes: 2_500, ..Limits::default() });
    client.get(&server.url("/")).await.unwrap();
    client.get(&server.url("/")).await.unwrap();
    assert_eq!(client.exceeded(), None);

    client.get(&server.url("/")).await.unwrap_err();

    let (limit, allowed, used) = client.exceeded().unwrap();
    assert_eq!((limit, allowed), ("http_response_bytes", 2_500));
    assert!((3_000..3_600).contains(&used), "{used}");
}

#[tokio::test]
async fn headers_of_responses_count_and_too_many_are_refused() {
    let server = Server::start(|seen| async move {
        let mut response = reply(200, b"");
        let bytes = seen.target[1..].parse().unwrap();
        response.headers_mut().insert("x", "y".repeat(bytes).parse().unwrap());
        response
    })
    .await;
    let limits = Limits { http_response_bytes: 10_000, ..Limits::default() };

    let client = limited(&server, limits);
    client.get(&server.url("/20000")).await.unwrap_err();
    assert_eq!(client.exceeded().unwrap().0, "http_response_bytes");

    let client = limited(&server, Limits::default());
    let error = client.get(&server.url("/200000")).await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseHeaderSectionSize(_)), "{error:?}");
}

#[tokio::test]
async fn a_response_without_end_is_read_only_as_far_as_the_guest_reads() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let server = Server::raw(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            read_some(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 16 << 10]).await.is_ok() {
                count.fetch_add(16 << 10, Ordering::SeqCst);
            }
        }
    })
    .await;
    let client = limited(&server, Limits { http_response_bytes: 100 << 20, ..Limits::default() });
    let request = Request::get(server.url("/")).body(empty()).unwrap();
    let (response, transfer) = client.session.send(request, None).await.unwrap();
    let running = Running::start(transfer);

    // What the kernel's buffers hold is sent too.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let unread = sent.load(Ordering::SeqCst);
    assert!(unread < 16 << 20, "{unread}");

    // Whoever drops a body closes its connection.
    drop((response, running));
    eventually("closing the connection", || server.open() == 0).await;
}

#[tokio::test]
async fn requests_beyond_the_concurrent_ones_wait() {
    let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counts = Arc::clone(&running);
    let server = Server::start(move |_| {
        let counts = Arc::clone(&counts);
        async move {
            let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
            counts.1.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(30)).await;
            counts.0.fetch_sub(1, Ordering::SeqCst);
            reply(200, b"done")
        }
    })
    .await;
    let client = limited(&server, Limits { http_concurrent: 3, ..Limits::default() });
    let url = server.url("/");

    let answers = futures::future::join_all((0..12).map(|_| client.get(&url))).await;

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(running.1.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn small_responses_that_nobody_has_read_yet_do_not_hold_up_the_next_request() {
    let server = Server::start(|_| async { reply(200, &[b'x'; 20_000]) }).await;
    let client = limited(&server, Limits { http_concurrent: 2, ..Limits::default() });

    // What `Promise.all(urls.map(url => fetch(url)))` does: all heads, and only then the bodies.
    let mut responses = Vec::new();
    for _ in 0..8 {
        let request = Request::get(server.url("/")).body(empty()).unwrap();
        let (response, transfer) = client.session.send(request, None).await.unwrap();
        responses.push((response, Running::start(transfer)));
    }

    for (response, _running) in responses {
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 20_000);
    }
}

#[tokio::test]
async fn a_large_response_that_nobody_reads_keeps_its_place() {
    let server = Server::start(|_| async { reply(200, &vec![b'x'; 1 << 20]) }).await;
    let client = limited(&server, Limits { http_concurrent: 1, ..Limits::default() });
    let get = || client.session.send(Request::get(server.url("/")).body(empty()).unwrap(), None);
    let (response, transfer) = get().await.unwrap();
    let running = Running::start(transfer);

    let waiting = tokio::time::timeout(Duration::from_millis(200), get()).await;
    assert!(waiting.is_err());

    // Giving it up makes room.
    drop((response, running));
    let _ = get().await.unwrap();
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Server::raw(|mut stream| async move { closed(&mut stream).await }).await;
    let short = HttpSettings { response_timeout: Duration::from_millis(100), ..settings() };
    let client = Client::with(granted(&[&server.url("/")], LOOPBACK), Limits::default(), &short, system_lookup());

    let error = client.get(&server.url("/")).await.unwrap_err();

    assert!(matches!(error, Error::HttpResponseTimeout), "{error:?}");
    let expected = format!("HTTP GET {} failed: no response came within 0.1 s", server.url("/"));
    assert_eq!(client.causes(), expected);
    eventually("closing the connection", || server.open() == 0).await;
}

#[tokio::test]
async fn a_guest_may_be_less_patient_than_the_host_and_not_more() {
    let server = Server::raw(|mut stream| async move { closed(&mut stream).await }).await;
    let client = limited(&server, Limits::default());
    let options = RequestOptions { first_byte_timeout: Some(Duration::from_millis(50)), ..RequestOptions::default() };
    let request = Request::get(server.url("/")).body(empty()).unwrap();
    let start = std::time::Instant::now();

    let error = client.session.send(request, Some(options)).await.err().unwrap();

    assert!(matches!(error, Error::HttpResponseTimeout), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn an_upload_that_goes_on_is_not_mistaken_for_a_server_that_says_nothing() {
    let server = Server::echo().await;
    let short = HttpSettings { response_timeout: Duration::from_millis(300), ..settings() };
    let client = Client::with(granted(&[&server.url("/")], LOOPBACK), Limits::default(), &short, system_lookup());
    let (chunks, body) = written();
    tokio::spawn(async move {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            let _ = chunks.send(Bytes::from_static(b"x"));
        }
    });

    let answer = client.send(Request::post(server.url("/")).body(body).unwrap()).await.unwrap();

    assert_eq!(answer.body, "xxxxxxxxxx");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let server = Server::raw(|mut stream| async move {
        read_some(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        closed(&mut stream).await;
    })
    .await;
    let short = HttpSettings { idle_timeout: Duration::from_millis(100), ..settings() };
    let client = Client::with(granted(&[&server.url("/")], LOOPBACK), Limits::default(), &short, system_lookup());

    let error = client.get(&server.url("/")).await.unwrap_err();

    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
    assert!(client.causes().contains("nothing came for 0.1 s"), "{}", client.causes());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_incomplete() {
    let server = Server::raw(|mut stream| async move {
        read_some(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    })
    .await;
    let client = limited(&server, Limits::default());

    let error = client.get(&server.url("/")).await.unwrap_err();

    assert!(matches!(error, Error::HttpResponseIncomplete), "{error:?}");
    assert!(client.causes().contains("failed: "), "{}", client.causes());
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_given_up() {
    // A listener whose queue is full does not answer further connections.
    let listener = tokio::net::TcpSocket::new_v4().unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let _listener = listener.listen(1).unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        queue.push(stream);
    }
    let short = HttpSettings { connect_timeout: Duration::from_millis(200), ..settings() };
    let url = format!("http://{address}/");
    let client = Client::with(granted(&[&url], LOOPBACK), Limits::default(), &short, system_lookup());

    let error = client.get(&url).await.unwrap_err();

    assert!(matches!(error, Error::ConnectionTimeout), "{error:?}");
    assert!(client.causes().contains("no connection within 0.2 s"), "{}", client.causes());
}

#[tokio::test]
async fn the_end_of_an_attempt_closes_what_it_waits_for() {
    let server = Server::raw(|mut stream| async move { closed(&mut stream).await }).await;
    let client = limited(&server, Limits::default());
    let waiting = tokio::spawn(client.session.send(Request::get(server.url("/")).body(empty()).unwrap(), None));
    eventually("connecting", || server.open() == 1).await;

    // In the order of a store: first the session, then what wasi:http holds.
    drop(client);
    waiting.abort();

    eventually("closing the connection", || server.open() == 0).await;
}

#[tokio::test]
async fn the_end_of_an_attempt_does_not_complete_what_it_was_sending() {
    let server = Server::echo().await;
    let client = limited(&server, Limits::default());
    let (chunks, body) = written();
    chunks.send(Bytes::from_static(b"delete everything but")).unwrap();
    let waiting = tokio::spawn(client.session.send(Request::post(server.url("/")).body(body).unwrap(), None));
    eventually("connecting", || server.open() == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;

    drop(client);
    // To wasi:http, a guest that is gone looks like one that has finished its body.
    drop(chunks);

    eventually("closing the connection", || server.open() == 0).await;
    waiting.await.unwrap().err().unwrap();
    assert!(server.seen().iter().all(|seen| seen.body.is_err()), "{:?}", server.seen());
}

#[tokio::test]
async fn the_end_of_an_attempt_leaves_no_request_waiting_for_its_place() {
    let server = Server::raw(|mut stream| async move { closed(&mut stream).await }).await;
    let client = limited(&server, Limits { http_concurrent: 1, ..Limits::default() });
    let url = server.url("/");
    let waiting: futures::stream::FuturesUnordered<_> =
        (0..5).map(|_| tokio::spawn(client.session.send(Request::get(&url).body(empty()).unwrap(), None))).collect();
    eventually("connecting", || server.open() == 1).await;

    drop(client);

    let ended: Vec<_> = tokio::time::timeout(Duration::from_secs(5), waiting.take(4).collect()).await.unwrap();
    assert!(ended.iter().all(|ended| ended.as_ref().unwrap().is_err()));
    assert_eq!(server.accepted(), 1);
}
