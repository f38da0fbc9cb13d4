//! Just enough HTTP/1.1 to ask a server on this machine one thing at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The value of the first `"name":` in the body, without quotes.
    pub(crate) fn field(&self, name: &str) -> &str {
        let (_, rest) = self
            .body
            .split_once(&format!("\"{name}\":"))
            .expect(&self.body);
        rest.split([',', '}'])
            .next()
            .expect("split gives at least one part")
            .trim_matches('"')
    }
}

pub(crate) fn get(address: SocketAddr, path: &str, key: Option<&str>) -> io::Result<Answer> {
    ask(address, "GET", path, key, "")
}

pub(crate) fn post(
    address: SocketAddr,
    path: &str,
    key: Option<&str>,
    body: &str,
) -> io::Result<Answer> {
    ask(address, "POST", path, key, body)
}

fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: &str,
) -> io::Result<Answer> {
    let key = key
        .map(|key| format!("Authorization: Bearer {key}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{key}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut_off)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(cut_off)?,
        body: body.to_owned(),
    })
}
