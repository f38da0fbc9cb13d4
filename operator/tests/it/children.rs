//! The children: all of them for the samples, as committed, and what holds for every system.

use crate::samples::{
    FULL, TEN_LINES, full, nothing_seen, pod, pods, sample, secrets, seen, system,
};
use k8s_openapi::api::core::v1::Affinity;
use operator::build::{CHECKSUM, Component, Objects, build, selector};
use operator::crd::{ExposureType, HttpRoute, ParentReference, Role};
use operator::manifest;
use operator::validate::validate;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn the_children_of_the_samples_are_what_is_committed() {
    for (name, text, committed) in [
        (
            "ten-lines",
            TEN_LINES,
            include_str!("../children/ten-lines.yaml"),
        ),
        ("full", FULL, include_str!("../children/full.yaml")),
    ] {
        let system = validate(&sample(text), &nothing_seen()).unwrap();
        let documents = build(&system).documents();
        let printed: Vec<_> = documents
            .iter()
            .map(|object| format!("---\n{}", manifest::document(object)))
            .collect();
        assert!(
            printed.concat() == committed,
            "operator/tests/children/{name}.yaml is not what the operator makes of examples/{name}.yaml: \
             run `make generated`, and look at what changed"
        );
    }
}

/// Kind and name of each child.
fn names(objects: &Objects) -> Vec<String> {
    let documents = objects.documents();
    let name = |object: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "{} {}",
            text(&object["kind"]),
            text(&object["metadata"]["name"])
        )
    };
    documents.iter().map(name).collect()
}

#[test]
fn no_two_children_share_kind_and_name() {
    let names = names(&full(|_| ()));
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
}

#[test]
fn names_of_children_fit_where_kubernetes_is_narrow() {
    let mut resource = sample(FULL);
    resource.metadata.name = Some("a".repeat(40));
    for name in names(&build(&system(&resource))) {
        let (kind, name) = name.split_once(' ').unwrap();
        // A CronJob adds eleven characters to its Jobs' names, which are labels of 63.
        let most = if kind == "CronJob" { 52 } else { 63 };
        assert!(name.len() <= most, "{kind} {name}");
    }
}

#[test]
fn every_child_belongs_to_its_resource() {
    let mut resource = sample(FULL);
    resource.metadata.uid = Some("6f9d6f3e-0000-4000-8000-000000000000".to_owned());
    let owner = json!([{
        "apiVersion": "chatsystem.io/v1alpha1",
        "kind": "ChatSystem",
        "name": "acme",
        "uid": "6f9d6f3e-0000-4000-8000-000000000000",
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
    for object in build(&system(&resource)).documents() {
        let meta = &object["metadata"];
        assert_eq!(meta["ownerReferences"], owner, "{object}");
        assert_eq!(meta["namespace"], "chat");
        assert_eq!(
            meta["labels"]["app.kubernetes.io/managed-by"],
            "chat-operator"
        );
        assert_eq!(meta["labels"]["app.kubernetes.io/instance"], "acme");
    }
}

#[test]
fn every_pod_is_restricted_and_reads_only() {
    let objects = full(|_| ());
    let all = pods(&objects);
    assert_eq!(all.len(), 7);
    for (component, template) in all {
        let pod = serde_json::to_value(pod(template)).unwrap();
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{component:?}");
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["terminationGracePeriodSeconds"], 60);
        let container = &pod["containers"][0];
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(container["securityContext"], expected);
        assert!(container["resources"]["limits"]["memory"].is_string());
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod.get(field).is_none());
        }
    }
}

#[test]
fn no_object_says_how_many_pods_there_are() {
    for deployment in full(|_| ()).documents() {
        assert!(deployment["spec"].get("replicas").is_none(), "{deployment}");
    }
}

