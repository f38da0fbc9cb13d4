//! The routes as functions, named after what they do.

use super::{Answer, Client, Request};
use crate::error::Result;
use crate::wire::{
    Accepted, Applications, Chat, Chats, Keys, Message, Messages, NewChat, NewMessage, SearchPage,
};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One application on one server.
pub(crate) struct Application<'a> {
    client: &'a Client,
    token: String,
}

/// What is there, or accepted and soon will be.
#[derive(Debug)]
pub(crate) enum Presence<T> {
    Stored(T),
    Processing,
}

impl Client {
    pub(crate) fn application(&self, token: &str) -> Application<'_> {
        Application {
            client: self,
            token: token.to_owned(),
        }
    }

    pub(crate) async fn create_application(
        &self,
        name: &str,
        key: &str,
    ) -> Result<Answer<crate::wire::Application>> {
        let request = create(path(["applications"]), &json!({ "name": name }), key);
        Ok(self.call(&request).await?.1)
    }

    pub(crate) async fn applications(&self, page: u64, per_page: u64) -> Result<Applications> {
        let query = vec![
            ("page", page.to_string()),
            ("per_page", per_page.to_string()),
        ];
        self.get(path(["applications"]), query).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: Vec<String>,
        query: Vec<(&'static str, String)>,
    ) -> Result<T> {
        let (_, answer) = self
            .call(&Request {
                path,
                query,
                ..Request::default()
            })
            .await?;
        Ok(answer.body)
    }

    async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: Vec<String>,
        body: Option<Value>,
    ) -> Result<T> {
        let (_, answer) = self
            .call(&Request {
                method,
                path,
                body,
                ..Request::default()
            })
            .await?;
        Ok(answer.body)
    }
}

impl Application<'_> {
    pub(crate) async fn show(&self) -> Result<crate::wire::Application> {
        self.client.get(self.path(&[]), vec![]).await
    }

    /// The new name is the end state, so PUT: it may be repeated.
    pub(crate) async fn rename(&self, name: &str) -> Result<crate::wire::Application> {
        self.client
            .change(Method::PUT, self.path(&[]), Some(json!({ "name": name })))
            .await
    }

    pub(crate) async fn delete(&self) -> Result<Value> {
        self.client
            .change(Method::DELETE, self.path(&[]), None)
            .await
    }

    pub(crate) async fn rotate_key(&self) -> Result<crate::wire::Application> {
        self.client
            .change(Method::POST, self.path(&["keys"]), None)
            .await
    }

    pub(crate) async fn keys(&self) -> Result<Keys> {
        self.client.get(self.path(&["keys"]), vec![]).await
    }

    pub(crate) async fn revoke_key(&self, id: &str) -> Result<Value> {
        self.client
            .change(Method::DELETE, self.path(&["keys", id]), None)
            .await
    }

    pub(crate) async fn create_chat(&self, new: &NewChat, key: &str) -> Result<Answer<Accepted>> {
        Ok(self
            .client
            .call(&create(self.path(&["chats"]), new, key))
            .await?
            .1)
    }

    /// Ascending by number, starting after `after`.
    pub(crate) async fn chats(&self, after: u64, limit: u64) -> Result<Chats> {
        let query = vec![("after", after.to_string()), ("limit", limit.to_string())];
        self.client.get(self.path(&["chats"]), query).await
    }

    pub(crate) async fn chat(&self, number: u64) -> Result<Presence<Chat>> {
        self.stored(self.chat_path(number, &[])).await
    }

    pub(crate) async fn delete_chat(&self, number: u64) -> Result<Accepted> {
        self.client
            .change(Method::DELETE, self.chat_path(number, &[]), None)
            .await
    }

    pub(crate) async fn create_message(
        &self,
        chat: u64,
        new: &NewMessage,
        key: &str,
    ) -> Result<Answer<Accepted>> {
        Ok(self
            .client
            .call(&create(self.chat_path(chat, &["messages"]), new, key))
            .await?
            .1)
    }

    /// Ascending by number, starting after `after`.
    pub(crate) async fn messages(&self, chat: u64, after: u64, limit: u64) -> Result<Messages> {
        let query = vec![("after", after.to_string()), ("limit", limit.to_string())];
        self.client
            .get(self.chat_path(chat, &["messages"]), query)
            .await
    }

    /// The nearest below `before`, ascending.
    pub(crate) async fn messages_before(
        &self,
        chat: u64,
        before: u64,
        limit: u64,
    ) -> Result<Messages> {
        let query = vec![("before", before.to_string()), ("limit", limit.to_string())];
        self.client
            .get(self.chat_path(chat, &["messages"]), query)
            .await
    }

    pub(crate) async fn message(&self, chat: u64, number: u64) -> Result<Presence<Message>> {
        self.stored(self.message_path(chat, number)).await
    }

    /// `change` holds the fields to change; an edit is repeated only with the same `key`.
    pub(crate) async fn edit_message(
        &self,
        chat: u64,
        number: u64,
        change: &Value,
        key: &str,
    ) -> Result<Accepted> {
        let mut request = create(self.message_path(chat, number), change, key);
        request.method = Method::PATCH;
        Ok(self.client.call(&request).await?.1.body)
    }

    pub(crate) async fn delete_message(&self, chat: u64, number: u64) -> Result<Accepted> {
        self.client
            .change(Method::DELETE, self.message_path(chat, number), None)
            .await
    }

    pub(crate) async fn search(
        &self,
        chat: Option<u64>,
        query: Vec<(&'static str, String)>,
    ) -> Result<SearchPage> {
        let path = match chat {
            Some(chat) => self.chat_path(chat, &["messages", "search"]),
            None => self.path(&["messages", "search"]),
        };
        self.client.get(path, query).await
    }

    /// Gives the server a moment to store what it has accepted.
    async fn stored<T: DeserializeOwned>(&self, path: Vec<String>) -> Result<Presence<T>> {
        let request = Request {
            path,
            wait_seconds: Some(5),
            ..Request::default()
        };
        let (status, answer) = self.client.call::<Value>(&request).await?;
        if status == StatusCode::ACCEPTED {
            return Ok(Presence::Processing);
        }
        self.client.typed(status, answer.body).map(Presence::Stored)
    }

    fn path(&self, rest: &[&str]) -> Vec<String> {
        ["applications", &self.token]
            .iter()
            .chain(rest)
            .map(|&part| part.to_owned())
            .collect()
    }

    fn chat_path(&self, chat: u64, rest: &[&str]) -> Vec<String> {
        let mut path = self.path(&["chats", &chat.to_string()]);
        path.extend(rest.iter().map(|&part| part.to_owned()));
        path
    }

    fn message_path(&self, chat: u64, number: u64) -> Vec<String> {
        self.chat_path(chat, &["messages", &number.to_string()])
    }
}

fn path<const N: usize>(parts: [&str; N]) -> Vec<String> {
    parts.map(str::to_owned).to_vec()
}

fn create(path: Vec<String>, body: &impl Serialize, key: &str) -> Request {
    let body = serde_json::to_value(body).expect("what we send has string keys only");
    Request {
        method: Method::POST,
        path,
        body: Some(body),
        idempotency_key: Some(key.to_owned()),
        ..Request::default()
    }
}
