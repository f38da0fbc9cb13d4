//! A window of a chat: one page of its messages, and how far nothing is missing from it.

use super::decode::{Cursor, MESSAGE_COLUMNS, live_message};
use super::reader::signed;
use super::{Query, Tx};
use crate::error::Result;
use crate::model::{ChatKey, Message, Number, Scope};
use crate::ports::{MessagePage, Window};
use crate::rows::MessageRow;
use sqlx::any::AnyRow;

/// Windows a list reads at most to fill a page where many messages were deleted.
const MAX_WINDOWS: u32 = 5;
/// Aliases and gaps looked at for one page; more only make `complete_through` lower than it could be.
const MAX_MARKS: i64 = 1000;

const UPWARDS: &str = "number > ? ORDER BY number";
const DOWNWARDS: &str = "number < ? ORDER BY number DESC";

/// The part of a chat that a page looked at, in the order it was looked at.
#[derive(Default)]
struct Rows {
    live: Vec<Message>,
    /// Every number with a row in it, stubs left out.
    numbers: Vec<u64>,
    /// The last number looked at, stub or not, if there is more beyond it.
    more_from: Option<u64>,
}

impl Rows {
    fn reversed(mut self) -> Self {
        self.live.reverse();
        self.numbers.reverse();
        self
    }
}

/// Within one snapshot, of a chat that is live in it.
pub(super) async fn page_of_messages(
    tx: &mut Tx,
    chat: ChatKey,
    window: Window,
    limit: u32,
) -> Result<MessagePage> {
    let rows = match window {
        Window::After(after) => rows(tx, chat, UPWARDS, after, limit).await?,
        Window::Before(before) => {
            let rows = rows(tx, chat, DOWNWARDS, before.get(), limit);
            rows.await?.reversed()
        }
    };
    let start = match window {
        Window::After(after) => after,
        Window::Before(_) => rows.numbers.first().map_or(0, |first| first - 1),
    };
    // With more rows to come, only what was looked at can be complete; at the end, marks may go beyond.
    let end = match window {
        Window::After(_) => rows.more_from,
        Window::Before(_) => rows.numbers.last().copied(),
    };
    let marks = marks(tx, chat, start, end.unwrap_or(u64::MAX)).await?;
    let complete_through =
        complete_through(start, &rows.numbers, &marks).min(end.unwrap_or(u64::MAX));
    Ok(MessagePage {
        data: rows.live,
        next: rows.more_from.and_then(Number::new),
        complete_through: complete_through.max(start),
    })
}

/// Up to `limit` live messages from `start` on, in the order of `condition`.
async fn rows(tx: &mut Tx, chat: ChatKey, condition: &str, start: u64, limit: u32) -> Result<Rows> {
    let mut rows = Rows::default();
    let mut looked_at = start;
    for _ in 0..MAX_WINDOWS {
        let window = window_rows(tx, chat, condition, looked_at, limit).await?;
        let more = window.len() > limit as usize;
        for row in window {
            if rows.live.len() == limit as usize {
                rows.more_from = Some(looked_at);
                return Ok(rows);
            }
            looked_at = row.key.number.get();
            if row.uid.is_some() {
                rows.numbers.push(looked_at);
            }
            rows.live.extend(live_message(row));
        }
        if !more {
            return Ok(rows);
        }
    }
    rows.more_from = Some(looked_at);
    Ok(rows)
}

/// One row more than `limit`, to see whether there are more.
async fn window_rows(
    tx: &mut Tx,
    chat: ChatKey,
    condition: &str,
    bound: u64,
    limit: u32,
) -> Result<Vec<MessageRow>> {
    let sql = format!(
        "SELECT {} FROM messages WHERE app_id = ? AND chat_number = ? AND {condition} LIMIT ?",
        MESSAGE_COLUMNS.join(", ")
    );
    let rows = tx
        .fetch_all(sql, |query| {
            query
                .bind(chat.app.get())
                .bind(chat.number.as_i64())
                .bind(signed(bound))
                .bind(i64::from(limit) + 1)
        })
        .await?;
    rows.iter()
        .map(|row| Cursor::over(row).message_row())
        .collect()
}

/// Runs of numbers in `(lo, hi]` that are aliases or gaps, ascending by their first number.
async fn marks(tx: &mut Tx, chat: ChatKey, lo: u64, hi: u64) -> Result<Vec<(u64, u64)>> {
    let bounds = |query: Query| query.bind(signed(lo)).bind(signed(hi)).bind(MAX_MARKS);
    let sql = "SELECT number, number FROM number_aliases WHERE app_id = ? AND chat_number = ? \
                   AND number > ? AND number <= ? ORDER BY number LIMIT ?";
    let aliases = tx
        .fetch_all(sql.to_owned(), |query| {
            bounds(query.bind(chat.app.get()).bind(chat.number.as_i64()))
        })
        .await?;
    let sql =
        "SELECT lo, hi FROM number_gaps WHERE scope = ? AND hi > ? AND lo <= ? ORDER BY lo LIMIT ?";
    let scope = Scope::Messages(chat).key();
    let gaps = tx
        .fetch_all(sql.to_owned(), |query| bounds(query.bind(scope)))
        .await?;
    let run = |row: &AnyRow| {
        let mut row = Cursor::over(row);
        Ok((row.count()?, row.count()?))
    };
    let mut marks = aliases
        .iter()
        .chain(&gaps)
        .map(run)
        .collect::<Result<Vec<_>>>()?;
    marks.sort_unstable();
    Ok(marks)
}

/// The highest number from `start` up to which every number is in `numbers` or in one of the runs
/// `marks`; both ascending.
fn complete_through(start: u64, numbers: &[u64], marks: &[(u64, u64)]) -> u64 {
    let mut through = start;
    let mut numbers = numbers.iter().copied().peekable();
    let mut marks = marks.iter().copied().peekable();
    loop {
        while numbers.next_if(|number| *number <= through).is_some() {}
        while marks.next_if(|(_, last)| *last <= through).is_some() {}
        if numbers.next_if_eq(&(through + 1)).is_some() {
            through += 1;
        } else if let Some((_, last)) = marks.next_if(|(first, _)| *first <= through + 1) {
            through = last;
        } else {
            return through;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::complete_through;

    #[test]
    fn complete_ends_before_the_first_unexplained_number() {
        assert_eq!(complete_through(0, &[], &[]), 0);
        assert_eq!(complete_through(0, &[1, 2, 4], &[]), 2);
        assert_eq!(complete_through(0, &[1, 2, 4], &[(3, 3)]), 4);
        assert_eq!(complete_through(0, &[1], &[(2, 256)]), 256);
        assert_eq!(complete_through(5, &[6, 7], &[(1, 5), (8, 9)]), 9);
        assert_eq!(complete_through(5, &[6], &[(3, 6), (7, 7)]), 7);
        assert_eq!(complete_through(0, &[2], &[]), 0);
    }
}
