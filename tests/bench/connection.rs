//! One HTTP/1.1 connection that is kept alive: prepared bytes out, one answer in, as little work as
//! possible, because it shares the machine with what is measured.

use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(32 * 1024),
        })
    }

    /// Sends a request, reads its whole answer and returns the body. Fails unless it has this status.
    pub(crate) async fn exchange(&mut self, request: &[u8], status: u16) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(
                read > 0,
                "the connection was closed in the middle of an answer"
            );
            let Some(head) = Head::of(&self.answer)? else {
                continue;
            };
            if self.answer.len() < head.answer_bytes {
                continue;
            }
            if head.status != status {
                bail!(
                    "expected {status}, got {}",
                    String::from_utf8_lossy(&self.answer)
                );
            }
            return Ok(&self.answer[head.bytes..head.answer_bytes]);
        }
    }
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// A request with a JSON body and a key.
pub(crate) fn post(path: &str, key: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The request with one more line, ended by CR LF, in its head.
#[cfg(feature = "stack")]
pub(crate) fn with_header(request: &[u8], line: &str) -> Vec<u8> {
    let first = request.iter().position(|byte| *byte == b'\n');
    let (first, rest) = request.split_at(first.map_or(0, |end| end + 1));
    [first, line.as_bytes(), rest].concat()
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    /// Head and body.
    answer_bytes: usize,
}

impl Head {
    /// None while it is not complete. Fails on an answer without `Content-Length`.
    fn of(answer: &[u8]) -> Result<Option<Self>> {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let Some(end) = end.map(|end| end + 4) else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&answer[..end]).context("a head that is not text")?;
        let status = head.get(9..12).context("an answer without a status")?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim())
        });
        let length: usize = length
            .context("an answer without Content-Length")?
            .parse()?;
        Ok(Some(Self {
            status: status.parse()?,
            bytes: end,
            answer_bytes: end + length,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_status_and_size_once_it_is_complete() {
        let answer = b"HTTP/1.1 201 Created\r\nX: y\r\ncontent-length: 5\r\n\r\nab";
        let head = Head::of(answer).unwrap().unwrap();
        assert_eq!((head.status, head.answer_bytes), (201, answer.len() + 3));
        assert_eq!(Head::of(&answer[..30]).unwrap(), None);
        assert!(Head::of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
