//! A closed loop: so many connections, each sending its next request when the last one is answered; or a
//! steady stream, in which each request has its time.
//!
//! It runs on a thread of its own, and needs about a tenth of what the measured server does. Answers count
//! for rate and latency when they arrive inside the measured time.

use crate::connection::Connection;
use anyhow::{Context, Result};
use futures::future::try_join_all;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a run may take longer than planned before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prepared requests, used in turn. Cheap to clone.
pub(crate) type Requests = Arc<Vec<Vec<u8>>>;

#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) requests: Requests,
    /// The status of every answer.
    pub(crate) status: u16,
    pub(crate) until: Until,
    pub(crate) pace: Pace,
}

/// When a connection sends its next request.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// When the last one is answered.
    Closed,
    /// All connections together so many a second. Latency counts from when a request's time had come.
    #[cfg_attr(
        not(feature = "stack"),
        expect(dead_code, reason = "only the cluster's benchmark keeps a pace")
    )]
    Steady(f64),
}

impl Pace {
    /// When this turn's request is to be sent; None: at once.
    fn time_of(self, turn: usize, begun: Instant) -> Option<Instant> {
        match self {
            Self::Closed => None,
            Self::Steady(a_second) => Some(begun + Duration::from_secs_f64(turn as f64 / a_second)),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// Measured for this time, after some time that is not.
    Time {
        warm_up: Duration,
        measured: Duration,
    },
    /// This many requests, all of them measured.
    Count(usize),
}

pub(crate) struct Measured {
    /// All answers, also those of the warm-up.
    pub(crate) answers: u64,
    /// Answers a second in the measured time.
    pub(crate) rate: f64,
    /// Of answers in the measured time, ascending.
    latencies: Vec<Duration>,
}

impl Measured {
    /// The latency in milliseconds that this share of answers does not exceed.
    pub(crate) fn latency_ms(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length is a place in it"
        )]
        let place = (self.latencies.len() as f64 * share) as usize;
        let latency = self.latencies.get(place).or(self.latencies.last());
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

/// Puts the load on, and returns when it is over.
pub(crate) async fn run(load: Load) -> Result<Measured> {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(drive(load))
    };
    tokio::task::spawn_blocking(run).await?
}

async fn drive(load: Load) -> Result<Measured> {
    let Load {
        address,
        connections,
        requests,
        status,
        until,
        pace,
    } = load;
    let opening = (0..connections).map(|_| Connection::open(address));
    let opened = try_join_all(opening).await?;
    let begun = Instant::now();
    let (from, to, most) = match until {
        Until::Time { warm_up, measured } => {
            let from = begun + warm_up;
            (from, Some(from + measured), usize::MAX)
        }
        Until::Count(most) => (begun, None, most),
    };
    let turn = Arc::new(AtomicUsize::new(0));
    let clients = opened.into_iter().map(|mut connection| {
        let (requests, turn) = (requests.clone(), turn.clone());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let sent = match pace.time_of(turn, begun) {
                    None => Instant::now(),
                    Some(time) => {
                        tokio::time::sleep_until(time.into()).await;
                        time
                    }
                };
                if turn >= most || to.is_some_and(|to| sent >= to) {
                    return Ok::<_, anyhow::Error>(latencies);
                }
                let request = &requests[turn % requests.len()];
                connection.exchange(request, status).await?;
                let answered = Instant::now();
                latencies.push((answered, answered - sent));
            }
        })
    });
    let planned = to.map_or(PATIENCE, |to| to - begun);
    let ended = tokio::time::timeout(planned + PATIENCE, try_join_all(clients)).await;
    let ended = ended.context("answers stopped coming")??;
    let seconds = (to.unwrap_or_else(Instant::now) - from).as_secs_f64();

    let mut answers = 0;
    let mut latencies = Vec::new();
    for client in ended {
        for (answered, latency) in client? {
            answers += 1;
            if answered >= from && to.is_none_or(|to| answered <= to) {
                latencies.push(latency);
            }
        }
    }
    latencies.sort_unstable();
    Ok(Measured {
        answers,
        rate: latencies.len() as f64 / seconds,
        latencies,
    })
}
