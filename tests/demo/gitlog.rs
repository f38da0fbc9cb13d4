//! What `git log` prints, which many projects ship as their changelog: each commit is a post.

use crate::dates;
use crate::writer::Post;

/// As the file has them, usually newest first.
pub(crate) fn entries(text: &str) -> Vec<Vec<Post>> {
    let mut entries = Vec::new();
    let mut post: Option<Post> = None;
    for line in text.lines() {
        if let Some(author) = line.strip_prefix("Author:") {
            entries.extend(post.take().and_then(finished));
            let name = author.split('<').next().unwrap_or_default().trim();
            post = Some(Post {
                author: name.to_owned(),
                ..Post::default()
            });
        } else if let Some(post) = &mut post {
            if let Some(date) = ["Date:", "AuthorDate:"]
                .iter()
                .find_map(|name| line.strip_prefix(name))
            {
                post.created_at = dates::git(date);
            } else if let Some(text) = line.strip_prefix("    ") {
                post.content.push_str(text.trim_end());
                post.content.push('\n');
            } else if line.is_empty() {
                post.content.push('\n');
            }
        }
    }
    entries.extend(post.and_then(finished));
    entries
}

fn finished(mut post: Post) -> Option<Vec<Post>> {
    post.content = message(&post.content);
    (!post.author.is_empty() && !post.content.is_empty()).then(|| vec![post])
}

/// A commit's message without the lines that say who signed and reviewed it.
pub(crate) fn message(text: &str) -> String {
    let is_trailer = |line: &str| {
        let word = line.split(':').next().unwrap_or_default();
        let people = [
            "Signed-off-by",
            "Reviewed-by",
            "Acked-by",
            "Tested-by",
            "Cc",
            "Change-Id",
            "Part-of",
        ];
        people.iter().any(|known| word.eq_ignore_ascii_case(known))
            || line.starts_with("git-svn-id:")
    };
    let lines: Vec<_> = text.lines().filter(|line| !is_trailer(line)).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_posts_without_statistics_and_signatures() {
        let text = "\
commit afcae83
Author: Khaled Hosny <k@a>
Date:   Fri Dec 16 23:14:57 2022 +0200

    6.0.0

 NEWS | 62 +++
 6 files changed

commit 27ff90d
Author: Ada <a@b>
Date:   Fri Dec 16 22:08:33 2022 +0200

    [meson] Update
    
    Use the one from WrapDB.
    
    Signed-off-by: Ada <a@b>
";
        let post = |author: &str, time: &str, content: &str| {
            vec![Post {
                author: author.into(),
                created_at: Some(time.into()),
                content: content.into(),
                ..Post::default()
            }]
        };
        let expected = [
            post("Khaled Hosny", "2022-12-16T21:14:57Z", "6.0.0"),
            post(
                "Ada",
                "2022-12-16T20:08:33Z",
                "[meson] Update\n\nUse the one from WrapDB.",
            ),
        ];
        assert_eq!(entries(text), expected);
    }
}
