//! `chat-worker audit`: counts against rows, the index against the database, gaps against the clock.

use crate::args::Audit;
use anyhow::{Result, bail};
use chat::backends::Cluster;
use chat::clock;
use chat::ops::index::{self, AUDIT_PATIENCE, Audited, Pace};
use chat::ops::{counts, gaps};
use chat::ports::Drift;
use chat::rows::Counted;
use serde_json::json;
use std::fmt::Write;

struct Found {
    counts: u64,
    drifts: Vec<Drift>,
    index: Audited,
    rows_written: u64,
    overdue: u64,
}

/// Fails when something differs, mended or not.
pub(crate) async fn audit(cluster: &Cluster, asked: Audit) -> Result<()> {
    let work = &cluster.work;
    let (counts, drifts) = counts::audit(&*work.upkeep, asked.repair).await?;
    let (across, search) = (&*work.across, &*work.search);
    let audited = index::audit(Pace::Full, AUDIT_PATIENCE, across, search, &mut |_| {}).await?;
    let rows_written = match asked.repair && audited.differing > 0 {
        true => index::compare(across, search).await?.rows_written,
        false => 0,
    };
    let found = Found {
        counts,
        drifts,
        index: audited,
        rows_written,
        overdue: gaps::overdue(&*work.gaps, clock::now()).await?,
    };
    let text = if asked.json {
        format!("{:#}\n", in_json(&found, asked.repair))
    } else {
        table(&found)?
    };
    cli::print(&text)?;
    let differing = found.drifts.len() as u64 + found.index.differing + found.overdue;
    match (differing, asked.repair) {
        (0, _) => Ok(()),
        (_, true) => bail!("{differing} differences were found; counts and index are mended"),
        (_, false) => bail!("{differing} differences were found; --repair mends counts and index"),
    }
}

fn named(counted: Counted) -> (&'static str, i64, Option<u64>) {
    match counted {
        Counted::ChatsOf(app) => ("chats", app.get(), None),
        Counted::MessagesOf(chat) => ("messages", chat.app.get(), Some(chat.number.get())),
    }
}

fn table(found: &Found) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{:<28} {:>12} {:>12}", "", "checked", "differing")?;
    let drifts = found.drifts.len();
    writeln!(text, "{:<28} {:>12} {drifts:>12}", "counts", found.counts)?;
    let Audited {
        chats, differing, ..
    } = &found.index;
    writeln!(
        text,
        "{:<28} {chats:>12} {differing:>12}",
        "chats in the index"
    )?;
    writeln!(
        text,
        "{:<28} {:>12} {:>12}",
        "scopes with old gaps", "", found.overdue
    )?;
    for drift in &found.drifts {
        let (kind, app, chat) = named(drift.counted);
        let chat = chat
            .map(|chat| format!(", chat {chat}"))
            .unwrap_or_default();
        let Drift { said, rows, .. } = drift;
        writeln!(
            text,
            "  {kind} of application {app}{chat}: counted {said}, there are {rows}"
        )?;
    }
    Ok(text)
}

fn in_json(found: &Found, repaired: bool) -> serde_json::Value {
    let drifts = found.drifts.iter().map(|drift| {
        let (kind, app, chat) = named(drift.counted);
        json!({ "kind": kind, "app": app, "chat": chat, "counted": drift.said, "rows": drift.rows })
    });
    json!({
        "counts": { "checked": found.counts, "differing": drifts.collect::<Vec<_>>() },
        "index": {
            "chats": found.index.chats,
            "messages": found.index.messages,
            "differing": found.index.differing,
            "rows_written": found.rows_written,
        },
        "gaps": { "overdue_scopes": found.overdue },
        "repaired": repaired,
    })
}
