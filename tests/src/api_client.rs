//! A client of the REST API that takes every answer, and shows it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Speaks to one host, with or without a key.
#[derive(Debug, Clone)]
pub struct ApiClient {
    address: String,
    headers: HeaderMap,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Whether it went well.
    pub status: StatusCode,
    /// What stands before the body.
    pub headers: HeaderMap,
    /// The body; text that is no JSON as a string.
    pub body: Value,
}

/// One event of a stream.
#[derive(Debug, Clone)]
pub struct StreamEvent {
    /// `task` or `step`.
    pub kind: String,
    /// Where to go on after it.
    pub id: String,
    /// What it tells.
    pub data: Value,
}

/// Server-sent events as they come.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    received: String,
}

impl EventStream {
    /// The next event.
    ///
    /// # Panics
    ///
    /// If the stream ends, or is silent for half a minute.
    pub async fn next(&mut self) -> StreamEvent {
        let next = tokio::time::timeout(Duration::from_secs(30), self.read()).await;
        next.expect("an event in time").expect("the stream goes on")
    }

    /// Whether nothing has come by now.
    pub async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(600), self.read()).await.is_err()
    }

    /// Waits for the end of the stream; false if there is something more in it.
    ///
    /// # Panics
    ///
    /// If neither comes within half a minute.
    pub async fn has_ended(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(30), self.read()).await.expect("the end in time").is_none()
    }

    async fn read(&mut self) -> Option<StreamEvent> {
        loop {
            while let Some((event, rest)) = self.received.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.received = rest;
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                if let Some(data) = field("data:") {
                    let data = serde_json::from_str(&data).expect("the data of an event is JSON");
                    return Some(StreamEvent { kind: field("event:")?, id: field("id:")?, data });
                }
            }
            let frame = self.body.frame().await?.ok()?;
            self.received.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
        }
    }
}

impl Answer {
    /// The word of its error.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The sentence of its error.
    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// The body of an answer that went well.
    ///
    /// # Panics
    ///
    /// If it did not.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }
}

impl ApiClient {
    /// Speaks to the host at `address`, such as `127.0.0.1:8080`.
    pub fn new(address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address: address.to_owned(), headers: HeaderMap::new(), client }
    }

    /// Where that host listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The same, with this header in every request.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    /// The same over connections of its own.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), ..self.clone() }
    }

    /// The URL of a path, which begins with `/` or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `GET`, if anybody answers.
    ///
    /// # Errors
    ///
    /// Nobody does, or not in HTTP.
    pub async fn try_get(&self, path: &str) -> anyhow::Result<StatusCode> {
        let request = Request::get(self.url(path)).body(Full::default())?;
        Ok(self.client.request(request).await?.status())
    }

    /// A stream of server-sent events.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn events(&self, path: &str) -> EventStream {
        let mut request = Request::get(self.url(path)).body(Full::default()).expect("a request");
        request.headers_mut().extend(self.headers.clone());
        let response = self.client.request(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        EventStream { body: response.into_body(), received: String::new() }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await
    }

    /// `POST` of this JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    /// `PATCH` with this JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, String::new()).await
    }

    /// Any request.
    ///
    /// # Panics
    ///
    /// If nobody answers.
    pub async fn send(&self, method: Method, path: &str, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        request.headers_mut().expect("a request").extend(self.headers.clone());
        let request = request.header("content-type", "application/json").body(Full::from(body)).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let text = body.collect().await.expect("a whole answer").to_bytes();
        let body = serde_json::from_slice(&text)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&text).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
