//! The operator dies at every single write, before or after the API server heard of it; the next one ends where one
//! that lives would have ended. And two at once end there too.

use crate::kubelet::Kubelet;
use crate::plane::{in_a_namespace, in_rooms};
use crate::process::{Dies, Process};
use crate::room::Room;
use crate::state::{State, differences, remove, state, until_same};
use futures::StreamExt;
use kube::api::DeleteParams;
use operator::build::CHECKSUM;
use serde_json::{Value, json};

/// So many installations at the same time.
const AT_ONCE: usize = 6;

/// Each of the deaths there can be in so many writes.
fn deaths(writes: usize) -> impl Iterator<Item = Dies> {
    (1..=writes).flat_map(|write| [Dies::Before(write), Dies::After(write)])
}

async fn until(room: &Room, expected: &State, what: &str) {
    room.until_ready().await;
    until_same(room, expected, |state| state, what).await;
}

/// Installs with an operator that dies there, and goes on with another.
async fn install(room: Room, dies: Dies) -> (State, usize) {
    let _kubelet = Kubelet::start(&room.admin, &room.namespace);
    let mortal = Process::mortal(&room, dies);
    room.install(|_| ()).await;
    let alive = tokio::select! {
        () = mortal.dying() => None,
        () = room.until_settled() => Some(()),
    };
    let writes = mortal.writes();
    drop(mortal);
    let _operator = alive.is_none().then(|| Process::start(&room));
    room.until_settled().await;
    (state(&room).await, writes)
}

#[test]
fn an_installation_survives_the_death_of_the_operator_at_every_write() {
    in_rooms(async |rooms| {
        let (expected, writes) = rooms.with(|room| install(room, Dies::Never)).await;
        assert!(
            writes > expected.len(),
            "every child is a write, and there is a status"
        );
        let runs = futures::stream::iter(deaths(writes)).map(|dies| {
            let rooms = &rooms;
            async move { (dies, rooms.with(|room| install(room, dies)).await.0) }
        });
        let ends: Vec<_> = runs.buffer_unordered(AT_ONCE).collect().await;
        for (dies, end) in ends {
            assert_eq!(
                differences(&expected, &end),
                Vec::<String>::new(),
                "{dies:?}"
            );
        }
    });
}

/// Deletes what an operator that dies there has begun, makes it anew at once, and deletes that too.
async fn delete(room: Room, dies: Dies, expected: &State) {
    let _kubelet = Kubelet::start(&room.admin, &room.namespace);
    let mortal = Process::mortal(&room, dies);
    room.install(|_| ()).await;
    tokio::select! {
        () = mortal.dying() => (),
        () = room.until_settled() => (),
    }
    room.systems()
        .delete("acme", &DeleteParams::default())
        .await
        .unwrap();
    drop(mortal);
    let _operator = Process::start(&room);
    room.install(|_| ()).await;
    until(&room, expected, &format!("{dies:?}")).await;
    remove(&room).await;
}

#[test]
fn a_deletion_survives_the_death_of_the_operator_at_every_write() {
    in_rooms(async |rooms| {
        let (expected, writes) = rooms.with(|room| install(room, Dies::Never)).await;
        let runs = futures::stream::iter(deaths(writes)).map(|dies| {
            let (rooms, expected) = (&rooms, &expected);
            async move { rooms.with(|room| delete(room, dies, expected)).await }
        });
        let ends: Vec<()> = runs.buffer_unordered(AT_ONCE).collect().await;
        assert_eq!(ends.len(), 2 * writes);
    });
}

/// There and back again, with a death at each write on each way.
async fn back_and_forth(room: &Room, there: Value, back: Value) {
    let _kubelet = Kubelet::start(&room.admin, &room.namespace);
    let mut ends = Vec::new();
    let mut most = 0;
    {
        let operator = Process::start(room);
        room.install(|_| ()).await;
        room.until_settled().await;
        for change in [&there, &back] {
            let before = operator.writes();
            room.merge(change.clone()).await;
            room.until_settled().await;
            most = most.max(operator.writes() - before);
            ends.push(state(room).await);
        }
    }
    assert_ne!(
        differences(&ends[0], &ends[1]),
        Vec::<String>::new(),
        "it changes something"
    );
    assert!(most > 0);
    // After its start an operator applies everything once, and changes nothing by that.
    let writes = most + ends[1].len();
    for (number, dies) in deaths(writes).enumerate() {
        let change = [&there, &back][number % 2];
        let expected = &ends[number % 2];
        let mortal = Process::mortal(room, dies);
        room.merge(change.clone()).await;
        tokio::select! {
            () = mortal.dying() => (),
            () = room.until_settled() => (),
        }
        drop(mortal);
        let _operator = Process::start(room);
        until(room, expected, &format!("{dies:?} of {change}")).await;
    }
}

#[test]
fn an_upgrade_survives_the_death_of_the_operator_at_every_write() {
    in_a_namespace(async |room| {
        let version = |version: &str| json!({ "spec": { "version": version } });
        back_and_forth(&room, version("0.2.0"), version("0.1.0")).await;
    });
}

#[test]
fn scaling_and_settings_survive_the_death_of_the_operator_at_every_write() {
    in_a_namespace(async |room| {
        let spec = |replicas: i32, proxies: i32| {
            let workers = json!({ "messages": { "autoscaling": { "minReplicas": replicas } } });
            let api = json!({ "replicas": replicas, "trustedProxies": proxies });
            json!({ "spec": { "workers": workers, "api": api } })
        };
        back_and_forth(&room, spec(3, 1), spec(2, 0)).await;
    });
}

#[test]
fn a_rotation_survives_the_death_of_the_operator_at_every_write() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let (expected, most) = {
            let operator = Process::start(&room);
            room.install(|_| ()).await;
            room.until_settled().await;
            let before = operator.writes();
            rotate(&room, 1).await;
            (state(&room).await, operator.writes() - before)
        };
        for (number, dies) in deaths(most + expected.len()).enumerate() {
            let mortal = Process::mortal(&room, dies);
            let before = checksum(&room).await;
            room.put_secret("acme-mysql", &format!("mortal-{number}"))
                .await;
            room.poke().await;
            tokio::select! {
                () = mortal.dying() => (),
                () = room.until_settled_after(&before, CHECKSUM) => (),
            }
            drop(mortal);
            let _operator = Process::start(&room);
            room.until_settled_after(&before, CHECKSUM).await;
            until(&room, &expected, &format!("{dies:?}")).await;
        }
    });
}

async fn rotate(room: &Room, number: usize) {
    let before = checksum(room).await;
    room.put_secret("acme-mysql", &format!("password-{number}"))
        .await;
    room.poke().await;
    room.until_settled_after(&before, CHECKSUM).await;
}

async fn checksum(room: &Room) -> String {
    room.checksum("acme-api", CHECKSUM).await
}

#[test]
fn two_operators_at_once_end_where_one_does() {
    in_rooms(async |rooms| {
        let (expected, _) = rooms.with(|room| install(room, Dies::Never)).await;
        let twice = async |room: Room| {
            let _kubelet = Kubelet::start(&room.admin, &room.namespace);
            let _first = Process::start(&room);
            let _second = Process::start(&room);
            room.install(|_| ()).await;
            until(&room, &expected, "two end where one does").await;
            room.merge(json!({ "spec": { "version": "0.2.0" } })).await;
            room.until_settled().await;
            room.merge(json!({ "spec": { "version": "0.1.0" } })).await;
            until(&room, &expected, "two end where one does").await;
            remove(&room).await;
        };
        rooms.with(twice).await;
    });
}
