//! Chats of an application, their gaps, and the chats of everybody for administrators.

use super::{accepted, json, link_next, not_yet};
use crate::answers::{Accepted, AdminChat, AdminChatList, Chat, ChatList, Gap, GapList, NotYet};
use crate::body::JsonBody;
use crate::cursor;
use crate::error::Problem;
use crate::extract::{Admin, Idempotency, InChat, Tenant};
use crate::fields;
use crate::query::{NoQuery, Query};
use crate::requests::{ChatBody, ChatEditBody};
use crate::router::Api;
use axum::extract::State;
use axum::response::Response;
use chat::model::Number;
use chat::ops::{ChatEdit, NewChat, Presence};
use http::{StatusCode, Uri};
use std::sync::Arc;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

const WRAPPERS: [&str; 1] = ["chat"];

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<Api>>> {
    vec![
        routes!(list, create),
        routes!(show, edit, delete),
        routes!(gaps),
        routes!(list_all),
    ]
}

/// Create a chat.
///
/// From this answer on it is durable and takes messages.
#[utoipa::path(
    post,
    path = "/applications/{token}/chats",
    tag = "chats",
    operation_id = "create_chat",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with it adds nothing.")),
    request_body = Option<ChatBody>,
    responses((status = 201, description = "Accepted.", body = Accepted)),
)]
async fn create(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    _: NoQuery,
    Idempotency(key): Idempotency,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = body.fields_if_any(&WRAPPERS)?;
    let new = NewChat {
        name: fields.optional("name", fields::name),
        metadata: fields.optional("metadata", fields::metadata),
    };
    fields.finish()?;
    let chat = api
        .ops
        .create_chat(tenant.id, new, key, tenant.origin())
        .await?;
    let location = format!("{}/{}", tenant.uri.path(), chat.number);
    Ok(accepted(StatusCode::CREATED, &location, chat))
}

/// List chats by number, ascending.
#[utoipa::path(
    get,
    path = "/applications/{token}/chats",
    tag = "chats",
    operation_id = "list_chats",
    params(
        ("after" = Option<u64>, Query, description = "Only numbers above this one.", minimum = 0, maximum = 9_007_199_254_740_991_u64),
        ("limit" = Option<u64>, Query, description = "50 unless told.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page.", body = ChatList)),
)]
async fn list(
    State(api): State<Arc<Api>>,
    tenant: Tenant,
    mut query: Query,
) -> Result<Response, Problem> {
    let (after, limit) = (query.after().unwrap_or(0), query.limit());
    query.finish()?;
    let page = api.ops.chats(tenant.id, after, limit).await?;
    let data = page.data.into_iter().map(Chat::from).collect();
    let next = page.next.map(Number::get);
    let mut response = json(StatusCode::OK, &ChatList { data, next });
    link_after(&mut response, &tenant.uri, next, limit);
    Ok(response)
}

/// Show a chat.
#[utoipa::path(
    get,
    path = "/applications/{token}/chats/{chat_number}",
    tag = "chats",
    operation_id = "show_chat",
    responses(
        (status = 200, description = "The chat.", body = Chat),
        (status = 202, description = "Accepted and not stored yet.", body = NotYet),
    ),
)]
async fn show(State(api): State<Arc<Api>>, at: InChat, _: NoQuery) -> Result<Response, Problem> {
    match api.ops.chat(at.tenant.id, at.chat).await? {
        Presence::Here(chat) => Ok(json(StatusCode::OK, &Chat::from(chat))),
        Presence::Processing => Ok(not_yet(at.chat)),
    }
}

/// Change name or metadata of a chat.
#[utoipa::path(
    method(patch, put),
    path = "/applications/{token}/chats/{chat_number}",
    tag = "chats",
    operation_id = "edit_chat",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with it changes nothing.")),
    request_body = ChatEditBody,
    responses((status = 202, description = "Accepted.", body = Accepted)),
)]
async fn edit(
    State(api): State<Arc<Api>>,
    at: InChat,
    _: NoQuery,
    Idempotency(key): Idempotency,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = body.fields(&WRAPPERS)?;
    let edit = ChatEdit {
        name: fields.change("name", fields::name),
        metadata: fields.change("metadata", fields::metadata),
    };
    if edit.name.is_none() && edit.metadata.is_none() {
        fields.refuse_no_change("name or metadata");
    }
    fields.finish()?;
    let chat = api
        .ops
        .edit_chat(at.tenant.id, at.chat, edit, key, at.tenant.origin())
        .await?;
    Ok(accepted(StatusCode::ACCEPTED, at.tenant.uri.path(), chat))
}

/// Delete a chat with its messages.
#[utoipa::path(
    delete,
    path = "/applications/{token}/chats/{chat_number}",
    tag = "chats",
    operation_id = "delete_chat",
    responses((status = 202, description = "Accepted.", body = Accepted)),
)]
async fn delete(State(api): State<Arc<Api>>, at: InChat, _: NoQuery) -> Result<Response, Problem> {
    let chat = api
        .ops
        .delete_chat(at.tenant.id, at.chat, at.tenant.origin())
        .await?;
    Ok(accepted(StatusCode::ACCEPTED, at.tenant.uri.path(), chat))
}

/// List the numbers that were given and will never be stored.
#[utoipa::path(
    get,
    path = "/applications/{token}/chats/{chat_number}/gaps",
    tag = "chats",
    operation_id = "list_gaps",
    params(
        ("after" = Option<u64>, Query, description = "Only numbers above this one.", minimum = 0, maximum = 9_007_199_254_740_991_u64),
        ("limit" = Option<u64>, Query, description = "50 unless told.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page.", body = GapList)),
)]
async fn gaps(
    State(api): State<Arc<Api>>,
    at: InChat,
    mut query: Query,
) -> Result<Response, Problem> {
    let (after, limit) = (query.after().unwrap_or(0), query.limit());
    query.finish()?;
    let page = api.ops.gaps(at.tenant.id, at.chat, after, limit).await?;
    let data = page.data.into_iter().map(Gap::from).collect();
    let next = page.next.map(Number::get);
    let mut response = json(StatusCode::OK, &GapList { data, next });
    link_after(&mut response, &at.tenant.uri, next, limit);
    Ok(response)
}

/// List the chats of all applications.
///
/// Needs the admin key.
#[utoipa::path(
    get,
    path = "/chats",
    tag = "administration",
    operation_id = "list_all_chats",
    params(
        ("after" = Option<String>, Query, description = "`next` of the page before."),
        ("limit" = Option<u64>, Query, description = "50 unless told.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page.", body = AdminChatList)),
)]
async fn list_all(
    State(api): State<Arc<Api>>,
    _: Admin,
    uri: Uri,
    mut query: Query,
) -> Result<Response, Problem> {
    let (after, limit) = (
        query.take_parsed("after", cursor::parse_chat),
        query.limit(),
    );
    query.finish()?;
    let page = api.ops.all_chats(after, limit).await?;
    let data = page.data.into_iter().map(AdminChat::from).collect();
    let next = page.next.map(cursor::of_chat);
    let mut response = json(
        StatusCode::OK,
        &AdminChatList {
            data,
            next: next.clone(),
        },
    );
    if let Some(next) = next {
        link_next(
            &mut response,
            uri.path(),
            &[("after", &next), ("limit", &limit.to_string())],
        );
    }
    Ok(response)
}

fn link_after(response: &mut Response, uri: &Uri, next: Option<u64>, limit: u32) {
    if let Some(next) = next {
        link_next(
            response,
            uri.path(),
            &[("after", &next.to_string()), ("limit", &limit.to_string())],
        );
    }
}
