//! `chatctl tail`: the newest messages, and then what comes after them.
//!
//! Following shows a message only when every number below it is explained, so one that is stored late
//! (12 after 13) is never skipped.

use crate::args::TailArguments;
use crate::client::Application;
use crate::error::Result;
use crate::output::Output;
use crate::render;
use crate::wire::Messages;
use std::time::Duration;
use tokio::time::sleep;

/// Above every number there can be.
const END: u64 = (1 << 53) - 1;
const PAGE: u64 = 200;

pub(crate) async fn tail(
    application: &Application<'_>,
    output: &Output,
    arguments: &TailArguments,
) -> Result<()> {
    let TailArguments {
        chat,
        follow,
        lines,
        interval,
    } = arguments;
    let newest = application
        .messages_before(chat.number, END, (*lines).max(1))
        .await?;
    if !follow {
        let skipped = if *lines == 0 { newest.data.len() } else { 0 };
        return output.each(&newest.data[skipped..], render::message);
    }
    // Asked for again from the first one on, now up to where everything is explained.
    let mut cursor = match (newest.data.first(), lines) {
        (Some(message), 0) => message.number,
        (Some(message), _) => message.number - 1,
        (None, _) => 0,
    };
    loop {
        let page = application.messages(chat.number, cursor, PAGE).await?;
        let through = explained(&page, cursor);
        let shown = page
            .data
            .partition_point(|message| message.number <= through);
        output.each(&page.data[..shown], render::message)?;
        let moved = through > cursor;
        cursor = through;
        if !(moved && page.next.is_some()) {
            sleep(Duration::from_millis(*interval)).await;
        }
    }
}

/// How far a page may be taken as everything there is: it ends where the page or the explanation ends.
pub(super) fn explained(page: &Messages, after: u64) -> u64 {
    let through = page.complete_through.unwrap_or(after);
    page.next
        .map_or(through, |next| through.min(next))
        .max(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(next: Option<u64>, complete_through: Option<u64>) -> Messages {
        Messages {
            data: vec![],
            next,
            complete_through,
        }
    }

    #[test]
    fn a_cursor_stops_before_a_number_that_is_not_explained() {
        assert_eq!(explained(&page(None, Some(11)), 10), 11);
        assert_eq!(explained(&page(Some(30), Some(11)), 10), 11);
    }

    #[test]
    fn a_cursor_does_not_run_past_its_page_nor_back() {
        assert_eq!(explained(&page(Some(12), Some(99)), 10), 12);
        assert_eq!(explained(&page(None, Some(7)), 10), 10);
        assert_eq!(explained(&page(None, None), 10), 10);
    }
}
