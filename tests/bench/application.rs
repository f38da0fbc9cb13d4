//! An application of a running chat, and requests to it.

use crate::connection::{Connection, get, post};
use crate::load::{Load, Measured, Pace, Requests, Until, run};
use crate::text::Author;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// The administrator's key, where keys are asked for.
pub(crate) const ADMIN_KEY: &str = "the-key-of-the-administrator";
/// Where messages are created, in the words of axum: for baselines.
pub(crate) const MESSAGES: &str = "/api/v1/applications/{token}/chats/{number}/messages";

#[derive(Clone)]
pub(crate) struct Application {
    /// Of the API that is asked.
    pub(crate) address: SocketAddr,
    #[cfg_attr(
        not(feature = "stack"),
        expect(dead_code, reason = "only the cluster's benchmark names it elsewhere")
    )]
    pub(crate) token: String,
    pub(crate) path: String,
    /// The application's; not asked for without `CHAT_AUTH_MODE=keys`.
    key: String,
    chats: u64,
}

impl Application {
    /// Makes one with so many chats.
    pub(crate) async fn create(address: SocketAddr, admin_key: &str, chats: u64) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        let name = json!({ "name": "benchmark" });
        let create = post("/api/v1/applications", admin_key, &name);
        let created: Value = serde_json::from_slice(connection.exchange(&create, 201).await?)?;
        let text = |field: &str| created[field].as_str().map(str::to_owned);
        let token = text("token").context("an application has a token")?;
        let key = text("api_key").context("an application has a key")?;
        let path = format!("/api/v1/applications/{token}");
        for _ in 0..chats {
            let create = post(&format!("{path}/chats"), &key, &json!({}));
            connection.exchange(&create, 201).await?;
        }
        Ok(Self {
            address,
            token,
            path,
            key,
            chats,
        })
    }

    /// One that is not there, for baselines: they do not look.
    pub(crate) fn nowhere(address: SocketAddr, chats: u64) -> Self {
        let token = "01jd8q0v6z3m5n7p9r1t3v5x7z".to_owned();
        Self {
            address,
            path: format!("/api/v1/applications/{token}"),
            token,
            key: ADMIN_KEY.to_owned(),
            chats,
        }
    }

    /// The same one, asked elsewhere.
    #[cfg(feature = "stack")]
    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Requests that create messages, one chat after the other.
    pub(crate) fn creates(&self, count: usize, author: &mut Author) -> Requests {
        let chats = (1..=self.chats).cycle().take(count);
        Arc::new(chats.map(|chat| self.create_in(chat, author)).collect())
    }

    /// The same with an idempotency key each: `about` and a number.
    #[cfg(feature = "stack")]
    pub(crate) fn keyed_creates(&self, count: usize, about: &str, author: &mut Author) -> Requests {
        let chats = (1..=self.chats).cycle().take(count).enumerate();
        let keyed = chats.map(|(number, chat)| {
            let request = self.create_in(chat, author);
            let line = format!("Idempotency-Key: {about}-{number}\r\n");
            crate::connection::with_header(&request, &line)
        });
        Arc::new(keyed.collect())
    }

    /// A request that creates a message.
    pub(crate) fn create_in(&self, chat: u64, author: &mut Author) -> Vec<u8> {
        self.create_with(chat, &author.sentence())
    }

    pub(crate) fn create_with(&self, chat: u64, content: &str) -> Vec<u8> {
        let path = format!("{}/chats/{chat}/messages", self.path);
        post(&path, &self.key, &json!({ "content": content }))
    }

    pub(crate) async fn load(
        &self,
        connections: usize,
        requests: &Requests,
        status: u16,
        until: Until,
    ) -> Result<Measured> {
        run(Load {
            address: self.address,
            connections,
            requests: requests.clone(),
            status,
            until,
            pace: Pace::Closed,
        })
        .await
    }

    /// How many messages a chat has.
    pub(crate) async fn messages_count(&self, chat: u64) -> Result<u64> {
        let mut connection = Connection::open(self.address).await?;
        let asked = get(&format!("{}/chats/{chat}", self.path));
        let chat: Value = serde_json::from_slice(connection.exchange(&asked, 200).await?)?;
        chat["messages_count"].as_u64().context("a chat is counted")
    }
}
