//! What docs/guarantees.md names is there: files by their paths, and functions in the file named before them.

use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

#[test]
fn the_files_and_tests_that_the_guarantees_name_are_there() {
    let mut wrong = Vec::new();
    let mut functions = 0;
    for (line, text) in (1..).zip(guarantees().lines()) {
        let mut file = None;
        for word in code_in(text) {
            if is_path(word) {
                let path = repository().join(word);
                if !path.exists() {
                    wrong.push(format!("line {line}: there is no {word}"));
                }
                file = Some((word, path));
            } else if let Some((name, path)) = file.as_ref().filter(|_| is_function(word)) {
                functions += 1;
                if !defines(path, word) {
                    wrong.push(format!("line {line}: {name} has no function {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(functions > 50, "only {functions} functions are named");
}

#[test]
fn every_invariant_and_window_has_a_row_that_says_how_it_is_tested() {
    let guarantees = guarantees();
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for line in guarantees.lines() {
        let Some(name) = line
            .strip_prefix("| ")
            .and_then(|row| row.split(' ').next())
        else {
            continue;
        };
        let count = rows.entry(name).or_default();
        *count += 1;
        // The first row of an invariant is about one process, where the checker and whole files judge it.
        if is_numbered(name, 'W') || is_numbered(name, 'I') && *count == 2 {
            let words = code_in(line);
            let names_a_test = words.iter().any(|word| is_path(word))
                && words.iter().any(|word| is_function(word));
            assert!(names_a_test, "{name} names no test: {line}");
        }
    }
    for number in 1..=42 {
        let name = format!("W{number}");
        assert_eq!(rows.get(name.as_str()), Some(&1), "rows of {name}");
    }
    for number in 1..=12 {
        let name = format!("I{number}");
        // One for what it promises, one for the cluster.
        assert_eq!(rows.get(name.as_str()), Some(&2), "rows of {name}");
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn guarantees() -> String {
    let path = repository().join("docs/guarantees.md");
    read_to_string(path).expect("there are guarantees")
}

/// What stands between backticks.
fn code_in(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// From the root of the repository; `../gaps` is none.
fn is_path(word: &str) -> bool {
    word.contains('/') && !word.starts_with(['.', '/']) && !word.contains(' ')
}

fn is_function(word: &str) -> bool {
    word.contains('_')
        && word
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_numbered(name: &str, letter: char) -> bool {
    name.strip_prefix(letter)
        .is_some_and(|number| number.parse::<u8>().is_ok())
}

/// Whether this file, or one in this directory, has a function of this name, in Rust or a shell's.
fn defines(path: &Path, function: &str) -> bool {
    if path.is_dir() {
        let Ok(entries) = read_dir(path) else {
            return false;
        };
        return entries
            .flatten()
            .any(|entry| defines(&entry.path(), function));
    }
    let wanted = [format!("fn {function}("), format!("\n{function}() {{")];
    read_to_string(path).is_ok_and(|text| wanted.iter().any(|head| text.contains(head)))
}
