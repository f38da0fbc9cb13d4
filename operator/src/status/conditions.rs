//! Ready, Progressing, MigrationsApplied, BackendsReady, QueueMetricsAvailable and DeadLetters, a function each.

use super::{Known, Migration, Rollout, Trouble};
use crate::crd::{ChatSystem, Role};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

struct Said {
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

fn said(
    kind: &'static str,
    status: &'static str,
    reason: &str,
    message: impl Into<String>,
) -> Said {
    Said {
        kind,
        status,
        reason: reason.to_owned(),
        message: message.into(),
    }
}

fn not(kind: &'static str, trouble: &Trouble) -> Said {
    said(kind, "False", &trouble.reason, trouble.message.clone())
}

/// All of them, always in this order. One that does not change its status keeps its time.
pub(super) fn compute(
    resource: &ChatSystem,
    known: &Known,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let all = [
        ready(resource, known),
        progressing(resource, known),
        migrations_applied(&known.migration),
        backends_ready(known),
        queue_metrics(known),
        dead_letters(known),
    ];
    all.map(|said| {
        let same = before
            .iter()
            .find(|condition| condition.type_ == said.kind && condition.status == said.status);
        Condition {
            type_: said.kind.to_owned(),
            status: said.status.to_owned(),
            reason: said.reason,
            message: said.message,
            observed_generation: resource.metadata.generation,
            last_transition_time: same.map_or(Time(now), |condition| {
                condition.last_transition_time.clone()
            }),
        }
    })
    .into()
}

/// Why the system does not do all of its work, the first cause first.
fn ready(resource: &ChatSystem, known: &Known) -> Said {
    let paused = resource.spec.paused;
    if paused && known.api.is_none() {
        return said(
            "Ready",
            "False",
            "Paused",
            "nothing is made while spec.paused is true",
        );
    }
    let mut ready = match trouble(known) {
        Some(trouble) => not("Ready", &trouble),
        None => match missing(known) {
            missing if missing.is_empty() => said("Ready", "True", "AllReady", counts(known)),
            missing => said("Ready", "True", "SomeReady", missing.join("; ")),
        },
    };
    if paused {
        ready.message = format!("Paused. {}", ready.message);
    }
    for kind in &known.unknown {
        let (name, group) = (kind.name(), kind.api_version());
        let unknown = format!(". The cluster does not know {name} ({group}), so there is none");
        ready.message.push_str(&unknown);
    }
    ready
}

fn trouble(known: &Known) -> Option<Trouble> {
    let trouble = |reason: &str, message: String| {
        Some(Trouble {
            reason: reason.to_owned(),
            message,
        })
    };
    if let Some(refused) = &known.refused {
        let first = refused
            .0
            .first()
            .map_or("InvalidSpec", |problem| problem.reason.name());
        return trouble(first, refused.to_string());
    }
    if let Some(failed) = &known.failed {
        return Some(failed.clone());
    }
    match &known.migration {
        Migration::Failed(failed) => return Some(failed.clone()),
        Migration::None | Migration::Running if !running(known) => {
            return trouble(
                "Migrating",
                "everything else waits for the tables".to_owned(),
            );
        }
        _ => {}
    }
    let works = known.api.as_ref().is_some_and(Rollout::works)
        && known.workers.len() == Role::ALL.len()
        && known.workers.iter().all(|workers| workers.rollout.works());
    match (&known.backends, works) {
        (_, true) => None,
        (Some(Err(backend)), false) => Some(backend.clone()),
        _ => trouble("PodsNotReady", counts(known)),
    }
}

/// Something is there that works without this migration.
fn running(known: &Known) -> bool {
    known.api.as_ref().is_some_and(|api| api.ready > 0)
}

/// Who works with fewer pods than there should be.
fn missing(known: &Known) -> Vec<String> {
    let api = known.api.iter().map(|rollout| ("api", rollout));
    let workers = known.workers.iter();
    let workers = workers.map(|workers| (workers.role.name(), &workers.rollout));
    api.chain(workers)
        .filter(|(_, rollout)| rollout.ready < rollout.wanted)
        .map(|(name, rollout)| format!("{name}: {} of {} ready", rollout.ready, rollout.wanted))
        .collect()
}

fn counts(known: &Known) -> String {
    let workers = known.workers.iter().map(|workers| &workers.rollout);
    let (ready, wanted) = workers.fold((0, 0), |(ready, wanted), rollout| {
        (ready + rollout.ready, wanted + rollout.wanted)
    });
    let api = known
        .api
        .as_ref()
        .map_or((0, 0), |api| (api.ready, api.wanted));
    format!("API {}/{}, workers {ready}/{wanted}", api.0, api.1)
}

fn progressing(resource: &ChatSystem, known: &Known) -> Said {
    let kind = "Progressing";
    let mut rollouts = known
        .workers
        .iter()
        .map(|workers| &workers.rollout)
        .chain(&known.api);
    if resource.spec.paused {
        said(
            kind,
            "False",
            "Paused",
            "only the number of workers is changed",
        )
    } else if known.refused.is_some() {
        said(kind, "False", "Refused", "what runs stays as it was")
    } else if let Some(failed) = &known.failed {
        not(kind, failed)
    } else if let Migration::Failed(_) = known.migration {
        said(
            kind,
            "False",
            "MigrationFailed",
            "what runs stays as it was",
        )
    } else if known.migration == Migration::Running || known.migration == Migration::None {
        said(
            kind,
            "True",
            "Migrating",
            "everything else waits for the tables",
        )
    } else if known.is_under_way || rollouts.any(|rollout| !rollout.complete) || known.api.is_none()
    {
        said(kind, "True", "RollingOut", "workers first, then the API")
    } else {
        said(kind, "False", "RolloutComplete", "")
    }
}

fn migrations_applied(migration: &Migration) -> Said {
    let kind = "MigrationsApplied";
    match migration {
        Migration::None => said(kind, "Unknown", "NotStarted", ""),
        Migration::Running => said(kind, "False", "JobRunning", ""),
        Migration::Complete(text) => said(kind, "True", "JobSucceeded", text.trim()),
        Migration::Failed(trouble) => not(kind, trouble),
    }
}

fn backends_ready(known: &Known) -> Said {
    let kind = "BackendsReady";
    match &known.backends {
        None => said(
            kind,
            "Unknown",
            "NobodyAsked",
            "no pod runs that could tell",
        ),
        Some(Ok(())) => said(kind, "True", "AllReachable", ""),
        Some(Err(trouble)) => not(kind, trouble),
    }
}

fn queue_metrics(known: &Known) -> Said {
    let kind = "QueueMetricsAvailable";
    match &known.queue_metrics {
        None => said(kind, "Unknown", "NotAsked", ""),
        Some(Ok(())) => said(kind, "True", "SampleComplete", ""),
        Some(Err(trouble)) => not(kind, trouble),
    }
}

/// The one condition whose True is bad.
fn dead_letters(known: &Known) -> Said {
    let kind = "DeadLetters";
    match known.dead_letters {
        None => said(kind, "Unknown", "NotAsked", ""),
        Some(0) => said(kind, "False", "NoneWaiting", ""),
        Some(_) => {
            let message = "commands that nobody could carry out wait in chat.dead: `chat-worker dlq ls` lists them";
            said(kind, "True", "Waiting", message)
        }
    }
}
