//! A server of plain HTTP on this machine that keeps what it receives.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of one piece of an endless answer.
const PIECE: usize = 64 << 10;

/// Answers until it is dropped: `ok`, or what it was told to answer at a path; without end to a `GET` of `/endless`, and a redirect to what follows `/redirect-to/`.
#[derive(Debug)]
pub struct PlainServer {
    address: SocketAddr,
    received: Received,
    answers: Answers,
    serving: tokio::task::JoinHandle<()>,
}

type Received = Arc<Mutex<Vec<String>>>;
type Answers = Arc<Mutex<HashMap<String, String>>>;

impl PlainServer {
    /// Starts it on a port of its own.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let received = Received::default();
        let kept = Arc::clone(&received);
        let answers = Answers::default();
        let told = Arc::clone(&answers);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, told) = (Arc::clone(&kept), Arc::clone(&told));
                // A client may go at any time.
                tokio::spawn(async move { serve(stream, &kept, &told).await.ok() });
            }
        });
        Self { address, received, answers, serving }
    }

    /// The URL of a path, which begins with `/` or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers this at this path from now on.
    pub fn serve(&self, path: &str, text: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(path.to_owned(), text.to_owned());
    }

    /// All requests, head and body, that arrived up to now.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for PlainServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, received: &Received, answers: &Answers) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let request = String::from_utf8_lossy(&bytes[..head]).into_owned();
    // One request a connection: the body ends where its length says, or where the client ends it.
    let length = request
        .to_ascii_lowercase()
        .split("content-length: ")
        .nth(1)
        .map(|rest| rest.split("\r\n").next().and_then(|length| length.parse::<usize>().ok()).unwrap_or_default());
    let chunked = request.to_ascii_lowercase().contains("transfer-encoding: chunked");
    while bytes.len() < head + length.unwrap_or_default() || (chunked && !bytes.ends_with(b"0\r\n\r\n")) {
        if stream.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    let whole = String::from_utf8_lossy(&bytes).into_owned();
    received.lock().unwrap_or_else(PoisonError::into_inner).push(whole);

    let path = request.split(' ').nth(1).unwrap_or_default();
    if let Some(target) = path.strip_prefix("/redirect-to/") {
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await;
    }
    if request.starts_with("GET /endless?") || request.starts_with("GET /endless ") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
        let piece = [b'x'; PIECE];
        loop {
            stream.write_all(&piece).await?;
        }
    }
    let told = answers.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    let text = told.as_deref().unwrap_or("ok");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    stream.write_all(answer.as_bytes()).await
}
