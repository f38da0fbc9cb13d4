//! One connection, always wanted: made, watched and made again.
//!
//! The client library could reconnect by itself. It would replay topology and consumers on channels
//! whose publishes and deliveries are void then, does nothing about a channel the broker closes, and
//! gives up after some tries. Here a lost connection is dropped with all its channels, and whoever uses
//! one starts anew on the next: there is one way to recover, from everything.

use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::model::Problem;
use futures::StreamExt;
use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, Event};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Name resolution, TCP, TLS and login together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A broker that says nothing for twice as long is gone (M5).
const HEARTBEAT_S: u16 = 5;
/// A lost connection is told by an event; this only makes sure.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where and how to connect.
#[derive(Clone)]
pub(super) struct Dial {
    uri: AMQPUri,
    pub(super) place: Arc<str>,
    tls: Option<RustlsConnector>,
}

impl Dial {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self> {
        let place = endpoint.place();
        let invalid = |problem: String, fix: &str| {
            let fix = fix.to_owned();
            Error::invalid("CHAT_RABBITMQ_URL", Problem { problem, fix })
        };
        let mut uri: AMQPUri = endpoint.url.expose_secret().parse().map_err(|why| {
            let fix = "write amqps://USER:PASSWORD@HOST:PORT/VHOST";
            invalid(format!("{place} is no address of RabbitMQ: {why}"), fix)
        })?;
        uri.query.heartbeat = Some(HEARTBEAT_S);
        let tls = match uri.scheme {
            AMQPScheme::AMQP if !endpoint.trust.plaintext => {
                return Err(invalid(
                    format!("{place} is without TLS"),
                    "use amqps://, or allow plaintext with CHAT_TLS_INSECURE",
                ));
            }
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => Some(connector(endpoint).map_err(|why| {
                let fix = "check the file with the certificates of the authority";
                invalid(format!("whom to trust at {place}: {why}"), fix)
            })?),
        };
        let place = place.into();
        Ok(Self { uri, place, tls })
    }

    /// The virtual host, as it is called, not as it is written in an address.
    pub(super) fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    async fn connect(&self, name: &str) -> Result<(Connection, Socket), String> {
        let socket = Socket::default();
        let runtime = lapin::runtime::default_runtime().map_err(|error| describe(&error))?;
        let (tls, opened, reactor) = (self.tls.clone(), socket.clone(), runtime.clone());
        let open = async move |uri: AMQPUri, _| {
            let (host, port) = (uri.authority.host.as_str(), uri.authority.port);
            let opening = async {
                let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
                let stream = AsyncTcpStream::connect(&reactor, addresses).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    opened.set(plain.get_ref())?;
                }
                match &tls {
                    Some(connector) => stream.into_rustls(connector, host).await,
                    None => Ok(stream),
                }
            };
            let opening = timeout(CONNECT_TIMEOUT, opening).await;
            Ok(opening.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))?)
        };
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connector(self.uri.clone(), runtime, open, properties);
        let outcome = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => return Ok((connection, socket)),
            Ok(Err(error)) => describe(&error),
            Err(_) => format!("no answer within {CONNECT_TIMEOUT:?}"),
        };
        socket.shut();
        Err(outcome)
    }
}

fn connector(endpoint: &Endpoint) -> std::io::Result<RustlsConnector> {
    let config = match &endpoint.trust.ca_pem {
        None => RustlsConnectorConfig::new_with_native_certs()?,
        Some(pem) => {
            let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
                .collect::<Result<_, _>>()
                .map_err(std::io::Error::other)?;
            if certificates.is_empty() {
                return Err(std::io::Error::other("no certificate in PEM form"));
            }
            RustlsConnectorConfig::default().with_parsable_certificates(certificates)
        }
    };
    config.connector_with_no_client_auth()
}