#[test]
fn a_deployment_chooses_its_own_pods_alone() {
    let objects = full(|_| ());
    let workers = objects
        .deployments
        .workers
        .iter()
        .map(|(_, deployment)| deployment);
    let deployments: Vec<_> = workers.chain([&objects.deployments.api]).collect();
    let templates = pods(&objects);
    for deployment in deployments {
        let spec = deployment.spec.as_ref().unwrap();
        let wanted = spec.selector.match_labels.as_ref().unwrap();
        let chosen = templates.iter().filter(|(_, template)| {
            let labels = template.metadata.as_ref().unwrap().labels.as_ref().unwrap();
            wanted
                .iter()
                .all(|(label, value)| labels.get(label) == Some(value))
        });
        assert_eq!(chosen.count(), 1, "{wanted:?}");
    }
    let system = system(&sample(FULL));
    assert_eq!(
        selector(&system.name, Component::Worker(Role::Messages)),
        "app.kubernetes.io/component=worker-messages,app.kubernetes.io/instance=acme,app.kubernetes.io/name=chatsystem"
    );
}

/// The annotation of each running component.
fn checksums(objects: &Objects) -> Vec<String> {
    let running = pods(objects)
        .into_iter()
        .filter(|(component, _)| Component::RUNNING.contains(component));
    let checksum = |(_, template): (Component, &k8s_openapi::api::core::v1::PodTemplateSpec)| {
        template
            .metadata
            .as_ref()
            .unwrap()
            .annotations
            .as_ref()
            .unwrap()[CHECKSUM]
            .clone()
    };
    running.map(checksum).collect()
}

#[test]
fn a_changed_setting_rolls_every_pod_and_scaling_rolls_none() {
    let before = full(|_| ());
    let settings = full(|spec| spec.api.trusted_proxies = 2);
    for (before, after) in checksums(&before).iter().zip(checksums(&settings)) {
        assert_ne!(*before, after);
    }
    let scaled = full(|spec| {
        spec.api.autoscaling = None;
        spec.api.replicas = 7;
        spec.workers.messages.autoscaling.max_replicas = 9;
    });
    assert_ne!(before.config_map, scaled.config_map);
    assert_eq!(before.deployments, scaled.deployments);
}

#[test]
fn a_rotated_secret_rolls_those_that_read_it() {
    let before = checksums(&full(|_| ()));
    let rolled = |rotated: &str| {
        let mut secrets = secrets();
        let secret = secrets
            .iter_mut()
            .find(|(name, _)| *name == rotated)
            .unwrap();
        secret.1.revision = "2".to_owned();
        let system = validate(&sample(FULL), &seen(secrets)).unwrap();
        let after = checksums(&build(&system));
        let pairs = before.iter().zip(after);
        pairs
            .map(|(before, after)| *before != after)
            .collect::<Vec<_>>()
    };
    assert_eq!(rolled("acme-redis"), [true; 4]);
    assert_eq!(rolled("acme-admin"), [true, false, false, false]);
}

#[test]
fn a_migration_has_a_name_of_its_own_for_each_thing_it_depends_on() {
    let name = |objects: &Objects| objects.migration.metadata.name.clone().unwrap();
    let before = name(&full(|_| ()));
    assert!(before.starts_with("acme-migrate-"));
    assert_eq!(before.len(), "acme-migrate-".len() + 8);
    let other_version = name(&full(|spec| spec.version = "0.2.0".to_owned()));
    let other_account = name(&full(|spec| spec.mysql.migration_url_secret_ref = None));
    let mut rotated = secrets();
    rotated[0].1.revision = "2".to_owned();
    let rotated = name(&build(&validate(&sample(FULL), &seen(rotated)).unwrap()));
    let different = BTreeSet::from([&before, &other_version, &other_account, &rotated]);
    assert_eq!(different.len(), 4, "{different:?}");
    // What a migration does not depend on brings none.
    let other_settings = name(&full(|spec| {
        spec.api.trusted_proxies = 3;
        spec.api.env.clear();
        spec.workers.chats.autoscaling.max_replicas = 7;
    }));
    assert_eq!(other_settings, before);
}

