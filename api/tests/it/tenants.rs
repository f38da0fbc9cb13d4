//! No byte of one tenant in an answer to another (I8): every route, with foreign tokens, keys, numbers
//! and cursors.

use crate::contract::DOCUMENT;
use crate::system::{ADMIN_KEY, Answer, System, eventually, with_keys};
use http::Method;
use serde_json::{Value, json};

const TENANTS: usize = 20;
const CHATS: u64 = 2;
const MESSAGES: u64 = 3;

struct Tenant {
    /// In every name, author, content and metadata of this tenant.
    mark: String,
    token: String,
    key: String,
    /// Ids of its chats and messages, and its key's id.
    ids: Vec<String>,
    /// `next` of its lists.
    cursors: Vec<String>,
}

impl Tenant {
    fn path(&self) -> String {
        format!("/api/v1/applications/{}", self.token)
    }

    /// Everything of this tenant that nobody else may see. The token is not among it: whoever asks for
    /// a foreign path has it already.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        [self.mark.as_str(), &self.key]
            .into_iter()
            .chain(self.ids.iter().map(String::as_str))
    }
}

async fn a_tenant(system: &System, number: usize) -> Tenant {
    let mark = format!("mark{number}of{TENANTS}");
    let create = system
        .call(Method::POST, "/api/v1/applications")
        .key(ADMIN_KEY)
        .json(json!({ "name": mark }));
    let created = create.send().await.expect(201);
    let text = |field: &str| created.body[field].as_str().unwrap().to_owned();
    let (token, key) = (text("token"), text("api_key"));
    let mut tenant = Tenant {
        mark,
        token,
        key,
        ids: Vec::new(),
        cursors: Vec::new(),
    };
    tenant
        .ids
        .push(tenant.key.split('_').nth(1).unwrap().to_owned());
    let post = async |path: String, body: Value| {
        let sent = system
            .call(Method::POST, &path)
            .key(&tenant.key)
            .json(body)
            .send()
            .await
            .expect(201);
        (
            sent.location(),
            sent.body["id"].as_str().unwrap().to_owned(),
        )
    };
    let mut ids = Vec::new();
    for _ in 0..CHATS {
        let body = json!({ "name": tenant.mark, "metadata": { "mark": tenant.mark } });
        let (chat, id) = post(format!("{}/chats", tenant.path()), body).await;
        ids.push(id);
        for _ in 0..MESSAGES {
            let body = json!({ "content": format!("word {}", tenant.mark), "author": tenant.mark });
            ids.push(post(format!("{chat}/messages"), body).await.1);
        }
    }
    tenant.ids.extend(ids);
    for list in ["chats?limit=1", "chats/1/messages?limit=2"] {
        let page = system
            .call(Method::GET, &format!("{}/{list}", tenant.path()))
            .key(&tenant.key)
            .send()
            .await;
        tenant
            .cursors
            .push(page.expect(200).body["next"].to_string());
    }
    tenant
}

/// Every described operation, with its parameters filled in.
fn requests(
    token: &str,
    key_id: &str,
    chat: u64,
    message: u64,
    cursor: &str,
) -> Vec<(Method, String)> {
    let mut requests = Vec::new();
    for (template, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let path = template
            .replace("{token}", token)
            .replace("{chat_number}", &chat.to_string())
            .replace("{message_number}", &message.to_string())
            .replace("{key_id}", key_id);
        for method in methods.as_object().unwrap().keys() {
            let query = match path.rsplit('/').next() {
                Some("search") => "?query=word".to_owned(),
                Some("chats" | "messages" | "gaps") if method == "get" => {
                    format!("?after={cursor}")
                }
                _ => String::new(),
            };
            requests.push((
                method.to_uppercase().parse().unwrap(),
                format!("{path}{query}"),
            ));
        }
    }
    requests
}

fn body_for(path: &str, token: &str) -> Value {
    match path {
        "/api/v1/messages" => {
            json!({ "application_token": token, "chat_number": 1, "content": "intruder" })
        }
        path if path.contains("/messages") => json!({ "content": "intruder" }),
        _ => json!({ "name": "intruder" }),
    }
}

