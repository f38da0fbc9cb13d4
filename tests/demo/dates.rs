//! The dates of changelogs and of git as RFC 3339. What cannot be read, or lies before 1970, is no date.

use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::format_description::{BorrowedFormatItem, parse_borrowed};
use time::{Date, OffsetDateTime};

/// `Mon, 02 Jan 2023 13:06:21 +0100`, as Debian's changelogs have it, with one or more spaces.
pub(crate) fn debian(text: &str) -> Option<String> {
    let single_spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
    written(OffsetDateTime::parse(&single_spaced, &Rfc2822).ok()?)
}

/// `Fri Dec 16 23:14:57 2022 +0200`, git's own, or `2022-12-16 23:14:57 +0200`, or the day alone.
pub(crate) fn git(text: &str) -> Option<String> {
    let formats = [
        "[weekday repr:short] [month repr:short] [day padding:none] \
         [hour]:[minute]:[second] [year] [offset_hour sign:mandatory][offset_minute]",
        "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]",
    ];
    let text = text.trim();
    let moment = formats
        .iter()
        .find_map(|layout| OffsetDateTime::parse(text, &format(layout)).ok());
    moment.map_or_else(|| day(text), written)
}

/// `2022-12-12`: noon of that day.
pub(crate) fn day(text: &str) -> Option<String> {
    let date = Date::parse(text, &format("[year]-[month]-[day]")).ok()?;
    written(date.with_hms(12, 0, 0).ok()?.assume_utc())
}

fn format(text: &str) -> Vec<BorrowedFormatItem<'_>> {
    parse_borrowed::<2>(text).expect("the formats in this file are valid")
}

/// The moment in the same form, so that texts compare as the moments do.
pub(crate) fn written(time: OffsetDateTime) -> Option<String> {
    let utc = time.to_offset(time::UtcOffset::UTC);
    (utc.unix_timestamp() >= 0)
        .then(|| utc.format(&Rfc3339).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_date_become_one() {
        assert_eq!(
            debian("Mon, 02 Jan 2023  13:06:21 +0100").as_deref(),
            Some("2023-01-02T12:06:21Z")
        );
        assert_eq!(
            debian("Thu,  2 Jan 1997 13:06:21 GMT").as_deref(),
            Some("1997-01-02T13:06:21Z")
        );
        assert_eq!(
            git("Fri Dec 16 23:14:57 2022 +0200").as_deref(),
            Some("2022-12-16T21:14:57Z")
        );
        assert_eq!(
            git("Tue Dec 6 23:14:57 2022 -0230").as_deref(),
            Some("2022-12-07T01:44:57Z")
        );
        assert_eq!(
            git("2022-12-16 23:14:57 +0200").as_deref(),
            Some("2022-12-16T21:14:57Z")
        );
        assert_eq!(git("2022-12-12").as_deref(), Some("2022-12-12T12:00:00Z"));
        assert_eq!(day("2022-12-12").as_deref(), Some("2022-12-12T12:00:00Z"));
        for wrong in ["", "yesterday", "1960-01-01", "2022-13-01"] {
            assert_eq!(day(wrong), None);
        }
    }
}
