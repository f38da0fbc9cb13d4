//! Questions about the same thing that come while one is being asked are asked together next.
//!
//! Each is asked after it came, so its answer is no older than one it would have got alone. Who is alone
//! waits for nobody; the busier Redis is, the more go together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;

/// A line of questions for each thing they are about, as long as somebody stands in it.
pub(super) struct Gather<K, Q, A>(Arc<Lines<K, Q, A>>);

type Lines<K, Q, A> = Mutex<HashMap<K, Line<Q, A>>>;
type Line<Q, A> = Vec<(Q, oneshot::Sender<A>)>;

impl<K, Q, A> Default for Gather<K, Q, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, Q, A> Gather<K, Q, A>
where
    K: Eq + Hash + Clone + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    /// `ask` gets one question or more and returns an answer to each, in their order; all questions about
    /// `about` are asked by the `ask` of one of them, in a task of its own: who gives up waiting takes
    /// nobody's answer along. None: it panicked, or answered too few.
    pub(super) async fn ask<F, Asked>(&self, about: K, question: Q, ask: F) -> Option<A>
    where
        F: FnMut(Vec<Q>) -> Asked + Send + 'static,
        Asked: Future<Output = Vec<A>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        match lock(&self.0).entry(about.clone()) {
            Entry::Occupied(mut line) => line.get_mut().push((question, reply)),
            Entry::Vacant(line) => {
                line.insert(vec![(question, reply)]);
                let served = Served {
                    lines: self.0.clone(),
                    about,
                };
                tokio::spawn(serve(served, ask));
            }
        }
        answer.await.ok()
    }
}

async fn serve<K, Q, A, F, Asked>(line: Served<K, Q, A>, mut ask: F)
where
    K: Eq + Hash,
    F: FnMut(Vec<Q>) -> Asked,
    Asked: Future<Output = Vec<A>>,
{
    while let Some(waiting) = line.take() {
        let (questions, replies): (Vec<Q>, Vec<_>) = waiting.into_iter().unzip();
        for (reply, answer) in replies.into_iter().zip(ask(questions).await) {
            // Whoever gave up waiting needs no answer.
            let _ = reply.send(answer);
        }
    }
}

/// A line that somebody serves. It ends with this, also when serving it panics.
struct Served<K: Eq + Hash, Q, A> {
    lines: Arc<Lines<K, Q, A>>,
    about: K,
}

impl<K: Eq + Hash, Q, A> Served<K, Q, A> {
    /// Everybody in the line; None and no line any more when there is nobody.
    fn take(&self) -> Option<Line<Q, A>> {
        let mut lines = lock(&self.lines);
        let waiting = std::mem::take(lines.get_mut(&self.about)?);
        if waiting.is_empty() {
            lines.remove(&self.about);
            return None;
        }
        Some(waiting)
    }
}

impl<K: Eq + Hash, Q, A> Drop for Served<K, Q, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.lines).remove(&self.about);
        }
    }
}

fn lock<T>(lines: &Mutex<T>) -> MutexGuard<'_, T> {
    lines
        .lock()
        .expect("nothing panics while holding this lock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    type Words = Gather<&'static str, u32, (u32, usize)>;

    /// Answers each question with itself and how many were asked together, when the gate lets it.
    fn echo(
        gate: &Arc<Semaphore>,
    ) -> impl FnMut(Vec<u32>) -> futures::future::BoxFuture<'static, Vec<(u32, usize)>> + use<>
    {
        let gate = gate.clone();
        move |questions| {
            let gate = gate.clone();
            Box::pin(async move {
                gate.acquire().await.expect("it is never closed").forget();
                let together = questions.len();
                questions
                    .into_iter()
                    .map(|asked| (asked, together))
                    .collect()
            })
        }
    }

    #[tokio::test]
    async fn who_comes_while_one_is_asked_is_asked_with_all_others_next() {
        let (words, gate) = (Words::default(), Arc::new(Semaphore::new(0)));
        let mut first = Box::pin(words.ask("a", 1, echo(&gate)));
        assert!(futures::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
        let mut others = Box::pin(join_all((2..=5).map(|n| words.ask("a", n, echo(&gate)))));
        assert!(futures::poll!(&mut others).is_pending());
        gate.add_permits(2);
        assert_eq!(first.await, Some((1, 1)));
        let others: Vec<_> = others.await.into_iter().flatten().collect();
        assert_eq!(others, [(2, 4), (3, 4), (4, 4), (5, 4)]);
        assert!(lock(&words.0).is_empty());
    }

    #[tokio::test]
    async fn different_things_do_not_wait_for_one_another() {
        let (words, shut) = (Words::default(), Arc::new(Semaphore::new(0)));
        let open = Arc::new(Semaphore::new(1));
        let mut held = Box::pin(words.ask("a", 1, echo(&shut)));
        assert!(futures::poll!(&mut held).is_pending());
        assert_eq!(words.ask("b", 2, echo(&open)).await, Some((2, 1)));
    }

    #[tokio::test]
    async fn who_gives_up_takes_nobody_along() {
        let (words, gate) = (Words::default(), Arc::new(Semaphore::new(0)));
        let mut first = Box::pin(words.ask("a", 1, echo(&gate)));
        assert!(futures::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
        let mut second = Box::pin(words.ask("a", 2, echo(&gate)));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        gate.add_permits(2);
        assert_eq!(second.await, Some((2, 1)));
    }

    #[tokio::test]
    async fn a_panic_leaves_no_line_behind() {
        let words = Words::default();
        let gate = Arc::new(Semaphore::new(1));
        let failed = words.ask("a", 1, |_| async { panic!("a bug") });
        assert_eq!(failed.await, None);
        assert_eq!(words.ask("a", 2, echo(&gate)).await, Some((2, 1)));
    }
}
