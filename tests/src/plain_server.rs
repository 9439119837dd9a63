//! A server of plain HTTP on this machine that keeps what it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of one piece of an endless answer.
const PIECE: usize = 64 << 10;

/// Answers until it is dropped: `ok`, without end to a `GET` of `/endless`, and a redirect to what follows `/redirect-to/`.
#[derive(Debug)]
pub struct PlainServer {
    address: SocketAddr,
    received: Received,
    serving: tokio::task::JoinHandle<()>,
}

type Received = Arc<Mutex<Vec<String>>>;

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
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                // A client may go at any time.
                tokio::spawn(async move { serve(stream, &kept).await.ok() });
            }
        });
        Self { address, received, serving }
    }

    /// The URL of a path, which begins with `/` or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
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

async fn serve(mut stream: TcpStream, received: &Received) -> std::io::Result<()> {
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
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await
}
