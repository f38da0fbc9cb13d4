//! Kinds that not every cluster knows: what a system is without them, and with them.

use crate::kubelet::Kubelet;
use crate::plane::{Rooms, eventually, in_rooms};
use crate::process::Process;
use crate::room::Room;
use kube::api::ListParams;
use operator::kinds::Kind;
use serde_json::json;
use tokio::sync::OnceCell;

/// Makes the cluster know them. It cannot forget them again while other tests use them, so whichever test is the first to
/// need them looks at what a system is before.
pub(crate) async fn known(rooms: &Rooms) {
    static KNOWN: OnceCell<()> = OnceCell::const_new();
    let first = async || rooms.with(left_out_until_they_are_known).await;
    KNOWN.get_or_init(first).await;
}

#[test]
fn a_kind_that_the_cluster_does_not_know_is_left_out_until_it_does() {
    in_rooms(async |rooms| known(&rooms).await);
}

async fn left_out_until_they_are_known(room: Room) {
    let _kubelet = Kubelet::start(&room.admin, &room.namespace);
    {
        let _operator = Process::start(&room);
        let route = json!({
            "type": "HTTPRoute",
            "host": "chat.example.com",
            "httpRoute": { "parentRefs": [{ "name": "public" }] },
        });
        room.install(|system| {
            system.spec.monitoring.pod_monitor.enabled = true;
            system.spec.exposure = serde_json::from_value(route).unwrap();
        })
        .await;
        room.until_ready().await;
        let status = room.system().await.status.unwrap();
        let ready = status
            .conditions
            .iter()
            .find(|found| found.type_ == "Ready");
        let said = &ready.unwrap().message;
        assert!(said.contains("does not know HTTPRoute"), "{said}");
        assert!(said.contains("does not know PodMonitor"), "{said}");
    }
    let kinds = Kind::OPTIONAL.map(|kind| kind.resource());
    for kind in &kinds {
        room.define(&kind.group, &kind.kind, &kind.plural).await;
    }
    let there = async || {
        let mut there = Vec::new();
        for kind in &kinds {
            let api = room.dynamic(&kind.api_version, &kind.kind, &kind.plural);
            // One that was just defined may not be served yet.
            let found = api.list(&ListParams::default()).await;
            there.extend(found.into_iter().flatten().map(|_| kind.kind.as_str()));
        }
        there
    };
    // Another one looks at once what the cluster knows, the same one after a minute.
    let _operator = Process::start(&room);
    eventually("there are a route and a monitor", async || {
        (there().await == ["HTTPRoute", "PodMonitor"]).then_some(())
    })
    .await;
    let off = json!({
        "exposure": { "type": "None", "host": null, "httpRoute": null },
        "monitoring": { "podMonitor": { "enabled": false } },
    });
    room.merge(json!({ "spec": off })).await;
    eventually("there is none", async || {
        there().await.is_empty().then_some(())
    })
    .await;
}
