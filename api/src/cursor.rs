//! Cursors of the administrators' lists: opaque text that stands for a position across applications.

use chat::model::{AppId, ChatKey, MessageKey, Number, Problem as Refusal};

/// An application's number has 16 hexadecimal digits, every other number 14 (53 bits).
const APP_DIGITS: usize = 16;
const NUMBER_DIGITS: usize = 14;

pub(crate) fn of_chat(key: ChatKey) -> String {
    format!("{:016x}{:014x}", key.app.get(), key.number.get())
}

pub(crate) fn of_message(key: MessageKey) -> String {
    format!("{}{:014x}", of_chat(key.chat), key.number.get())
}

pub(crate) fn parse_chat(text: &str) -> Result<ChatKey, Refusal> {
    chat(text).ok_or_else(refusal)
}

pub(crate) fn parse_message(text: &str) -> Result<MessageKey, Refusal> {
    let parts = text.split_at_checked(APP_DIGITS + NUMBER_DIGITS);
    let key = parts.and_then(|(first, last)| Some(chat(first)?.message(number(last)?)));
    key.ok_or_else(refusal)
}

fn chat(text: &str) -> Option<ChatKey> {
    let (app, last) = text.split_at_checked(APP_DIGITS)?;
    let app = i64::try_from(hex(app, APP_DIGITS)?).ok()?;
    Some(ChatKey {
        app: AppId::from_stored(app),
        number: number(last)?,
    })
}

fn number(text: &str) -> Option<Number> {
    Number::new(hex(text, NUMBER_DIGITS)?)
}

fn hex(text: &str, digits: usize) -> Option<u64> {
    let shaped = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if shaped {
        u64::from_str_radix(text, 16).ok()
    } else {
        None
    }
}

fn refusal() -> Refusal {
    Refusal::new(
        "is not a cursor of this list",
        "send 'next' of the page before as it is, or leave it out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_position() {
        let chat = ChatKey {
            app: AppId::from_random(u64::MAX),
            number: Number::MAX,
        };
        assert_eq!(parse_chat(&of_chat(chat)), Ok(chat));
        let message = chat.message(Number::new(7).unwrap());
        assert_eq!(parse_message(&of_message(message)), Ok(message));
    }

    #[test]
    fn anything_else_is_no_cursor() {
        let chat = of_chat(ChatKey {
            app: AppId::from_random(2),
            number: Number::MAX,
        });
        for text in [
            "",
            "1",
            "é",
            &chat[1..],
            &format!("{chat}0"),
            &chat.replace('f', "+"),
            &"f".repeat(30),
        ] {
            assert!(parse_chat(text).is_err(), "{text}");
        }
        assert!(parse_message(&chat).is_err());
    }
}
