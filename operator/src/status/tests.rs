//! What people read in each situation.

use super::*;
use crate::crd::ChatSystemSpec;
use crate::manifest;
use crate::scaling::Reason;
use crate::validate::{self, Problem};

const SAMPLE: &str = include_str!("../../../examples/ten-lines.yaml");

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn resource(change: impl FnOnce(&mut ChatSystemSpec)) -> ChatSystem {
    let mut resource = manifest::read(SAMPLE).unwrap().remove(0);
    resource.metadata.generation = Some(3);
    change(&mut resource.spec);
    resource
}

fn rollout(wanted: i32, ready: i32) -> Rollout {
    Rollout {
        wanted,
        replicas: wanted,
        ready,
        complete: ready == wanted,
        version: Some("0.1.0".to_owned()),
    }
}

fn workers(role: Role, wanted: i32, ready: i32) -> Workers {
    let decision = Decision {
        replicas: wanted,
        reason: Reason::Steady,
        memory: Memory::default(),
    };
    Workers {
        role,
        rollout: rollout(wanted, ready),
        decision,
        backlog: Some(617),
    }
}

fn trouble(reason: &str) -> Trouble {
    Trouble {
        reason: reason.to_owned(),
        message: format!("{reason} it is"),
    }
}

/// Everything works.
fn well() -> Known {
    Known {
        refused: None,
        failed: None,
        unknown: BTreeSet::new(),
        migration: Migration::Complete("The schema has version 7 already.\n".to_owned()),
        is_under_way: false,
        api: Some(rollout(2, 2)),
        api_selector: "a=b".to_owned(),
        workers: Role::ALL.map(|role| workers(role, 1, 1)).into(),
        backends: Some(Ok(())),
        queue_metrics: Some(Ok(())),
        dead_letters: Some(0),
    }
}

fn refused() -> Invalid {
    Invalid(vec![Problem {
        reason: validate::Reason::SecretNotFound,
        field: "spec.redis.urlSecretRef.name".to_owned(),
        message: "there is no Secret acme-redis".to_owned(),
    }])
}

/// Status, reason and message of a condition.
fn condition(status: &ChatSystemStatus, kind: &str) -> (String, String, String) {
    let found = status
        .conditions
        .iter()
        .find(|found| found.type_ == kind)
        .unwrap();
    (
        found.status.clone(),
        found.reason.clone(),
        found.message.clone(),
    )
}

fn told(known: &Known, kind: &str) -> (String, String, String) {
    condition(&compute(&resource(|_| ()), known, at(0)), kind)
}

fn text(status: &str, reason: &str, message: &str) -> (String, String, String) {
    (status.to_owned(), reason.to_owned(), message.to_owned())
}

#[test]
fn a_system_that_works_says_so_in_every_column() {
    let status = compute(&resource(|_| ()), &well(), at(0));
    assert_eq!(
        condition(&status, "Ready"),
        text("True", "AllReady", "API 2/2, workers 3/3")
    );
    assert_eq!(
        condition(&status, "Progressing"),
        text("False", "RolloutComplete", "")
    );
    let migrated = text("True", "JobSucceeded", "The schema has version 7 already.");
    assert_eq!(condition(&status, "MigrationsApplied"), migrated);
    assert_eq!(
        condition(&status, "DeadLetters"),
        text("False", "NoneWaiting", "")
    );
    assert_eq!(status.version.as_deref(), Some("0.1.0"));
    assert_eq!(status.url.as_deref(), Some("http://chat.example.com"));
    assert_eq!(status.backlog, Some(1_800));
    assert_eq!(status.worker_replicas, Some(3));
    assert_eq!(status.api.as_ref().unwrap().ready_replicas, 2);
    assert_eq!(status.workers.len(), 3);
    assert_eq!(status.workers[0].backlog, Some(610));
}

#[test]
fn every_path_says_which_generation_it_is_about() {
    let mut broken = well();
    broken.refused = Some(refused());
    let mut failed = well();
    failed.migration = Migration::Failed(trouble("DowngradeRefused"));
    for known in [well(), broken, failed] {
        let status = compute(&resource(|_| ()), &known, at(0));
        assert_eq!(status.observed_generation, Some(3));
        assert_eq!(status.conditions.len(), 6);
        for condition in status.conditions {
            assert_eq!(condition.observed_generation, Some(3));
        }
    }
}

