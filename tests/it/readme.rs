//! The README's tour, executed as it is written; only the port is another one.

use e2e::cluster::{Cluster, Database, Size};
use e2e::program::Program;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tokio::task::spawn_blocking;

const ADDRESS: &str = "127.0.0.1:8080";

const PAUSE: &str = "sleep 3";

#[tokio::test]
async fn the_tour_of_the_readme_works_as_written() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(&dir.path().join("data")).await;
    walk(program.place.address(), &tour()).await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_of_the_readme_works_on_a_cluster() {
    let one_of_each = Size {
        apis: 1,
        workers: 1,
    };
    let Some(cluster) = Cluster::start(Database::Mysql, one_of_each).await else {
        return;
    };
    // A machine that runs all tests at once is slower than a reader's.
    let tour = tour();
    assert!(
        tour.contains(PAUSE),
        "the tour waits for the index: {PAUSE}"
    );
    walk(cluster.place().address(), &tour.replace(PAUSE, "sleep 10")).await;
    cluster.stop().await;
}

async fn walk(address: &str, tour: &str) {
    assert!(tour.contains(ADDRESS), "the tour asks {ADDRESS}");
    let tour = tour.replace(ADDRESS, address);
    let calls = tour
        .lines()
        .filter(|line| line.starts_with("curl "))
        .count();
    assert!(calls >= 5, "the tour has only {calls} calls of curl");

    let dir = tempfile::tempdir().expect("a directory can be made");
    let place = dir.path().to_owned();
    let ran = spawn_blocking(move || bash(&tour, &place)).await;
    let ran = ran.expect("bash does not panic");
    let said = String::from_utf8(ran.stdout).expect("answers are text");
    let complaints = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}\n{said}\n{complaints}", ran.status);
    let answers: Vec<Value> = serde_json::Deserializer::from_str(&said)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error} in {said}"));
    assert_eq!(answers.len(), calls, "{said}");
    for answer in &answers {
        assert!(
            answer["detail"].is_null(),
            "a call of the tour failed: {answer}"
        );
    }
    // What its comments promise.
    let numbers: Vec<u64> = answers
        .iter()
        .filter_map(|answer| answer["number"].as_u64())
        .collect();
    let twice = numbers.windows(2).any(|pair| pair == [2, 2]);
    assert!(
        twice,
        "repeating a request with its key adds nothing: {numbers:?}"
    );
    let last = answers.last().expect("there are answers");
    assert_eq!(last["total"], 1, "the search finds the message: {last}");
    let highlight = last["messages"][0]["highlight"].as_str();
    assert!(
        highlight.is_some_and(|html| html.contains("<em>invoice</em>")),
        "{last}"
    );
}

/// The code between the markers.
fn tour() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("there is a README");
    let (_, rest) = readme
        .split_once("<!-- tour:begin -->")
        .expect("the README has a tour");
    let (tour, _) = rest
        .split_once("<!-- tour:end -->")
        .expect("the tour has an end");
    let mut code = String::new();
    let mut inside = false;
    for line in tour.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => code += &format!("{line}\n"),
            _ => {}
        }
    }
    code
}

fn bash(script: &str, in_dir: &Path) -> Output {
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(in_dir)
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect("bash and curl are there")
}
