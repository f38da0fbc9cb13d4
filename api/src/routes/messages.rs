//! Messages of a chat, and the messages of everybody for administrators.

use super::{accepted, json, link_next, not_yet, search};
use crate::answers::{
    Accepted, AdminMessage, AdminMessageList, Message, MessageList, MessageStatus, MessagesOrFound,
    NotYet, Status, rfc3339,
};
use crate::auth;
use crate::body::JsonBody;
use crate::cursor;
use crate::error::Problem;
use crate::extract::{self, Admin, Idempotency, InChat, InMessage, Wait};
use crate::fields::{self, Fields};
use crate::query::{NoQuery, Query};
use crate::requests::{AddressedMessageBody, MessageBody, MessageEditBody};
use crate::router::{Api, BASE};
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use chat::model::{Content, Number, Problem as Refusal};
use chat::ops::{self, Credential, MessageEdit, NewMessage, Presence};
use chat::ports::Window;
use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri};
use std::sync::Arc;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

const WRAPPERS: [&str; 1] = ["message"];

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<Api>>> {
    vec![
        routes!(list, create),
        routes!(show, edit, delete),
        routes!(status),
        routes!(list_all, create_addressed),
    ]
}

/// Send a message.
///
/// From this answer on it is durable; a repetition without an Idempotency-Key is another message.
#[utoipa::path(
    post,
    path = "/applications/{token}/chats/{chat_number}/messages",
    tag = "messages",
    operation_id = "create_message",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with it adds nothing.")),
    request_body = MessageBody,
    responses((status = 201, description = "Accepted.", body = Accepted)),
)]
async fn create(
    State(api): State<Arc<Api>>,
    at: InChat,
    _: NoQuery,
    Idempotency(key): Idempotency,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = body.fields(&WRAPPERS)?;
    let content = content_in(&mut fields);
    let extras = Extras::in_fields(&mut fields);
    let new = extras.with(fields.finish_with(content)?);
    let message = api
        .ops
        .create_message(at.tenant.id, at.chat, new, key, at.tenant.origin())
        .await?;
    let location = format!("{}/{}", at.tenant.uri.path(), message.number);
    Ok(accepted(StatusCode::CREATED, &location, message))
}

/// Send a message, addressed in the body.
#[utoipa::path(
    post,
    path = "/messages",
    tag = "messages",
    operation_id = "create_addressed_message",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with it adds nothing.")),
    request_body = AddressedMessageBody,
    responses((status = 201, description = "Accepted.", body = Accepted)),
)]
async fn create_addressed(
    State(api): State<Arc<Api>>,
    Caller(caller): Caller,
    _: NoQuery,
    Idempotency(key): Idempotency,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = body.fields(&WRAPPERS)?;
    let token = fields.required("application_token", fields::text);
    let chat = fields.required("chat_number", fields::number);
    let content = content_in(&mut fields);
    let extras = Extras::in_fields(&mut fields);
    let ((token, chat), content) = fields.finish_with(token.zip(chat).zip(content))?;

    let Parts {
        method,
        uri,
        headers,
        ..
    } = &caller;
    let tenant = extract::enter(
        &api,
        &token,
        method,
        uri.clone(),
        headers,
        extract::context_of(&caller),
    )
    .await?;
    let message = api
        .ops
        .create_message(tenant.id, chat, extras.with(content), key, tenant.origin())
        .await?;
    let location = format!(
        "{BASE}/applications/{token}/chats/{chat}/messages/{}",
        message.number
    );
    Ok(accepted(StatusCode::CREATED, &location, message))
}

/// A caller of whom it will only be known later which application they want. Without any credential
/// where one is needed, the body is not even read.
struct Caller(Parts);

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match auth::credential(&api.settings.auth, &parts.headers) {
            Credential::Missing => Err(Problem::unauthenticated()),
            Credential::Open | Credential::Admin | Credential::Key(_) => Ok(Self(parts.clone())),
        }
    }
}