#[test]
fn settings_of_a_component_win_over_those_of_all_pods() {
    let value = |objects: &Objects, component: Component| {
        let templates = pods(objects);
        let (_, template) = templates.iter().find(|(of, _)| *of == component).unwrap();
        let env = pod(template).containers[0].env.as_ref().unwrap();
        let found: Vec<_> = env
            .iter()
            .filter(|env| env.name == "CHAT_LOG_FORMAT")
            .collect();
        assert_eq!(
            found.len(),
            1,
            "a name twice is refused by server-side apply"
        );
        found[0].value.clone().unwrap()
    };
    let objects = full(|spec| {
        let mut own = spec.pod_template.env.clone();
        own[0].value = Some("human".to_owned());
        spec.workers.messages.env = own;
    });
    assert_eq!(value(&objects, Component::Worker(Role::Messages)), "human");
    assert_eq!(value(&objects, Component::Worker(Role::Chats)), "json");
    assert_eq!(value(&objects, Component::Reconcile), "json");
}

#[test]
fn a_spread_constraint_without_selector_counts_its_own_component() {
    let objects = full(|spec| {
        spec.pod_template.topology_spread_constraints =
            Some(vec![k8s_openapi::api::core::v1::TopologySpreadConstraint {
                max_skew: 2,
                topology_key: "rack".to_owned(),
                when_unsatisfiable: "DoNotSchedule".to_owned(),
                ..Default::default()
            }]);
    });
    let api = objects.deployments.api.spec.as_ref().unwrap();
    let constraints = pod(&api.template)
        .topology_spread_constraints
        .as_ref()
        .unwrap();
    assert_eq!(constraints.len(), 1);
    assert_eq!(constraints[0].label_selector.as_ref(), Some(&api.selector));
}

#[test]
fn pods_of_a_component_prefer_nodes_of_their_own_unless_told_otherwise() {
    let affinity = |asked: Option<Affinity>| {
        let objects = full(|spec| spec.pod_template.affinity = asked);
        let api = objects.deployments.api.spec.unwrap();
        (pod(&api.template).affinity.clone().unwrap(), api.selector)
    };
    for nothing in [None, Some(Affinity::default())] {
        let (ours, selector) = affinity(nothing);
        let terms = ours.pod_anti_affinity.unwrap();
        let preferred = terms.preferred_during_scheduling_ignored_during_execution;
        let term = preferred.unwrap().remove(0).pod_affinity_term;
        assert_eq!(term.label_selector, Some(selector));
        assert_eq!(term.topology_key, "kubernetes.io/hostname");
    }
    let theirs = Affinity {
        node_affinity: Some(Default::default()),
        ..Affinity::default()
    };
    assert_eq!(affinity(Some(theirs.clone())).0, theirs);
}

#[test]
fn a_system_is_exposed_one_way_or_not_at_all() {
    let exposed = |type_: ExposureType, route: Option<HttpRoute>| {
        let objects = full(|spec| {
            spec.exposure.type_ = type_;
            spec.exposure.ingress = None;
            spec.exposure.http_route = route;
        });
        (objects.ingress.is_some(), objects.http_route)
    };
    assert_eq!(exposed(ExposureType::None, None), (false, None));
    assert_eq!(exposed(ExposureType::Ingress, None), (true, None));
    let route = HttpRoute {
        parent_refs: vec![ParentReference {
            name: "public".to_owned(),
            namespace: Some("gateways".to_owned()),
            section_name: None,
        }],
    };
    let (ingress, route) = exposed(ExposureType::HTTPRoute, Some(route));
    assert!(!ingress);
    let route = serde_json::to_value(route.unwrap()).unwrap();
    assert_eq!(route["apiVersion"], "gateway.networking.k8s.io/v1");
    let expected = json!({
        "parentRefs": [{ "name": "public", "namespace": "gateways" }],
        "hostnames": ["chat.example.com"],
        "rules": [{ "backendRefs": [{ "name": "acme-api", "port": 80 }] }],
    });
    assert_eq!(route["spec"], expected);
}

#[test]
fn what_is_switched_off_is_not_there() {
    let objects = full(|spec| {
        spec.network_policy.enabled = false;
        spec.monitoring.pod_monitor.enabled = false;
        spec.api.autoscaling = None;
    });
    assert!(objects.network_policies.is_empty());
    assert_eq!(objects.pod_monitor, None);
    assert_eq!(objects.autoscaler, None);
}
