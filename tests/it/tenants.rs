//! Twenty tenants and every route of the OpenAPI document, with what belongs to others: their tokens,
//! keys, numbers, ids, cursors and idempotency keys. Nobody sees a byte of another, and what is foreign
//! is answered like what does not exist.

use e2e::client::{Answer, Client};
use e2e::metrics::at_rest;
use e2e::program::Program;
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const TENANTS: usize = 20;
/// Requests under way at once.
const AT_ONCE: usize = 8;
const SOON: Duration = Duration::from_secs(20);
/// Was never given out.
const UNKNOWN_TOKEN: &str = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
const UNKNOWN_NUMBER: u64 = 9_000_000;
const UNKNOWN_KEY_ID: &str = "00000000deadbeef";
/// What an intruder writes.
const INTRUDERS_TEXT: &str = "intruder";

struct Tenant {
    token: String,
    key: String,
    /// A word that is in everything this tenant wrote, and nowhere else.
    canary: String,
    /// More than some others have.
    chats: u64,
    client: Client,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_or_touches_what_is_of_another_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start_with_keys(&dir.path().join("data")).await;
    let admin = Client::new(&program.place).await;
    let mut tenants = Vec::new();
    for place in 0..TENANTS {
        tenants.push(a_tenant(&admin, place).await);
    }
    at_rest(&admin, SOON).await;
    let before = everything(&tenants).await;

    let operations = admin.contract().operations();
    let asked = foreign_tokens_answer_like_unknown_ones(&tenants, &operations).await;
    assert!(asked >= 9_000, "only {asked} requests");
    wrong_keys_answer_like_none(&tenants, &operations).await;
    foreign_numbers_answer_like_unknown_ones(&tenants, &operations).await;
    foreign_words_are_not_found(&tenants).await;
    cursors_of_administrators_open_nothing(&admin, &tenants).await;

    let after = everything(&tenants).await;
    for (tenant, (before, after)) in tenants.iter().zip(before.iter().zip(&after)) {
        assert_eq!(before, after, "{} was touched", tenant.canary);
        let others = tenants.iter().filter(|other| other.canary != tenant.canary);
        for other in others {
            assert!(
                !after.contains(&other.canary),
                "{} sees {}",
                tenant.canary,
                other.canary
            );
        }
        assert!(!after.contains(INTRUDERS_TEXT));
    }
    idempotency_keys_are_everybodys_own(&tenants).await;
    program.stop().await;
}

async fn a_tenant(admin: &Client, place: usize) -> Tenant {
    // No canary starts with another one, and none is a typo away.
    let canary = format!("{place:02}").repeat(6) + "canary";
    let created = admin
        .post("/api/v1/applications", json!({ "name": canary }))
        .await;
    let created = created.expect(201);
    let key = created.body["api_key"]
        .as_str()
        .expect("a key is text")
        .to_owned();
    let client = admin.with_key(Some(&key));
    let chats = 1 + u64::try_from(place % 3).expect("it is small");
    for _ in 0..chats {
        let body = json!({ "name": canary, "metadata": { &canary: canary } });
        let chat = client
            .post(&format!("{}/chats", created.location()), body)
            .await;
        let chat = chat.expect(201).location();
        for _ in 0..chats {
            let body =
                json!({ "content": canary, "author": canary, "metadata": { &canary: canary } });
            client
                .post(&format!("{chat}/messages"), body)
                .await
                .expect(201);
        }
    }
    Tenant {
        token: created.body["token"]
            .as_str()
            .expect("a token is text")
            .to_owned(),
        key,
        canary,
        chats,
        client,
    }
}

/// All that each tenant can see of itself, as text.
async fn everything(tenants: &[Tenant]) -> Vec<String> {
    let see = async |tenant: &Tenant| {
        let application = format!("/api/v1/applications/{}", tenant.token);
        let mut seen = tenant.client.get(&application).await.expect(200).text;
        for path in [
            "keys",
            "chats",
            "chats/1",
            "chats/1/messages",
            "chats/1/gaps",
            "chats/1/messages/1",
        ] {
            let path = format!("{application}/{path}");
            seen += &tenant.client.get(&path).await.expect(200).text;
        }
        seen
    };
    let mut all = Vec::new();
    for tenant in tenants {
        all.push(see(tenant).await);
    }
    all
}

/// What a request is aimed at.
#[derive(Clone, Copy)]
struct Target<'a> {
    token: &'a str,
    chat: u64,
    message: u64,
    key_id: &'a str,
    /// To look for.
    word: &'a str,
}

