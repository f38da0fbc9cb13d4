//! A proxy in front of the real server that does what servers do on bad days.

use reqwest::Method;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The server does not see it; this is the answer, with an error of this type.
    Refused(u16, &'static str),
    /// The server does not see these documents of a bulk, and this is said of each.
    Documents(Vec<String>, u16),
    /// Refused when it has more bytes.
    LargerThan(usize),
    /// The server sees it after a while.
    Late(Duration),
    /// The connection breaks before the server sees it.
    Cut,
    /// The server carries it out, and the connection breaks before the answer.
    CutAfter,
    /// An answer without end.
    Endless,
}

/// Stops when it is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    tls: bool,
    faults: Arc<Mutex<Faults>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Faults {
    always: Option<Fault>,
    next: VecDeque<Fault>,
}

impl Proxy {
    pub(super) async fn before(server: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(Mutex::new(Faults::default()));
        let link = Link {
            server: server.trim_end_matches('/').to_owned(),
            faults: faults.clone(),
        };
        let with_tls = tls.is_some();
        let task = tokio::spawn(async move {
            // Ends the connections with the task.
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let (link, tls) = (link.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => link.serve(connection).await,
                        Some(tls) => {
                            if let Ok(connection) = tls.accept(connection).await {
                                link.serve(connection).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            tls: with_tls,
            faults,
            task,
        }
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://someone:se%2Fcret@{}", self.address)
    }

    /// These requests in turn, and then no more.
    pub(super) fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().next = faults.into_iter().collect();
    }

    /// Every request until told otherwise.
    pub(super) fn always(&self, fault: Option<Fault>) {
        self.faults.lock().unwrap().always = fault;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Request {
    method: Method,
    path: String,
    kind: String,
    body: Vec<u8>,
}

#[derive(Clone)]
struct Link {
    server: String,
    faults: Arc<Mutex<Faults>>,
}

impl Link {
    async fn serve(self, connection: impl AsyncRead + AsyncWrite + Unpin) {
        let mut connection = BufReader::new(connection);
        while let Some(request) = read(&mut connection).await {
            let fault = {
                let mut faults = self.faults.lock().unwrap();
                faults.next.pop_front().or_else(|| faults.always.clone())
            };
            let answer = match fault {
                None => self.forward(request).await,
                Some(Fault::Refused(status, kind)) => refusal(status, kind),
                Some(Fault::LargerThan(bytes)) if request.body.len() > bytes => refusal(413, ""),
                Some(Fault::LargerThan(_)) => self.forward(request).await,
                Some(Fault::Documents(ids, status)) => self.without(request, &ids, status).await,
                Some(Fault::Late(delay)) => {
                    tokio::time::sleep(delay).await;
                    self.forward(request).await
                }
                Some(Fault::Cut) => return,
                Some(Fault::CutAfter) => {
                    self.forward(request).await;
                    return;
                }
                Some(Fault::Endless) => (200, vec![b' '; 64 << 20]),
            };
            if write(&mut connection, answer).await.is_err() {
                return;
            }
        }
    }

    async fn forward(&self, request: Request) -> (u16, Vec<u8>) {
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .no_proxy()
            .build()
            .unwrap();
        let url = format!("{}{}", self.server, request.path);
        let forwarded = http
            .request(request.method, url)
            .header("content-type", request.kind)
            .body(request.body);
        let answer = forwarded.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.bytes().await.unwrap().to_vec())
    }

    /// Sends the other documents on and puts the answers together.
    async fn without(&self, request: Request, ids: &[String], status: u16) -> (u16, Vec<u8>) {
        if !request.path.contains("/_bulk") {
            return self.forward(request).await;
        }
        let lines: Vec<String> = String::from_utf8(request.body)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        let is_hit = |action: &String| ids.iter().any(|id| action.contains(id.as_str()));
        let hits: Vec<bool> = lines.chunks(2).map(|pair| is_hit(&pair[0])).collect();
        let others = lines.chunks(2).filter(|pair| !is_hit(&pair[0]));
        let body: String = others
            .map(|pair| format!("{}\n{}\n", pair[0], pair[1]))
            .collect();
        let mut items: VecDeque<Value> = VecDeque::new();
        if !body.is_empty() {
            let body = body.into_bytes();
            let (_, answer) = self.forward(Request { body, ..request }).await;
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            items.extend(answer["items"].as_array().unwrap().iter().cloned());
        }
        let refused = json!({ "index": { "status": status, "error": { "type": "injected" } } });
        let item = |hit: bool| {
            if hit {
                refused.clone()
            } else {
                items.pop_front().unwrap()
            }
        };
        let items: Vec<Value> = hits.into_iter().map(item).collect();
        let answer = json!({ "errors": true, "items": items });
        (200, answer.to_string().into_bytes())
    }
}

fn refusal(status: u16, kind: &str) -> (u16, Vec<u8>) {
    let answer = json!({ "error": { "type": kind, "root_cause": [{ "type": kind }] } });
    (status, answer.to_string().into_bytes())
}

async fn read(connection: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let line = head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with(name));
        line.map(|line| line[name.len()..].trim_start_matches([':', ' ']).to_owned())
    };
    let mut start = head.split(' ');
    let method = start.next()?.parse().unwrap();
    let path = start.next()?.to_owned();
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    let kind = header("content-type").unwrap_or_else(|| "application/json".to_owned());
    Some(Request {
        method,
        path,
        kind,
        body,
    })
}

async fn write(
    connection: &mut (impl AsyncWrite + Unpin),
    (status, body): (u16, Vec<u8>),
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} status\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&body).await?;
    connection.flush().await
}
