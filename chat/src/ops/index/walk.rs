//! Reads the digests of store and index side by side, page by page, in the order of their chats.

use crate::error::Result;
use crate::model::ChatKey;
use crate::ports::{AcrossTenants, Digest, Search};
use std::collections::VecDeque;
use std::time::Instant;

/// Chats read at a time.
const CHATS: u32 = 1_000;

/// How much of the servers a comparison takes for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One question after the other.
    Full,
    /// Rests as long as it worked.
    Half,
}

impl Pace {
    pub(super) async fn rest_after(self, begun: Instant) {
        if self == Self::Half {
            tokio::time::sleep(begun.elapsed()).await;
        }
    }
}

pub(super) struct Walk<'a> {
    across: &'a dyn AcrossTenants,
    search: &'a dyn Search,
    pace: Pace,
    in_store: Side,
    in_index: Side,
}

/// A chat that either side has.
pub(super) struct Pair {
    pub(super) chat: ChatKey,
    pub(super) in_store: Digest,
    pub(super) in_index: Digest,
}

impl<'a> Walk<'a> {
    pub(super) fn new(across: &'a dyn AcrossTenants, search: &'a dyn Search, pace: Pace) -> Self {
        Self {
            across,
            search,
            pace,
            in_store: Side::default(),
            in_index: Side::default(),
        }
    }

    /// `None` after the last chat of both.
    pub(super) async fn next(&mut self) -> Result<Option<Pair>> {
        if self.in_store.needs_more() {
            let begun = Instant::now();
            let page = self.across.digests(self.in_store.last, CHATS).await?;
            self.in_store.refill(page);
            self.pace.rest_after(begun).await;
        }
        if self.in_index.needs_more() {
            let begun = Instant::now();
            let page = self.search.digests(self.in_index.last, CHATS).await?;
            self.in_index.refill(page);
            self.pace.rest_after(begun).await;
        }
        let first = [self.in_store.first(), self.in_index.first()];
        let Some(chat) = first.into_iter().flatten().min() else {
            return Ok(None);
        };
        Ok(Some(Pair {
            chat,
            in_store: self.in_store.take(chat),
            in_index: self.in_index.take(chat),
        }))
    }
}

/// One side of the comparison.
#[derive(Default)]
struct Side {
    page: VecDeque<(ChatKey, Digest)>,
    last: Option<ChatKey>,
    ended: bool,
}

impl Side {
    fn needs_more(&self) -> bool {
        self.page.is_empty() && !self.ended
    }

    fn refill(&mut self, page: Vec<(ChatKey, Digest)>) {
        self.ended = page.is_empty();
        self.last = page.last().map(|(chat, _)| *chat).or(self.last);
        self.page = page.into();
    }

    fn first(&self) -> Option<ChatKey> {
        self.page.front().map(|(chat, _)| *chat)
    }

    /// The digest of `chat`; that of nothing when this side does not have it.
    fn take(&mut self, chat: ChatKey) -> Digest {
        match self.page.front() {
            Some((first, _)) if *first == chat => self
                .page
                .pop_front()
                .map(|(_, digest)| digest)
                .unwrap_or_default(),
            _ => Digest::default(),
        }
    }
}
