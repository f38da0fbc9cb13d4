//! What is refused, and where it says so.

use crate::samples::{FULL, TEN_LINES, nothing_seen, sample, secrets, seen};
use k8s_openapi::api::core::v1::EnvVar;
use operator::crd::{ChatSystem, ExposureType};
use operator::validate::{Invalid, Observed, Problem, Reason, validate};

/// Where, why and what.
fn refused(observed: &Observed, change: impl FnOnce(&mut ChatSystem)) -> Vec<Problem> {
    let mut resource = sample(FULL);
    change(&mut resource);
    match validate(&resource, observed) {
        Err(Invalid(problems)) => problems,
        Ok(_) => panic!("it is refused"),
    }
}

/// One problem of the specification.
fn wrong(field: &str, message: &str) -> Vec<Problem> {
    vec![Problem {
        reason: Reason::InvalidSpec,
        field: field.to_owned(),
        message: message.to_owned(),
    }]
}

fn env(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}

#[test]
fn the_samples_are_valid() {
    for text in [TEN_LINES, FULL] {
        assert!(validate(&sample(text), &nothing_seen()).is_ok());
        assert!(validate(&sample(text), &seen(secrets())).is_ok());
    }
}

#[test]
fn a_setting_that_the_operator_sets_is_refused_with_its_place() {
    let found = refused(&nothing_seen(), |resource| {
        resource.spec.api.env.push(env("CHAT_LISTEN", "0.0.0.0:80"));
    });
    let said = "CHAT_LISTEN is set by the operator, from the Service";
    assert_eq!(found, wrong("spec.api.env[1].name", said));

    let found = refused(&nothing_seen(), |resource| {
        resource.spec.workers.messages.env = vec![env("CHAT_MYSQL_URL_FILE", "/tmp/url")];
    });
    let said = "CHAT_MYSQL_URL_FILE is set by the operator, from spec.mysql.urlSecretRef";
    assert_eq!(found, wrong("spec.workers.messages.env[0].name", said));

    let found = refused(&nothing_seen(), |resource| {
        resource.spec.pod_template.env = vec![env("CHAT_REDIS_CA_FILE", "/tmp/ca")];
    });
    let said = "CHAT_REDIS_CA_FILE is set by the operator, from spec.redis.tls.caSecretRef";
    assert_eq!(found, wrong("spec.podTemplate.env[0].name", said));
}

#[test]
fn a_password_in_a_setting_is_refused_and_not_repeated() {
    let found = refused(&nothing_seen(), |resource| {
        resource.spec.pod_template.env = vec![env("CHAT_OTLP_ENDPOINT", "https://me:canary@host")];
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "spec.podTemplate.env[0].value");
    assert!(!found[0].to_string().contains("canary"));
}

#[test]
fn labels_that_choose_pods_and_annotations_of_its_own_are_the_operators() {
    let found = refused(&nothing_seen(), |resource| {
        let labels = &mut resource.spec.pod_template.labels;
        labels.insert("app.kubernetes.io/component".into(), "mine".into());
    });
    let said = "app.kubernetes.io/component is set by the operator: take another name";
    assert_eq!(found, wrong("spec.podTemplate.labels", said));

    let found = refused(&nothing_seen(), |resource| {
        let annotations = &mut resource.spec.service_account.annotations;
        annotations.insert("chatsystem.io/applied-hash".into(), "mine".into());
    });
    let said = "chatsystem.io/applied-hash is set by the operator: take another name";
    assert_eq!(found, wrong("spec.serviceAccount.annotations", said));
}

#[test]
fn a_file_is_held_to_the_bounds_that_the_api_server_would_hold_it_to() {
    let found = refused(&nothing_seen(), |resource| {
        resource.spec.workers.chats.autoscaling.min_replicas = 9;
    });
    let said = "9 exceeds maxReplicas, 5";
    assert_eq!(
        found,
        wrong("spec.workers.chats.autoscaling.minReplicas", said)
    );
    let found = refused(&nothing_seen(), |resource| {
        resource.spec.exposure.host = None;
    });
    assert_eq!(
        found,
        wrong("spec.exposure.host", "is required unless type is None")
    );
    let found = refused(&nothing_seen(), |resource| {
        resource.spec.exposure.type_ = ExposureType::HTTPRoute;
    });
    let said = "is required with type HTTPRoute and forbidden otherwise";
    assert_eq!(found, wrong("spec.exposure.httpRoute", said));
    for name in ["9lives", "Acme", "acme-", "a.b", "", &"a".repeat(41)] {
        let found = refused(&nothing_seen(), |resource| {
            resource.metadata.name = Some(name.to_owned());
        });
        assert_eq!(found[0].field, "metadata.name", "{name}");
    }
}

#[test]
fn a_secret_that_is_missing_is_named_with_what_to_do() {
    let without = secrets()
        .into_iter()
        .filter(|(name, _)| *name != "acme-redis");
    let found = refused(&seen(without.collect()), |_| ());
    let expected = Problem {
        reason: Reason::SecretNotFound,
        field: "spec.redis.urlSecretRef.name".to_owned(),
        message: "there is no Secret acme-redis: create it with the key url".to_owned(),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn a_key_that_is_missing_is_named_with_what_to_do() {
    let mut without = secrets();
    without[0].1.keys.remove("migrationUrl");
    let found = refused(&seen(without), |_| ());
    let expected = Problem {
        reason: Reason::SecretKeyMissing,
        field: "spec.mysql.migrationURLSecretRef.key".to_owned(),
        message: "the Secret acme-mysql has no key migrationUrl: add it, or name another"
            .to_owned(),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = refused(&seen(Vec::new()), |resource| {
        resource.spec.exposure.host = None;
    });
    let fields: Vec<_> = found.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields[0], "spec.exposure.host");
    assert_eq!(fields.len(), 1 + 8, "{fields:?}");
}
