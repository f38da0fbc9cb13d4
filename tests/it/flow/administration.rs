//! What operators and administrators see.

use super::{a_chat, a_message};
use e2e::client::Client;

pub(super) async fn health_is_told(client: &Client) {
    let of_each = async |path: &str| client.operators(path).await;
    for (status, _) in of_each("/livez").await {
        assert_eq!(status, 200);
    }
    for answer in of_each("/readyz").await {
        assert_eq!(answer, (200, "ready\n".to_owned()));
    }
    for (status, text) in of_each("/readyz?verbose").await {
        assert_eq!(status, 200, "{text}");
        let parts: Vec<&str> = text.lines().filter(|line| *line != "ready").collect();
        assert!(parts.len() >= 3, "{text}");
        for part in parts {
            assert!(part.starts_with("[+] ") && part.ends_with(": ok"), "{text}");
        }
    }
    for (status, _) in of_each("/applications").await {
        assert_eq!(status, 404);
    }
}

/// Lists across applications hold everything once, each with the application it is of.
pub(super) async fn sees_everybody(client: &Client) {
    let mut mine = Vec::new();
    for content in ["one", "two"] {
        let chat = a_chat(client).await;
        a_message(client, &chat, content).await;
        mine.push((token_in(&chat), content));
    }
    let applications = client.list("/api/v1/applications?per_page=3").await;
    let chats = client.list("/api/v1/chats?limit=2").await;
    let messages = client.list("/api/v1/messages?limit=2").await;
    for (token, content) in &mine {
        let of = |list: &[serde_json::Value], field: &str| {
            let own = list.iter().filter(|one| one[field] == token.as_str());
            own.cloned().collect::<Vec<_>>()
        };
        let application = of(&applications, "token");
        assert_eq!(application.len(), 1);
        assert_eq!(application[0]["chats_count"], 1);
        let chats = of(&chats, "application_token");
        assert_eq!(chats.len(), 1);
        assert_eq!(chats[0]["messages_count"], 1);
        let messages = of(&messages, "application_token");
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0]["content"], *content);
    }
    // Newest last, and everything exactly once.
    let tokens: Vec<_> = applications
        .iter()
        .map(|one| one["token"].as_str())
        .collect();
    let newest: Vec<_> = mine.iter().map(|(token, _)| Some(token.as_str())).collect();
    assert_eq!(tokens[tokens.len() - 2..], newest);
    let ids = |list: &[serde_json::Value]| {
        let mut ids: Vec<_> = list.iter().map(|one| one["id"].to_string()).collect();
        ids.sort();
        ids
    };
    for list in [&chats, &messages] {
        let mut once = ids(list);
        once.dedup();
        assert_eq!(once, ids(list));
    }
}

fn token_in(path: &str) -> String {
    let mut parts = path.split('/').skip_while(|part| *part != "applications");
    let token = parts.nth(1).expect("the path is within an application");
    token.to_owned()
}