/// Everything a message may have beside its content.
struct Extras {
    author: Option<chat::model::Author>,
    metadata: Option<chat::model::Metadata>,
    reply_to: Option<Number>,
    created_at: Option<chat::model::Millis>,
}

impl Extras {
    fn in_fields(fields: &mut Fields) -> Self {
        Self {
            author: fields.optional("author", fields::author),
            metadata: fields.optional("metadata", fields::metadata),
            reply_to: fields.optional("reply_to", fields::number),
            created_at: fields.optional("created_at", fields::time),
        }
    }

    fn with(self, content: Content) -> NewMessage {
        let Self {
            author,
            metadata,
            reply_to,
            created_at,
        } = self;
        NewMessage {
            content,
            author,
            metadata,
            reply_to,
            created_at,
        }
    }
}

fn content_in(fields: &mut Fields) -> Option<Content> {
    fields.alias("body", "content");
    fields.required("content", fields::content)
}

/// List messages by number, ascending; or find words in them, with `query`.
///
/// With `query` this is `../messages/search`, with all of its parameters.
#[utoipa::path(
    get,
    path = "/applications/{token}/chats/{chat_number}/messages",
    tag = "messages",
    operation_id = "list_messages",
    params(
        ("after" = Option<u64>, Query, description = "The next numbers above this one; not with before.", minimum = 0, maximum = 9_007_199_254_740_991_u64),
        ("before" = Option<u64>, Query, description = "The nearest numbers below this one; not with after.", minimum = 1, maximum = 9_007_199_254_740_991_u64),
        ("limit" = Option<u64>, Query, description = "50 unless told.", minimum = 1, maximum = 200),
        ("query" = Option<String>, Query, description = "Search instead of listing.", min_length = 1, max_length = 256),
    ),
    responses((status = 200, description = "A page, or what was found.", body = MessagesOrFound)),
)]
async fn list(
    State(api): State<Arc<Api>>,
    at: InChat,
    mut query: Query,
) -> Result<Response, Problem> {
    if query.has("query") || query.has("q") {
        return search::answer(&api, &at.tenant, Some(at.chat), query).await;
    }
    let (after, before) = (query.after(), query.number("before", 1..=Number::MAX.get()));
    if after.is_some() && before.is_some() {
        query.refuse(
            "before",
            Refusal::new("is given together with after", "send one of the two"),
        );
    }
    let limit = query.limit();
    query.finish()?;
    let (name, window) = match before.and_then(Number::new) {
        Some(before) => ("before", Window::Before(before)),
        None => ("after", Window::After(after.unwrap_or(0))),
    };
    let page = api
        .ops
        .messages(at.tenant.id, at.chat, window, limit)
        .await?;
    let data = page.data.into_iter().map(Message::from).collect();
    let next = page.next.map(Number::get);
    let mut response = json(
        StatusCode::OK,
        &MessageList {
            data,
            next,
            complete_through: page.complete_through,
        },
    );
    if let Some(next) = next {
        link_next(
            &mut response,
            at.tenant.uri.path(),
            &[(name, &next.to_string()), ("limit", &limit.to_string())],
        );
    }
    Ok(response)
}

/// Show a message.
///
/// An accepted number is never missing: until it is stored, the answer is 202.
#[utoipa::path(
    get,
    path = "/applications/{token}/chats/{chat_number}/messages/{message_number}",
    tag = "messages",
    operation_id = "show_message",
    params(("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N (at most 10) seconds until it is stored.")),
    responses(
        (status = 200, description = "The message.", body = Message),
        (status = 202, description = "Accepted and not stored yet.", body = NotYet),
    ),
)]
async fn show(
    State(api): State<Arc<Api>>,
    at: InMessage,
    _: NoQuery,
    wait: Wait,
) -> Result<Response, Problem> {
    let mut response = match api
        .ops
        .message(at.tenant.id, at.chat, at.message, wait.duration())
        .await?
    {
        Presence::Here(message) => json(StatusCode::OK, &Message::from(message)),
        Presence::Processing => not_yet(at.message),
    };
    if let Some(seconds) = wait.0 {
        let applied =
            HeaderValue::try_from(format!("wait={seconds}")).expect("a number is visible ASCII");
        response.headers_mut().insert("preference-applied", applied);
    }
    Ok(response)
}

