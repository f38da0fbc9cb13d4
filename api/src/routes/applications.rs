//! Applications and their keys.

use super::{json, link_next, located, mark_replayed};
use crate::answers::{
    Application, ApplicationList, ApplicationWithKey, Deleting, Key, KeyList, PageMeta, Processing,
    rfc3339,
};
use crate::body::JsonBody;
use crate::error::Problem;
use crate::extract::{Admin, Idempotency, KeyInPath, Tenant};
use crate::fields;
use crate::query::{NoQuery, Query};
use crate::requests::ApplicationBody;
use crate::router::Api;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chat::model::{Name, Problem as Refusal};
use http::{StatusCode, Uri};
use secrecy::ExposeSecret;
use std::sync::Arc;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

const WRAPPERS: [&str; 2] = ["application", "app"];
const DEFAULT_PER_PAGE: u64 = 20;
const MAX_PER_PAGE: u64 = 100;
const MAX_DEPTH: u64 = 100_000;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<Api>>> {
    vec![
        routes!(list, create),
        routes!(show, rename, delete),
        routes!(list_keys, rotate_key),
        routes!(revoke_key),
    ]
}

/// Create an application.
///
/// Its key is in this answer and nowhere else. Needs the admin key.
#[utoipa::path(
    post,
    path = "/applications",
    tag = "applications",
    operation_id = "create_application",
    params(("Idempotency-Key" = Option<String>, Header, description = "Unique across applications.")),
    request_body = ApplicationBody,
    responses((status = 201, description = "Created.", body = ApplicationWithKey)),
)]
async fn create(
    State(api): State<Arc<Api>>,
    _: Admin,
    _: NoQuery,
    uri: Uri,
    Idempotency(key): Idempotency,
    body: JsonBody,
) -> Result<Response, Problem> {
    let created = api.ops.create_application(name_in(&body)?, key).await?;
    let location = format!("{}/{}", uri.path(), created.application.token.as_str());
    let answer = ApplicationWithKey {
        application: created.application.into(),
        api_key: created.api_key.map(|key| key.expose_secret().to_owned()),
    };
    let mut response = json(StatusCode::CREATED, &answer);
    located(&mut response, &location);
    if created.replayed {
        mark_replayed(&mut response);
    }
    Ok(response)
}

/// List applications, newest last.
///
/// Needs the admin key.
#[utoipa::path(
    get,
    path = "/applications",
    tag = "applications",
    operation_id = "list_applications",
    params(
        ("page" = Option<u64>, Query, description = "From 1; page times per_page is at most 100000.", minimum = 1, maximum = 100_000),
        ("per_page" = Option<u64>, Query, description = "20 unless told.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page.", body = ApplicationList)),
)]
async fn list(
    State(api): State<Arc<Api>>,
    _: Admin,
    uri: Uri,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = query.number("page", 1..=MAX_DEPTH).unwrap_or(1);
    let per_page = query
        .number("per_page", 1..=MAX_PER_PAGE)
        .unwrap_or(DEFAULT_PER_PAGE);
    if page * per_page > MAX_DEPTH {
        query.refuse(
            "page",
            Refusal::new("is too deep", "keep page times per_page within 100000"),
        );
    }
    query.finish()?;
    let limit = u32::try_from(per_page).expect("per_page is at most 100");
    let (applications, total) = api.ops.applications((page - 1) * per_page, limit).await?;
    let meta = PageMeta {
        page,
        per_page,
        total,
        total_pages: total.div_ceil(per_page),
    };
    let more = page < meta.total_pages && (page + 1) * per_page <= MAX_DEPTH;
    let data = applications.into_iter().map(Application::from).collect();
    let mut response = json(StatusCode::OK, &ApplicationList { data, meta });
    if more {
        let (page, per_page) = ((page + 1).to_string(), per_page.to_string());
        link_next(
            &mut response,
            uri.path(),
            &[("page", &page), ("per_page", &per_page)],
        );
    }
    Ok(response)
}

