//! What grows with the number of messages: the same questions to a small chat system and to a large one,
//! both running, in turns.
//!
//! Chat 1 has a thousand messages in both, for the search in a chat of constant size. All others have
//! the rest in equal parts; lists, reads and inserts go to them.

use crate::Size;
use crate::application::Application;
use crate::connection::get;
use crate::footprint::start_times;
use crate::load::{Measured, Requests, Until};
use crate::machine::{megabytes_of, memory};
use crate::results::Results;
use crate::subject::Subject;
use crate::text::Author;
use anyhow::{Result, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub(crate) const CONSTANT_CHAT: u64 = 1;
pub(crate) const CONSTANT_MESSAGES: u64 = 1_000;
pub(crate) const GROWING_CHATS: u64 = 10;
/// Messages between two looks at the index, and how far it may be behind then: its set of waiting rows
/// overflows at 100,000.
const PORTION: u64 = 20_000;
const LAG: f64 = 50_000.0;

pub(crate) async fn measure(dir: &Path, size: &Size, results: &mut Results) -> Result<()> {
    let small_dir = tempfile::tempdir_in(dir)?;
    let large_dir = tempfile::tempdir_in(dir)?;
    let small = fill(small_dir.path(), size.small, results, "small").await?;
    let large = fill(large_dir.path(), size.large, results, "large").await?;
    tokio::time::sleep(size.rest).await;
    for (name, subject) in [("small", &small), ("large", &large)] {
        let memory = memory(subject.server.id())?;
        results.add(&format!("memory {name}"), "MB", memory.resident_mb);
        let anonymous = format!("memory {name}, anonymous");
        results.add(&anonymous, "MB", memory.anonymous_mb);
    }
    for _ in 0..size.rounds {
        for question in QUESTIONS {
            for (which, subject, messages) in
                [("small", &small, size.small), ("large", &large, size.large)]
            {
                let asked = ask(&subject.application, messages, question, size.samples).await?;
                let name = format!("{} {which}", question.name());
                results.add(&format!("{name} p50"), "ms", asked.latency_ms(0.5));
                results.add(&format!("{name} p99"), "ms", asked.latency_ms(0.99));
            }
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
        let application = &subject.application;
        application.create_in(CONSTANT_CHAT, &mut author)
    });
    let count = Until::Count(constant.len());
    subject.create_all(64, &constant, count).await?;

    let begun = Instant::now();
    let mut left = messages - CONSTANT_MESSAGES;
    while left > 0 {
        let portion = left.min(PORTION);
        let creates = requests(portion, |place| {
            let chat = 2 + place % GROWING_CHATS;
            subject.application.create_in(chat, &mut author)
        });
        let count = Until::Count(creates.len());
        subject.create_all(256, &creates, count).await?;
        subject.index_lags_by_less_than(LAG).await?;
        left -= portion;
    }
    subject.indexed().await?;
    let rate = (messages - CONSTANT_MESSAGES) as f64 / begun.elapsed().as_secs_f64();
    results.add(&format!("fill {name} rate"), "1/s", rate);
    let stored = subject.application.messages_count(2).await?;
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

/// One client, one request at a time, of an application with so many messages.
pub(crate) async fn ask(
    application: &Application,
    messages: u64,
    question: Question,
    samples: u64,
) -> Result<Measured> {
    let in_a_chat = (messages - CONSTANT_MESSAGES) / GROWING_CHATS;
    let mut author = Author::new(4);
    let count = match question {
        Question::SearchApplication => samples / 10,
        _ => samples,
    };
    let path = &application.path;
    let asked = requests(count, |place| {
        let chat = 2 + place % GROWING_CHATS;
        match question {
            Question::List => {
                let after = author.number(in_a_chat - 50);
                get(&format!(
                    "{path}/chats/{chat}/messages?limit=50&after={after}"
                ))
            }
            Question::Read => {
                let number = author.number(in_a_chat);
                get(&format!("{path}/chats/{chat}/messages/{number}"))
            }
            Question::Insert => application.create_in(chat, &mut author),
            Question::SearchChat => get(&format!(
                "{path}/chats/{CONSTANT_CHAT}/messages/search?query={}",
                author.search_word()
            )),
            Question::SearchApplication => get(&format!(
                "{path}/messages/search?query={}",
                author.search_word()
            )),
        }
    });
    let status = match question {
        Question::Insert => 201,
        _ => 200,
    };
    let count = Until::Count(asked.len());
    application.load(1, &asked, status, count).await
}
