//! Settings that people add: not those the operator sets, and no passwords.

use super::{Problem, invalid};
use crate::crd::{ChatSystemSpec, Role, SET_BY};
use k8s_openapi::api::core::v1::EnvVar;

pub(super) fn problems(spec: &ChatSystemSpec) -> Vec<Problem> {
    let workers = Role::ALL.into_iter().map(|role| {
        let field = format!("spec.workers.{}.env", role.name());
        (field, &spec.workers.role(role).env)
    });
    [
        ("spec.podTemplate.env".to_owned(), &spec.pod_template.env),
        ("spec.api.env".to_owned(), &spec.api.env),
    ]
    .into_iter()
    .chain(workers)
    .flat_map(|(field, list)| {
        let each = list.iter().enumerate();
        each.filter_map(move |(place, env)| problem(&format!("{field}[{place}]"), env))
    })
    .collect()
}

fn problem(field: &str, env: &EnvVar) -> Option<Problem> {
    let name = env.name.strip_suffix("_FILE").unwrap_or(&env.name);
    let set = SET_BY
        .iter()
        .find(|(set, _)| *set == env.name || *set == name);
    if let Some((_, by)) = set {
        let message = format!("{} is set by the operator, from {by}", env.name);
        return Some(invalid(format!("{field}.name"), message));
    }
    let value = env.value.as_deref().unwrap_or_default();
    holds_password(value).then(|| {
        let message = format!(
            "{} holds a password that everybody who reads this resource sees: \
             put it into a Secret and refer to it by valueFrom.secretKeyRef",
            env.name
        );
        invalid(format!("{field}.value"), message)
    })
}

/// `scheme://user:password@host`.
fn holds_password(value: &str) -> bool {
    value.match_indices("://").any(|(start, separator)| {
        let rest = &value[start + separator.len()..];
        let authority = rest
            .split(['/', '?', '#', ' ', ','])
            .next()
            .unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_with_user_and_password_holds_a_password() {
        for (value, holds) in [
            ("https://user:secret@host/path", true),
            ("a=1,https://user:secret@host", true),
            ("https://user@host", false),
            ("https://host:4318/@:", false),
            ("user:secret@host", false),
            ("info,chat=debug", false),
        ] {
            assert_eq!(holds_password(value), holds, "{value}");
        }
    }
}