/// Show an application.
#[utoipa::path(
    get,
    path = "/applications/{token}",
    tag = "applications",
    operation_id = "show_application",
    responses((status = 200, description = "The application.", body = Application)),
)]
async fn show(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    _: NoQuery,
) -> Result<Response, Problem> {
    let application = api.ops.application(tenant.id).await?;
    Ok(json(StatusCode::OK, &Application::from(application)))
}

/// Rename an application.
#[utoipa::path(
    method(patch, put),
    path = "/applications/{token}",
    tag = "applications",
    operation_id = "rename_application",
    request_body = ApplicationBody,
    responses((status = 200, description = "Renamed.", body = Application)),
)]
async fn rename(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    _: NoQuery,
    body: JsonBody,
) -> Result<Response, Problem> {
    let application = api
        .ops
        .rename_application(tenant.id, name_in(&body)?)
        .await?;
    Ok(json(StatusCode::OK, &Application::from(application)))
}

/// Delete an application with everything in it.
///
/// From this answer on it is not there; its rows are cleaned away afterwards.
#[utoipa::path(
    delete,
    path = "/applications/{token}",
    tag = "applications",
    operation_id = "delete_application",
    responses((status = 202, description = "Deleted; cleaning follows.", body = Deleting)),
)]
async fn delete(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    _: NoQuery,
) -> Result<Response, Problem> {
    api.ops.delete_application(tenant.id).await?;
    let token = tenant.token.as_str().to_owned();
    Ok(json(
        StatusCode::ACCEPTED,
        &Deleting {
            token,
            status: Processing::Processing,
        },
    ))
}

/// Make a second key, to replace the first.
///
/// At most two keys are live: revoke one to make another. The new key is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/applications/{token}/keys",
    tag = "keys",
    operation_id = "rotate_key",
    responses((status = 201, description = "The application with its new key.", body = ApplicationWithKey)),
)]
async fn rotate_key(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    _: NoQuery,
) -> Result<Response, Problem> {
    let (key, secret) = api.ops.rotate_key(tenant.id).await?;
    let application = api.ops.application(tenant.id).await?.into();
    let answer = ApplicationWithKey {
        application,
        api_key: Some(secret.expose_secret().to_owned()),
    };
    let mut response = json(StatusCode::CREATED, &answer);
    located(
        &mut response,
        &format!("{}/{}", tenant.uri.path(), key.id.as_str()),
    );
    Ok(response)
}

/// List the keys of an application, without their secrets.
#[utoipa::path(
    get,
    path = "/applications/{token}/keys",
    tag = "keys",
    operation_id = "list_keys",
    responses((status = 200, description = "All keys, revoked ones too.", body = KeyList)),
)]
async fn list_keys(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    _: NoQuery,
) -> Result<Response, Problem> {
    let keys = api.ops.keys(tenant.id).await?.into_iter().map(|key| Key {
        id: key.id.as_str().to_owned(),
        created_at: key.created_at.to_rfc3339(),
        revoked_at: rfc3339(key.revoked_at),
    });
    Ok(json(
        StatusCode::OK,
        &KeyList {
            data: keys.collect(),
            next: None,
        },
    ))
}

/// Revoke a key.
///
/// Within five seconds it opens nothing any more.
#[utoipa::path(
    delete,
    path = "/applications/{token}/keys/{key_id}",
    tag = "keys",
    operation_id = "revoke_key",
    responses((status = 204, description = "Revoked.")),
)]
async fn revoke_key(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    KeyInPath(id): KeyInPath,
    _: NoQuery,
) -> Result<Response, Problem> {
    api.ops.revoke_key(tenant.id, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn name_in(body: &JsonBody) -> Result<Name, Problem> {
    let mut fields = body.fields(&WRAPPERS)?;
    let name = fields.required("name", fields::name);
    fields.finish_with(name)
}