#[test]
fn a_refused_specification_names_its_field_and_what_runs_stays() {
    let mut known = well();
    known.refused = Some(refused());
    let said = "spec.redis.urlSecretRef.name: there is no Secret acme-redis";
    assert_eq!(told(&known, "Ready"), text("False", "SecretNotFound", said));
    let stays = text("False", "Refused", "what runs stays as it was");
    assert_eq!(told(&known, "Progressing"), stays);
}

#[test]
fn a_failed_migration_is_the_reason() {
    let mut known = well();
    known.migration = Migration::Failed(trouble("DowngradeRefused"));
    let why = text("False", "DowngradeRefused", "DowngradeRefused it is");
    assert_eq!(told(&known, "Ready"), why);
    assert_eq!(told(&known, "MigrationsApplied"), why);
    assert_eq!(told(&known, "Progressing").1, "MigrationFailed");
}

#[test]
fn what_the_api_server_refuses_is_the_reason() {
    let mut known = well();
    known.failed = Some(trouble("Forbidden"));
    let why = text("False", "Forbidden", "Forbidden it is");
    assert_eq!(told(&known, "Ready"), why);
    assert_eq!(told(&known, "Progressing"), why);
}

#[test]
fn a_kind_that_the_cluster_does_not_know_is_named() {
    let mut known = well();
    known.unknown = [Kind::PodMonitor].into();
    let said = "API 2/2, workers 3/3. The cluster does not know PodMonitor (monitoring.coreos.com/v1), so there is none";
    assert_eq!(told(&known, "Ready"), text("True", "AllReady", said));
}

#[test]
fn pods_of_two_templates_are_no_complete_rollout() {
    let done = DeploymentFacts {
        wanted: 2,
        replicas: 2,
        updated: 2,
        ready: 2,
        available: 2,
        is_observed: true,
        image: "registry:5000/chat-api:0.1.0".to_owned(),
    };
    let complete = |change: &dyn Fn(&mut DeploymentFacts)| {
        let mut facts = done.clone();
        change(&mut facts);
        Rollout::from(&facts).complete
    };
    assert_eq!(Rollout::from(&done), rollout(2, 2));
    assert!(!complete(&|facts| facts.is_observed = false));
    assert!(!complete(&|facts| facts.replicas = 3), "an old pod is left");
    assert!(!complete(&|facts| facts.updated = 1));
    assert!(!complete(&|facts| facts.available = 1));
    assert_eq!(
        Rollout::from(&DeploymentFacts { updated: 1, ..done }).version,
        None
    );
}

#[test]
fn an_upgrade_that_migrates_stays_ready_and_an_installation_is_not_yet() {
    let mut known = well();
    known.migration = Migration::Running;
    assert_eq!(told(&known, "Ready").1, "AllReady");
    assert_eq!(told(&known, "Progressing").1, "Migrating");
    known.api = Some(rollout(2, 0));
    known.workers.clear();
    assert_eq!(told(&known, "Ready").1, "Migrating");
}

#[test]
fn a_server_that_is_away_is_the_reason_that_pods_are_not_ready() {
    let mut known = well();
    known.api = Some(rollout(2, 0));
    assert_eq!(
        told(&known, "Ready"),
        text("False", "PodsNotReady", "API 0/2, workers 3/3")
    );
    known.backends = Some(Err(trouble("RedisAccessDenied")));
    assert_eq!(told(&known, "Ready").1, "RedisAccessDenied");
    assert_eq!(told(&known, "BackendsReady").1, "RedisAccessDenied");
    // One of two does the work.
    known.api = Some(rollout(2, 1));
    assert_eq!(told(&known, "Ready").0, "True");
}

#[test]
fn a_system_that_works_with_fewer_pods_than_it_should_have_says_which() {
    let mut known = well();
    known.api = Some(rollout(2, 1));
    let some = |message| text("True", "SomeReady", message);
    assert_eq!(told(&known, "Ready"), some("api: 1 of 2 ready"));
    known.workers[1] = workers(Role::Messages, 5, 3);
    assert_eq!(
        told(&known, "Ready"),
        some("api: 1 of 2 ready; messages: 3 of 5 ready")
    );
    // Pods of the template before are still there.
    known.api = Some(rollout(2, 3));
    known.workers[1] = workers(Role::Messages, 5, 5);
    assert_eq!(told(&known, "Ready").1, "AllReady");
}

