//! GNU ChangeLogs (<https://www.gnu.org/prep/standards/html_node/Style-of-Change-Logs.html>): each
//! paragraph below a line of date and name is a post.

use crate::dates;
use crate::writer::Post;

/// As the file has them, usually newest first.
pub(crate) fn entries(text: &str) -> Vec<Vec<Post>> {
    let mut entries = Vec::new();
    let mut heading = None;
    let mut paragraph = String::new();
    for line in text.lines().chain([""]) {
        let found = header(line);
        if (line.trim().is_empty() || found.is_some()) && !paragraph.is_empty() {
            let content = std::mem::take(&mut paragraph);
            if let Some((created_at, author)) = &heading {
                let (author, created_at) = (String::clone(author), Some(String::clone(created_at)));
                entries.push(vec![Post {
                    author,
                    created_at,
                    content,
                    ..Post::default()
                }]);
            }
        }
        if found.is_some() {
            heading = found;
        } else if line.starts_with(char::is_whitespace) && !line.trim().is_empty() {
            if !paragraph.is_empty() {
                paragraph.push('\n');
            }
            paragraph.push_str(line.trim());
        }
    }
    entries
}

/// `2022-12-12  Dmitry V. Levin  <ldv@strace.io>`, sometimes with the time of day before the name
fn header(line: &str) -> Option<(String, String)> {
    let (date, rest) = line.split_once(char::is_whitespace)?;
    let created_at = dates::day(date)?;
    let (name, _) = rest.split_once('<')?;
    let name = name
        .trim_start_matches(|character: char| !character.is_alphabetic())
        .trim_end_matches(['"', ' ', '\t']);
    (!name.is_empty()).then(|| (created_at, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_posts_by_the_name_above_them() {
        let text = "preface\n2022-12-12  12:26 +0100  \"Ada\"  <a@b>\n\n\tPrepare.\n\t* NEWS: Update.\n\n\tMore.\n2022-12-11 Ben <c@d>\n\t* x: y.";
        let post = |author: &str, day: u8, content: &str| {
            let created_at = Some(format!("2022-12-{day}T12:00:00Z"));
            vec![Post {
                author: author.into(),
                created_at,
                content: content.into(),
                ..Post::default()
            }]
        };
        let expected = [
            post("Ada", 12, "Prepare.\n* NEWS: Update."),
            post("Ada", 12, "More."),
            post("Ben", 11, "* x: y."),
        ];
        assert_eq!(entries(text), expected);
    }
}
