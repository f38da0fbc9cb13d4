//! When a system is looked after: soon after something happened to it, again when that failed, and every now and then.

use super::{Controller, Guarded, scattered};
use crate::crd::ChatSystem;
use crate::metrics::{self, Outcome};
use crate::status::Told;
use futures::{FutureExt, StreamExt};
use kube::runtime::controller::{Action, Config, applier};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

/// News within this time is looked at together.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// So many systems are looked after at once.
const AT_ONCE: u16 = 16;
/// A system is looked after at least so often: Secrets are not watched.
const RESYNC: Duration = Duration::from_secs(60);
/// Between two tries of what failed, at least and at most.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

impl Controller {
    /// Looks after each system that something happened to, and after all of them every now and then.
    pub(super) async fn look_after(
        self,
        woken: UnboundedReceiver<ObjectRef<ChatSystem>>,
        stop: CancellationToken,
    ) {
        // Before the children were read every one would seem to be missing.
        if stop
            .run_until_cancelled(self.children.read())
            .await
            .is_none()
        {
            return;
        }
        let woken = futures::stream::unfold(woken, async |mut woken| {
            let system: ObjectRef<ChatSystem> = woken.recv().await?;
            let namespace = system.namespace.clone().unwrap_or_default();
            let system = ObjectRef::<Guarded>::new(&system.name).within(&namespace);
            Some((Ok::<_, Infallible>(system), woken))
        });
        let config = Config::default().debounce(DEBOUNCE).concurrency(AT_ONCE);
        let pass = |system: Arc<Guarded>, controller: Arc<Self>| {
            async move { controller.pass(&system).await }.boxed()
        };
        let again = |system: Arc<Guarded>, error: &kube::Error, controller: Arc<Self>| {
            controller.again(&system, error)
        };
        let systems = self.systems.clone();
        let queue = woken.take_until(stop.cancelled_owned());
        applier(pass, again, Arc::new(self), systems, queue, config)
            .for_each(async |_| ())
            .await;
    }

    /// One pass over one system.
    async fn pass(&self, system: &Guarded) -> Result<Action, kube::Error> {
        let system = match &system.0 {
            Ok(system) => system,
            Err(invalid) => {
                let told = Told {
                    is_warning: true,
                    reason: "Unreadable".to_owned(),
                    note: format!("this version of the operator cannot read it: {invalid}"),
                };
                tracing::warn!(name = system.name_any(), %invalid, "a ChatSystem cannot be read");
                self.teller.tell(system, told).await;
                return Ok(Action::await_change());
            }
        };
        if system.meta().deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let began = Instant::now();
        let state = self.states.of(system);
        let mut state = state.lock().await;
        let outcome = self.look(system, &mut state).await;
        let settled = match &outcome {
            Ok(_) => self.settle(system, &mut state).await,
            Err(_) => Ok(()),
        };
        let outcome = outcome.and_then(|outcome| settled.map(|()| outcome));
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(outcome) => {
                metrics::reconciled(outcome, seconds);
                if outcome == Outcome::Failed {
                    state.failures += 1;
                    return Ok(Action::requeue(retry(state.failures)));
                }
                state.failures = 0;
                Ok(Action::requeue(resync(system)))
            }
            Err(error) => {
                metrics::reconciled(Outcome::Failed, seconds);
                state.failures += 1;
                Err(error)
            }
        }
    }

    /// When to try again what failed.
    fn again(&self, system: &Guarded, error: &kube::Error) -> Action {
        metrics::failed(error);
        let failures = match &system.0 {
            Ok(system) => self
                .states
                .of(system)
                .try_lock()
                .map_or(1, |state| state.failures),
            Err(_) => 1,
        };
        let (namespace, name) = (system.namespace().unwrap_or_default(), system.name_any());
        tracing::warn!(namespace, name, %error, "cannot look after it; trying again");
        Action::requeue(retry(failures))
    }
}

fn retry(failures: u32) -> Duration {
    let doubled = RETRY * 2_u32.saturating_pow(failures.saturating_sub(1).min(8));
    doubled.min(LONGEST_RETRY)
}

/// Not all systems at the same moment.
fn resync(system: &ChatSystem) -> Duration {
    RESYNC - Duration::from_millis(scattered(system) % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_tried_less_and_less() {
        let seconds = [0, 1, 2, 3, 7, 99].map(|failures| retry(failures).as_secs());
        assert_eq!(seconds, [1, 1, 2, 4, 60, 60]);
    }
}
