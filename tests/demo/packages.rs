//! The changelogs of the installed packages: packages made of one source share one chat, in which
//! Debian's changes and those of the upstream project stand in the order of time.

use crate::writer::{Post, Writer};
use crate::{dates, debian, gitlog, gnu};
use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How much of one changelog is read.
const MOST_OF_A_FILE: u64 = 16 << 20;

/// `per_chat`: how many of the newest posts of a chat to take, cut at the start of an entry.
pub(crate) fn write<W: Write>(docs: &Path, per_chat: usize, writer: &mut Writer<W>) -> Result<()> {
    let sources = sources(docs)?;
    ensure!(
        !sources.is_empty(),
        "no changelog.gz below {}; give a git repository with --repo instead",
        docs.display()
    );
    for (source, files) in sources {
        let mut entries = Vec::new();
        for file in files.debian.iter().chain(&files.upstream) {
            let mut of_file = parse(&read(file)?);
            drop_later_dates(&mut of_file, &changed(file)?);
            entries.extend(of_file);
        }
        write_chat(&source, newest(entries, per_chat), writer)?;
    }
    Ok(())
}

#[derive(Default)]
struct Files {
    debian: Option<PathBuf>,
    upstream: Option<PathBuf>,
}

/// By source package. Of several packages of one source the first one's files are taken: they are alike.
fn sources(docs: &Path) -> Result<BTreeMap<String, Files>> {
    let mut directories: Vec<_> = fs::read_dir(docs)
        .with_context(|| format!("reading {}", docs.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && !path.is_symlink())
        .collect();
    directories.sort();
    let mut sources = BTreeMap::<String, Files>::new();
    for directory in directories {
        let own = |name: &str| {
            Some(directory.join(name)).filter(|file| file.is_file() && !file.is_symlink())
        };
        let (debian, upstream) = (own("changelog.Debian.gz"), own("changelog.gz"));
        let Some(first) = debian.as_ref().or(upstream.as_ref()) else {
            continue;
        };
        let package = directory.file_name().unwrap_or_default().to_string_lossy();
        let source =
            debian::source(&read(first)?).map_or_else(|| package.into_owned(), str::to_owned);
        let files = sources.entry(source).or_default();
        files.debian = files.debian.take().or(debian);
        files.upstream = files.upstream.take().or(upstream);
    }
    Ok(sources)
}

fn read(file: &Path) -> Result<String> {
    let opened = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let mut bytes = Vec::new();
    let unpacked = MultiGzDecoder::new(opened)
        .take(MOST_OF_A_FILE)
        .read_to_end(&mut bytes);
    match unpacked {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput && bytes.is_empty() => {
            Err(error).with_context(|| format!("unpacking {}", file.display()))
        }
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// When a file was written, as RFC 3339.
fn changed(file: &Path) -> Result<String> {
    let about = || format!("asking for the age of {}", file.display());
    let time = fs::metadata(file)
        .and_then(|metadata| metadata.modified())
        .with_context(about)?;
    dates::written(time.into()).with_context(about)
}

/// A change cannot be younger than the file that tells of it: such a date is a slip of the pen.
fn drop_later_dates(entries: &mut [Vec<Post>], changed: &str) {
    for post in entries.iter_mut().flatten() {
        post.created_at = post
            .created_at
            .take()
            .filter(|time| time.as_str() <= changed);
    }
}

/// Packages without a changelog of their own making have Debian's under the upstream name.
fn parse(text: &str) -> Vec<Vec<Post>> {
    let ways = [
        debian::entries(text),
        gnu::entries(text),
        gitlog::entries(text),
    ];
    ways.into_iter()
        .max_by_key(|entries| entries.iter().map(Vec::len).sum::<usize>())
        .unwrap_or_default()
}

/// The newest entries in the order of time, not more posts than `most` unless one entry alone has more.
fn newest(mut entries: Vec<Vec<Post>>, most: usize) -> Vec<Vec<Post>> {
    entries.retain(|entry| !entry.is_empty());
    // Files begin with the newest; those without a date come first of all.
    entries.reverse();
    entries.sort_by(|a, b| a[0].created_at.cmp(&b[0].created_at));
    let mut posts = 0;
    let kept = entries.iter().rev().take_while(|entry| {
        posts += entry.len();
        posts <= most
    });
    let kept = kept.count().max(1).min(entries.len());
    let mut kept = entries.split_off(entries.len() - kept);
    for entry in &mut kept {
        entry.truncate(most);
    }
    kept
}

fn write_chat<W: Write>(chat: &str, entries: Vec<Vec<Post>>, writer: &mut Writer<W>) -> Result<()> {
    for (index, post) in entries.iter().flatten().enumerate() {
        let number = index + 1;
        let reply_to = post.answers.map(|distance| number - distance);
        writer
            .write(chat, number, reply_to, post)
            .context("standard output")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn entry(day: u8, posts: usize) -> Vec<Post> {
        let post = Post {
            created_at: Some(format!("2022-01-{day:02}T12:00:00Z")),
            ..Post::default()
        };
        vec![post; posts]
    }

    #[test]
    fn the_newest_entries_are_taken_whole_and_put_in_order() {
        let entries = || vec![entry(3, 2), entry(2, 2), entry(1, 1)];
        assert_eq!(
            newest(entries(), 5),
            [entry(1, 1), entry(2, 2), entry(3, 2)]
        );
        assert_eq!(newest(entries(), 3), [entry(3, 2)]);
        assert_eq!(newest(entries(), 1), [entry(3, 1)]);
        assert_eq!(newest(vec![], 1), Vec::<Vec<Post>>::new());
    }

    #[test]
    fn a_date_later_than_its_file_is_no_date() {
        let mut entries = vec![entry(2, 1), entry(3, 1)];
        drop_later_dates(&mut entries, "2022-01-02T12:00:00Z");
        assert_eq!(entries[0], entry(2, 1));
        assert_eq!(entries[1][0].created_at, None);
    }

    #[test]
    fn packages_of_one_source_share_a_chat_with_their_upstream() {
        let docs = tempfile::tempdir().unwrap();
        let debian = "gnupg2 (2-1) unstable; urgency=low\n\n  * Package it.\n\n -- Ada <a@b>  Sat, 31 Dec 2022 11:32:01 +0100\n";
        let upstream = "2022-12-12  Ben  <c@d>\n\n\tWrite it.\n";
        for (package, name, text) in [
            ("gpg", "changelog.Debian.gz", debian),
            ("gpg", "changelog.gz", upstream),
            ("gpgv", "changelog.Debian.gz", debian),
        ] {
            let directory = docs.path().join(package);
            fs::create_dir_all(&directory).unwrap();
            let mut gz = GzEncoder::new(
                File::create(directory.join(name)).unwrap(),
                Compression::fast(),
            );
            gz.write_all(text.as_bytes()).unwrap();
            gz.finish().unwrap();
        }
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        write(docs.path(), 100, &mut writer).unwrap();
        writer.finish().unwrap();
        let lines: Vec<serde_json::Value> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let said: Vec<_> = lines
            .iter()
            .map(|line| (&line["chat"]["name"], &line["content"]))
            .collect();
        assert_eq!(
            said,
            [
                (&"gnupg2".into(), &"Write it.".into()),
                (&"gnupg2".into(), &"Package it.".into())
            ]
        );
    }
}
