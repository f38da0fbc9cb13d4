//! What a document looks like inside the index.
//!
//! Every word is stored with its tenant in front. So a word of one tenant is not a word of another: typing
//! mistakes are corrected only towards words this tenant uses, no other tenant can crowd them out of the
//! fifty that are tried, and neither a result nor what it costs depends on what others write. The same words
//! are stored once more with their chat in front, without positions: a search within a chat reads the words of
//! the chat, so its cost does not grow with the rest of the index. Prefixes of words are therefore looked up
//! in the dictionary, where they are neighbours; `index_prefixes` ends at 19 characters, owner included.
//!
//! A removed message stays as a tombstone: a document of an id and a version and nothing else. A deletion
//! with a version would be forgotten when `index.gc_deletes` has passed, and when the server restarts, and an
//! older write that comes later would bring the message back.
//!
//! The source is not kept: what a hit says is read from the store, and an index is rebuilt from there.

use super::indices::About;
use crate::model::{AppId, ChatKey, Number};
use crate::ports::{Digest, IndexDocument, IndexEntry, IndexWrite};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// Enough for some hundred million messages; the shards of a tenant are one, by routing.
const SHARDS: u32 = 4;

pub(super) const APP: &str = "app";
pub(super) const CHAT: &str = "chat";
pub(super) const CHAT_NUMBER: &str = "chat_number";
pub(super) const NUMBER: &str = "number";
pub(super) const AUTHOR: &str = "author";
pub(super) const CREATED_AT: &str = "created_at";
const TENANT_WORDS: &str = "tenant_words";
const CHAT_WORDS: &str = "chat_words";
/// The hash of a digest in four parts of 16 bits, lowest first. The sum of a part is exact in a double up to
/// 2^37 messages.
pub(super) const HASH: [&str; 4] = ["hash_0", "hash_1", "hash_2", "hash_3"];

/// The body that makes an index, empty, under this alias.
pub(super) fn index(alias: &str) -> Value {
    let hash = || json!({ "type": "integer", "index": false });
    json!({
        "settings": {
            "number_of_shards": SHARDS,
            "auto_expand_replicas": "0-1",
            "refresh_interval": "1s",
            // How long a message is does not make it better.
            "similarity": { "default": { "type": "BM25", "b": 0.0 } },
        },
        "mappings": {
            "dynamic": "strict",
            "_source": { "enabled": false },
            "_routing": { "required": true },
            "_meta": About::default(),
            "properties": {
                APP: { "type": "keyword", "doc_values": false },
                CHAT: { "type": "keyword" },
                CHAT_NUMBER: { "type": "long", "index": false },
                NUMBER: { "type": "long" },
                AUTHOR: { "type": "keyword", "doc_values": false },
                CREATED_AT: { "type": "long" },
                TENANT_WORDS: { "type": "text", "analyzer": "whitespace", "norms": false },
                CHAT_WORDS: {
                    "type": "text", "analyzer": "whitespace", "norms": false, "index_options": "freqs"
                },
                HASH[0]: hash(), HASH[1]: hash(), HASH[2]: hash(), HASH[3]: hash(),
            },
        },
        "aliases": { alias: {} },
    })
}

pub(super) fn document(write: &IndexWrite) -> Value {
    let IndexWrite::Put(message) = write else {
        return json!({});
    };
    let IndexDocument {
        entry: IndexEntry { key, uid, version },
        words,
        author,
        created_at,
    } = message;
    let mut digest = Digest::default();
    digest.add(*uid, *version);
    let mut document = Map::from_iter([
        (APP.to_owned(), json!(owner(key.chat.app))),
        (CHAT.to_owned(), json!(chat_term(key.chat))),
        (CHAT_NUMBER.to_owned(), json!(key.chat.number)),
        (NUMBER.to_owned(), json!(key.number)),
        (CREATED_AT.to_owned(), json!(created_at)),
        (
            TENANT_WORDS.to_owned(),
            json!(tenant_words(key.chat.app).text(words)),
        ),
        (
            CHAT_WORDS.to_owned(),
            json!(chat_words(key.chat).text(words)),
        ),
    ]);
    if let Some(author) = author {
        document.insert(AUTHOR.to_owned(), json!(author));
    }
    for (place, name) in HASH.into_iter().enumerate() {
        document.insert(name.to_owned(), json!(digest.hash >> (16 * place) & 0xffff));
    }
    Value::Object(document)
}

/// With positions, for phrases.
pub(super) fn tenant_words(app: AppId) -> Vocabulary {
    Vocabulary {
        field: TENANT_WORDS,
        owner: owner(app),
    }
}

pub(super) fn chat_words(chat: ChatKey) -> Vocabulary {
    Vocabulary {
        field: CHAT_WORDS,
        owner: format!("{}{}:", owner(chat.app), chat.number),
    }
}

/// The words of one tenant or of one chat: a part of the dictionary of a field.
pub(super) struct Vocabulary {
    pub(super) field: &'static str,
    owner: String,
}

impl Vocabulary {
    /// What is in the dictionary for `word`.
    pub(super) fn term(&self, word: &str) -> String {
        format!("{}{word}", self.owner)
    }

    /// How many characters of a term are certain when the first one of its word is.
    pub(super) fn certain_characters(&self) -> usize {
        self.owner.len() + 1
    }

    /// The terms of words separated by spaces, separated by spaces.
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

/// Eleven ASCII characters, so that no owner begins with another.
pub(super) fn owner(app: AppId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(app.get().to_be_bytes())
}

/// What decides where a tenant's documents lie.
pub(super) fn routing(app: AppId) -> String {
    app.get().to_string()
}

/// 32 hexadecimal digits in the order of `ChatKey`.
pub(super) fn chat_term(chat: ChatKey) -> String {
    // The sign bit is turned so that digits are in the order of the numbers.
    let app = chat.app.get().cast_unsigned() ^ (1 << 63);
    format!("{app:016x}{:016x}", chat.number.get())
}

/// The chat whose term this is.
pub(super) fn chat_of(term: &str) -> Option<ChatKey> {
    let (app, number) = term.split_at_checked(16)?;
    let app = u64::from_str_radix(app, 16).ok()? ^ (1 << 63);
    let number = Number::new(u64::from_str_radix(number, 16).ok()?)?;
    Some(ChatKey {
        app: AppId::from_stored(app.cast_signed()),
        number,
    })
}

/// The version of a document: of two writes for one uid the one with the greater order stays.
pub(super) fn order_of(write: &IndexWrite) -> u64 {
    let (version, removed) = write.order();
    version << 1 | u64::from(removed)
}

/// The version of a message by the version of its document.
pub(super) fn version_of(order: u64) -> u64 {
    order >> 1
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
        let terms = chats.map(chat_term);
        assert!(terms.is_sorted());
        assert_eq!(terms.map(|term| chat_of(&term)), chats.map(Some));
        for no_chat in ["", "short", "zz", &"g".repeat(32)] {
            assert_eq!(chat_of(no_chat), None);
        }
    }

    #[test]
    fn no_owner_of_words_begins_with_another() {
        let owners = [
            tenant_words(AppId::from_stored(5)).owner,
            tenant_words(AppId::from_stored(6)).owner,
            chat_words(chat(5, 1)).owner,
            chat_words(chat(5, 11)).owner,
        ];
        assert!(owners[..2].iter().all(|owner| owner.len() == 11));
        assert_eq!(
            chat_words(chat(5, 1)).text("é b"),
            format!("{0}é {0}b ", owners[2])
        );
        assert!(!owners[3].starts_with(&owners[2]) && !owners[1].starts_with(&owners[0]));
    }
}