impl<'a> Target<'a> {
    fn first_message_of(tenant: &'a Tenant) -> Self {
        Self {
            token: &tenant.token,
            chat: 1,
            message: 1,
            key_id: tenant.key_id(),
            word: &tenant.canary,
        }
    }
}

impl Tenant {
    /// The public part of its key.
    fn key_id(&self) -> &str {
        self.key.split('_').nth(1).expect("a key has an id")
    }
}

type Operation<'a> = (Method, &'a str);

/// A request that would do what the operation is for.
async fn attempt(client: &Client, (method, template): &Operation<'_>, at: Target<'_>) -> Answer {
    let mut path = template
        .replace("{token}", at.token)
        .replace("{chat_number}", &at.chat.to_string())
        .replace("{message_number}", &at.message.to_string())
        .replace("{key_id}", at.key_id);
    if template.ends_with("/search") {
        path += &format!("?query={}", at.word);
    }
    let call = client.call(method.clone(), &path);
    let is_addressed = *template == "/api/v1/messages";
    let body = match method.as_str() {
        _ if template.contains("/keys") => None,
        "POST" if is_addressed => Some(json!({
            "application_token": at.token, "chat_number": at.chat, "content": INTRUDERS_TEXT,
        })),
        "POST" | "PUT" | "PATCH" if template.contains("/messages") => {
            Some(json!({ "content": INTRUDERS_TEXT }))
        }
        "POST" | "PUT" | "PATCH" => Some(json!({ "name": INTRUDERS_TEXT })),
        _ => None,
    };
    match body {
        Some(body) => call.json(&body).send().await,
        None => call.send().await,
    }
}

/// Everything in an answer that does not name the request itself.
fn likeness(answer: &Answer) -> (u16, Value, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("instance");
    }
    let mut headers: Vec<(String, String)> = answer
        .headers
        .keys()
        .map(|name| (name.to_string(), answer.header(name.as_str()).to_owned()))
        .filter(|(name, _)| !["x-request-id", "traceparent", "date"].contains(&name.as_str()))
        .collect();
    headers.sort();
    (answer.status, body, headers)
}

/// Operations on something of an application, named in the path or in the body.
fn within_applications<'a>(
    operations: &'a [Operation<'a>],
) -> impl Iterator<Item = &'a Operation<'a>> {
    operations.iter().filter(|(method, template)| {
        template.contains("{token}") || (*method == Method::POST && *template == "/api/v1/messages")
    })
}