/// The library's thread waits for its socket for ever. Shutting it ends that thread, also while a broker
/// that was stopped says nothing.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Socket {
    fn set(&self, stream: &tokio::net::TcpStream) -> std::io::Result<()> {
        let copy = stream.as_fd().try_clone_to_owned()?;
        *self.lock() = Some(copy.into());
        Ok(())
    }

    fn shut(&self) {
        if let Some(stream) = self.lock().take() {
            // It is shut already when the broker closed it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<TcpStream>> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

/// Whether there is a connection now.
#[derive(Clone)]
pub(super) enum State {
    Down(Arc<str>),
    Up(Arc<Connection>),
}

/// A connection that is made again whenever it is lost, until `stop`.
#[derive(Clone)]
pub(super) struct Link {
    state: watch::Receiver<State>,
    pub(super) place: Arc<str>,
}

impl Link {
    pub(super) fn supervise(dial: Dial, name: &'static str, stop: CancellationToken) -> Self {
        let place = dial.place.clone();
        let (sender, state) = watch::channel(State::Down("not connected yet".into()));
        tokio::spawn(supervise(dial, name, sender, stop));
        Self { state, place }
    }

    /// The connection, or why there is none.
    pub(super) fn now(&self) -> Result<Arc<Connection>, Arc<str>> {
        match &*self.state.borrow() {
            State::Up(connection) if connection.status().connected() => Ok(connection.clone()),
            State::Up(_) => Err("the connection was lost".into()),
            State::Down(why) => Err(why.clone()),
        }
    }

    /// Waits for a connection. Never returns once supervision has ended.
    pub(super) async fn up(&mut self) -> Arc<Connection> {
        loop {
            if let Ok(connection) = self.now() {
                self.state.mark_unchanged();
                return connection;
            }
            self.changed().await;
        }
    }

    /// Waits until the connection was lost or made.
    pub(super) async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn supervise(
    dial: Dial,
    name: &'static str,
    state: watch::Sender<State>,
    stop: CancellationToken,
) {
    let place = dial.place.clone();
    let mut pause = FIRST_PAUSE;
    let mut said: Option<String> = None;
    loop {
        let connected = tokio::select! {
            connected = dial.connect(name) => connected,
            () = stop.cancelled() => return,
        };
        match connected {
            Ok((connection, socket)) => {
                tracing::info!(%place, name, "connected to RabbitMQ");
                (pause, said) = (FIRST_PAUSE, None);
                let connection = Arc::new(connection);
                state.send_replace(State::Up(connection.clone()));
                let why = tokio::select! {
                    why = lost(&connection, &place) => why,
                    () = stop.cancelled() => {
                        let _ = timeout(LOOK_EVERY, connection.close(200, "bye".into())).await;
                        socket.shut();
                        return;
                    }
                };
                tracing::warn!(%place, name, why, "the connection to RabbitMQ was lost");
                state.send_replace(State::Down(why.into()));
                socket.shut();
            }
            Err(why) => {
                // Once for each reason, not once for each try.
                if said.as_ref() != Some(&why) {
                    tracing::warn!(%place, name, why, "RabbitMQ cannot be reached; trying again");
                }
                state.send_replace(State::Down(why.as_str().into()));
                said = Some(why);
            }
        }
        let jitter = rand::random_range(0.5..1.0);
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(jitter)) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits until the connection is lost; says why.
async fn lost(connection: &Connection, place: &str) -> String {
    let mut events = std::pin::pin!(connection.events_listener());
    let mut why = "it ended".to_owned();
    loop {
        let event = timeout(LOOK_EVERY, events.next()).await;
        match event {
            Ok(Some(Event::Error(error))) => why = describe(&error),
            Ok(Some(Event::ConnectionBlocked(reason))) => {
                tracing::warn!(%place, reason, "RabbitMQ takes nothing: it is short of memory or disk");
            }
            Ok(Some(Event::ConnectionUnblocked)) => {
                tracing::info!(%place, "RabbitMQ takes messages again");
            }
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => return why,
        }
        if !connection.status().connected() {
            return why;
        }
    }
}

/// An error of the library, short.
pub(super) fn describe(error: &lapin::Error) -> String {
    match error.kind() {
        lapin::ErrorKind::IOError(error) => error.to_string(),
        lapin::ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::endpoint::Trust;

    fn dial(url: &str, plaintext: bool) -> Result<Dial> {
        let trust = Trust {
            ca_pem: Some(b"nothing of the kind".to_vec()),
            plaintext,
        };
        Dial::new(&Endpoint {
            url: url.to_owned().into(),
            trust,
        })
    }

    #[test]
    fn an_address_without_tls_wants_an_explicit_word() {
        let refused = dial("amqp://u:secret@rabbit:5672/%2F", false).map(drop);
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("amqp://rabbit:5672") && text.contains("CHAT_TLS_INSECURE"));
        assert!(!text.contains("secret"), "{text}");
        assert!(dial("amqp://u:secret@rabbit:5672/%2F", true).is_ok());
    }

    #[test]
    fn a_broken_address_or_authority_is_named_without_the_password() {
        for url in ["http://u:secret@rabbit:1", "amqps://u:secret@rabbit:5671/"] {
            let text = dial(url, false).map(drop).unwrap_err().to_string();
            assert!(
                text.contains("rabbit") && !text.contains("secret"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_virtual_host_is_read_from_the_path() {
        for (url, vhost) in [
            ("amqp://rabbit", "/"),
            ("amqp://rabbit/%2F", "/"),
            ("amqp://rabbit/a%2Fb", "a/b"),
        ] {
            assert_eq!(dial(url, true).unwrap().vhost(), vhost);
        }
    }
}
