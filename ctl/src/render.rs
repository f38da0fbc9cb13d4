//! How things look to people: pure text from values.

use crate::wire::{Application, Chat, Found, Key, Message};
use std::fmt::Write;

/// Colours, or their absence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painter {
    colour: bool,
}

impl Painter {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A word that matched: in colour, or between asterisks where there is none.
    fn matched(self, text: &str) -> String {
        if self.colour {
            self.paint("1;33", text)
        } else {
            format!("*{text}*")
        }
    }
}

/// Makes text from elsewhere harmless on a terminal: control characters, and those that turn the
/// direction of what follows, are written as `\u{..}`. Line ends and tabs stay.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => safe.push(character),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                safe.extend(character.escape_unicode())
            }
            _ if character.is_control() => safe.extend(character.escape_unicode()),
            _ => safe.push(character),
        }
    }
    safe
}

/// As `escape`, on one line.
fn escape_line(text: &str) -> String {
    escape(text).replace('\n', "\\n").replace('\t', "\\t")
}

pub(crate) fn application(painter: &Painter, application: &Application) -> String {
    let Application {
        token,
        name,
        chats_count,
        created_at,
        updated_at: _,
        api_key,
    } = application;
    let mut text = format!(
        "token    {}\nname     {}\nchats    {chats_count}\ncreated  {}",
        painter.bold(&escape_line(token)),
        escape_line(name),
        moment(created_at)
    );
    if let Some(key) = api_key {
        let key = painter.bold(&escape_line(key));
        write!(text, "\nkey      {key}  (shown only this once)").expect("a String takes all");
    }
    text
}

pub(crate) fn application_line(painter: &Painter, application: &Application) -> String {
    let Application {
        token,
        name,
        chats_count,
        created_at,
        ..
    } = application;
    format!(
        "{}  {}  {}",
        painter.bold(&escape_line(token)),
        escape_line(name),
        painter.faint(&format!(
            "{}, created {}",
            count(*chats_count, "chat"),
            moment(created_at)
        ))
    )
}

pub(crate) fn key_line(painter: &Painter, key: &Key) -> String {
    let Key {
        id,
        created_at,
        revoked_at,
    } = key;
    let state = match revoked_at {
        Some(time) => format!("revoked {}", moment(time)),
        None => "live".to_owned(),
    };
    let remarks = painter.faint(&format!("created {}", moment(created_at)));
    format!("{}  {state}  {remarks}", painter.bold(&escape_line(id)))
}

pub(crate) fn chat_line(painter: &Painter, chat: &Chat) -> String {
    let Chat {
        number,
        name,
        messages_count,
        created_at,
        ..
    } = chat;
    format!(
        "{}  {}  {}",
        painter.bold(&format!("#{number}")),
        name.as_deref()
            .map_or_else(|| "(no name)".to_owned(), escape_line),
        painter.faint(&format!(
            "{}, created {}",
            count(*messages_count, "message"),
            moment(created_at)
        ))
    )
}

pub(crate) fn chat(painter: &Painter, chat: &Chat) -> String {
    let mut text = chat_line(painter, chat);
    if let Some(metadata) = &chat.metadata {
        write!(text, "\n    {}", json(metadata)).expect("a String takes all");
    }
    text
}

pub(crate) fn message(painter: &Painter, message: &Message) -> String {
    let mut text = heading(painter, message, None);
    push_indented(&mut text, &escape(&message.content));
    if let Some(metadata) = &message.metadata {
        push_indented(&mut text, &painter.faint(&json(metadata)));
    }
    text
}

pub(crate) fn found(painter: &Painter, found: &Found) -> String {
    let mut text = heading(painter, &found.message, Some(found.message.chat_number));
    let excerpt: String = spans(&found.highlight)
        .into_iter()
        .map(|span| {
            let piece = escape(&span.text);
            if span.matched {
                painter.matched(&piece)
            } else {
                piece
            }
        })
        .collect();
    push_indented(&mut text, &excerpt);
    text
}

fn heading(painter: &Painter, message: &Message, chat: Option<u64>) -> String {
    let Message {
        number,
        author,
        reply_to,
        created_at,
        updated_at,
        rev,
        ..
    } = message;
    let place = chat.map_or_else(String::new, |chat| format!("chat {chat} "));
    let mut text = painter.bold(&format!("{place}#{number}"));
    if let Some(author) = author {
        write!(text, "  {}", escape_line(author)).expect("a String takes all");
    }
    let mut remarks = moment(created_at);
    if let Some(target) = reply_to {
        write!(remarks, ", reply to #{target}").expect("a String takes all");
    }
    if *rev > 0 {
        write!(remarks, ", edited {}", moment(updated_at)).expect("a String takes all");
    }
    text.push_str("  ");
    text.push_str(&painter.faint(&remarks));
    text
}