#[test]
fn how_many_pods_share_the_work_is_no_event() {
    let resource = resource(|_| ());
    let told = |before: &ChatSystemStatus, after: &ChatSystemStatus| {
        let told = events(before, after).into_iter();
        told.map(|told| told.reason).collect::<Vec<_>>()
    };
    let mut known = well();
    known.workers[1] = workers(Role::Messages, 5, 1);
    let (all, some) = (
        compute(&resource, &well(), at(0)),
        compute(&resource, &known, at(0)),
    );
    known.workers[1] = workers(Role::Messages, 5, 0);
    let none = compute(&resource, &known, at(0));
    assert_eq!(told(&all, &some), [""; 0]);
    assert_eq!(told(&some, &all), [""; 0]);
    assert_eq!(told(&none, &some), ["SomeReady"]);
    assert_eq!(told(&some, &none), ["PodsNotReady"]);
}

#[test]
fn a_role_that_sleeps_at_zero_is_ready() {
    let mut known = well();
    known.workers[2] = workers(Role::Indexing, 0, 0);
    assert_eq!(
        told(&known, "Ready"),
        text("True", "AllReady", "API 2/2, workers 2/2")
    );
}

#[test]
fn a_paused_system_says_so_whatever_else_is_true() {
    let paused = resource(|spec| spec.paused = true);
    let said = |known: &Known, kind| condition(&compute(&paused, known, at(0)), kind);
    let ready = text("True", "AllReady", "Paused. API 2/2, workers 3/3");
    assert_eq!(said(&well(), "Ready"), ready);
    assert_eq!(said(&well(), "Progressing").1, "Paused");
    let mut broken = well();
    broken.refused = Some(refused());
    let (_, reason, message) = said(&broken, "Ready");
    assert_eq!(reason, "SecretNotFound");
    assert!(message.starts_with("Paused. spec.redis"));
    // Before the first installation.
    let nothing = Known {
        migration: Migration::None,
        api: None,
        workers: Vec::new(),
        backends: None,
        ..well()
    };
    assert_eq!(said(&nothing, "Ready").1, "Paused");
    assert_eq!(said(&nothing, "Progressing").1, "Paused");
}

#[test]
fn dead_letters_are_told_with_the_command_that_shows_them() {
    let mut known = well();
    known.dead_letters = Some(2);
    let (status, reason, message) = told(&known, "DeadLetters");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Waiting"));
    assert!(message.contains("chat-worker dlq ls"));
    known.dead_letters = None;
    assert_eq!(told(&known, "DeadLetters").0, "Unknown");
}

#[test]
fn a_condition_that_stays_keeps_its_time() {
    let mut resource = resource(|_| ());
    resource.status = Some(compute(&resource, &well(), at(0)));
    let mut known = well();
    known.backends = Some(Err(trouble("MySQLUnreachable")));
    let status = compute(&resource, &known, at(60));
    for condition in status.conditions {
        let expected = if condition.type_ == "BackendsReady" {
            60
        } else {
            0
        };
        assert_eq!(
            condition.last_transition_time,
            Time(at(expected)),
            "{}",
            condition.type_
        );
    }
}

#[test]
fn what_is_unknown_for_a_moment_stays_as_it_was_said() {
    let mut resource = resource(|_| ());
    resource.status = Some(compute(&resource, &well(), at(0)));
    let mut known = well();
    known.api = None;
    known.workers.clear();
    let status = compute(&resource, &known, at(60));
    assert_eq!(status.version.as_deref(), Some("0.1.0"));
    assert!(status.api.is_some());
    assert_eq!(status.workers.len(), 3);
}

#[test]
fn pods_that_are_not_asked_yet_to_be_newer_are_no_complete_rollout() {
    let mut known = well();
    known.is_under_way = true;
    assert_eq!(told(&known, "Progressing").1, "RollingOut");
    let status = compute(&resource(|_| ()), &known, at(0));
    assert_eq!(
        status.version, None,
        "nobody has seen the newest template in every pod"
    );
}

#[test]
fn versions_that_differ_are_none() {
    let mut known = well();
    known.workers[0].rollout.version = Some("0.2.0".to_owned());
    let status = compute(&resource(|_| ()), &known, at(0));
    assert_eq!(status.version, None);
}

#[test]
fn a_certificate_makes_the_address_https() {
    let resource = resource(|spec| {
        let ingress = spec.exposure.ingress.get_or_insert_default();
        ingress.tls_secret_name = Some("certificate".to_owned());
    });
    let status = compute(&resource, &well(), at(0));
    assert_eq!(status.url.as_deref(), Some("https://chat.example.com"));
}

