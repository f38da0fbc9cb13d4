//! Accepting messages over HTTP until the broker has confirmed, beside the unsafe baseline on the same
//! servers. No worker runs: what the baseline lacks is measured by draining.

use super::progress;
use super::system::{PROTECTED, System};
use super::unprotected;
use super::versions::versions;
use crate::Size;
use crate::accept::record;
use crate::application::{ADMIN_KEY, Application};
use crate::baseline::Baseline;
use crate::load::Requests;
use crate::machine;
use crate::results::Results;
use crate::text::Author;
use anyhow::{Result, ensure};
use e2e::cluster::Role;

pub(crate) const CONNECTIONS: [usize; 2] = [64, 256];
const CHATS: u64 = 16;
/// Prepared requests.
const REQUESTS: usize = 4_096;
/// Each key is used once: more than can be answered in the time.
const KEYS: usize = 150_000;
const MESSAGES: &str = "chat.messages";

/// Returns which servers it were.
pub(crate) async fn measure(size: &Size, results: &mut Results) -> Result<String> {
    let mut system = System::start(&PROTECTED).await?;
    let servers = versions(&system).await;
    let application = Application::create(system.api()?, ADMIN_KEY, CHATS).await?;
    system.stop_workers().await?;
    let broker = system.broker().await?;
    broker.declare(unprotected::QUEUE).await?;
    let settings = system.cluster.settings().0.iter();
    let settings = settings.map(|(name, value)| (name.as_str(), value.as_str()));
    let baseline = Baseline::start("unsafe-accept", settings)?;
    let requests = application.creates(REQUESTS, &mut Author::new(1));
    let nowhere = Application::nowhere(baseline.address, CHATS);
    let unsafe_requests = nowhere.creates(REQUESTS, &mut Author::new(1));
    for round in 1..=size.rounds {
        for connections in CONNECTIONS {
            progress(&format!("accept, round {round}, {connections} connections"));
            let before = machine::cpu_seconds(baseline.id())?;
            let until = size.timed();
            let measured = nowhere
                .load(connections, &unsafe_requests, 201, until)
                .await?;
            let cpu = machine::cpu_seconds(baseline.id())? - before;
            record(&format!("unsafe {connections}"), &measured, cpu, results);
            broker.purge(unprotected::QUEUE).await?;

            let name = format!("accept {connections}");
            one(
                &system,
                &application,
                connections,
                &requests,
                &name,
                size,
                results,
            )
            .await?;
            broker.purge(MESSAGES).await?;

            let about = format!("{round}-{connections}");
            let keyed = application.keyed_creates(KEYS, &about, &mut Author::new(2));
            let name = format!("{name} keyed");
            let answers = one(
                &system,
                &application,
                connections,
                &keyed,
                &name,
                size,
                results,
            );
            ensure!(answers.await? < KEYS as u64, "there were too few keys");
            broker.purge(MESSAGES).await?;
        }
    }
    system.set_api("CHAT_LOG", "info").await?;
    let logged = application.at(system.api()?);
    for round in 1..=size.rounds {
        progress(&format!("accept, round {round}, with access log"));
        let name = "accept 64 with access log";
        one(&system, &logged, 64, &requests, name, size, results).await?;
        broker.purge(MESSAGES).await?;
    }
    Ok(servers)
}

/// Returns how many were answered.
async fn one(
    system: &System,
    application: &Application,
    connections: usize,
    requests: &Requests,
    name: &str,
    size: &Size,
    results: &mut Results,
) -> Result<u64> {
    let before = system.cpu_seconds(Role::Api)?;
    let until = size.timed();
    let measured = application.load(connections, requests, 201, until).await?;
    let cpu = system.cpu_seconds(Role::Api)? - before;
    record(name, &measured, cpu, results);
    Ok(measured.answers)
}
