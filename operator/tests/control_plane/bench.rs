//! `make bench-operator`: what many systems cost `chat-operator run`. It is never a test: it fails when something does not
//! work, not when something is slow.

#![expect(clippy::print_stderr, reason = "progress goes there")]

use crate::kubelet::Kubelet;
use crate::machine;
use crate::plane::{eventually, in_a_namespace, setting};
use crate::program::Program;
use crate::room::{Request, Room, is_ready};
use crate::scale::Queues;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use operator::crd::TlsMode;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// So many are created at once.
const AT_ONCE: usize = 16;
/// Within this time another system becomes ready, or something does not work.
const PATIENCE: Duration = Duration::from_secs(120);
/// What follows from the last change is over then.
const CALM: Duration = Duration::from_secs(15);
/// Every system is looked after once in this time.
const REST: Duration = Duration::from_secs(60);

/// At one moment.
struct Mark {
    at: Instant,
    cpu_seconds: f64,
    passes: f64,
    requests: f64,
}

/// What so many systems cost.
#[derive(Debug)]
struct Figures {
    systems: usize,
    seconds: f64,
    resident_mb: f64,
    /// Without pages of files.
    anonymous_mb: f64,
    passes_a_system: f64,
    requests_a_system: f64,
    requests_a_pass: f64,
    requests_a_pass_at_rest: f64,
    /// Of one core.
    cpu_at_rest: f64,
}

#[test]
#[ignore = "it takes minutes; `make bench-operator`"]
fn many_systems() {
    let (Some(program), Some(count)) = (
        setting("BENCH_OPERATOR_PROGRAM"),
        setting("BENCH_OPERATOR_COUNT"),
    ) else {
        return;
    };
    let count: usize = count.parse().unwrap();
    let mut steps: Vec<usize> = [1, 100, count]
        .into_iter()
        .filter(|step| *step <= count)
        .collect();
    steps.sort_unstable();
    steps.dedup();
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let mut tasks = JoinSet::new();
        let (queues, management) = Queues::serve(0, &mut tasks).await;
        room.put_broker("amqp://chat:secret@127.0.0.1:1/chat", &management)
            .await;
        let operator = Program::of(&program, &room, "bench");
        operator
            .until_it_says("/metrics", "chat_operator_leader 1")
            .await;
        operator.until_it_says("/readyz", "ready").await;
        let mut figures = Vec::new();
        let (mut there, mut followed_seconds) = (0, 0.0);
        for step in steps {
            let measured = measure(&room, &operator, there..step).await;
            eprintln!("bench: {measured:?}");
            figures.push(measured);
            there = step;
            if step == 1 {
                followed_seconds = follow(&room, &queues).await;
            }
        }
        drop(operator);
        let start_mb = start(&room, &program).await;
        println!("{}", report(&figures, followed_seconds, start_mb));
    });
}

/// Adds systems to those that are there.
async fn measure(room: &Room, operator: &Program, new: Range<usize>) -> Figures {
    let (systems, added) = (new.end, new.len() as f64);
    eprintln!("bench: {systems} systems, {added} of them new");
    let before = mark(room, operator).await;
    let began = Instant::now();
    install(room, new).await;
    until_ready(room, systems).await;
    let seconds = began.elapsed().as_secs_f64();
    let memory = machine::memory(operator.id()).unwrap();
    eprintln!("bench: ready after {seconds:.1} s; now at rest");
    let after = mark(room, operator).await;
    tokio::time::sleep(CALM).await;
    let calm = mark(room, operator).await;
    tokio::time::sleep(REST).await;
    let end = mark(room, operator).await;
    let rest = machine::memory(operator.id()).unwrap();
    let passes = after.passes - before.passes;
    let requests = after.requests - before.requests;
    Figures {
        systems,
        seconds,
        resident_mb: memory.resident_mb.max(rest.resident_mb),
        anonymous_mb: memory.anonymous_mb.max(rest.anonymous_mb),
        passes_a_system: passes / added,
        requests_a_system: requests / added,
        requests_a_pass: requests / passes,
        requests_a_pass_at_rest: (end.requests - calm.requests) / (end.passes - calm.passes),
        cpu_at_rest: (end.cpu_seconds - calm.cpu_seconds) / (end.at - calm.at).as_secs_f64(),
    }
}

/// From the first answer of the management API that shows a backlog until the only system has more workers.
async fn follow(room: &Room, queues: &Queues) -> f64 {
    eprintln!("bench: something waits");
    queues.set(18_000);
    let deployments = room.api::<Deployment>();
    eventually("there are more workers", async || {
        let messages = deployments.get("chat-0-worker-messages").await.unwrap();
        (messages.spec?.replicas? > 1).then_some(())
    })
    .await;
    let seconds = queues.shown().unwrap().elapsed().as_secs_f64();
    queues.set(0);
    seconds
}

