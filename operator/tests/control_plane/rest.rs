//! At rest nothing is written, and no Secret is listed or watched.

use crate::kubelet::Kubelet;
use crate::plane::in_a_namespace;
use crate::process::Process;
use crate::room::Request;
use std::time::Duration;

/// A pass a minute, and a little more.
const FOUR_PASSES: Duration = Duration::from_secs(230);

#[test]
fn at_rest_nothing_is_written_for_two_minutes() {
    in_a_namespace(async |room| {
        let _kubelet = Kubelet::start(&room.admin, &room.namespace);
        let _operator = Process::start(&room);
        room.install(|_| ()).await;
        room.until_settled().await;
        // The management API that nobody serves is told of after the first ticks.
        room.until("QueueMetricsAvailable", "ManagementUnreachable")
            .await;
        let is_pass = |request: &&Request| request.of == "secrets" && request.name == "acme-mysql";
        let passes = || room.requests().iter().filter(is_pass).count();
        let until = async |passed: usize| {
            while passes() < passed {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let three_more = async {
            // What follows from the last change is over with the next pass that nobody asked for.
            until(passes() + 1).await;
            let before = room.requests().len();
            until(passes() + 2).await;
            before
        };
        let before = tokio::time::timeout(FOUR_PASSES, three_more).await.unwrap();
        let requests = room.requests();
        let writes: Vec<_> = requests[before..]
            .iter()
            .filter(|request| request.is_write())
            .collect();
        assert!(writes.is_empty(), "{writes:?}");
        let of_secrets = requests.iter().filter(|request| request.of == "secrets");
        assert!(of_secrets.into_iter().all(|request| request.verb == "get"));
    });
}
