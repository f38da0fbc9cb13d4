//! Chats: create, read, list, edit, delete, and the gaps in their numbers.

use super::accept::Wanted;
use super::{Ops, Presence, SOON};
use crate::clock;
use crate::error::{Error, Result};
use crate::event::{Command, CreateChat, DeleteChat, EditChat, Origin};
use crate::model::{
    Accepted, Chat, ChatKey, Fingerprint, Gap, IdempotencyKey, Metadata, Name, Number, Page, Scope,
    TenantId,
};
use crate::ports::Found;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewChat {
    pub name: Option<Name>,
    pub metadata: Option<Metadata>,
}

/// `None`: left alone. `Some(None)`: emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatEdit {
    pub name: Option<Option<Name>>,
    pub metadata: Option<Option<Metadata>>,
}

impl Ops {
    pub async fn create_chat(
        &self,
        tenant: TenantId,
        new: NewChat,
        key: Option<IdempotencyKey>,
        origin: Origin,
    ) -> Result<Accepted> {
        let NewChat { name, metadata } = new;
        let uid = self.uid(tenant, b"chat", key.as_ref()).await?;
        let fingerprint = fingerprint(
            b"create_chat",
            tenant,
            &[
                field(&name, Name::as_str),
                field(&metadata, Metadata::as_str),
            ],
        );
        let wanted = Wanted {
            tenant,
            scope: Scope::Chats(tenant.app()),
            uid,
            fingerprint,
            keyed: key.is_some(),
            origin,
        };
        // A bound number alone is no answer: the create may have died before it was published.
        let stored = match key {
            Some(_) => match self.ports.reader.chat_by_uid(tenant, uid).await? {
                Some(bound) if self.is_stored(tenant, bound.number).await? => Some(bound),
                _ => None,
            },
            None => None,
        };
        let accepted_at = clock::now();
        let command = move |number| {
            let key = ChatKey {
                app: tenant.app(),
                number,
            };
            Command::CreateChat(CreateChat {
                key,
                uid,
                fingerprint,
                name,
                metadata,
                accepted_at,
            })
        };
        self.accept(wanted, stored, command, false).await
    }

    async fn is_stored(&self, tenant: TenantId, number: Number) -> Result<bool> {
        Ok(matches!(
            self.ports.reader.chat(tenant, number).await?,
            Found::Live(_) | Found::Deleted
        ))
    }

    pub async fn chats(&self, tenant: TenantId, after: u64, limit: u32) -> Result<Page<Chat>> {
        self.ports.reader.chats(tenant, after, limit).await
    }

    pub async fn chat(&self, tenant: TenantId, number: Number) -> Result<Presence<Chat>> {
        match self.ports.reader.chat(tenant, number).await? {
            Found::Live(chat) => Ok(Presence::Here(chat)),
            Found::Deleted => Err(Error::Gone),
            Found::NeverStored(cause) => Err(Error::NeverStored { cause }),
            Found::Absent if self.was_given(Scope::Chats(tenant.app()), number).await? => {
                Ok(Presence::Processing)
            }
            Found::Absent => Err(Error::NotFound),
        }
    }

    pub async fn edit_chat(
        &self,
        tenant: TenantId,
        number: Number,
        edit: ChatEdit,
        key: Option<IdempotencyKey>,
        origin: Origin,
    ) -> Result<Accepted> {
        let chat = ChatKey {
            app: tenant.app(),
            number,
        };
        let uid = self.uid_of_chat(tenant, number).await?;
        let about = format!("edit_chat|{number}");
        let claimed = self.uid(tenant, about.as_bytes(), key.as_ref()).await?;
        let parts = [
            edited(&edit.name, Name::as_str),
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
        let ChatEdit { name, metadata } = edit;
        let accepted_at = clock::now();
        let command = move |rev: Number| {
            Command::EditChat(EditChat {
                key: chat,
                rev: rev.into(),
                name,
                metadata,
                accepted_at,
            })
        };
        let accepted = self.accept(wanted, None, command, true).await?;
        Ok(Accepted {
            number,
            uid,
            ..accepted
        })
    }

    pub async fn delete_chat(
        &self,
        tenant: TenantId,
        number: Number,
        origin: Origin,
    ) -> Result<Accepted> {
        let chat = ChatKey {
            app: tenant.app(),
            number,
        };
        let uid = self.uid_of_chat(tenant, number).await?;
        let wanted = Wanted {
            tenant,
            scope: Scope::Revs(chat),
            uid,
            fingerprint: fingerprint(b"delete_chat", tenant, &[]),
            keyed: false,
            origin,
        };
        let accepted_at = clock::now();
        let command = move |rev: Number| {
            Command::DeleteChat(DeleteChat {
                key: chat,
                rev: rev.into(),
                accepted_at,
            })
        };
        let accepted = self.accept(wanted, None, command, true).await?;
        Ok(Accepted {
            number,
            uid,
            ..accepted
        })
    }

    async fn uid_of_chat(&self, tenant: TenantId, number: Number) -> Result<crate::model::Uid> {
        // The answer needs its id.
        let look = || self.chat(tenant, number);
        let chat = Presence::within(SOON, look).await?.here()?;
        Ok(chat.uid)
    }

    /// Runs of numbers in a chat that were given and never stored, ascending.
    pub async fn gaps(
        &self,
        tenant: TenantId,
        chat: Number,
        after: u64,
        limit: u32,
    ) -> Result<Page<Gap>> {
        match self.ports.reader.gaps(tenant, chat, after, limit).await? {
            Found::Live(page) => Ok(page),
            Found::Deleted => Err(Error::Gone),
            Found::NeverStored(_) => Err(Error::NotFound),
            Found::Absent if self.was_given(Scope::Chats(tenant.app()), chat).await? => Ok(Page {
                data: Vec::new(),
                next: None,
            }),
            Found::Absent => Err(Error::NotFound),
        }
    }
}

/// Over the operation, the application, and each field, absent told apart from empty.
pub(super) fn fingerprint(operation: &[u8], tenant: TenantId, fields: &[Vec<u8>]) -> Fingerprint {
    let app = tenant.app().get().to_be_bytes();
    let mut parts: Vec<&[u8]> = vec![operation, &app];
    parts.extend(fields.iter().map(Vec::as_slice));
    Fingerprint::of(&parts)
}

pub(super) fn field<T>(value: &Option<T>, text: impl Fn(&T) -> &str) -> Vec<u8> {
    match value {
        None => b"-".to_vec(),
        Some(value) => format!("+{}", text(value)).into_bytes(),
    }
}

pub(super) fn edited<T>(value: &Option<Option<T>>, text: impl Fn(&T) -> &str) -> Vec<u8> {
    match value {
        None => b"=".to_vec(),
        Some(value) => field(value, text),
    }
}
