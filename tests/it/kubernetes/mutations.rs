//! The operator's campaign on real nodes: thousands of changes in an order of chance, deaths of the operator after each of
//! its writes, and at every stop the question whether the system is what a new one of its description would be.
//!
//! It goes in legs. After each everything is judged that clients were told meanwhile, and noted how far it came, so that a
//! run that was ended goes on there.

mod changes;
mod deaths;
mod look;
mod walk;
mod writes;

use super::Run;
use crate::under_load::Writers;
use deaths::{SCENES, Scene};
use e2e::kubernetes::System;
use e2e::seed::Seed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use walk::Walk;

/// What is noted, and what is changed between two looks.
const LEG: u32 = 100;
const STOP: u32 = 20;
const DEATHS: u32 = 2;
/// One that cannot work, and back.
const MISTAKE: u32 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the cluster of `make e2e-long`"]
async fn a_system_that_was_changed_many_times_is_as_a_new_one() {
    let asked = Asked::of_this_run();
    let mut progress = asked.progress();
    println!(
        "E2E_SEED={}, {} changes are made already",
        progress.seed, progress.changes
    );
    while progress.changes < asked.changes {
        leg(&asked, &mut progress).await;
        asked.note(&progress);
    }
    println!("found: {}", progress.found());
}

/// By whoever started the cluster.
struct Asked {
    changes: u32,
    /// Where to note how far it came.
    noted: PathBuf,
    /// The program, to ask what it makes of a description.
    operator: PathBuf,
    /// A namespace in which nothing is made.
    empty: String,
}

impl Asked {
    #[expect(
        clippy::disallowed_methods,
        reason = "who started the cluster says what is wanted"
    )]
    fn of_this_run() -> Self {
        let said =
            |name: &str| std::env::var(name).expect("tests/cluster/long/mutations.sh says it");
        Self {
            changes: said("MUTATIONS").parse().expect("MUTATIONS is a number"),
            noted: said("E2E_NOTED").into(),
            operator: said("E2E_OPERATOR").into(),
            empty: said("E2E_EMPTY_NAMESPACE"),
        }
    }

    fn progress(&self) -> Progress {
        match std::fs::read(&self.noted) {
            Ok(noted) => serde_json::from_slice(&noted).expect("it was noted by this test"),
            Err(_) => Progress {
                seed: Seed::of_this_run().number(),
                ..Progress::default()
            },
        }
    }

    /// All of it or nothing.
    fn note(&self, progress: &Progress) {
        let new = self.noted.with_extension("new");
        let text = serde_json::to_vec(progress).expect("it has a JSON form");
        std::fs::write(&new, text).expect("a file can be written");
        std::fs::rename(&new, &self.noted).expect("a file can be renamed");
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    seed: u64,
    changes: u32,
    refused: u32,
    stops: u32,
    creates: u64,
    deaths: BTreeMap<Scene, Deaths>,
}

/// Of the operator, in one kind of change.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Deaths {
    all: usize,
    /// After so many writes it is to die next.
    next: usize,
    /// So many writes were the most that it died after.
    most: usize,
}

impl Progress {
    fn deaths(&self) -> usize {
        self.deaths.values().map(|deaths| deaths.all).sum()
    }

    fn found(&self) -> String {
        let deaths = SCENES.iter().filter_map(|scene| {
            let deaths = self.deaths.get(scene)?;
            Some(format!(
                "{} in {scene:?} after 1 to {} writes",
                deaths.all, deaths.most
            ))
        });
        format!(
            "{} changes, {} of them refused; {} times as a new one; the operator died: {}; {} creates judged",
            self.changes,
            self.refused,
            self.stops,
            deaths.collect::<Vec<_>>().join(", "),
            self.creates,
        )
    }
}

/// Ends with the system as it was at the beginning.
async fn leg(asked: &Asked, progress: &mut Progress) {
    let seed = Seed::of(progress.seed);
    let until = asked.changes.min(progress.changes + LEG);
    let system = System::of_this_run().expect("tests/cluster/e2e-long says where the system is");
    let run = Run::of(
        system.clone(),
        Seed::of(progress.seed.wrapping_add(progress.changes.into())),
    )
    .await;
    // Only when they are let in, so that there are processors for the others too.
    run.writers.tell(None);
    let mut walk = Walk::of(asked, &run, seed.dice(progress.changes.into()), progress).await;
    let described = walk.described();
    walk.keeps_small().await;
    while walk.progress.changes < until {
        let quiet = (walk.progress.changes / STOP) % 2 == 1;
        for number in 1..=STOP - DEATHS - MISTAKE {
            walk.changes(quiet).await;
            if number % 5 == 0 {
                walk.creates().await;
            }
        }
        walk.is_as_a_new_one().await;
        walk.makes_a_mistake().await;
        for _ in 0..DEATHS {
            let scene = SCENES[walk.progress.deaths() % SCENES.len()];
            walk.dies_in(scene).await;
        }
        walk.creates().await;
        run.say(&walk.progress.found());
    }
    walk.describe(&described).await;
    walk.is_as_a_new_one().await;
    drop(walk);
    run.writers.tell(Some(run.client.clone()));
    progress.creates += run.writers.load.accepted();
    let rest = run.comes_to_rest().await;
    rest.is_judged().await;
    system.audits();
}

impl Walk<'_> {
    /// Some messages, whatever goes on.
    async fn creates(&self) {
        let writers: &Writers = &self.run.writers;
        writers.tell(Some(self.run.client.clone()));
        writers.accepted_more(20).await;
        writers.tell(None);
    }
}
