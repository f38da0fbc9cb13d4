//! Which servers were measured, as far as they tell: nothing depends on it. (The client of RabbitMQ does not
//! pass on what the broker says of itself.)

use super::system::System;
use crate::connection::{Connection, get};
use anyhow::{Context, Result};
use serde_json::Value;
use sqlx::{Connection as _, MySqlConnection, Row};

pub(crate) async fn versions(system: &System) -> String {
    let asked = [
        ("MySQL", mysql(system).await),
        ("Redis", redis(system).await),
        ("Elasticsearch", elasticsearch(system).await),
    ];
    let told = asked
        .into_iter()
        .filter_map(|(server, version)| Some(format!("{server} {}", version.ok()?)));
    told.collect::<Vec<_>>().join(", ")
}

async fn mysql(system: &System) -> Result<String> {
    let mut database = MySqlConnection::connect(system.setting("CHAT_MYSQL_URL")?).await?;
    let row = sqlx::query("SELECT VERSION()").fetch_one(&mut database);
    Ok(row.await?.try_get(0)?)
}

async fn redis(system: &System) -> Result<String> {
    let client = redis::Client::open(system.setting("CHAT_REDIS_URL")?)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut info = redis::cmd("INFO");
    let told: String = info.arg("server").query_async(&mut connection).await?;
    let version = told
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    Ok(version.context("no version")?.trim().to_owned())
}

async fn elasticsearch(system: &System) -> Result<String> {
    let address = system.setting("CHAT_ELASTICSEARCH_URL")?;
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = Connection::open(address.parse()?).await?;
    let asked = get("/_nodes?filter_path=nodes.*.version");
    let told: Value = serde_json::from_slice(connection.exchange(&asked, 200).await?)?;
    let nodes = told["nodes"].as_object().context("no nodes")?;
    let version = nodes
        .values()
        .next()
        .and_then(|node| node["version"].as_str());
    Ok(version.context("no version")?.to_owned())
}
