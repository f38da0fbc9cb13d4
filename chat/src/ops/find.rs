//! Searching, and the lists that span tenants. The index finds, the store answers: what is not visible
//! in the store any more is never shown, however late the index is (I7, I8).

use super::search::{Query, highlight};
use super::{Ops, Presence};
use crate::error::{Error, Result};
use crate::model::{Chat, ChatKey, Message, MessageKey, Millis, Number, Page, TenantId, Token};
use crate::ports::{SearchRequest, Sort};
use std::collections::HashMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchInput {
    /// As typed.
    pub query: String,
    /// From 1.
    pub page: u32,
    pub per_page: u32,
    pub sort: Sort,
    pub author: Option<String>,
    /// Created at or after.
    pub since: Option<Millis>,
    /// Created before.
    pub until: Option<Millis>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SearchPage {
    pub total: u64,
    pub total_capped: bool,
    pub messages: Vec<FoundMessage>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FoundMessage {
    pub message: Message,
    pub score: f32,
    /// An excerpt of the HTML-escaped content with `<em>` around what matched.
    pub highlight: String,
}

impl Ops {
    /// Over one chat, or over the application.
    pub async fn search(
        &self,
        tenant: TenantId,
        chat: Option<Number>,
        input: SearchInput,
    ) -> Result<SearchPage> {
        let SearchInput {
            query,
            page,
            per_page,
            sort,
            author,
            since,
            until,
        } = input;
        let query = Query::parse(&query).map_err(|problem| Error::invalid("query", problem))?;
        if let Some(number) = chat
            && self.chat(tenant, number).await? == Presence::Processing
        {
            return Ok(SearchPage {
                total: 0,
                total_capped: false,
                messages: Vec::new(),
            });
        }
        let request = SearchRequest {
            tenant,
            chat,
            query,
            author,
            since,
            until,
            sort,
            offset: page.saturating_sub(1).saturating_mul(per_page),
            limit: per_page,
        };
        let found = self.ports.search.query(&request).await?;
        let keys: Vec<MessageKey> = found.hits.iter().map(|hit| hit.key).collect();
        let messages = self.ports.reader.messages_by_key(tenant, &keys).await?;
        let mut by_place: HashMap<(Number, Number), Message> = messages
            .into_iter()
            .map(|message| ((message.chat, message.number), message))
            .collect();
        let messages = found
            .hits
            .iter()
            .filter_map(|hit| {
                let message = by_place.remove(&(hit.key.chat.number, hit.key.number))?;
                let highlight = highlight(message.content.as_str(), &request.query);
                Some(FoundMessage {
                    message,
                    score: hit.score,
                    highlight,
                })
            })
            .collect();
        Ok(SearchPage {
            total: found.total,
            total_capped: found.total_capped,
            messages,
        })
    }

    /// Live chats of all tenants; for administrators.
    pub async fn all_chats(
        &self,
        after: Option<ChatKey>,
        limit: u32,
    ) -> Result<Page<(Token, Chat), ChatKey>> {
        self.ports.across.chats(after, limit).await
    }

    /// Live messages of all tenants; for administrators.
    pub async fn all_messages(
        &self,
        after: Option<MessageKey>,
        limit: u32,
    ) -> Result<Page<(Token, Message), MessageKey>> {
        self.ports.across.messages(after, limit).await
    }
}