/// Change content or metadata of a message.
#[utoipa::path(
    method(patch, put),
    path = "/applications/{token}/chats/{chat_number}/messages/{message_number}",
    tag = "messages",
    operation_id = "edit_message",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with it changes nothing.")),
    request_body = MessageEditBody,
    responses((status = 202, description = "Accepted.", body = Accepted)),
)]
async fn edit(
    State(api): State<Arc<Api>>,
    at: InMessage,
    _: NoQuery,
    Idempotency(key): Idempotency,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = body.fields(&WRAPPERS)?;
    fields.alias("body", "content");
    let edit = MessageEdit {
        content: fields.replacement("content", fields::content),
        metadata: fields.change("metadata", fields::metadata),
    };
    if edit.content.is_none() && edit.metadata.is_none() {
        fields.refuse_no_change("content or metadata");
    }
    fields.finish()?;
    let origin = at.tenant.origin();
    let message = api
        .ops
        .edit_message(at.tenant.id, at.chat, at.message, edit, key, origin)
        .await?;
    Ok(accepted(
        StatusCode::ACCEPTED,
        at.tenant.uri.path(),
        message,
    ))
}

/// Delete a message.
#[utoipa::path(
    delete,
    path = "/applications/{token}/chats/{chat_number}/messages/{message_number}",
    tag = "messages",
    operation_id = "delete_message",
    responses((status = 202, description = "Accepted.", body = Accepted)),
)]
async fn delete(
    State(api): State<Arc<Api>>,
    at: InMessage,
    _: NoQuery,
) -> Result<Response, Problem> {
    let message = api
        .ops
        .delete_message(at.tenant.id, at.chat, at.message, at.tenant.origin())
        .await?;
    Ok(accepted(
        StatusCode::ACCEPTED,
        at.tenant.uri.path(),
        message,
    ))
}

/// Tell how far a message has come.
#[utoipa::path(
    get,
    path = "/applications/{token}/chats/{chat_number}/messages/{message_number}/status",
    tag = "messages",
    operation_id = "show_message_status",
    responses((status = 200, description = "The status.", body = MessageStatus)),
)]
async fn status(
    State(api): State<Arc<Api>>,
    at: InMessage,
    _: NoQuery,
) -> Result<Response, Problem> {
    let status = api
        .ops
        .message_status(at.tenant.id, at.chat, at.message)
        .await?;
    let answer = MessageStatus {
        status: match status.status {
            ops::Status::Processing => Status::Processing,
            ops::Status::Stored => Status::Stored,
            ops::Status::Deleted => Status::Deleted,
            ops::Status::Voided => Status::Voided,
        },
        accepted_at: rfc3339(status.accepted_at),
        stored_at: rfc3339(status.stored_at),
        searchable: status.searchable,
        rev: status.rev.get(),
    };
    Ok(json(StatusCode::OK, &answer))
}

/// List the messages of all applications.
///
/// Needs the admin key.
#[utoipa::path(
    get,
    path = "/messages",
    tag = "administration",
    operation_id = "list_all_messages",
    params(
        ("after" = Option<String>, Query, description = "`next` of the page before."),
        ("limit" = Option<u64>, Query, description = "50 unless told.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page.", body = AdminMessageList)),
)]
async fn list_all(
    State(api): State<Arc<Api>>,
    _: Admin,
    uri: Uri,
    mut query: Query,
) -> Result<Response, Problem> {
    let (after, limit) = (
        query.take_parsed("after", cursor::parse_message),
        query.limit(),
    );
    query.finish()?;
    let page = api.ops.all_messages(after, limit).await?;
    let data = page.data.into_iter().map(AdminMessage::from).collect();
    let next = page.next.map(cursor::of_message);
    let mut response = json(
        StatusCode::OK,
        &AdminMessageList {
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