fn push_indented(text: &mut String, block: &str) {
    for line in block.split('\n') {
        text.push_str("\n    ");
        text.push_str(line);
    }
}

fn json(object: &crate::wire::Object) -> String {
    escape_line(&serde_json::to_string(object).expect("an object has string keys"))
}

/// `1 chat`, `2 chats`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// `2026-01-02T03:04:05.678Z` as `2026-01-02 03:04:05`; anything else as it is.
fn moment(time: &str) -> String {
    match time.get(..19) {
        Some(seconds) if time.ends_with('Z') => escape_line(&seconds.replacen('T', " ", 1)),
        _ => escape_line(time),
    }
}

#[derive(Debug, PartialEq)]
struct Span {
    text: String,
    matched: bool,
}

/// An excerpt with `<em>` and HTML entities as plain text, cut where matching starts and ends.
fn spans(highlight: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut rest = highlight;
    let mut matched = false;
    while !rest.is_empty() {
        let tag = if matched { "</em>" } else { "<em>" };
        let (text, after) = rest.split_once(tag).unwrap_or((rest, ""));
        if !text.is_empty() {
            spans.push(Span {
                text: unescape(text),
                matched,
            });
        }
        rest = after;
        matched = !matched;
    }
    spans
}

/// The five characters that an HTML escape may hide; one pass, so `&amp;lt;` stays `&lt;`.
fn unescape(html: &str) -> String {
    const ENTITIES: [(&str, char); 7] = [
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&quot;", '"'),
        ("&#39;", '\''),
        ("&#x27;", '\''),
        ("&apos;", '\''),
        ("&amp;", '&'),
    ];
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity));
        let (length, character) =
            known.map_or((1, '&'), |(entity, character)| (entity.len(), *character));
        text.push(character);
        rest = &rest[length..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Painter = Painter { colour: false };

    fn hello(content: &str) -> Message {
        Message {
            number: 12,
            id: "u".into(),
            chat_number: 3,
            content: content.into(),
            author: Some("Ada\u{1b}[31m".into()),
            metadata: None,
            reply_to: Some(11),
            rev: 0,
            created_at: "2026-01-02T03:04:05.678Z".into(),
            updated_at: "2026-01-02T03:04:05.678Z".into(),
        }
    }

    #[test]
    fn control_characters_from_the_server_do_not_reach_the_terminal() {
        let text = message(
            &PLAIN,
            &hello("one\u{1b}]0;title\u{7}\r\ntwo\u{9b}\u{202e}x"),
        );
        assert_eq!(
            text,
            "#12  Ada\\u{1b}[31m  2026-01-02 03:04:05, reply to #11\n    \
             one\\u{1b}]0;title\\u{7}\\u{d}\n    two\\u{9b}\\u{202e}x"
        );
    }

    #[test]
    fn emoji_and_right_to_left_words_stay_whole() {
        let text = "👩‍👩‍👧 שלום é\u{301}";
        assert_eq!(escape(text), text);
    }

    #[test]
    fn a_highlight_becomes_colour_and_its_entities_characters() {
        let hit = Found {
            message: hello(""),
            message_number: 12,
            score: 1.0,
            highlight: "a &lt;b&gt; <em>R&amp;D</em> &amp;lt; &copy <em>x".into(),
        };
        let colour = found(&Painter { colour: true }, &hit);
        assert!(
            colour.ends_with("a <b> \x1b[1;33mR&D\x1b[0m &lt; &copy \x1b[1;33mx\x1b[0m"),
            "{colour:?}"
        );
        let plain = found(&PLAIN, &hit);
        assert!(plain.starts_with("chat 3 #12  "), "{plain:?}");
        assert!(plain.ends_with("a <b> *R&D* &lt; &copy *x*"), "{plain:?}");
    }

    #[test]
    fn an_escape_sequence_cannot_hide_in_a_highlight() {
        let hit = Found {
            message: hello(""),
            message_number: 12,
            score: 1.0,
            highlight: "<em>\u{1b}[2J</em>".into(),
        };
        assert!(found(&PLAIN, &hit).ends_with("*\\u{1b}[2J*"));
    }
}