/// An operator that finds all systems there: the most of it that was ever resident until it looks after them.
async fn start(room: &Room, program: &str) -> f64 {
    eprintln!("bench: another operator");
    let operator = Program::of(program, room, "again");
    operator
        .until_it_says("/metrics", "chat_operator_leader 1")
        .await;
    eventually("it looks after systems", async || {
        (passes(&operator).await > 0.0).then_some(())
    })
    .await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", operator.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = most.unwrap().trim_end_matches("kB").trim().parse().unwrap();
    kib / 1_024.0
}

async fn install(room: &Room, new: Range<usize>) {
    let create = async |number| {
        room.install(|system| {
            system.metadata.name = Some(format!("chat-{number}"));
            system.spec.rabbitmq.tls.mode = TlsMode::Plaintext;
        })
        .await;
    };
    stream::iter(new).for_each_concurrent(AT_ONCE, create).await;
}

async fn until_ready(room: &Room, systems: usize) {
    let mut seen = watcher(room.systems(), watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .boxed();
    let mut ready = BTreeSet::new();
    let (mut most, mut since) = (0, Instant::now());
    while ready.len() < systems {
        let next = tokio::time::timeout_at((since + PATIENCE).into(), seen.try_next());
        let Ok(next) = next.await else {
            let help = "CONTROL_PLANE_LOG=info shows what the operator says";
            panic!("{most} of {systems} are ready, and no other within {PATIENCE:?}: {help}");
        };
        // It is told again.
        let Ok(Some(system)) = next else { continue };
        match is_ready(&system) {
            true => ready.insert(system.name_any()),
            false => ready.remove(&system.name_any()),
        };
        if ready.len() > most {
            (most, since) = (ready.len(), Instant::now());
            if most % 100 == 0 {
                eprintln!("bench: {most} are ready");
            }
        }
    }
}

async fn mark(room: &Room, operator: &Program) -> Mark {
    let cpu_seconds = machine::cpu_seconds(operator.id()).unwrap();
    let at = Instant::now();
    let passes = passes(operator).await;
    // Watches last, and the Lease has nothing to do with systems.
    let counts = |request: &&Request| request.verb != "watch" && request.of != "leases";
    let requests = room.requests().iter().filter(counts).count() as f64;
    Mark {
        at,
        cpu_seconds,
        passes,
        requests,
    }
}

async fn passes(operator: &Program) -> f64 {
    let (_, metrics) = operator.get("/metrics").await.unwrap();
    metrics
        .lines()
        .filter(|line| line.starts_with("chat_operator_reconciles_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// As Markdown.
fn report(figures: &[Figures], followed_seconds: f64, start_mb: f64) -> String {
    let mut lines = vec![
        format!(
            "\nChatSystem {} on {}\n",
            machine::commit(),
            machine::describe()
        ),
        "| systems | | measured | target | |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let mut seconds = 0.0;
    for step in figures {
        let systems = step.systems;
        let mut row = |what: &str, measured: String, target: Option<(f64, f64, &str)>| {
            let target = target.map_or("|".to_owned(), |(measured, most, unit)| {
                let met = if measured <= most { "met" } else { "**short**" };
                format!("at most {most}{unit} | {met}")
            });
            lines.push(format!("| {systems} | {what} | {measured} | {target} |"));
        };
        seconds += step.seconds;
        row("all ready, from nothing", format!("{seconds:.1} s"), None);
        row(
            "passes until ready, each",
            format!("{:.1}", step.passes_a_system),
            None,
        );
        row(
            "requests until ready, each",
            format!("{:.1}", step.requests_a_system),
            None,
        );
        row(
            "requests a pass until ready",
            format!("{:.1}", step.requests_a_pass),
            None,
        );
        row(
            "requests a pass at rest",
            format!("{:.1}", step.requests_a_pass_at_rest),
            None,
        );
        let most = [(1, 25.0), (1_000, 60.0)]
            .into_iter()
            .find(|(of, _)| *of == systems);
        let target = most.map(|(_, most)| (step.resident_mb, most, " MB"));
        row(
            "resident memory",
            format!("{:.1} MB", step.resident_mb),
            target,
        );
        row(
            "of it anonymous",
            format!("{:.1} MB", step.anonymous_mb),
            None,
        );
        let percent = step.cpu_at_rest * 100.0;
        let target = (systems == 100).then_some((percent, 1.0, " %"));
        row("of a core at rest", format!("{percent:.2} %"), target);
    }
    let systems = figures.last().map_or(0, |step| step.systems);
    let met = if followed_seconds <= 6.0 {
        "met"
    } else {
        "**short**"
    };
    lines.push(format!(
        "| 1 | from a sample that shows a backlog to more workers | {followed_seconds:.2} s | at most 6 s | {met} |"
    ));
    lines.push(format!(
        "| {systems} | resident memory at a start, at most | {start_mb:.1} MB | | |"
    ));
    lines.join("\n")
}
