//! What a document looks like inside the index.
//!
//! Every word is stored with its tenant in front. So a word of one tenant is not a word of another: a
//! search walks only the words of its own tenant, typing mistakes are corrected only towards words this
//! tenant uses, and neither a result nor its score depends on what others write. The same words are stored
//! once more with their chat in front, without positions: a search within a chat walks the words of the
//! chat, so its cost does not grow with the rest of the index.
//!
//! A removed message stays as a tombstone: a document of a uid and an order and nothing else. No filter
//! finds it, but an older write that comes late finds its match.

use crate::model::{AppId, ChatKey, Millis, Number, Uid};
use crate::ports::{IndexDocument, IndexEntry, IndexWrite};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, TantivyDocument, TextFieldIndexing,
    TextOptions,
};
use tantivy::{SegmentReader, Term};

/// Columns, by the names that tantivy reads them by.
pub(super) const CHAT_NUMBER: &str = "chat_number";
pub(super) const NUMBER: &str = "number";
pub(super) const UID_HIGH: &str = "uid_high";
pub(super) const UID_LOW: &str = "uid_low";
pub(super) const ORDER: &str = "order";

#[derive(Clone, Copy)]
pub(super) struct Fields {
    /// 16 bytes.
    pub(super) uid: Field,
    /// 8 bytes.
    app: Field,
    /// 16 bytes: application and number, so that terms are in the order of `ChatKey`.
    pub(super) chat: Field,
    tenant_words: Field,
    chat_words: Field,
    author: Field,
    created_at: Field,
    chat_number: Field,
    number: Field,
    uid_high: Field,
    uid_low: Field,
    /// Version times two, plus one for a tombstone: the greater wins.
    order: Field,
}

impl Fields {
    pub(super) fn new() -> (Self, Schema) {
        let mut schema = Schema::builder();
        let words = |record| {
            let indexing = TextFieldIndexing::default();
            TextOptions::default().set_indexing_options(
                indexing
                    .set_tokenizer("whitespace")
                    .set_index_option(record),
            )
        };
        let tenant_words = words(IndexRecordOption::WithFreqsAndPositions);
        let chat_words = words(IndexRecordOption::WithFreqs);
        let fields = Self {
            uid: schema.add_bytes_field("uid", INDEXED),
            app: schema.add_bytes_field("app", INDEXED),
            chat: schema.add_bytes_field("chat", INDEXED),
            tenant_words: schema.add_text_field("tenant_words", tenant_words),
            chat_words: schema.add_text_field("chat_words", chat_words),
            author: schema.add_text_field("author", STRING),
            created_at: schema.add_i64_field("created_at", FAST),
            chat_number: schema.add_u64_field(CHAT_NUMBER, FAST),
            number: schema.add_u64_field(NUMBER, FAST),
            uid_high: schema.add_u64_field(UID_HIGH, FAST),
            uid_low: schema.add_u64_field(UID_LOW, FAST),
            order: schema.add_u64_field(ORDER, FAST),
        };
        (fields, schema.build())
    }

    pub(super) fn document(&self, write: &IndexWrite) -> TantivyDocument {
        let entry = write.entry();
        let mut document = TantivyDocument::new();
        document.add_bytes(self.uid, entry.uid.as_bytes());
        document.add_u64(self.order, order_of(write));
        if let IndexWrite::Put(message) = write {
            let IndexDocument {
                entry:
                    IndexEntry {
                        key,
                        uid,
                        version: _,
                    },
                words,
                author,
                created_at,
            } = message;
            let (high, low) = halves(*uid);
            document.add_bytes(self.app, &app_bytes(key.chat.app));
            document.add_bytes(self.chat, &chat_bytes(key.chat));
            document.add_text(
                self.tenant_words,
                self.tenant_words(key.chat.app).text(words),
            );
            document.add_text(self.chat_words, self.chat_words(key.chat).text(words));
            if let Some(author) = author {
                document.add_text(self.author, author);
            }
            document.add_i64(self.created_at, created_at.get());
            document.add_u64(self.chat_number, key.chat.number.get());
            document.add_u64(self.number, key.number.get());
            document.add_u64(self.uid_high, high);
            document.add_u64(self.uid_low, low);
        }
        document
    }

    pub(super) fn uid(&self, uid: Uid) -> Term {
        Term::from_field_bytes(self.uid, uid.as_bytes())
    }

    pub(super) fn app(&self, app: AppId) -> Term {
        Term::from_field_bytes(self.app, &app_bytes(app))
    }

    pub(super) fn chat(&self, chat: ChatKey) -> Term {
        Term::from_field_bytes(self.chat, &chat_bytes(chat))
    }

    pub(super) fn author(&self, author: &str) -> Term {
        Term::from_field_text(self.author, author)
    }

    pub(super) fn created_at(&self, moment: Millis) -> Term {
        Term::from_field_i64(self.created_at, moment.get())
    }

    /// With positions, for phrases.
    pub(super) fn tenant_words(&self, app: AppId) -> Vocabulary {
        Vocabulary {
            field: self.tenant_words,
            owner: owner(app),
        }
    }

