//! Messages: create, read, list, edit, delete, status.

use super::accept::Wanted;
use super::chats::{edited, field, fingerprint};
use super::{Ops, Presence, SOON};
use crate::clock;
use crate::error::{Error, Result};
use crate::event::{Command, CreateMessage, DeleteMessage, EditMessage, Origin};
use crate::model::{
    Accepted, Author, ChatKey, Content, IdempotencyKey, Message, Metadata, Millis, Number, Problem,
    Rev, Scope, TenantId,
};
use crate::ports::{Found, MessagePage, Window};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub content: Content,
    pub author: Option<Author>,
    pub metadata: Option<Metadata>,
    pub reply_to: Option<Number>,
    /// Not in the future; for imports.
    pub created_at: Option<Millis>,
}

/// `None`: left alone. `Some(None)`: emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageEdit {
    pub content: Option<Content>,
    pub metadata: Option<Option<Metadata>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageStatus {
    pub status: Status,
    pub accepted_at: Option<Millis>,
    pub stored_at: Option<Millis>,
    /// Whether the index holds this rev, asked now.
    pub searchable: bool,
    pub rev: Rev,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Processing,
    Stored,
    Deleted,
    Voided,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Stored => "stored",
            Self::Deleted => "deleted",
            Self::Voided => "voided",
        }
    }
}

impl Ops {
    pub async fn create_message(
        &self,
        tenant: TenantId,
        chat: Number,
        new: NewMessage,
        key: Option<IdempotencyKey>,
        origin: Origin,
    ) -> Result<Accepted> {
        let accepted_at = clock::now();
        let NewMessage {
            content,
            author,
            metadata,
            reply_to,
            created_at,
        } = new;
        if created_at.is_some_and(|created_at| created_at > accepted_at) {
            let problem = Problem::new(
                "is in the future",
                "send a past time, or leave it out for now",
            );
            return Err(Error::invalid("created_at", problem));
        }
        let about = format!("message|{chat}");
        let uid = self.uid(tenant, about.as_bytes(), key.as_ref()).await?;
        let parts = [
            content.as_str().as_bytes().to_vec(),
            field(&author, Author::as_str),
            field(&metadata, Metadata::as_str),
            reply_to.map_or(0, Number::get).to_be_bytes().to_vec(),
            created_at.map_or(-1, Millis::get).to_be_bytes().to_vec(),
        ];
        let fingerprint = fingerprint(about.as_bytes(), tenant, &parts);
        let stored = match key {
            Some(_) => self.ports.reader.message_by_uid(tenant, uid).await?,
            None => None,
        };
        let chat = ChatKey {
            app: tenant.app(),
            number: chat,
        };
        let wanted = Wanted {
            tenant,
            scope: Scope::Messages(chat),
            uid,
            fingerprint,
            keyed: key.is_some(),
            origin,
        };
        let command = move |number| {
            Command::CreateMessage(CreateMessage {
                key: chat.message(number),
                uid,
                fingerprint,
                content,
                author,
                metadata,
                reply_to,
                created_at: created_at.unwrap_or(accepted_at),
                accepted_at,
            })
        };
        self.accept(wanted, stored, command, false).await
    }

    /// Waits up to `wait` for a message that was accepted and is not stored yet.
    pub async fn message(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
        wait: Duration,
    ) -> Result<Presence<Message>> {
        Presence::within(wait, || self.message_now(tenant, chat, number)).await
    }

    async fn message_now(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
    ) -> Result<Presence<Message>> {
        match self.ports.reader.message(tenant, chat, number).await? {
            Found::Live(message) => Ok(Presence::Here(message)),
            Found::Deleted => Err(Error::Gone),
            Found::NeverStored(cause) => Err(Error::NeverStored { cause }),
            Found::Absent => {
                let scope = Scope::Messages(ChatKey {
                    app: tenant.app(),
                    number: chat,
                });
                match self.was_given(scope, number).await? {
                    true => Ok(Presence::Processing),
                    false => Err(Error::NotFound),
                }
            }
        }
    }

