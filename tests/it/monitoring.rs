//! Rules, dashboards and runbooks fit together and to the programs. What needs Prometheus is in tests/monitoring.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Where metrics get their names.
const REGISTRIES: [&str; 3] = [
    "chat/src/metrics/registry.rs",
    "operator/src/metrics.rs",
    "operator/src/metrics/systems.rs",
];
const RUNBOOKS: &str = "https://github.com/chatsystem/chatsystem/blob/main/docs/runbooks";

#[test]
fn every_alert_has_a_page_and_every_page_its_alert() {
    let pages: BTreeSet<String> = files("docs/runbooks", "md")
        .iter()
        .map(|page| stem(page))
        .collect();
    let alerts: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(alerts, pages);
    for page in files("docs/runbooks", "md") {
        let text = read(&page);
        let name = stem(&page);
        assert!(text.starts_with(&format!("# {name}\n")), "{name}");
        for title in ["## Meaning", "## Look", "## Fix"] {
            assert!(text.contains(&format!("\n{title}\n")), "{name}: {title}");
        }
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_happened_and_where_to_read_on() {
    for (name, rule) in alerts() {
        let severity = ["critical", "warning"].map(|word| format!("labels: {{severity: {word}}}"));
        assert!(severity.iter().any(|label| rule.contains(label)), "{name}");
        for annotation in ["summary: ", "description: "] {
            assert!(rule.contains(annotation), "{name} has no {annotation}");
        }
        let page = format!("runbook_url: {RUNBOOKS}/{name}.md");
        assert!(rule.contains(&page), "{name} has no {page}");
        let text = read(repository().join(format!("docs/runbooks/{name}.md")));
        let bad = if rule.contains(&severity[0]) {
            "critical"
        } else {
            "warning"
        };
        let line = format!("\nSeverity: {bad}.\n");
        assert!(text.contains(&line), "the page of {name} has no {line}");
    }
}

#[test]
fn every_alert_has_a_test_that_it_fires_and_one_that_it_stays_quiet() {
    let tests: String = files("tests/monitoring", "yaml").iter().map(read).collect();
    for name in alerts().keys() {
        for behaviour in ["fires", "stays quiet"] {
            let test = format!("- name: {name} {behaviour} ");
            assert!(tests.contains(&test), "there is no test {test:?}");
        }
    }
}

#[test]
fn every_alert_has_a_reason_on_the_cluster_or_is_known_to_have_none() {
    let reasons = read(repository().join("tests/cluster/long/reasons.sh"));
    let table = reasons
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| line.split('|').nth(2));
    let impossible = read(repository().join("tests/monitoring/absent/on-a-cluster"));
    let impossible = impossible.lines().filter(|line| !line.starts_with('#'));
    let mut known: Vec<&str> = table.flat_map(str::split_whitespace).collect();
    known.extend(impossible);
    known.sort_unstable();
    assert_eq!(known, alerts().keys().collect::<Vec<_>>());
}

#[test]
fn rules_and_panels_ask_for_metrics_that_a_program_has() {
    let registries: String = REGISTRIES
        .iter()
        .filter_map(|path| read_to_string(repository().join(path)).ok())
        .collect();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    for rules in files("dashboards", "yaml") {
        asked.extend(metrics_in(&read(&rules)));
    }
    for (_, dashboard) in dashboards() {
        for expression in expressions(&dashboard) {
            asked.extend(metrics_in(&expression));
        }
    }
    assert!(asked.len() > 15, "only {asked:?} are asked for");
    let unknown: Vec<_> = asked
        .iter()
        .filter(|name| !registries.contains(&format!("\"{}\"", family(name))))
        .collect();
    assert!(unknown.is_empty(), "no program has {unknown:?}");
}

#[test]
fn dashboards_have_names_of_their_own_and_work_with_any_data_source() {
    let mut uids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for (path, dashboard) in dashboards() {
        let text = |field: &str| dashboard[field].as_str().unwrap_or_default().to_owned();
        assert!(uids.insert(text("uid")), "{path:?}: uid");
        assert!(titles.insert(text("title")), "{path:?}: title");
        // What Grafana gives each of them itself.
        assert_eq!(dashboard["id"], Value::Null, "{path:?}");
        let variables: Vec<&str> = list(&dashboard["templating"]["list"])
            .filter_map(|variable| variable["name"].as_str())
            .collect();
        assert_eq!(variables, ["datasource", "namespace", "chatsystem"]);
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard["panels"]) {
            assert!(ids.insert(panel["id"].as_u64()), "{path:?}: {panel}");
            let place = &panel["gridPos"];
            let right = place["x"].as_u64().zip(place["w"].as_u64());
            assert!(right.is_some_and(|(x, w)| x + w <= 24), "{path:?}: {panel}");
        }
        for source in values_of(&dashboard, "datasource") {
            assert_eq!(source["uid"], "${datasource}", "{path:?}");
        }
    }
    assert!(uids.len() > 2, "there are only {uids:?}");
}

#[test]
fn pages_name_commands_and_pages_that_are_there() {
    let commands = read(repository().join("worker/src/program/args.rs"));
    for page in files("docs/runbooks", "md") {
        let text = read(&page);
        for after in text.split("chat-worker ").skip(1) {
            let word = after
                .split(|c: char| !c.is_ascii_lowercase())
                .next()
                .unwrap_or_default();
            let known = ["Command::new", "some"].map(|made| format!("{made}(\"{word}\""));
            assert!(
                known.iter().any(|command| commands.contains(command)),
                "{page:?}: chat-worker has no command {word:?}"
            );
        }
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let there = page.with_file_name(target).exists();
            assert!(there, "{page:?}: there is no {target}");
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// With this extension, in this directory and those in it.
fn files(dir: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![repository().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in read_dir(&dir).expect("the directory is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|is| is == extension) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {dir}");
    found
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.expect("names of files are text").to_owned()
}

/// Each with the text of its rule.
fn alerts() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for rules in files("dashboards", "yaml") {
        let text = read(&rules);
        for rule in text.split("- alert: ").skip(1) {
            let rule = rule.split("\n      - ").next().unwrap_or_default();
            let name = rule.lines().next().unwrap_or_default();
            let before = all.insert(name.to_owned(), rule.to_owned());
            assert!(before.is_none(), "two alerts are called {name}");
        }
    }
    all
}

fn dashboards() -> Vec<(PathBuf, Value)> {
    let parse = |path: PathBuf| {
        let parsed = serde_json::from_str(&read(&path));
        let dashboard = parsed.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (path, dashboard)
    };
    files("dashboards", "json").into_iter().map(parse).collect()
}

fn expressions(dashboard: &Value) -> Vec<String> {
    let texts = ["expr", "definition"].map(|field| values_of(dashboard, field));
    let texts = texts.into_iter().flatten();
    texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What stands under this name, however deep.
fn values_of<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match value {
        Value::Array(values) => values.iter().flat_map(|v| values_of(v, name)).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(field, v)| match field == name {
                true => vec![v],
                false => values_of(v, name),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Metrics of our programs; names with a colon are those of recording rules.
fn metrics_in(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c| !is_name(c));
    words
        .filter(|word| word.starts_with("chat_") && !word.contains(':'))
        .map(str::to_owned)
        .collect()
}

/// The metric whose series this is: those of a histogram have endings.
fn family(series: &str) -> &str {
    let endings = ["_bucket", "_count", "_sum"];
    let ending = endings.iter().find_map(|end| series.strip_suffix(end));
    ending.unwrap_or(series)
}
