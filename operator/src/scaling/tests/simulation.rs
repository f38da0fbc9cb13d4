//! The closed loop: a queue that fills, workers that take time to start, figures that come late, and the
//! decision every 5 s on nothing but those.

use super::*;
use std::collections::VecDeque;

/// Between two decisions.
const TICK: i64 = 5;
/// How old the broker's figures are.
const LAG: usize = 5;
/// From a changed number to a ready worker.
const START_SECONDS: i64 = 8;
const HOUR: i64 = 3_600;

/// What happens to the system, second by second.
struct World<'a> {
    policy: QueueScaling,
    /// Commands published in this second.
    arrival: &'a dyn Fn(i64) -> f64,
    /// Commands a second that each of so many ready workers finishes.
    capacity: &'a dyn Fn(i32) -> f64,
    blind: &'a dyn Fn(i64) -> bool,
    /// No worker is ready.
    down: &'a dyn Fn(i64) -> bool,
}

fn world<'a>(arrival: &'a dyn Fn(i64) -> f64, capacity: &'a dyn Fn(i32) -> f64) -> World<'a> {
    World {
        policy: POLICY,
        arrival,
        capacity,
        blind: &|_| false,
        down: &|_| false,
    }
}

#[derive(Debug, Default)]
struct Course {
    /// (second, replicas) of each change.
    changes: Vec<(i64, i32)>,
    /// Backlog, second by second.
    backlog: Vec<f64>,
    /// Replicas, second by second.
    replicas: Vec<i32>,
}

impl Course {
    /// How often the direction changed from this second on.
    fn reversals(&self, from: i64) -> usize {
        let replicas = |second: i64| self.replicas[usize::try_from(second).unwrap()];
        let mut last = replicas(from);
        let mut directions = Vec::new();
        for (_, replicas) in self.changes.iter().filter(|(second, _)| *second > from) {
            directions.push(*replicas > last);
            last = *replicas;
        }
        directions
            .windows(2)
            .filter(|pair| pair[0] != pair[1])
            .count()
    }

    fn most_waiting(&self, from: i64) -> f64 {
        let from = usize::try_from(from).unwrap();
        self.backlog[from..].iter().copied().fold(0.0, f64::max)
    }

    fn at(&self, second: i64) -> i32 {
        self.replicas[usize::try_from(second).unwrap()]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a simulated queue holds far fewer than 2^52 commands"
)]
fn run(world: &World<'_>, seconds: i64) -> Course {
    let mut course = Course::default();
    let mut noise = Noise(1);
    let (mut queue, mut published, mut acked) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut replicas = world.policy.min_replicas.max(1);
    let mut starting: Vec<i64> = Vec::new();
    let mut figures = VecDeque::new();
    let (mut memory, mut before, mut blind_since) = (Memory::default(), None, None);
    for second in 0..seconds {
        let arrived = (world.arrival)(second) * noise.about_one();
        starting.retain(|ready| *ready > second);
        starting.truncate(usize::try_from(replicas).unwrap());
        let ready = match (world.down)(second) {
            true => 0,
            false => replicas - i32::try_from(starting.len()).unwrap(),
        };
        queue += arrived;
        published += arrived;
        let done = queue.min((world.capacity)(ready) * f64::from(ready));
        queue -= done;
        acked += done;
        course.backlog.push(queue);
        course.replicas.push(replicas);
        figures.push_back((second, queue, published, acked));
        if figures.len() > LAG + 1 {
            figures.pop_front();
        }
        if second % TICK != 0 {
            continue;
        }
        let sight = if (world.blind)(second) {
            before = None;
            Sight::Blind {
                since: at(*blind_since.get_or_insert(second)),
            }
        } else {
            blind_since = None;
            let (read, waiting, published, acked) = figures[0];
            let counters = Counters {
                read: at(read),
                published: published as u64,
                acked: acked as u64,
            };
            let rates = before
                .replace(counters)
                .and_then(|before| Rates::between(before, counters));
            Sight::Seen {
                backlog: waiting as u64,
                rates,
            }
        };
        let decision = decide(
            &world.policy,
            sight,
            memory,
            Workload { replicas, ready },
            at(second),
        );
        memory = decision.memory;
        if decision.replicas != replicas {
            for _ in replicas..decision.replicas {
                starting.push(second + START_SECONDS);
            }
            replicas = decision.replicas;
            course.changes.push((second, replicas));
        }
    }
    course
}

/// Between 0.9 and 1.1, the same in every run.
struct Noise(u64);

impl Noise {
    fn about_one(&mut self) -> f64 {
        // Knuth's constants of a linear congruential generator.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = u32::try_from(self.0 >> 32).unwrap();
        0.9 + 0.2 * f64::from(high) / f64::from(u32::MAX)
    }
}

