//! The accounts pods run under: for a cloud's roles only, they get no token and no rights.

use super::meta::{self, Component};
use crate::validate::System;
use k8s_openapi::api::core::v1::ServiceAccount;

pub(super) fn build(system: &System) -> Vec<ServiceAccount> {
    let annotations = &system.spec.service_account.annotations;
    let account = |name: String| {
        let mut metadata = meta::common(system, name);
        metadata.annotations = Some(annotations.clone()).filter(|map| !map.is_empty());
        ServiceAccount {
            metadata,
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        }
    };
    [Component::Api, Component::Audit]
        .map(|component| account(name(system, component)))
        .into()
}

/// The API has one, everything that chat-worker does the other.
pub(super) fn name(system: &System, component: Component) -> String {
    match component {
        Component::Api => format!("{}-api", system.name),
        _ => format!("{}-worker", system.name),
    }
}
