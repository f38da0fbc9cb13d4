//! An operator that starts before the definition of ChatSystem is there waits for it.

use crate::kubelet::Kubelet;
use crate::plane::{eventually, in_a_namespace};
use crate::process::Process;
use crate::state::{State, state};
use crate::wire::{Asked, Fate, Script};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// There is no such kind until it is defined.
#[derive(Default)]
struct Undefined {
    refused: AtomicUsize,
    is_defined: AtomicBool,
}

impl Script for Undefined {
    fn fate(&self, asked: Asked, path: &str) -> Fate {
        let is_asked_for = asked != Asked::Event && path.ends_with("/chatsystems");
        if !is_asked_for || self.is_defined.load(Ordering::Relaxed) {
            return Fate::Answered;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Fate::Refused(404)
    }
}

#[test]
fn an_operator_without_its_definition_waits_and_begins_when_it_comes() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let script = Arc::new(Undefined::default());
        let operator = Process::scripted(&room, script.clone());
        room.install(|_| ()).await;
        eventually("it asks again and says what is missing", async || {
            let said = operator.waits_for()?;
            let again = script.refused.load(Ordering::Relaxed) > 1;
            (said.contains("is their definition installed?") && again).then_some(())
        })
        .await;
        assert_eq!(state(&room).await, State::new());
        script.is_defined.store(true, Ordering::Relaxed);
        room.until_settled().await;
        assert_eq!(operator.waits_for(), None);
    });
}
