//! Debian's changelogs (<https://www.debian.org/doc/debian-policy/ch-source.html#debian-changelog-debian-changelog>):
//! each bullet is a post by whoever signed the entry, or whose name stands above it in brackets; a bullet
//! below a bullet answers it.

use crate::dates;
use crate::writer::Post;

/// The source package that the first entry names.
pub(crate) fn source(text: &str) -> Option<&str> {
    text.lines().find_map(header).map(|(source, _)| source)
}

/// Newest first, as the file has them; within an entry in the order of the file.
pub(crate) fn entries(text: &str) -> Vec<Vec<Post>> {
    let mut entries = Vec::new();
    let mut entry = Entry::default();
    for line in text.lines() {
        if let Some((_, version)) = header(line) {
            entry = Entry {
                version: version.to_owned(),
                ..Entry::default()
            };
        } else if let Some((name, date)) = trailer(line) {
            entries.push(std::mem::take(&mut entry).signed(name, date));
        } else {
            entry.take(line);
        }
    }
    entries
}

#[derive(Default)]
struct Entry {
    version: String,
    by: Option<String>,
    bullets: Vec<Bullet>,
}

struct Bullet {
    indent: usize,
    by: Option<String>,
    text: String,
}

impl Entry {
    fn take(&mut self, line: &str) {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(name) = text
            .strip_prefix("[ ")
            .and_then(|rest| rest.strip_suffix(" ]"))
        {
            self.by = Some(name.to_owned());
        } else if let Some(text) = ["* ", "- ", "+ ", "o "]
            .iter()
            .find_map(|mark| text.strip_prefix(mark))
        {
            self.bullets.push(Bullet {
                indent,
                by: self.by.clone(),
                text: text.trim().to_owned(),
            });
        } else if let (Some(bullet), false) = (self.bullets.last_mut(), text.is_empty()) {
            bullet.text.push('\n');
            bullet.text.push_str(text);
        }
    }

    fn signed(self, name: &str, date: &str) -> Vec<Post> {
        let Self {
            version, bullets, ..
        } = self;
        let created_at = dates::debian(date);
        let bullets: Vec<_> = bullets
            .into_iter()
            .filter(|bullet| !bullet.text.is_empty())
            .collect();
        let post = |(index, bullet): (usize, &Bullet)| {
            let above = bullets[..index]
                .iter()
                .rposition(|above| above.indent < bullet.indent);
            Post {
                author: bullet.by.as_deref().unwrap_or(name).to_owned(),
                created_at: created_at.clone(),
                content: bullet.text.clone(),
                answers: above.map(|above| index - above),
                note: Some(("version", version.clone())),
            }
        };
        bullets.iter().enumerate().map(post).collect()
    }
}

/// `bash (5.2-1) unstable; urgency=medium`
fn header(line: &str) -> Option<(&str, &str)> {
    let (source, rest) = line.split_once(" (")?;
    let (version, rest) = rest.split_once(')')?;
    let named = !source.is_empty() && !source.contains(char::is_whitespace);
    (named && rest.contains(';')).then_some((source, version))
}

/// ` -- Matthias Klose <doko@debian.org>  Mon, 02 Jan 2023 13:06:21 +0100`
fn trailer(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix(" -- ")?.split_once('<')?;
    let (_, date) = rest.split_once('>')?;
    let name = name.trim().trim_matches('"').trim();
    (!name.is_empty()).then_some((name, date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bullets_are_posts_by_whoever_stands_above_or_signed() {
        let text = "\
bash (5.2-3) unstable; urgency=medium

  * Apply upstream
    patches.
    - Fix a crash
      in readline.

  [ Ada Lovelace ]
  * Enable hardening.

 -- Matthias Klose <doko@debian.org>  Sat, 31 Dec 2022 11:32:01 +0100

bash (5.2-2) unstable; urgency=low

  * Initial.

 -- Ben <b@c>  nonsense
";
        let post = |author: &str, content: &str, answers, version: &str, time: Option<&str>| Post {
            author: author.into(),
            created_at: time.map(str::to_owned),
            content: content.into(),
            answers,
            note: Some(("version", version.into())),
        };
        let time = Some("2022-12-31T10:32:01Z");
        assert_eq!(source(text), Some("bash"));
        assert_eq!(
            entries(text),
            [
                vec![
                    post(
                        "Matthias Klose",
                        "Apply upstream\npatches.",
                        None,
                        "5.2-3",
                        time
                    ),
                    post(
                        "Matthias Klose",
                        "Fix a crash\nin readline.",
                        Some(1),
                        "5.2-3",
                        time
                    ),
                    post("Ada Lovelace", "Enable hardening.", None, "5.2-3", time),
                ],
                vec![post("Ben", "Initial.", None, "5.2-2", None)],
            ]
        );
    }
}