/// Commands a second of one worker that nothing slows down.
fn fast(_: i32) -> f64 {
    10_000.0
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a few hours")]
fn exact(second: i64) -> f64 {
    second as f64
}

#[test]
fn a_constant_load_ends_in_a_constant_number() {
    // At least what arrives, at most with a fifth to spare and the noise on top.
    for (arrival, rate, bounds) in [
        (25_000.0, 10_000.0, 3..=4),
        (2_500.0, 1_000.0, 3..=4),
        (12_000.0, 10_000.0, 2..=2),
        (100.0, 10_000.0, 1..=1),
    ] {
        let course = run(&world(&|_| arrival, &|_| rate), 6 * HOUR);
        assert_eq!(course.reversals(HOUR), 0, "{arrival}: {:?}", course.changes);
        let last = course.at(6 * HOUR - 1);
        assert!(bounds.contains(&last), "{arrival}: {last}");
        assert!(course.most_waiting(HOUR) < 15_000.0, "{arrival}");
    }
}

#[test]
fn a_ramp_is_followed_up_and_down() {
    let ramp = |second: i64| 30_000.0 * (1.0 - (exact(second) / 7_200.0 - 1.0).abs());
    let course = run(&world(&ramp, &|_| 5_000.0), 4 * HOUR + 1_800);
    assert!(course.at(2 * HOUR) >= 6, "{:?}", course.changes);
    assert_eq!(course.at(4 * HOUR + 1_799), 1, "{:?}", course.changes);
    assert!(course.most_waiting(0) < 60_000.0);
}

#[test]
fn a_saw_tooth_is_carried_by_as_many_as_its_tip_needs() {
    let saw = |second: i64| 1_000.0 + 29_000.0 * exact(second % 600) / 600.0;
    let course = run(&world(&saw, &fast), 6 * HOUR);
    // Up before each tip at worst, and down after it.
    assert!(course.reversals(HOUR) <= 60, "{:?}", course.changes);
    assert!(
        course.most_waiting(HOUR) < 60_000.0,
        "{}",
        course.most_waiting(HOUR)
    );
}

#[test]
fn a_step_is_answered_by_the_first_sample_that_shows_it() {
    for begins in 1_000..1_000 + TICK {
        let step = |second: i64| if second < begins { 0.0 } else { 20_000.0 };
        let course = run(&world(&step, &|_| 5_000.0), 2_000);
        let (first, replicas) = course.changes[0];
        // Samples are taken every 5 s, of figures that are 5 s old.
        let shown = begins + i64::try_from(LAG).unwrap();
        assert_eq!(first, shown + (TICK - shown % TICK) % TICK);
        assert!(replicas > 1);
    }
}

#[test]
fn bursts_wake_a_role_that_sleeps_at_zero_and_it_sleeps_again() {
    let bursts = |second: i64| if second % 1_800 < 1_500 { 0.0 } else { 3_000.0 };
    let asleep = World {
        policy: FROM_ZERO,
        ..world(&bursts, &fast)
    };
    let course = run(&asleep, 3 * HOUR);
    assert_eq!(course.at(1_499), 0);
    assert!(course.at(1_530) >= 1);
    assert!(course.most_waiting(0) < 100_000.0);
    assert_eq!(course.at(3_299), 0, "{:?}", course.changes);
}

#[test]
fn a_slow_database_is_not_met_by_ever_more_workers_that_come_and_go() {
    let shared = |ready: i32| (40_000.0 / f64::from(ready.max(1))).min(10_000.0);
    let load = |second: i64| if second < HOUR { 25_000.0 } else { 8_000.0 };
    let course = run(&world(&load, &shared), 6 * HOUR);
    assert_eq!(course.reversals(2 * HOUR), 0, "{:?}", course.changes);
}

#[test]
fn workers_that_are_not_ready_are_not_joined_by_more() {
    let away = |second: i64| (1_800..2_400).contains(&second);
    let world = World {
        down: &away,
        ..world(&|_| 2_000.0, &fast)
    };
    let course = run(&world, 2 * HOUR);
    assert_eq!(course.at(2_399), course.at(1_799), "{:?}", course.changes);
    assert!(
        course.most_waiting(HOUR) < 20_000.0,
        "what piled up is worked off"
    );
}

#[test]
fn figures_that_fail_at_the_peak_change_nothing() {
    let away = |second: i64| (1_000..2_200).contains(&second);
    let load = |second: i64| if second < 1_500 { 25_000.0 } else { 0.0 };
    let world = World {
        blind: &away,
        ..world(&load, &fast)
    };
    let course = run(&world, 2 * HOUR);
    let blindly = course.changes.iter().filter(|(second, _)| away(*second));
    assert_eq!(blindly.count(), 0, "{:?}", course.changes);
    assert!(course.at(999) >= 3);
    assert_eq!(course.at(2 * HOUR - 1), 1, "with figures again it shrinks");
}
