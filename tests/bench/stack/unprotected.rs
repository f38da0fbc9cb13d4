//! The baseline of accepting on a cluster, and what it leaves out is what the chat is for: a number by INCR,
//! a publish to a quorum queue, an answer at the confirm.
//!
//! Nobody is authenticated, nothing is limited, no key is known. A Redis that loses its data gives numbers
//! again (M2), a message without a queue counts as confirmed (M1), a client that hangs up cuts it in half.

use crate::application::MESSAGES;
use crate::bare::{Accepted, NewMessage};
use crate::baseline;
use anyhow::Result;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use redis::IntoConnectionInfo;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where it publishes to; the benchmark declares it.
pub(crate) const QUEUE: &str = "unsafe";
/// As many as the chat's.
const CHANNELS: usize = 8;
const PERSISTENT: u8 = 2;

/// Where the servers are, from the environment, because addresses hold passwords.
#[derive(clap::Args)]
pub(crate) struct Unprotected {
    #[arg(long, env = "CHAT_REDIS_URL", hide_env_values = true)]
    redis: String,
    #[arg(long, env = "CHAT_RABBITMQ_URL", hide_env_values = true)]
    rabbitmq: String,
    #[arg(long, env = "CHAT_KEY_PREFIX")]
    prefix: String,
}

struct Servers {
    redis: MultiplexedConnection,
    channels: Vec<Channel>,
    turn: AtomicUsize,
    prefix: String,
}

impl Unprotected {
    /// Serves for ever.
    pub(crate) async fn serve(self) -> Result<()> {
        let nodelay = TcpSettings::default().set_nodelay(true);
        let info = self.redis.into_connection_info()?.set_tcp_settings(nodelay);
        let client = redis::Client::open(info)?;
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&self.rabbitmq, properties).await?;
        let mut channels = Vec::new();
        for _ in 0..CHANNELS {
            let channel = connection.create_channel().await?;
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            channels.push(channel);
        }
        let servers = Arc::new(Servers {
            redis: client.get_multiplexed_async_connection().await?,
            channels,
            turn: AtomicUsize::new(0),
            prefix: self.prefix,
        });
        let router = axum::Router::new().route(MESSAGES, post(accept));
        baseline::serve(router.with_state(servers)).await
    }
}

async fn accept(
    State(servers): State<Arc<Servers>>,
    Path((_token, chat)): Path<(String, u64)>,
    Json(new): Json<NewMessage>,
) -> Response {
    match servers.accept(chat, &new.content).await {
        Ok(number) => Accepted::under(number).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

impl Servers {
    async fn accept(&self, chat: u64, content: &str) -> Result<usize> {
        let mut incr = redis::cmd("INCR");
        incr.arg(format!("{}:unsafe:{chat}", self.prefix));
        let number: usize = incr.query_async(&mut self.redis.clone()).await?;
        let body = json!({ "chat": chat, "number": number, "content": content }).to_string();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let confirm = self.channels[turn % CHANNELS]
            .basic_publish(
                "".into(),
                QUEUE.into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                BasicProperties::default().with_delivery_mode(PERSISTENT),
            )
            .await?;
        confirm.await?;
        Ok(number)
    }
}
