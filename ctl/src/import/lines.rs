//! Bytes into lines, of which none can be too long to hold.
//!
//! A line end is LF or CRLF. A byte order mark before the first line is dropped. Of a line longer than
//! the limit only its length is kept.

use std::io::{self, BufRead};

/// Longest line in bytes, without its end.
pub(crate) const LONGEST_LINE: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawLine {
    /// Counts from 1.
    pub(crate) number: u64,
    /// How much of the input it took, with its end.
    pub(crate) bytes: u64,
    /// Its text without line end; `None` when it was too long.
    pub(crate) text: Option<Vec<u8>>,
}

pub(crate) struct Lines<R> {
    input: R,
    number: u64,
    longest: usize,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            longest: LONGEST_LINE,
        }
    }

    fn read(&mut self) -> io::Result<Option<RawLine>> {
        let mut text = Vec::new();
        let mut bytes = 0;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(chunk.len(), |end| end + 1);
            // Room for the limit, a mark, CR and LF; what is beyond is too long anyway.
            let room = (self.longest + 5).saturating_sub(text.len());
            text.extend_from_slice(&chunk[..taken.min(room)]);
            let at_end = taken == 0;
            self.input.consume(taken);
            bytes += taken as u64;
            if end.is_some() || at_end {
                break;
            }
        }
        if bytes == 0 {
            return Ok(None);
        }
        self.number += 1;
        let text = strip(&text, self.number == 1);
        let fits = text.len() <= self.longest;
        Ok(Some(RawLine {
            number: self.number,
            bytes,
            text: fits.then(|| text.to_vec()),
        }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<RawLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn strip(text: &[u8], is_first: bool) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if is_first {
        text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Read};

    fn lines(input: &[u8], buffer: usize) -> Vec<(u64, u64, Option<String>)> {
        let lines = Lines {
            input: BufReader::with_capacity(buffer, input),
            number: 0,
            longest: 5,
        };
        lines
            .map(|line| line.unwrap())
            .map(|line| {
                (
                    line.number,
                    line.bytes,
                    line.text.map(|text| String::from_utf8(text).unwrap()),
                )
            })
            .collect()
    }

    #[test]
    fn ends_and_marks_are_dropped_whatever_the_buffer_cuts() {
        let input = b"\xEF\xBB\xBFabcde\r\n\nx\r\n\xEF\xBB\xBFz";
        let text = |text: &str| Some(text.to_owned());
        for buffer in 1..12 {
            let expected = [
                (1, 10, text("abcde")),
                (2, 1, text("")),
                (3, 3, text("x")),
                (4, 4, text("\u{feff}z")),
            ];
            assert_eq!(lines(input, buffer), expected);
        }
    }

    #[test]
    fn a_line_too_long_is_skipped_up_to_its_end() {
        for buffer in 1..12 {
            let expected = [
                (1, 7, None),
                (2, 6, Some("abcde".to_owned())),
                (3, 12, None),
            ];
            assert_eq!(lines(b"abcdef\nabcde\nabcdefghijkl", buffer), expected);
        }
    }

    #[test]
    fn of_an_enormous_line_no_more_than_the_limit_is_held() {
        let input = io::repeat(b'x').take(1 << 27).chain(&b"\nok"[..]);
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, input));
        let long = lines.next().unwrap().unwrap();
        assert_eq!(
            long,
            RawLine {
                number: 1,
                bytes: (1 << 27) + 1,
                text: None
            }
        );
        assert_eq!(
            lines.next().unwrap().unwrap().text.as_deref(),
            Some(&b"ok"[..])
        );
        assert!(lines.next().is_none());
    }

    #[test]
    fn nothing_is_no_line() {
        assert_eq!(lines(b"", 4), []);
        assert_eq!(lines(b"a\n", 4), [(1, 2, Some("a".into()))]);
    }
}
