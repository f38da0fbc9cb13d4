//! An operator that starts and is shown the past, as by an API server that is behind: it acts on that, and mends what it
//! did once it sees the present.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_a_namespace};
use crate::process::Process;
use crate::roll::migrations;
use crate::state::{state, until_same};
use crate::wire::{Asked, Fate, Script};
use axum::body::Bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The first list of each kind, as it was answered once.
#[derive(Default)]
struct Past(Mutex<BTreeMap<String, Bytes>>);

impl Script for Past {
    fn fate(&self, asked: Asked, path: &str) -> Fate {
        let is_known = self.0.lock().unwrap().contains_key(path);
        match asked == Asked::Read && is_list(path) && !is_known {
            true => Fate::Noted,
            false => Fate::Answered,
        }
    }

    fn note(&self, path: &str, answer: Bytes) {
        self.0.lock().unwrap().insert(path.to_owned(), answer);
    }
}

/// Of everything in a namespace, not of one object.
fn is_list(path: &str) -> bool {
    let inside = path.split_once("/namespaces/").map(|(_, inside)| inside);
    inside.is_some_and(|inside| inside.split('/').count() == 2)
}

/// Shows the past until it is over.
struct Behind {
    past: Arc<Past>,
    is_over: AtomicBool,
}

impl Script for Behind {
    fn fate(&self, asked: Asked, path: &str) -> Fate {
        match asked {
            Asked::Read => match self.past.0.lock().unwrap().remove(path) {
                Some(list) => Fate::Instead(list),
                None => Fate::Answered,
            },
            Asked::Watch if !self.is_over.load(Ordering::Relaxed) => Fate::Refused(500),
            _ => Fate::Answered,
        }
    }
}

#[test]
fn who_acts_on_the_past_mends_it_in_the_present() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        {
            let _operator = Process::start(&room);
            room.install(|_| ()).await;
            room.until_settled().await;
        }
        let past = Arc::new(Past::default());
        {
            let operator = Process::scripted(&room, past.clone());
            eventually("it has read everything", async || {
                operator.waits_for().is_none().then_some(())
            })
            .await;
            room.merge(json!({ "spec": { "version": "0.2.0" } })).await;
            room.until_settled().await;
        }
        let present = state(&room).await;

        let behind = Arc::new(Behind {
            past,
            is_over: AtomicBool::new(false),
        });
        let operator = Process::scripted(&room, behind.clone());
        eventually("it has applied all of what was", async || {
            let made_again = migrations(&room).await.len() == 2;
            (made_again && operator.writes() >= present.len()).then_some(())
        })
        .await;
        behind.is_over.store(true, Ordering::Relaxed);
        until_same(&room, &present, |state| state, "the present").await;
        eventually("there is one migration", async || {
            (migrations(&room).await.len() == 1).then_some(())
        })
        .await;
        room.until_settled().await;
    });
}
