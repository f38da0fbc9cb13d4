//! What of a change in the status is worth an Event: each thing that turned bad, once, and that all is well again.

use crate::crd::ChatSystemStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// An Event about a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub is_warning: bool,
    pub reason: String,
    pub note: String,
}

/// From conditions that people look at; whether a rollout goes on is told by its Deployments.
pub fn events(before: &ChatSystemStatus, after: &ChatSystemStatus) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for condition in &after.conditions {
        // How many pods share the work changes with every scaling.
        let works = condition.type_ == "Ready" && condition.status == "True";
        let same = before.conditions.iter().any(|before| {
            (&before.type_, &before.status) == (&condition.type_, &condition.status)
                && (works || before.reason == condition.reason)
        });
        let is_bad = is_bad(condition);
        let is_worth = match condition.type_.as_str() {
            "Progressing" => false,
            "Ready" => true,
            _ => is_bad,
        };
        // What makes a system unready is the reason of two conditions.
        let is_told = told.iter().any(|told| told.reason == condition.reason);
        if !same && is_worth && !is_told {
            told.push(Told {
                is_warning: is_bad && !is_on_its_way(condition),
                reason: condition.reason.clone(),
                note: condition.message.clone(),
            });
        }
    }
    told
}

fn is_bad(condition: &Condition) -> bool {
    let bad = if condition.type_ == "DeadLetters" {
        "True"
    } else {
        "False"
    };
    condition.status == bad && condition.reason != "JobRunning"
}

fn is_on_its_way(condition: &Condition) -> bool {
    matches!(
        condition.reason.as_str(),
        "Migrating" | "PodsNotReady" | "Paused"
    )
}