/// Every tenant against every other, on every route. Returns how many requests that were.
async fn foreign_tokens_answer_like_unknown_ones(
    tenants: &[Tenant],
    operations: &[Operation<'_>],
) -> usize {
    let mut asked = 0;
    for operation in within_applications(operations) {
        for intruder in tenants {
            let unknown = Target {
                token: UNKNOWN_TOKEN,
                ..Target::first_message_of(intruder)
            };
            let expected = attempt(&intruder.client, operation, unknown).await;
            assert!(
                matches!(expected.status, 401 | 404),
                "{operation:?}: {expected:?}"
            );
            let expected = likeness(&expected);
            let victims = tenants
                .iter()
                .filter(|victim| victim.token != intruder.token);
            let mut answers = stream::iter(victims)
                .map(async |victim| {
                    let target = Target::first_message_of(victim);
                    (victim, attempt(&intruder.client, operation, target).await)
                })
                .buffer_unordered(AT_ONCE);
            while let Some((victim, answer)) = answers.next().await {
                assert_eq!(likeness(&answer), expected, "{operation:?}");
                assert!(
                    !answer.text.contains(&victim.canary),
                    "{operation:?}: {answer:?}"
                );
                asked += 1;
            }
        }
    }
    asked
}

/// No key, words that are none, and the victim's own key with another secret.
async fn wrong_keys_answer_like_none(tenants: &[Tenant], operations: &[Operation<'_>]) {
    for operation in within_applications(operations) {
        for victim in tenants {
            let target = Target::first_message_of(victim);
            let nobody = victim.client.with_key(None);
            let expected = attempt(&nobody, operation, target).await;
            assert_eq!(expected.status, 401, "{operation:?}: {expected:?}");
            let wrong_secret = format!("cs_{}_{}", victim.key_id(), "A".repeat(43));
            let cut = &victim.key[..victim.key.len() - 1];
            for key in [
                "nonsense",
                &wrong_secret,
                cut,
                &victim.token,
                victim.key_id(),
            ] {
                let somebody = victim.client.with_key(Some(key));
                let answer = attempt(&somebody, operation, target).await;
                assert_eq!(
                    likeness(&answer),
                    likeness(&expected),
                    "{operation:?} with {key}"
                );
            }
        }
    }
}

/// Numbers that only others have, and ids of their keys, within the own application.
async fn foreign_numbers_answer_like_unknown_ones(
    tenants: &[Tenant],
    operations: &[Operation<'_>],
) {
    let numbered = within_applications(operations).filter(|(_, template)| {
        template.contains("_number}") || template.contains("{key_id}") || !template.contains('{')
    });
    for operation in numbered {
        let (_, template) = operation;
        for own in tenants.iter().filter(|tenant| tenant.chats < 3) {
            let foreign = tenants.iter().find(|tenant| tenant.chats == 3);
            let foreign = foreign.expect("every third tenant has three chats");
            let mine = Target::first_message_of(own);
            let (theirs, unknown) = if template.contains("{message_number}") {
                (
                    Target { message: 3, ..mine },
                    Target {
                        message: UNKNOWN_NUMBER,
                        ..mine
                    },
                )
            } else if template.contains("{key_id}") {
                (
                    Target {
                        key_id: foreign.key_id(),
                        ..mine
                    },
                    Target {
                        key_id: UNKNOWN_KEY_ID,
                        ..mine
                    },
                )
            } else {
                (
                    Target { chat: 3, ..mine },
                    Target {
                        chat: UNKNOWN_NUMBER,
                        ..mine
                    },
                )
            };
            let expected = attempt(&own.client, operation, unknown).await;
            assert_eq!(expected.status, 404, "{operation:?}: {expected:?}");
            let answer = attempt(&own.client, operation, theirs).await;
            assert_eq!(likeness(&answer), likeness(&expected), "{operation:?}");
        }
    }
}

async fn foreign_words_are_not_found(tenants: &[Tenant]) {
    for own in tenants {
        let search = format!("/api/v1/applications/{}/messages/search", own.token);
        let mine = own
            .client
            .get(&format!("{search}?query={}&per_page=100", own.canary))
            .await;
        let expected = own.chats * own.chats;
        assert_eq!(mine.expect(200).body["total"], expected, "{}", own.canary);
        for other in tenants.iter().filter(|other| other.token != own.token) {
            for query in [
                format!("query={}", other.canary),
                format!("query=%22{}%22", other.canary),
                format!("query={}&author={}", own.canary, other.canary),
            ] {
                let answer = own
                    .client
                    .get(&format!("{search}?{query}"))
                    .await
                    .expect(200);
                assert_eq!(answer.body["total"], 0, "{query}: {answer:?}");
            }
        }
    }
}

async fn cursors_of_administrators_open_nothing(admin: &Client, tenants: &[Tenant]) {
    for list in ["/api/v1/chats", "/api/v1/messages"] {
        let mut next = Some(format!("{list}?limit=1"));
        for own in tenants {
            let Some(path) = next else { break };
            let page = admin.get(&path).await.expect(200);
            next = page.next_link();
            let cursor = page.body["next"].as_str().expect("there are more pages");
            own.client
                .get(&format!("{list}?after={cursor}"))
                .await
                .problem(403, "forbidden");
            let nobody = own.client.with_key(None);
            nobody
                .get(&format!("{list}?after={cursor}"))
                .await
                .problem(401, "unauthenticated");
            for inside in ["chats", "chats/1/messages", "chats/1/gaps"] {
                let path = format!("/api/v1/applications/{}/{inside}?after={cursor}", own.token);
                own.client.get(&path).await.blames(&["after"]);
            }
        }
    }
}

/// The same key and body from everybody are as many messages.
async fn idempotency_keys_are_everybodys_own(tenants: &[Tenant]) {
    let mut ids = Vec::new();
    for tenant in tenants {
        let path = format!("/api/v1/applications/{}/chats/1/messages", tenant.token);
        let body = json!({ "content": "the same" });
        let call = tenant.client.call(Method::POST, &path).json(&body);
        let answer = call.idempotency_key("everybody's").send().await.expect(201);
        assert!(!answer.replayed());
        assert_eq!(answer.number(), tenant.chats + 1);
        ids.push(answer.id().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), tenants.len());
}
