//! Waiting for the Lease, and keeping it. Whoever loses it ends: two that act at once are harmless, and needless.

use crate::lease::{DURATION_SECONDS, RENEW_SECONDS, Turn, evaluate, give_back};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::time::{Duration, Instant};

const RENEW: Duration = Duration::from_secs(RENEW_SECONDS.unsigned_abs());
/// Others may take it that long after it was renewed, so its holder acts a little shorter.
const MARGIN: Duration = Duration::from_secs(3);
/// Whoever waits looks at least so often: it may be given back.
const LOOK: SignedDuration = SignedDuration::from_secs(2);

pub struct Election {
    leases: Api<Lease>,
    name: String,
    me: String,
}

/// It could not be renewed in time, or somebody else has it.
#[derive(Debug, thiserror::Error)]
#[error("the Lease {0} is lost")]
pub struct Lost(String);

impl Election {
    pub fn new(client: Client, namespace: &str, name: &str, me: &str) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            name: name.to_owned(),
            me: me.to_owned(),
        }
    }

    /// Returns when it is ours. The API server may be away meanwhile.
    pub async fn win(&self) {
        loop {
            let wait = match self.turn().await {
                Ok(Turn::Take(_) | Turn::Renew(_)) => return,
                Ok(Turn::Wait { until }) => {
                    let left = until.duration_since(now()).min(LOOK);
                    Duration::try_from(left).unwrap_or_default()
                }
                Err(error) => {
                    tracing::warn!(lease = self.name, %error, "cannot read or write the Lease; trying again");
                    Duration::from_secs(2)
                }
            };
            // Somebody whose clock is ahead may never let it run out.
            tokio::time::sleep(wait.max(Duration::from_millis(200))).await;
        }
    }

    /// Renews it until that fails for too long.
    pub async fn keep(&self) -> Lost {
        let duration = Duration::from_secs(DURATION_SECONDS.unsigned_abs().into());
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RENEW).await;
            let asked = Instant::now();
            let left = (duration - MARGIN).saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.turn()).await {
                Ok(Ok(Turn::Take(_) | Turn::Renew(_))) => renewed = asked,
                Ok(Ok(Turn::Wait { .. })) => return Lost(self.name.clone()),
                Ok(Err(error)) => {
                    tracing::warn!(lease = self.name, %error, "cannot renew the Lease; trying again");
                }
                Err(_) => {}
            }
            if renewed.elapsed() + MARGIN >= duration {
                return Lost(self.name.clone());
            }
        }
    }

    /// So that the next one need not wait. Failing that, it waits.
    pub async fn give_back(&self) {
        let given = async {
            let Some(lease) = self.leases.get_opt(&self.name).await? else {
                return Ok(());
            };
            match lease
                .spec
                .as_ref()
                .and_then(|spec| give_back(spec, &self.me))
            {
                Some(spec) => self.write(Some(lease), spec).await,
                None => Ok(()),
            }
        };
        if let Err(error) = given.await {
            tracing::warn!(lease = self.name, %error, "cannot give back the Lease");
        }
    }

    /// Reads it, and writes what is to be written on top of what was read.
    async fn turn(&self) -> Result<Turn, kube::Error> {
        let lease = self.leases.get_opt(&self.name).await?;
        let spec = lease.as_ref().and_then(|lease| lease.spec.as_ref());
        let turn = evaluate(spec, &self.me, now());
        if let Turn::Take(spec) | Turn::Renew(spec) = &turn {
            self.write(lease, spec.clone()).await?;
        }
        Ok(turn)
    }

    async fn write(&self, lease: Option<Lease>, spec: LeaseSpec) -> Result<(), kube::Error> {
        let spec = Some(spec);
        let params = PostParams::default();
        match lease {
            Some(lease) => {
                let lease = Lease { spec, ..lease };
                self.leases.replace(&self.name, &params, &lease).await?;
            }
            None => {
                let metadata = ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                };
                self.leases
                    .create(&params, &Lease { metadata, spec })
                    .await?;
            }
        }
        Ok(())
    }
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(chat::clock::now().get()).unwrap_or_default()
}
