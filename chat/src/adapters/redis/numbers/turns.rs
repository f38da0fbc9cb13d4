//! A line for each scope of those who wait for numbers, first come, first served: without it one caller
//! could be overtaken for ever.

use crate::model::Scope;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::OwnedMutexGuard;

/// Lines kept before those nobody stands in are thrown away.
const MANY: usize = 1_024;

#[derive(Default)]
pub(super) struct Turns {
    lines: Mutex<HashMap<Scope, Weak<Line>>>,
}

type Line = tokio::sync::Mutex<()>;

impl Turns {
    /// Returns when it is one's turn, which lasts until the value is dropped.
    pub(super) async fn wait(&self, scope: Scope) -> OwnedMutexGuard<()> {
        self.line(scope).lock_owned().await
    }

    fn line(&self, scope: Scope) -> Arc<Line> {
        let mut lines = self
            .lines
            .lock()
            .expect("nothing panics while holding this lock");
        if let Some(line) = lines.get(&scope).and_then(Weak::upgrade) {
            return line;
        }
        if lines.len() >= MANY {
            lines.retain(|_, line| line.strong_count() > 0);
        }
        let line = Arc::new(Line::default());
        lines.insert(scope, Arc::downgrade(&line));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AppId;

    #[tokio::test]
    async fn lines_nobody_stands_in_are_thrown_away() {
        let turns = Turns::default();
        let stays = Scope::Chats(AppId::from_stored(0));
        let mine = turns.wait(stays).await;
        for app in 1..10_000 {
            turns.wait(Scope::Chats(AppId::from_stored(app))).await;
        }
        assert!(turns.lines.lock().unwrap().len() <= MANY + 1);
        let mut waiting = Box::pin(turns.wait(stays));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(mine);
        waiting.await;
    }
}
