//! What is between the operator and the API server fails in every way, again and again: what comes of it is what a new
//! system is.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_rooms};
use crate::process::Process;
use crate::random::next;
use crate::roll::migrations;
use crate::room::Room;
use crate::state::{State, remove, state, until_same};
use crate::wire::{Asked, Fate, Script};
use operator::build::CHECKSUM;
use operator::crd::ChatSystem;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// There and back so often at most, until every fault has happened.
const ROUNDS: usize = 20;
/// So much may be asked in each of them, and for each fault more.
const ROUND: usize = 100;
const FAULT: usize = 10;

const SEED: u64 = 0x0c4a_7000_5eed_0000;

const CONFLICT: Fate = Fate::Refused(409);
const GONE: Fate = Fate::Refused(410);
const BUSY: Fate = Fate::Refused(429);
const BROKEN: Fate = Fate::Refused(500);

/// What happens to reads, to writes, to watches that begin, and to what arrives on them: each so often, in an order that a
/// seed says.
struct Row(Mutex<BTreeMap<&'static str, Faults>>);

struct Faults {
    /// To each so many-th.
    every: usize,
    asked: usize,
    left: Vec<Fate>,
    happened: usize,
}

impl Row {
    fn new(seed: u64) -> Self {
        use Fate::{Closed, Lost, Unheard};
        let mut random = SEED + seed;
        let mut faults = |every, all: &[Fate]| {
            let mut left = all.to_vec();
            for last in (1..left.len()).rev() {
                left.swap(last, next(&mut random) % (last + 1));
            }
            Faults {
                every,
                asked: 0,
                left,
                happened: 0,
            }
        };
        let reads = faults(11, &[GONE, BUSY, BROKEN, Closed, Lost, Unheard]);
        let writes = faults(5, &[CONFLICT, GONE, BUSY, BROKEN, Closed, Lost, Unheard]);
        let watches = faults(2, &[BUSY, BROKEN, Closed, Lost, Unheard]);
        // In the place of an event, which is not told again where the watch begins anew with a list.
        let events = faults(11, &[GONE, Closed, GONE, Closed]);
        let rows = [
            ("read", reads),
            ("write", writes),
            ("watch", watches),
            ("event", events),
        ];
        Self(Mutex::new(rows.into()))
    }

    /// How many are still to come.
    fn left(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .values()
            .map(|row| row.left.len())
            .sum()
    }

    fn happened(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .values()
            .map(|row| row.happened)
            .sum()
    }
}

impl Script for Row {
    fn fate(&self, asked: Asked, _: &str) -> Fate {
        let name = match asked {
            Asked::Read => "read",
            Asked::Write(_) => "write",
            Asked::Watch => "watch",
            Asked::Event => "event",
        };
        let mut rows = self.0.lock().unwrap();
        let row = rows.get_mut(name).unwrap();
        row.asked += 1;
        if !row.asked.is_multiple_of(row.every) {
            return Fate::Answered;
        }
        let Some(fault) = row.left.pop() else {
            return Fate::Answered;
        };
        row.happened += 1;
        fault
    }
}

/// Goes there and back until every fault has happened. Each time it is there, it is what a new system is that nothing
/// happened to.
fn endure(
    seed: u64,
    new: fn(&mut ChatSystem),
    there: impl AsyncFn(&Room, usize),
    back: impl AsyncFn(&Room),
) {
    in_rooms(async |rooms| {
        let expected = rooms.with(|room| peace(room, new)).await;
        let among_faults = async |room: Room| {
            let _kubelet = Kubelet::start(&room.admin, &room.namespace);
            let row = Arc::new(Row::new(seed));
            let all = row.left();
            let operator = Process::scripted(&room, row.clone());
            for round in 1..=ROUNDS {
                there(&room, round).await;
                room.until_settled().await;
                eventually("there is one migration", async || {
                    (migrations(&room).await.len() == 1).then_some(())
                })
                .await;
                until_same(&room, &expected, |state| state, &format!("round {round}")).await;
                let (asked, happened) = (operator.requests(), row.happened());
                let most = ROUND * round + FAULT * happened;
                assert!(
                    asked < most,
                    "{asked} requests, {round} rounds, {happened} faults"
                );
                if row.left() == 0 {
                    break;
                }
                back(&room).await;
            }
            assert_eq!((row.happened(), row.left()), (all, 0));
        };
        rooms.with(among_faults).await;
    });
}

async fn peace(room: Room, new: fn(&mut ChatSystem)) -> State {
    let _kubelet = Kubelet::start(&room.admin, &room.namespace);
    let _operator = Process::start(&room);
    room.install(new).await;
    room.until_settled().await;
    state(&room).await
}

#[test]
fn an_installation_among_faults_ends_as_one_in_peace() {
    endure(
        1,
        |_| (),
        async |room, _| drop(room.install(|_| ()).await),
        remove,
    );
}

#[test]
fn an_upgrade_among_faults_ends_as_an_installation_in_peace() {
    let version = |version: &str| json!({ "spec": { "version": version } });
    endure(
        2,
        |system| system.spec.version = "0.2.0".to_owned(),
        async |room, round| change(room, round, version("0.2.0")).await,
        async |room| change(room, 0, version("0.1.0")).await,
    );
}

#[test]
fn scaling_among_faults_ends_as_an_installation_in_peace() {
    let replicas = |replicas: i32| {
        let autoscaling = json!({ "minReplicas": replicas, "maxReplicas": replicas });
        let workers = json!({ "messages": { "autoscaling": autoscaling } });
        json!({ "spec": { "workers": workers, "api": { "replicas": replicas } } })
    };
    endure(
        3,
        |system| {
            system.spec.api.replicas = 3;
            let messages = &mut system.spec.workers.messages.autoscaling;
            (messages.min_replicas, messages.max_replicas) = (3, 3);
        },
        async |room, round| change(room, round, replicas(3)).await,
        async |room| change(room, 0, replicas(2)).await,
    );
}

#[test]
fn a_rotation_among_faults_ends_as_an_installation_in_peace() {
    endure(
        4,
        |_| (),
        async |room, round| {
            if round == 1 {
                room.install(|_| ()).await;
                room.until_settled().await;
            }
            let before = room.checksum("acme-api", CHECKSUM).await;
            room.put_secret("acme-mysql", &format!("password-{round}"))
                .await;
            room.poke().await;
            room.until_settled_after(&before, CHECKSUM).await;
        },
        async |_| (),
    );
}

/// Of what is installed before the first one.
async fn change(room: &Room, round: usize, change: Value) {
    if round == 1 {
        room.install(|_| ()).await;
        room.until_settled().await;
    }
    room.merge(change).await;
    room.until_settled().await;
}