#[test]
fn what_a_decision_remembers_comes_back_out_of_the_status() {
    let remembered = Memory {
        last_scale: Some(at(1)),
        low: Some(Low {
            since: at(2),
            peak: 3,
        }),
        ack_rate: Some(AckRate {
            per_replica: 9_800,
            seen: at(4),
        }),
    };
    let mut known = well();
    known.workers[1].decision.memory = remembered;
    let status = compute(&resource(|_| ()), &known, at(60));
    // Through the API server and back.
    let stored = serde_json::to_value(&status).unwrap();
    let status: ChatSystemStatus = serde_json::from_value(stored).unwrap();
    assert_eq!(memory(&status, Role::Messages), remembered);
    assert_eq!(memory(&status, Role::Chats), Memory::default());
    assert_eq!(
        memory(&ChatSystemStatus::default(), Role::Chats),
        Memory::default()
    );
}

#[test]
fn only_what_somebody_wants_to_read_is_news() {
    let status = |change: &dyn Fn(&mut Known)| {
        let mut known = well();
        known.workers[0].decision.memory.ack_rate = Some(AckRate {
            per_replica: 1_000,
            seen: at(0),
        });
        change(&mut known);
        let mut status = compute(&resource(|_| ()), &known, at(0));
        // The time of a condition is news by itself and is tested above.
        for condition in &mut status.conditions {
            condition.last_transition_time = Time(at(0));
        }
        status
    };
    let before = status(&|_| ());
    let news = |change: &dyn Fn(&mut Known)| is_news(&before, &status(change));
    let rate = |per_replica| AckRate {
        per_replica,
        seen: at(9),
    };
    assert!(!news(&|_| ()));
    assert!(!news(&|known| known.workers[0].backlog = Some(700)));
    assert!(news(&|known| known.workers[0].backlog = Some(760)));
    assert!(news(&|known| known.workers[0].backlog = Some(0)));
    assert!(news(&|known| known.workers[0].backlog = None));
    assert!(!news(
        &|known| known.workers[0].decision.memory.ack_rate = Some(rate(1_100))
    ));
    assert!(news(
        &|known| known.workers[0].decision.memory.ack_rate = Some(rate(1_101))
    ));
    assert!(news(
        &|known| known.workers[0].decision.reason = Reason::Blind
    ));
    assert!(news(&|known| known.workers[0].decision.replicas = 2));
    assert!(news(&|known| known.workers[0].rollout.ready = 0));
    assert!(news(&|known| known.dead_letters = Some(1)));
    let began = |since| Some(Low { since, peak: 1 });
    assert!(news(
        &|known| known.workers[0].decision.memory.low = began(at(1))
    ));
}

#[test]
fn what_turns_bad_is_an_event_once() {
    let status = |known: &Known| compute(&resource(|_| ()), known, at(0));
    let mut broken = well();
    broken.backends = Some(Err(trouble("RedisAccessDenied")));
    broken.api = Some(rollout(2, 0));
    let told = |before: &ChatSystemStatus, after: &ChatSystemStatus| {
        let told = events(before, after).into_iter();
        told.map(|told| (told.is_warning, told.reason))
            .collect::<Vec<_>>()
    };
    let (well, broken) = (status(&well()), status(&broken));
    assert_eq!(
        told(&ChatSystemStatus::default(), &well),
        [(false, "AllReady".to_owned())]
    );
    assert_eq!(told(&well, &well), []);
    assert_eq!(
        told(&well, &broken),
        [(true, "RedisAccessDenied".to_owned())]
    );
    assert_eq!(told(&broken, &broken), []);
    assert_eq!(told(&broken, &well), [(false, "AllReady".to_owned())]);
}

#[test]
fn a_backlog_that_is_not_told_yet_is_no_news() {
    let before = compute(&resource(|_| ()), &well(), at(0));
    let mut known = well();
    known.workers[0].backlog = Some(90_000);
    let after = compute(&resource(|_| ()), &known, at(0));
    assert!(is_news(&before, &after));
    assert!(!is_news(&before, &with_backlog_of(&before, after)));
}

#[test]
fn two_digits_are_enough() {
    for (number, shown) in [
        (0, 0),
        (7, 7),
        (99, 99),
        (101, 100),
        (1_299, 1_200),
        (98_765, 98_000),
    ] {
        assert_eq!(two_digits(number), shown);
    }
    assert!(two_digits(u64::MAX) > 0);
}
