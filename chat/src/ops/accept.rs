//! Accepting a command: a number, a publish, and an answer only when it cannot be lost (PROTOCOLS B).
//!
//! Each acceptance runs in a task of its own: a client that hangs up cannot cut it in half (W30).

use super::Ops;
use crate::clock;
use crate::error::{Error, Result};
use crate::event::{Command, Envelope, Origin, VERSION};
use crate::model::{
    Accepted, ChatKey, Fingerprint, IdempotencyKey, Number, Rev, Scope, State, TenantId, Uid,
};
use crate::ports::{Claim, Found, Slot, Stored, Taken};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a number is wanted for.
pub(super) struct Wanted {
    pub(super) tenant: TenantId,
    pub(super) scope: Scope,
    pub(super) uid: Uid,
    pub(super) fingerprint: Fingerprint,
    /// Whether the uid comes from an idempotency key.
    pub(super) keyed: bool,
    pub(super) origin: Origin,
}

/// A number to publish under, or the answer that was given before.
enum Numbered {
    Fresh(Number),
    Before(Number),
}

impl Ops {
    /// The uid a keyed request always gets: an HMAC of what it is about and its key. The salt belongs to
    /// the application and never changes.
    pub(super) async fn keyed_uid(
        &self,
        tenant: TenantId,
        about: &[u8],
        key: &IdempotencyKey,
    ) -> Result<Uid> {
        let salt = self.idem_salt(tenant).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&salt).expect("HMAC takes keys of any length");
        mac.update(&(about.len() as u64).to_be_bytes());
        mac.update(about);
        mac.update(key.as_str().as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        Ok(Uid::from_digest(first))
    }

    /// A uid for a request: from its key if it has one, else from the time.
    pub(super) async fn uid(
        &self,
        tenant: TenantId,
        about: &[u8],
        key: Option<&IdempotencyKey>,
    ) -> Result<Uid> {
        match key {
            Some(key) => self.keyed_uid(tenant, about, key).await,
            None => Ok(Uid::from_time(
                clock::now(),
                u128::from_be_bytes(clock::random_bytes()),
            )),
        }
    }

    /// Takes a number, publishes `command(number)`, waits for the confirm. `stored` is what the store
    /// says about a keyed create: the truth of a key is its row.
    pub(super) async fn accept(
        &self,
        wanted: Wanted,
        stored: Option<Stored>,
        command: impl FnOnce(Number) -> Command + Send + 'static,
        rev_is_number: bool,
    ) -> Result<Accepted> {
        let ops = self.clone();
        let task = tokio::spawn(async move {
            ops.accept_here(wanted, stored, command, rev_is_number)
                .await
        });
        task.await.map_err(Error::internal)?
    }

    async fn accept_here(
        &self,
        wanted: Wanted,
        stored: Option<Stored>,
        command: impl FnOnce(Number) -> Command,
        rev_is_number: bool,
    ) -> Result<Accepted> {
        let accepted = |number: Number, replayed| Accepted {
            number,
            uid: wanted.uid,
            rev: if rev_is_number {
                number.into()
            } else {
                Rev::CREATED
            },
            replayed,
        };
        if let Some(stored) = stored {
            return match stored.fingerprint == wanted.fingerprint {
                true => Ok(accepted(stored.number, true)),
                false => Err(Error::IdempotencyMismatch),
            };
        }
        // Room first: without it no number is spent.
        let slot = self.ports.publisher.slot().await?;
        let number = match self.number(&wanted).await? {
            Numbered::Before(number) => return Ok(accepted(number, true)),
            Numbered::Fresh(number) => number,
        };
        self.publish(slot, &wanted, number, command(number)).await?;
        Ok(accepted(number, false))
    }