    pub(super) fn chat_words(&self, chat: ChatKey) -> Vocabulary {
        Vocabulary {
            field: self.chat_words,
            owner: format!("{}{}:", owner(chat.app), chat.number),
        }
    }
}

/// The words of one tenant or of one chat: a part of a term dictionary.
pub(super) struct Vocabulary {
    pub(super) field: Field,
    owner: String,
}

impl Vocabulary {
    /// What is in the dictionary for `word`.
    pub(super) fn key(&self, word: &str) -> String {
        format!("{}{word}", self.owner)
    }

    pub(super) fn term(&self, word: &str) -> Term {
        Term::from_field_text(self.field, &self.key(word))
    }

    /// The word of a key of this vocabulary.
    pub(super) fn word<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(key.strip_prefix(self.owner.as_bytes())?).ok()
    }

    /// The keys of words separated by spaces, separated by spaces.
    fn text(&self, words: &str) -> String {
        let mut text = String::with_capacity(words.len() * 3);
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            text.push_str(&self.owner);
            text.push_str(word);
            text.push(' ');
        }
        text
    }
}

/// Eleven characters, so that no owner begins with another.
fn owner(app: AppId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(app.get().to_be_bytes())
}

/// Of two writes for one uid the one with the greater order stays.
pub(super) fn order_of(write: &IndexWrite) -> u64 {
    let (version, removed) = write.order();
    version << 1 | u64::from(removed)
}

/// The version of a document that is not a tombstone.
pub(super) fn version_of(order: u64) -> Option<u64> {
    (order & 1 == 0).then_some(order >> 1)
}

fn app_bytes(app: AppId) -> [u8; 8] {
    // The sign bit is turned so that bytes are in the order of the numbers.
    (app.get().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn chat_bytes(chat: ChatKey) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&app_bytes(chat.app));
    bytes[8..].copy_from_slice(&chat.number.get().to_be_bytes());
    bytes
}

/// The chat whose term this is.
pub(super) fn chat_of(term: &[u8]) -> Option<ChatKey> {
    let (app, number) = term.split_at_checked(8)?;
    let app = u64::from_be_bytes(app.try_into().ok()?) ^ (1 << 63);
    let number = Number::new(u64::from_be_bytes(number.try_into().ok()?))?;
    Some(ChatKey {
        app: AppId::from_stored(app.cast_signed()),
        number,
    })
}

fn halves(uid: Uid) -> (u64, u64) {
    let bits = u128::from_be_bytes(*uid.as_bytes());
    let low = bits & u128::from(u64::MAX);
    let part = |bits: u128| u64::try_from(bits).expect("64 of 128 bits");
    (part(bits >> 64), part(low))
}

/// The columns of one segment that say which message a document is, and which version of it.
pub(super) struct Columns {
    number: tantivy::columnar::Column<u64>,
    uid_high: tantivy::columnar::Column<u64>,
    uid_low: tantivy::columnar::Column<u64>,
    order: tantivy::columnar::Column<u64>,
}

impl Columns {
    pub(super) fn open(segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        Ok(Self {
            number: columns.u64(NUMBER)?,
            uid_high: columns.u64(UID_HIGH)?,
            uid_low: columns.u64(UID_LOW)?,
            order: columns.u64(ORDER)?,
        })
    }

    pub(super) fn number(&self, document: u32) -> Option<Number> {
        Number::new(self.number.first(document)?)
    }

    /// `None` for a tombstone.
    pub(super) fn uid_and_version(&self, document: u32) -> Option<(Uid, u64)> {
        let high = u128::from(self.uid_high.first(document)?);
        let low = u128::from(self.uid_low.first(document)?);
        let uid = Uid::from_stored(&(high << 64 | low).to_be_bytes())?;
        Some((uid, version_of(self.order.first(document)?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(app: i64, number: u64) -> ChatKey {
        ChatKey {
            app: AppId::from_stored(app),
            number: Number::new(number).unwrap(),
        }
    }

    #[test]
    fn chat_terms_are_in_the_order_of_chats_and_parse_back() {
        let chats = [
            chat(-3, 9),
            chat(0, 1),
            chat(0, 256),
            chat(1, 255),
            chat(i64::MAX, 1),
        ];
        let terms = chats.map(chat_bytes);
        assert!(terms.is_sorted());
        assert_eq!(terms.map(|term| chat_of(&term)), chats.map(Some));
        assert_eq!(chat_of(b"short"), None);
    }

    #[test]
    fn a_word_belongs_to_its_tenant_and_to_its_chat() {
        let (fields, _) = Fields::new();
        let vocabularies = [
            fields.tenant_words(AppId::from_stored(5)),
            fields.tenant_words(AppId::from_stored(6)),
            fields.chat_words(chat(5, 1)),
            fields.chat_words(chat(5, 11)),
        ];
        for mine in &vocabularies {
            assert_eq!(
                mine.text("wörd wörd"),
                format!("{0} {0} ", mine.key("wörd"))
            );
            for other in vocabularies
                .iter()
                .filter(|other| other.field == mine.field)
            {
                let same = other.owner == mine.owner;
                assert_eq!(
                    other.word(mine.key("wörd").as_bytes()),
                    same.then_some("wörd")
                );
            }
        }
    }
}