    pub async fn messages(
        &self,
        tenant: TenantId,
        chat: Number,
        window: Window,
        limit: u32,
    ) -> Result<MessagePage> {
        match self
            .ports
            .reader
            .messages(tenant, chat, window, limit)
            .await?
        {
            Found::Live(page) => Ok(page),
            Found::Deleted => Err(Error::Gone),
            Found::NeverStored(_) => Err(Error::NotFound),
            Found::Absent if self.was_given(Scope::Chats(tenant.app()), chat).await? => {
                let complete_through = match window {
                    Window::After(after) => after,
                    Window::Before(_) => 0,
                };
                Ok(MessagePage {
                    data: Vec::new(),
                    next: None,
                    complete_through,
                })
            }
            Found::Absent => Err(Error::NotFound),
        }
    }

    pub async fn edit_message(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
        edit: MessageEdit,
        key: Option<IdempotencyKey>,
        origin: Origin,
    ) -> Result<Accepted> {
        let message = self.message_to_change(tenant, chat, number).await?;
        let chat = ChatKey {
            app: tenant.app(),
            number: chat,
        };
        let about = format!("edit_message|{}|{}", chat.number, message.number);
        let claimed = self.uid(tenant, about.as_bytes(), key.as_ref()).await?;
        let parts = [
            field(&edit.content, Content::as_str),
            edited(&edit.metadata, Metadata::as_str),
        ];
        let fingerprint = fingerprint(about.as_bytes(), tenant, &parts);
        let wanted = Wanted {
            tenant,
            scope: Scope::Revs(chat),
            uid: claimed,
            fingerprint,
            keyed: key.is_some(),
            origin,
        };
        let MessageEdit { content, metadata } = edit;
        let (key, accepted_at) = (chat.message(message.number), clock::now());
        let command = move |rev: Number| {
            Command::EditMessage(EditMessage {
                key,
                rev: rev.into(),
                content,
                metadata,
                accepted_at,
            })
        };
        let accepted = self.accept(wanted, None, command, true).await?;
        Ok(Accepted {
            number: message.number,
            uid: message.uid,
            ..accepted
        })
    }

    pub async fn delete_message(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
        origin: Origin,
    ) -> Result<Accepted> {
        let message = self.message_to_change(tenant, chat, number).await?;
        let chat = ChatKey {
            app: tenant.app(),
            number: chat,
        };
        let wanted = Wanted {
            tenant,
            scope: Scope::Revs(chat),
            uid: message.uid,
            fingerprint: fingerprint(b"delete_message", tenant, &[]),
            keyed: false,
            origin,
        };
        let (key, accepted_at) = (chat.message(message.number), clock::now());
        let command = move |rev: Number| {
            Command::DeleteMessage(DeleteMessage {
                key,
                rev: rev.into(),
                accepted_at,
            })
        };
        let accepted = self.accept(wanted, None, command, true).await?;
        Ok(Accepted {
            number: message.number,
            uid: message.uid,
            ..accepted
        })
    }

    async fn message_to_change(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
    ) -> Result<Message> {
        // The answer needs the id.
        self.message(tenant, chat, number, SOON).await?.here()
    }

    pub async fn message_status(
        &self,
        tenant: TenantId,
        chat: Number,
        number: Number,
    ) -> Result<MessageStatus> {
        let nothing = |status| MessageStatus {
            status,
            accepted_at: None,
            stored_at: None,
            searchable: false,
            rev: Rev::CREATED,
        };
        match self.message_now(tenant, chat, number).await {
            Ok(Presence::Here(message)) => {
                let key = ChatKey {
                    app: tenant.app(),
                    number: chat,
                }
                .message(message.number);
                let version = self.ports.search.version(key, message.uid).await?;
                Ok(MessageStatus {
                    status: Status::Stored,
                    accepted_at: Some(message.accepted_at),
                    stored_at: Some(message.stored_at),
                    searchable: version == Some(message.rev.next().get()),
                    rev: message.rev,
                })
            }
            Ok(Presence::Processing) => Ok(nothing(Status::Processing)),
            Err(Error::Gone) => Ok(nothing(Status::Deleted)),
            Err(Error::NeverStored { .. }) => Ok(nothing(Status::Voided)),
            Err(error) => Err(error),
        }
    }
}