    async fn number(&self, wanted: &Wanted) -> Result<Numbered> {
        let claim = wanted.keyed.then(|| Claim {
            uid: wanted.uid,
            fingerprint: wanted.fingerprint,
            now: clock::now(),
        });
        let mut looked_up = false;
        loop {
            match self.ports.numbers.take(wanted.scope, claim).await? {
                Taken::Given(number) | Taken::Unsettled(number) => {
                    return self.bind_if_chat(wanted, number).await.map(Numbered::Fresh);
                }
                Taken::Replay(number) => return Ok(Numbered::Before(number)),
                Taken::InFlight { retry_after_ms } => {
                    return Err(Error::InFlight { retry_after_ms });
                }
                Taken::Mismatch => return Err(Error::IdempotencyMismatch),
                Taken::Gone => return Err(Error::Gone),
                Taken::UnknownChat if looked_up => return Err(Error::NotFound),
                Taken::UnknownChat => {
                    self.look_up_chat(wanted).await?;
                    looked_up = true;
                }
            }
        }
    }

    /// A keyed chat create is bound to its number before it is published; whoever was first decides it.
    async fn bind_if_chat(&self, wanted: &Wanted, number: Number) -> Result<Number> {
        if !wanted.keyed || !matches!(wanted.scope, Scope::Chats(_)) {
            return Ok(number);
        }
        let bind = || {
            self.ports
                .sequences
                .bind_chat(wanted.tenant, wanted.uid, number, wanted.fingerprint)
        };
        let bound = match bind().await {
            Err(Error::Conflict) => bind().await?,
            bound => bound?,
        };
        match bound.fingerprint == wanted.fingerprint {
            true => Ok(bound.number),
            false => Err(Error::IdempotencyMismatch),
        }
    }

    /// Numbers do not know this chat: the store does, or it was never there.
    async fn look_up_chat(&self, wanted: &Wanted) -> Result<()> {
        let (Scope::Messages(chat) | Scope::Revs(chat)) = wanted.scope else {
            return Err(Error::NotFound);
        };
        match self.ports.reader.chat(wanted.tenant, chat.number).await? {
            Found::Live(_) => {
                self.ports.numbers.mark(chat, State::Live).await;
                Ok(())
            }
            Found::Deleted => {
                self.ports.numbers.mark(chat, State::Deleted).await;
                Err(Error::Gone)
            }
            Found::NeverStored(_) => Err(Error::NotFound),
            Found::Absent => match self.was_given(Scope::Chats(chat.app), chat.number).await? {
                true => Err(Error::NotYetStored),
                false => Err(Error::NotFound),
            },
        }
    }

    /// Whether the number was given to somebody, whatever became of it.
    pub(super) async fn was_given(&self, scope: Scope, number: Number) -> Result<bool> {
        Ok(number.get() <= self.ports.numbers.last_given(scope).await?)
    }

    async fn publish(
        &self,
        slot: Box<dyn Slot>,
        wanted: &Wanted,
        number: Number,
        command: Command,
    ) -> Result<()> {
        let known = known_change(&command);
        let envelope = Envelope {
            version: VERSION,
            command,
            origin: wanted.origin.clone(),
        };
        let outcome = slot.publish(envelope).await;
        match outcome {
            Ok(()) => {
                // Before the answer: a message may follow its chat at once, and none its deletion.
                if let Some((chat, state)) = known {
                    self.ports.numbers.mark(chat, state).await;
                }
                if wanted.keyed {
                    self.ports.numbers.settle(wanted.scope, wanted.uid).await;
                }
                Ok(())
            }
            Err(Error::OutcomeUnknown { .. }) => Err(Error::OutcomeUnknown {
                number: Some(number),
                uid: Some(wanted.uid),
            }),
            Err(error) => {
                if wanted.keyed {
                    self.ports.numbers.release(wanted.scope, wanted.uid).await;
                }
                Err(error)
            }
        }
    }
}

/// What a confirmed command says about a chat's existence.
fn known_change(command: &Command) -> Option<(ChatKey, State)> {
    match command {
        Command::CreateChat(create) => Some((create.key, State::Live)),
        Command::DeleteChat(delete) => Some((delete.key, State::Deleted)),
        _ => None,
    }
}
