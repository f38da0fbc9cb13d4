//! One task reserves blocks for everybody: whoever asks while it is busy shares the next transaction.

use crate::error::{Error, Result};
use crate::ports::{Block, Reserve, Sequences};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Blocks reserved in one transaction.
const BATCH: usize = 256;
const ATTEMPTS: usize = 3;

pub(super) struct Reserver {
    wanted: mpsc::UnboundedSender<Want>,
}

struct Want {
    reserve: Reserve,
    reply: oneshot::Sender<Result<Block>>,
}

impl Reserver {
    pub(super) fn start(sequences: Arc<dyn Sequences>) -> Self {
        let (wanted, mut wants) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while wants.recv_many(&mut batch, BATCH).await > 0 {
                reserve_all(&*sequences, std::mem::take(&mut batch)).await;
            }
        });
        Self { wanted }
    }

    pub(super) async fn reserve(&self, reserve: Reserve) -> Result<Block> {
        let (reply, block) = oneshot::channel();
        let gone = || Error::internal("the task that reserves numbers ended");
        self.wanted
            .send(Want { reserve, reply })
            .map_err(|_| gone())?;
        block.await.map_err(|_| gone())?
    }
}

async fn reserve_all(sequences: &dyn Sequences, mut batch: Vec<Want>) {
    // In one order everywhere, so that transactions of several processes do not wait for one another.
    batch.sort_by_key(|want| want.reserve.scope);
    let wants: Vec<Reserve> = batch.iter().map(|want| want.reserve).collect();
    match reserve_again(sequences, &wants).await {
        Ok(blocks) => {
            for (want, block) in batch.into_iter().zip(blocks) {
                // Nobody waits any more: the block is a gap, marked by the next reservation.
                let _ = want.reply.send(Ok(block));
            }
        }
        Err(error) => {
            for want in batch {
                let _ = want
                    .reply
                    .send(Err(Error::unavailable("numbers", error.to_string())));
            }
        }
    }
}

/// Tries again what was not done because somebody else was faster.
async fn reserve_again(sequences: &dyn Sequences, wants: &[Reserve]) -> Result<Vec<Block>> {
    for _ in 1..ATTEMPTS {
        match sequences.reserve(wants).await {
            Err(Error::Conflict | Error::Busy(_)) => {}
            done => return done,
        }
    }
    sequences.reserve(wants).await
}
