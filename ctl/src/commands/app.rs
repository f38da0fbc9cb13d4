//! `chatctl app`: applications and their keys.

use super::random_key;
use crate::client::{Application, Client};
use crate::error::Result;
use crate::output::Output;
use crate::render;
use serde_json::json;

pub(crate) async fn create(client: &Client, output: &Output, name: &str) -> Result<()> {
    let made = client.create_application(name, &random_key()).await?.body;
    output.one(&made, |painter| render::application(painter, &made))?;
    if made.api_key.is_none() {
        output.remark(
            "The application was made, but the answer with its key got lost on the way: \
             make another with `chatctl --token TOKEN app rotate-key`.",
        );
    }
    Ok(())
}

pub(crate) async fn list(client: &Client, output: &Output, page: u64, per_page: u64) -> Result<()> {
    let page = client.applications(page, per_page).await?;
    output.each(&page.data, render::application_line)?;
    let meta = page.meta;
    if meta.total_pages > 1 || page.data.is_empty() {
        output.remark(&format!(
            "page {} of {}, {} applications",
            meta.page, meta.total_pages, meta.total
        ));
    }
    Ok(())
}

pub(crate) async fn show(application: &Application<'_>, output: &Output) -> Result<()> {
    let shown = application.show().await?;
    output.one(&shown, |painter| render::application(painter, &shown))
}

pub(crate) async fn rename(
    application: &Application<'_>,
    output: &Output,
    name: &str,
) -> Result<()> {
    let renamed = application.rename(name).await?;
    output.one(&renamed, |painter| render::application(painter, &renamed))
}

pub(crate) async fn delete(application: &Application<'_>, output: &Output) -> Result<()> {
    let answer = application.delete().await?;
    output.one(&answer, |_| {
        "application deleted; its chats are being removed".to_owned()
    })
}

pub(crate) async fn rotate_key(application: &Application<'_>, output: &Output) -> Result<()> {
    let rotated = application.rotate_key().await?;
    output.one(&rotated, |painter| render::application(painter, &rotated))?;
    output.remark(
        "The older key still works: see `chatctl app keys`, then `chatctl app revoke-key ID`.",
    );
    Ok(())
}

pub(crate) async fn keys(application: &Application<'_>, output: &Output) -> Result<()> {
    output.each(&application.keys().await?.data, render::key_line)
}

pub(crate) async fn revoke_key(
    application: &Application<'_>,
    output: &Output,
    id: &str,
) -> Result<()> {
    application.revoke_key(id).await?;
    output.one(&json!({ "id": id, "status": "revoked" }), |_| {
        format!("key {id} revoked; effective within 5 seconds")
    })
}
