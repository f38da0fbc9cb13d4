//! Writing what was computed: the status in one write on top of what was read, and Events. Only here.

use super::events::Told;
use crate::build::MANAGER;
use crate::crd::{ChatSystem, ChatSystemStatus};
use kube::api::PostParams;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Resource, ResourceExt};

/// A status that was written on top of a resource that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The resourceVersion that was read: as long as that is the newest one known, this status is newer.
    pub read: String,
    pub status: ChatSystemStatus,
}

/// Tells people. Cheap to clone.
#[derive(Clone)]
pub struct Teller {
    client: Client,
    reporter: Reporter,
}

impl Teller {
    /// `instance` names this process among several.
    pub fn new(client: Client, instance: &str) -> Self {
        Self {
            client,
            reporter: Reporter {
                controller: format!("chatsystem.io/{MANAGER}"),
                instance: Some(instance.to_owned()),
            },
        }
    }

    /// `None`: somebody else changed the resource meanwhile, or deleted it, and whoever is woken by that looks again.
    pub async fn write(
        &self,
        resource: &ChatSystem,
        status: ChatSystemStatus,
    ) -> Result<Option<Written>, kube::Error> {
        let namespace = resource.namespace().unwrap_or_default();
        let api: Api<ChatSystem> = Api::namespaced(self.client.clone(), &namespace);
        let mut written = resource.clone();
        written.metadata.managed_fields = None;
        written.status = Some(status.clone());
        let answer = api
            .replace_status(&resource.name_any(), &PostParams::default(), &written)
            .await;
        match answer {
            Ok(_) => Ok(Some(Written {
                read: resource.resource_version().unwrap_or_default(),
                status,
            })),
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An Event that cannot be written is not worth another try.
    pub async fn tell(&self, resource: &impl Resource<DynamicType = ()>, told: Told) {
        let event = Event {
            type_: match told.is_warning {
                true => EventType::Warning,
                false => EventType::Normal,
            },
            reason: told.reason,
            // Longer ones are refused.
            note: Some(told.note.chars().take(1_000).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let about = resource.object_ref(&());
        // A recorder remembers every Event for minutes, to count those that come again. Here they say something else.
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        if let Err(error) = recorder.publish(&event, &about).await {
            tracing::warn!(name = resource.name_any(), %error, "cannot write an event");
        }
    }
}
