//! How many pods a Deployment has: the only place that writes it, through the `scale` subresource and on top of what
//! was just read, so that of two who write at once one starts over.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scaled {
    /// From so many.
    From(i32),
    AsItWas,
    /// An autoscaler of this name decides, so nothing was written.
    ByAutoscaler(String),
}

/// Nobody writes it while an autoscaler aims at the Deployment, whoever made that.
pub async fn scale(
    client: &Client,
    namespace: &str,
    deployment: &str,
    replicas: i32,
) -> Result<Scaled, kube::Error> {
    let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    for autoscaler in autoscalers.list(&ListParams::default()).await? {
        let target = autoscaler.spec.as_ref().map(|spec| &spec.scale_target_ref);
        if target.is_some_and(|target| target.kind == "Deployment" && target.name == deployment) {
            return Ok(Scaled::ByAutoscaler(autoscaler.name_any()));
        }
    }
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let mut scale = deployments.get_scale(deployment).await?;
    let spec = scale.spec.get_or_insert_default();
    // The API server leaves out a 0.
    let before = spec.replicas.unwrap_or(0);
    if before == replicas {
        return Ok(Scaled::AsItWas);
    }
    spec.replicas = Some(replicas);
    deployments
        .replace_scale(deployment, &PostParams::default(), &scale)
        .await?;
    Ok(Scaled::From(before))
}