fn assert_nothing_of(others: &[Tenant], me: usize, asked: &str, answer: &Answer) {
    let headers: Vec<&str> = answer
        .headers
        .values()
        .map(|value| value.to_str().unwrap())
        .collect();
    let seen = format!("{} {}", answer.text, headers.join(" "));
    for (_, other) in others
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != me)
    {
        for secret in other.secrets() {
            assert!(
                !seen.contains(secret),
                "{asked} as {me} shows {secret} of {}: {answer:?}",
                other.mark
            );
        }
    }
}

#[tokio::test]
async fn twenty_tenants_never_see_anything_of_one_another() {
    let system = System::with(with_keys()).await;
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        tenants.push(a_tenant(&system, number).await);
    }
    for tenant in &tenants {
        let found = format!("{}/messages/search?query=word", tenant.path());
        let ask = || system.call(Method::GET, &found).key(&tenant.key).send();
        eventually(ask, |found| found.body["total"] == CHATS * MESSAGES).await;
    }

    for (me, tenant) in tenants.iter().enumerate() {
        let foreign = &tenants[(me + 7) % TENANTS];
        // My key at a foreign application: refused at every route, whatever is asked for.
        for (method, path) in requests(&foreign.token, &foreign.ids[0], 1, 1, &foreign.cursors[0]) {
            let body = body_for(&path, &foreign.token);
            let answer = system
                .call(method.clone(), &path)
                .key(&tenant.key)
                .json(body)
                .send()
                .await;
            assert!(
                matches!(answer.status, 401 | 403),
                "{method} {path}: {answer:?}"
            );
            assert_nothing_of(&tenants, me, &path, &answer);
        }
        // My key at my application, with foreign ids and cursors: only mine is read, nothing foreign changed.
        for cursor in &foreign.cursors {
            for (method, path) in requests(&tenant.token, &foreign.ids[0], 2, 3, cursor) {
                if method != Method::GET && !path.contains("/keys/") {
                    continue;
                }
                let answer = system
                    .call(method.clone(), &path)
                    .key(&tenant.key)
                    .send()
                    .await;
                assert!(
                    matches!(answer.status, 200 | 403 | 404),
                    "{method} {path}: {answer:?}"
                );
                assert_nothing_of(&tenants, me, &path, &answer);
            }
        }
        let words = format!("{}/messages/search?query={}", tenant.path(), foreign.mark);
        let found = system
            .call(Method::GET, &words)
            .key(&tenant.key)
            .send()
            .await
            .expect(200);
        assert_nothing_of(&tenants, me, &words, &found);
    }

    for tenant in &tenants {
        let shown = system
            .call(Method::GET, &tenant.path())
            .key(&tenant.key)
            .send()
            .await
            .expect(200);
        assert_eq!(
            (&shown.body["name"], &shown.body["chats_count"]),
            (&json!(tenant.mark), &json!(CHATS))
        );
        for chat in 1..=CHATS {
            let chat = format!("{}/chats/{chat}", tenant.path());
            let shown = system
                .call(Method::GET, &chat)
                .key(&tenant.key)
                .send()
                .await
                .expect(200);
            assert_eq!(
                shown.body["messages_count"], MESSAGES,
                "an intruder changed {chat}"
            );
        }
    }
}

#[tokio::test]
async fn the_same_idempotency_key_of_two_tenants_is_two_keys() {
    let system = System::with(with_keys()).await;
    let (one, other) = (a_tenant(&system, 1).await, a_tenant(&system, 2).await);
    for tenant in [&one, &other] {
        let messages = format!("{}/chats/1/messages", tenant.path());
        let call = system
            .call(Method::POST, &messages)
            .key(&tenant.key)
            .header("idempotency-key", "key");
        let sent = call
            .json(json!({ "content": "the same" }))
            .send()
            .await
            .expect(201);
        assert_eq!(sent.header("idempotent-replayed"), "");
    }
}
