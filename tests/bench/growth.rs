//! What grows with the number of messages: the same questions to a small chat system and to a large one,
//! both running, in turns.
//!
//! Chat 1 has a thousand messages in both, for the search in a chat of constant size. All others have
//! the rest in equal parts; lists, reads and inserts go to them.

use crate::Size;
use crate::connection::get;
use crate::footprint::start_times;
use crate::load::{Requests, Until};
use crate::machine::{megabytes_of, memory};
use crate::results::Results;
use crate::subject::Subject;
use crate::text::Author;
use anyhow::{Result, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const CONSTANT_CHAT: u64 = 1;
const CONSTANT_MESSAGES: u64 = 1_000;
const GROWING_CHATS: u64 = 10;
/// Messages between two looks at the index, and how far it may be behind then: its set of waiting rows
/// overflows at 100,000.
const PORTION: u64 = 20_000;
const LAG: f64 = 50_000.0;

pub(crate) async fn measure(dir: &Path, size: &Size, results: &mut Results) -> Result<()> {
    let small_dir = tempfile::tempdir_in(dir)?;
    let large_dir = tempfile::tempdir_in(dir)?;
    let mut small = fill(small_dir.path(), size.small, results, "small").await?;
    let mut large = fill(large_dir.path(), size.large, results, "large").await?;
    tokio::time::sleep(size.rest).await;
    for (name, subject) in [("small", &small), ("large", &large)] {
        let memory = memory(subject.server.id())?;
        results.add(&format!("memory {name}"), "MB", memory.resident_mb);
        let anonymous = format!("memory {name}, anonymous");
        results.add(&anonymous, "MB", memory.anonymous_mb);
    }
    for _ in 0..size.rounds {
        for question in QUESTIONS {
            ask(&mut small, "small", size.small, question, size, results).await?;
            ask(&mut large, "large", size.large, question, size, results).await?;
        }
    }
    small.server.stop().await?;
    large.server.stop().await?;
    let disk = [("database", "chat.db"), ("index", "index")];
    for (name, file) in disk {
        let megabytes = megabytes_of(&large_dir.path().join("chat").join(file))?;
        results.add(&format!("{name} large"), "MB", megabytes);
    }
    for _ in 0..size.rounds {
        let (server, started, answered) = start_times(&large_dir.path().join("chat")).await?;
        results.add("start large", "ms", started);
        results.add("first answer large", "ms", answered);
        server.stop().await?;
    }
    Ok(())
}

/// Over HTTP, as everything comes in; returns when all of it can be found.
async fn fill(dir: &Path, messages: u64, results: &mut Results, name: &str) -> Result<Subject> {
    let mut subject = Subject::start(&dir.join("chat"), &[], 1 + GROWING_CHATS).await?;
    let mut author = Author::new(3);
    let constant = requests(CONSTANT_MESSAGES, |_| {
        subject.create(CONSTANT_CHAT, &mut author)
    });
    let count = Until::Count(constant.len());
    subject.create_all(64, &constant, count).await?;

    let begun = Instant::now();
    let mut left = messages - CONSTANT_MESSAGES;
    while left > 0 {
        let portion = left.min(PORTION);
        let creates = requests(portion, |place| {
            subject.create(2 + place % GROWING_CHATS, &mut author)
        });
        let count = Until::Count(creates.len());
        subject.create_all(256, &creates, count).await?;
        subject.index_lags_by_less_than(LAG).await?;
        left -= portion;
    }
    subject.indexed().await?;
    let rate = (messages - CONSTANT_MESSAGES) as f64 / begun.elapsed().as_secs_f64();
    results.add(&format!("fill {name} rate"), "1/s", rate);
    let stored = subject.messages_count(2).await?;
    let expected = (messages - CONSTANT_MESSAGES) / GROWING_CHATS;
    ensure!(
        stored == expected,
        "{stored} messages instead of {expected}"
    );
    Ok(subject)
}

fn requests(count: u64, one: impl FnMut(u64) -> Vec<u8>) -> Requests {
    Arc::new((0..count).map(one).collect())
}

#[derive(Clone, Copy)]
pub(crate) enum Question {
    List,
    Read,
    Insert,
    SearchChat,
    SearchApplication,
}

pub(crate) const QUESTIONS: [Question; 5] = [
    Question::List,
    Question::Read,
    Question::Insert,
    Question::SearchChat,
    Question::SearchApplication,
];

impl Question {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "list 50",
            Self::Read => "read one",
            Self::Insert => "insert one",
            Self::SearchChat => "search a chat of 1,000",
            Self::SearchApplication => "search the application",
        }
    }
}

/// One client, one request at a time.
async fn ask(
    subject: &mut Subject,
    which: &str,
    messages: u64,
    question: Question,
    size: &Size,
    results: &mut Results,
) -> Result<()> {
    let in_a_chat = (messages - CONSTANT_MESSAGES) / GROWING_CHATS;
    let mut author = Author::new(4);
    let application = &subject.application;
    let count = match question {
        Question::SearchApplication => size.samples / 10,
        _ => size.samples,
    };
    let asked = requests(count, |place| {
        let chat = 2 + place % GROWING_CHATS;
        match question {
            Question::List => {
                let after = author.number(in_a_chat - 50);
                get(&format!(
                    "{application}/chats/{chat}/messages?limit=50&after={after}"
                ))
            }
            Question::Read => {
                let number = author.number(in_a_chat);
                get(&format!("{application}/chats/{chat}/messages/{number}"))
            }
            Question::Insert => subject.create(chat, &mut author),
            Question::SearchChat => get(&format!(
                "{application}/chats/{CONSTANT_CHAT}/messages/search?query={}",
                author.search_word()
            )),
            Question::SearchApplication => get(&format!(
                "{application}/messages/search?query={}",
                author.search_word()
            )),
        }
    });
    let count = Until::Count(asked.len());
    let measured = match question {
        Question::Insert => subject.create_all(1, &asked, count).await?,
        _ => subject.load(1, &asked, 200, count).await?,
    };
    let name = format!("{} {which}", question.name());
    results.add(&format!("{name} p50"), "ms", measured.latency_ms(0.5));
    results.add(&format!("{name} p99"), "ms", measured.latency_ms(0.99));
    Ok(())
}
