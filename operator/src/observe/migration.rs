//! How far the migration of a specification is, and what a failed one said.

use super::live::{Child, Facts, JobFacts, Live};
use crate::kinds::Kind;
use crate::status::{Migration, Trouble};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::{Api, Client};
use std::collections::BTreeMap;

/// A Job that failed so long ago is made again: what it failed on may be mended.
const RETRY: SignedDuration = SignedDuration::from_mins(10);
/// Of what a program said last.
const MOST_CHARACTERS: usize = 500;

/// The state of the Job as far as the Job itself tells.
pub fn state(children: &BTreeMap<Child, Live>, job: &str) -> Migration {
    match facts(children, job) {
        None => Migration::None,
        Some(JobFacts::Unfinished) => Migration::Running,
        Some(JobFacts::Complete { message, .. }) => Migration::Complete(message.clone()),
        Some(JobFacts::Failed { message, .. }) => Migration::Failed(Trouble {
            reason: "MigrationFailed".to_owned(),
            message: message.clone(),
        }),
    }
}

/// Whether it failed long enough ago to be made again.
pub fn is_worth_another_try(children: &BTreeMap<Child, Live>, job: &str, now: Timestamp) -> bool {
    let Some(JobFacts::Failed { at: Some(at), .. }) = facts(children, job) else {
        return false;
    };
    now.duration_since(*at) >= RETRY
}

fn facts<'a>(children: &'a BTreeMap<Child, Live>, job: &str) -> Option<&'a JobFacts> {
    let child = Child {
        kind: Kind::Job,
        name: job.to_owned(),
    };
    match &children.get(&child)?.facts {
        Facts::Job(facts) => Some(facts),
        _ => None,
    }
}

/// What the last pod of a failed Job said, if it is still there.
pub async fn last_words(
    client: &Client,
    namespace: &str,
    job: &str,
) -> Result<Option<Trouble>, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
    let pods = pods.list(&of_job).await?;
    let ended = pods
        .items
        .iter()
        .filter_map(ended)
        .filter(|ended| ended.exit_code != 0);
    let last = ended.max_by_key(|ended| ended.finished_at.as_ref().map(|time| time.0));
    Ok(last.map(explain))
}

fn ended(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.first()?.state.as_ref()?.terminated.as_ref()
}

fn explain(ended: &ContainerStateTerminated) -> Trouble {
    let reason = match ended.exit_code {
        2 => "SettingsRefused",
        3 => "DowngradeRefused",
        _ => "MigrationFailed",
    };
    let said = ended.message.as_deref().unwrap_or_default().trim();
    let last = said.lines().last().unwrap_or_default();
    let message = match last {
        "" => format!(
            "chat-worker migrate ended with exit code {}",
            ended.exit_code
        ),
        said => said.chars().take(MOST_CHARACTERS).collect(),
    };
    Trouble {
        reason: reason.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(exit_code: i32, message: &str) -> ContainerStateTerminated {
        ContainerStateTerminated {
            exit_code,
            message: Some(message.to_owned()),
            ..ContainerStateTerminated::default()
        }
    }

    #[test]
    fn a_failed_migration_is_told_in_its_own_last_words() {
        let downgrade = explain(&ended(
            3,
            "starting\nthe schema is newer than this program\n",
        ));
        assert_eq!(downgrade.reason, "DowngradeRefused");
        assert_eq!(downgrade.message, "the schema is newer than this program");
        let silent = explain(&ended(137, ""));
        assert_eq!(silent.reason, "MigrationFailed");
        assert_eq!(
            silent.message,
            "chat-worker migrate ended with exit code 137"
        );
        assert_eq!(explain(&ended(1, &"x".repeat(9_999))).message.len(), 500);
    }

    #[test]
    fn a_migration_that_failed_is_made_again_after_ten_minutes_and_no_other_ever() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let (at, message) = (Some(second(1_000)), String::new());
        let is_worth = |facts: JobFacts, now: i64| {
            let job = Child {
                kind: Kind::Job,
                name: "job".to_owned(),
            };
            let live = Live {
                resource_version: String::new(),
                ours: None,
                facts: Facts::Job(facts),
            };
            is_worth_another_try(&[(job, live)].into(), "job", second(now))
        };
        let failed = JobFacts::Failed {
            at,
            message: message.clone(),
        };
        assert!(!is_worth(failed.clone(), 1_599));
        assert!(is_worth(failed, 1_600));
        assert!(!is_worth(JobFacts::Complete { at, message }, 9_999));
        assert!(!is_worth(JobFacts::Unfinished, 9_999));
        let none = BTreeMap::new();
        assert!(!is_worth_another_try(&none, "job", second(9_999)));
    }
}
