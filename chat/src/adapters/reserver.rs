//! One task reserves blocks for everybody: whoever asks while it is busy shares the next transaction.

use crate::error::{Error, Result};
use crate::ports::{Block, Reserve, Sequences};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Blocks reserved in one transaction.
const BATCH: usize = 256;

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

async fn reserve_all(sequences: &dyn Sequences, batch: Vec<Want>) {
    let wants: Vec<Reserve> = batch.iter().map(|want| want.reserve).collect();
    match sequences.reserve(&wants).await {
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
