//! The history of a git repository: one chat per top-level directory, each commit a message in the chat
//! of the first file it touches.

use crate::gitlog;
use crate::writer::{Post, Writer};
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Between commits, and between the fields of one.
const COMMIT: u8 = 0x1e;
const FIELD: char = '\u{1f}';

/// Oldest first; of the newest `commits`.
pub(crate) fn write<W: Write>(repo: &Path, commits: usize, writer: &mut Writer<W>) -> Result<()> {
    let mut git = Command::new("git")
        .arg("-C")
        .arg(repo)
        .args([
            "log",
            "--no-merges",
            "--reverse",
            "--name-only",
            "--encoding=UTF-8",
        ])
        .arg(format!("--max-count={commits}"))
        .arg("--format=%x1e%H%x1f%an%x1f%aI%x1f%B%x1f")
        .stdout(Stdio::piped())
        .spawn()
        .context("starting git; is it installed?")?;
    let log = BufReader::new(git.stdout.take().expect("git was started with a pipe"));
    let mut last_numbers = HashMap::<String, usize>::new();
    for record in log.split(COMMIT) {
        let record = record.context("reading from git")?;
        let Some((chat, post)) = commit(&String::from_utf8_lossy(&record)) else {
            continue;
        };
        let number = last_numbers.entry(chat.clone()).or_default();
        *number += 1;
        writer
            .write(&chat, *number, None, &post)
            .context("standard output")?;
    }
    let status = git.wait().context("waiting for git")?;
    ensure!(status.success(), "git log of {} failed", repo.display());
    Ok(())
}

fn commit(record: &str) -> Option<(String, Post)> {
    let mut fields = record.splitn(5, FIELD);
    let (hash, author, date, text, files) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let content = gitlog::message(text);
    let first = files
        .lines()
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let chat = first
        .split_once('/')
        .map_or("(top)", |(directory, _)| directory);
    let post = Post {
        author: author.to_owned(),
        created_at: Some(date.to_owned()),
        content,
        answers: None,
        note: Some(("commit", hash.trim().to_owned())),
    };
    let usable = !post.author.trim().is_empty() && !post.content.is_empty();
    usable.then(|| (chat.to_owned(), post))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_belongs_to_the_directory_of_its_first_file() {
        let record = |files: &str| {
            format!(
                "abc\u{1f}Ada\u{1f}2026-01-02T03:04:05+01:00\u{1f}Fix it\n\nCc: Ben\n\u{1f}\n\n{files}"
            )
        };
        let (chat, post) = commit(&record("src/a.rs\nREADME\n")).unwrap();
        assert_eq!((chat.as_str(), post.content.as_str()), ("src", "Fix it"));
        assert_eq!(post.note, Some(("commit", "abc".into())));
        assert_eq!(commit(&record("README\n")).unwrap().0, "(top)");
        assert_eq!(commit(&record("")).unwrap().0, "(top)");
        assert_eq!(commit(""), None);
    }
}
