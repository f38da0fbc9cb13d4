//! Each rule by an example, what always holds by properties, and the whole loop in `simulation`.

mod simulation;

use super::*;
use proptest::prelude::*;

const POLICY: QueueScaling = QueueScaling {
    min_replicas: 1,
    max_replicas: 20,
    backlog_per_replica: 5_000,
    scale_down_stabilization_seconds: 300,
};
const FROM_ZERO: QueueScaling = QueueScaling {
    min_replicas: 0,
    ..POLICY
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn seen(backlog: u64) -> Sight {
    Sight::Seen {
        backlog,
        rates: None,
    }
}

fn flowing(backlog: u64, publish: f64, ack: f64) -> Sight {
    Sight::Seen {
        backlog,
        rates: Some(Rates { publish, ack }),
    }
}

/// All of them ready.
fn pods(replicas: i32) -> Workload {
    Workload {
        replicas,
        ready: replicas,
    }
}

/// Scaled long ago.
fn calm() -> Memory {
    Memory {
        last_scale: Some(at(-10_000)),
        ..Memory::default()
    }
}

fn low(since: i64, peak: i32) -> Memory {
    Memory {
        low: Some(Low {
            since: at(since),
            peak,
        }),
        ..calm()
    }
}

fn knows(memory: Memory, per_replica: i32, seen: i64) -> Memory {
    Memory {
        ack_rate: Some(AckRate {
            per_replica,
            seen: at(seen),
        }),
        ..memory
    }
}

fn chosen(policy: &QueueScaling, sight: Sight, memory: Memory, pods: Workload) -> (i32, Reason) {
    let decision = decide(policy, sight, memory, pods, at(0));
    (decision.replicas, decision.reason)
}

#[test]
fn a_backlog_brings_as_many_as_it_needs_but_at_most_twice_or_four_more() {
    for (backlog, replicas, expected) in [
        (10_000, 1, 2),
        (25_000, 1, 5),
        (100_000, 1, 5),
        (100_000, 5, 10),
        (1_000_000, 15, 20),
    ] {
        let chosen = chosen(&POLICY, seen(backlog), calm(), pods(replicas));
        assert_eq!(chosen, (expected, Reason::ScaledUp), "{backlog} {replicas}");
    }
}

#[test]
fn a_tenth_more_than_enough_brings_nobody() {
    let two = pods(2);
    assert_eq!(
        chosen(&POLICY, seen(11_000), calm(), two),
        (2, Reason::Steady)
    );
    assert_eq!(
        chosen(&POLICY, seen(11_001), calm(), two),
        (3, Reason::ScaledUp)
    );
}

#[test]
fn changes_upwards_are_fifteen_seconds_apart() {
    let scaled = |second| Memory {
        last_scale: Some(at(second)),
        ..Memory::default()
    };
    let two = pods(2);
    assert_eq!(
        chosen(&POLICY, seen(20_000), scaled(-14), two),
        (2, Reason::Cooling)
    );
    assert_eq!(
        chosen(&POLICY, seen(20_000), scaled(-15), two),
        (4, Reason::ScaledUp)
    );
}

#[test]
fn without_memory_it_is_as_if_just_scaled() {
    let decision = decide(&POLICY, seen(20_000), Memory::default(), pods(2), at(0));
    assert_eq!((decision.replicas, decision.reason), (2, Reason::Cooling));
    assert_eq!(decision.memory.last_scale, Some(at(0)));
    let later = decide(&POLICY, seen(20_000), decision.memory, pods(2), at(15));
    assert_eq!(later.reason, Reason::ScaledUp);
}

#[test]
fn mysql_away_does_not_scale_up() {
    let nobody_works = Workload {
        replicas: 2,
        ready: 0,
    };
    let expected = (2, Reason::NoReplicaReady);
    assert_eq!(
        chosen(&POLICY, seen(90_000), calm(), nobody_works),
        expected
    );
}

#[test]
fn one_ready_replica_is_enough_to_scale_up() {
    let one_works = Workload {
        replicas: 2,
        ready: 1,
    };
    assert_eq!(
        chosen(&POLICY, seen(90_000), calm(), one_works),
        (6, Reason::ScaledUp)
    );
}

#[test]
fn a_role_at_zero_wakes_with_the_first_command() {
    assert_eq!(
        chosen(&FROM_ZERO, seen(1), calm(), pods(0)),
        (1, Reason::ScaledUp)
    );
    assert_eq!(
        chosen(&FROM_ZERO, seen(0), calm(), pods(0)),
        (0, Reason::AtMinimum)
    );
}

#[test]
fn a_blind_role_at_zero_wakes_one_worker() {
    let blind = |second| Sight::Blind { since: at(second) };
    assert_eq!(
        chosen(&FROM_ZERO, blind(-59), calm(), pods(0)),
        (0, Reason::Blind)
    );
    assert_eq!(
        chosen(&FROM_ZERO, blind(-60), calm(), pods(0)),
        (1, Reason::Blind)
    );
}

#[test]
fn whoever_is_blind_holds_and_forgets_that_fewer_would_do() {
    let sight = Sight::Blind { since: at(-5_000) };
    let decision = decide(&POLICY, sight, low(-299, 1), pods(7), at(0));
    assert_eq!((decision.replicas, decision.reason), (7, Reason::Blind));
    assert_eq!(decision.memory.low, None);
}

#[test]
fn moved_bounds_hold_at_once_even_blind() {
    let blind = Sight::Blind { since: at(0) };
    for sight in [blind, seen(0), seen(90_000)] {
        assert_eq!(
            chosen(&POLICY, sight, calm(), pods(30)),
            (20, Reason::BoundsChanged)
        );
        assert_eq!(
            chosen(&POLICY, sight, calm(), pods(0)),
            (1, Reason::BoundsChanged)
        );
    }
    let held = QueueScaling {
        min_replicas: 3,
        max_replicas: 3,
        ..POLICY
    };
    assert_eq!(chosen(&held, blind, calm(), pods(8)).0, 3);
    assert_eq!(
        chosen(&held, seen(90_000), calm(), pods(3)),
        (3, Reason::AtMaximum)
    );
}

#[test]
fn fewer_come_only_after_they_were_enough_for_the_whole_time() {
    let ten = pods(10);
    let first = decide(&POLICY, seen(7_000), calm(), ten, at(0));
    assert_eq!((first.replicas, first.reason), (10, Reason::Stabilizing));
    let expected = Some(Low {
        since: at(0),
        peak: 2,
    });
    assert_eq!(first.memory.low, expected);
    let peak = decide(&POLICY, seen(34_000), first.memory, ten, at(100));
    let almost = decide(&POLICY, seen(0), peak.memory, ten, at(299));
    assert_eq!(almost.reason, Reason::Stabilizing);
    let then = decide(&POLICY, seen(0), almost.memory, ten, at(300));
    // The most that was needed meanwhile.
    assert_eq!((then.replicas, then.reason), (7, Reason::ScaledDown));
    let anew = Low {
        since: at(300),
        peak: 1,
    };
    assert_eq!(then.memory.low, Some(anew));
    assert_eq!(then.memory.last_scale, Some(at(300)));
}

#[test]
fn at_most_half_are_taken_away_at_once() {
    for (replicas, expected) in [(20, 10), (7, 3), (3, 1), (2, 1)] {
        let chosen = chosen(&POLICY, seen(0), low(-300, 1), pods(replicas));
        assert_eq!(chosen, (expected, Reason::ScaledDown));
    }
    let last = chosen(&FROM_ZERO, seen(0), low(-300, 0), pods(1));
    assert_eq!(last, (0, Reason::ScaledDown));
}

#[test]
fn enough_again_in_between_starts_the_time_anew() {
    let decision = decide(&POLICY, seen(50_000), low(-200, 1), pods(10), at(0));
    assert_eq!(
        (decision.reason, decision.memory.low),
        (Reason::Steady, None)
    );
}

#[test]
fn as_many_stay_as_what_arrives_needs() {
    // 25,000 a second at 10,000 each, four fifths busy.
    let memory = knows(low(-300, 1), 10_000, -60);
    let sight = flowing(0, 25_000.0, 25_000.0);
    assert_eq!(
        chosen(&POLICY, sight, memory, pods(8)),
        (4, Reason::ScaledDown)
    );
    assert_eq!(
        chosen(&POLICY, sight, memory, pods(4)),
        (4, Reason::Carrying)
    );
    let silence = flowing(0, 0.0, 0.0);
    assert_eq!(
        chosen(&POLICY, silence, memory, pods(4)),
        (2, Reason::ScaledDown)
    );
}

#[test]
fn what_arrives_has_to_be_known_before_fewer_carry_it() {
    let memory = knows(low(-300, 1), 10_000, -60);
    let decision = decide(&POLICY, seen(0), memory, pods(8), at(0));
    assert_eq!((decision.replicas, decision.reason), (8, Reason::Carrying));
    assert_eq!(decision.memory.low, memory.low);
    // Of no use while nobody knows what one replica can do.
    assert_eq!(
        chosen(&POLICY, seen(0), low(-300, 1), pods(8)),
        (4, Reason::ScaledDown)
    );
}

#[test]
fn the_best_rate_under_load_is_remembered_for_six_hours() {
    let learned = |sight, memory, pods| decide(&POLICY, sight, memory, pods, at(0)).memory.ack_rate;
    let rate = |per_replica, seen| {
        Some(AckRate {
            per_replica,
            seen: at(seen),
        })
    };
    let busy = flowing(6_000, 0.0, 3_000.0);
    assert_eq!(learned(busy, calm(), pods(2)), rate(1_500, 0));
    assert_eq!(
        learned(busy, knows(calm(), 1_400, -9), pods(2)),
        rate(1_500, 0)
    );
    assert_eq!(
        learned(busy, knows(calm(), 1_600, -9), pods(2)),
        rate(1_600, -9)
    );
    assert_eq!(
        learned(busy, knows(calm(), 1_600, -21_600), pods(2)),
        rate(1_600, -21_600)
    );
    assert_eq!(
        learned(busy, knows(calm(), 1_600, -21_601), pods(2)),
        rate(1_500, 0)
    );
    // Idle, or nobody there: that says nothing of what a replica can do.
    assert_eq!(learned(flowing(4_999, 0.0, 3_000.0), calm(), pods(2)), None);
    let away = Workload {
        replicas: 2,
        ready: 0,
    };
    assert_eq!(learned(busy, calm(), away), None);
    // The figures are those of the replicas that were there before.
    let just_halved = Memory {
        last_scale: Some(at(-14)),
        ..Memory::default()
    };
    assert_eq!(learned(busy, just_halved, pods(1)), None);
}

prop_compose! {
    fn any_policy()(min in 0..30_i32, more in 0..30_i32, each in 1..20_000, low_seconds in 0..600) -> QueueScaling {
        QueueScaling {
            min_replicas: min,
            max_replicas: (min + more).max(1),
            backlog_per_replica: each,
            scale_down_stabilization_seconds: low_seconds,
        }
    }
}

prop_compose! {
    fn any_memory()(
        last in proptest::option::of(-1_000..10_i64),
        since in proptest::option::of(-1_000..10_i64),
        peak in 0..60,
        rate in proptest::option::of((1..50_000, -40_000..10_i64)),
    ) -> Memory {
        Memory {
            last_scale: last.map(at),
            low: since.map(|since| Low { since: at(since), peak }),
            ack_rate: rate.map(|(per_replica, seen)| AckRate { per_replica, seen: at(seen) }),
        }
    }
}

prop_compose! {
    fn any_pods()(replicas in 0..60_i32, away in 0..60_i32) -> Workload {
        Workload { replicas, ready: (replicas - away).max(0) }
    }
}

fn any_sight() -> impl Strategy<Value = Sight> {
    let rates = (0.0..1e6_f64, 0.0..1e6_f64).prop_map(|(publish, ack)| Rates { publish, ack });
    prop_oneof![
        (-1_000..10_i64).prop_map(|second| Sight::Blind { since: at(second) }),
        (0..2_000_000_u64, proptest::option::of(rates))
            .prop_map(|(backlog, rates)| Sight::Seen { backlog, rates }),
        Just(Sight::Seen {
            backlog: u64::MAX,
            rates: None
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_decision_leaves_the_bounds(
        policy in any_policy(), sight in any_sight(), memory in any_memory(), pods in any_pods(),
    ) {
        let decision = decide(&policy, sight, memory, pods, at(0));
        prop_assert!((policy.min_replicas..=policy.max_replicas).contains(&decision.replicas));
    }

    #[test]
    fn nothing_grows_by_more_than_twice_or_four_and_nothing_shrinks_by_more_than_half(
        policy in any_policy(), sight in any_sight(), memory in any_memory(), pods in any_pods(),
    ) {
        let decision = decide(&policy, sight, memory, pods, at(0));
        if decision.reason != Reason::BoundsChanged {
            prop_assert!(decision.replicas <= (2 * pods.replicas).max(pods.replicas + 4));
            prop_assert!(decision.replicas >= pods.replicas / 2);
        }
    }

    #[test]
    fn a_longer_queue_never_means_fewer(
        policy in any_policy(), memory in any_memory(), pods in any_pods(),
        backlog in 0..500_000_u64, more in 0..500_000_u64,
    ) {
        let short = decide(&policy, flowing(backlog, 500.0, 0.0), memory, pods, at(0));
        let long = decide(&policy, flowing(backlog + more, 500.0, 0.0), memory, pods, at(0));
        prop_assert!(short.replicas <= long.replicas);
    }

    #[test]
    fn the_number_changes_for_the_reasons_that_say_so(
        policy in any_policy(), sight in any_sight(), memory in any_memory(), pods in any_pods(),
    ) {
        let decision = decide(&policy, sight, memory, pods, at(0));
        let changed = decision.replicas != pods.replicas;
        match decision.reason {
            Reason::ScaledUp => prop_assert!(decision.replicas > pods.replicas),
            Reason::ScaledDown => prop_assert!(decision.replicas < pods.replicas),
            Reason::BoundsChanged => prop_assert!(changed),
            Reason::Blind => prop_assert!(!changed || pods.replicas == 0),
            _ => prop_assert!(!changed),
        }
        if changed {
            prop_assert_eq!(decision.memory.last_scale, Some(at(0)));
        }
    }

    #[test]
    fn asked_again_at_once_it_changes_nothing_more(
        policy in any_policy(), sight in any_sight(), memory in any_memory(), pods in any_pods(),
    ) {
        let first = decide(&policy, sight, memory, pods, at(0));
        // An operator that died after it wrote replicas and before it wrote the status loses its memory of that;
        // one that wrote both decides the same.
        let now = Workload { replicas: first.replicas, ..pods };
        let again = decide(&policy, sight, first.memory, now, at(0));
        let down_at_once = policy.scale_down_stabilization_seconds == 0;
        prop_assert!(down_at_once || again.replicas <= first.replicas.max(1));
        prop_assert!(down_at_once || again.replicas >= first.replicas);
    }
}
