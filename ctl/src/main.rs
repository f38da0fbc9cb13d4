//! chatctl, the command line client of ChatSystem: everything over its HTTP interface.
//!
//! `main` turns arguments into a client and an output, hands both to one command, and turns how that
//! ended into an exit status: 0 done, 1 refused or failed, 2 wrong usage.

mod args;
mod client;
mod commands;
mod error;
mod import;
mod output;
mod render;
mod wire;

use args::{AppCommand, Arguments, ChatCommand, Command, Settings};
use clap::Parser;
use client::Client;
use error::{Error, Result};
use output::Output;
use std::process::ExitCode;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.settings.json;
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(Arguments { settings, command }: Arguments) -> Result<()> {
    let output = Output::new(&settings);
    let client = client(&settings, &command)?;
    if let Command::App(command) = command {
        return app(&settings, &client, &output, command).await;
    }
    let application = client.application(token(&settings)?);
    match command {
        Command::App(_) => unreachable!("applications were dealt with above"),
        Command::Chat(ChatCommand::Create { name, metadata }) => {
            commands::chat::create(&application, &output, name, metadata).await
        }
        Command::Chat(ChatCommand::List { page }) => {
            commands::chat::list(&application, &output, &page).await
        }
        Command::Chat(ChatCommand::Show { chat }) => {
            commands::chat::show(&application, &output, chat).await
        }
        Command::Chat(ChatCommand::Delete { chat }) => {
            commands::chat::delete(&application, &output, chat).await
        }
        Command::Send(arguments) => commands::message::send(&application, &output, arguments).await,
        Command::List(arguments) => {
            commands::message::list(&application, &output, &arguments).await
        }
        Command::Show(arguments) => {
            commands::message::show(&application, &output, &arguments).await
        }
        Command::Edit(arguments) => commands::message::edit(&application, &output, arguments).await,
        Command::Delete(arguments) => {
            commands::message::delete(&application, &output, &arguments).await
        }
        Command::Search(arguments) => {
            commands::search::search(&application, &output, arguments).await
        }
        Command::Tail(arguments) => commands::tail::tail(&application, &output, &arguments).await,
        Command::Import(arguments) => {
            commands::import::import(&application, &output, arguments).await
        }
        Command::Export(arguments) => {
            commands::export::export(&application, &arguments, patience(&settings, BULK)).await
        }
    }
}

async fn app(
    settings: &Settings,
    client: &Client,
    output: &Output,
    command: AppCommand,
) -> Result<()> {
    use commands::app;
    match command {
        AppCommand::Create { name } => app::create(client, output, &name).await,
        AppCommand::List { page, per_page } => app::list(client, output, page, per_page).await,
        AppCommand::Show {
            application: Some(token),
        } => app::show(&client.application(&token), output).await,
        AppCommand::Show { application: None } => {
            app::show(&client.application(token(settings)?), output).await
        }
        AppCommand::Rename { name } => {
            app::rename(&client.application(token(settings)?), output, &name).await
        }
        AppCommand::Delete { application: token } => {
            app::delete(&client.application(&token), output).await
        }
        AppCommand::RotateKey => {
            app::rotate_key(&client.application(token(settings)?), output).await
        }
        AppCommand::Keys => app::keys(&client.application(token(settings)?), output).await,
        AppCommand::RevokeKey { key_id } => {
            app::revoke_key(&client.application(token(settings)?), output, &key_id).await
        }
    }
}

const INTERACTIVE: Duration = Duration::from_secs(3);
const BULK: Duration = Duration::from_secs(30);

fn patience(settings: &Settings, default: Duration) -> Duration {
    settings.retry_for.map_or(default, Duration::from_secs)
}

fn client(settings: &Settings, command: &Command) -> Result<Client> {
    // Fails only if a provider was installed before, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let in_bulk = matches!(
        command,
        Command::Import(_) | Command::Export(_) | Command::Tail(_)
    );
    let patience = patience(settings, if in_bulk { BULK } else { INTERACTIVE });
    let key = match &settings.key_file {
        Some(file) => {
            let what = format!("--key-file {}", file.display());
            Some(std::fs::read_to_string(file).map_err(|error| Error::io(what, error))?)
        }
        None => settings.key.clone(),
    };
    let key = key.as_deref().map(str::trim).filter(|key| !key.is_empty());
    Client::new(&settings.url, key, patience)
}

fn token(settings: &Settings) -> Result<&str> {
    let token = settings
        .token
        .as_deref()
        .map(str::trim)
        .filter(|token| !token.is_empty());
    token.ok_or_else(|| {
        Error::Usage(
            "which application? give --token TOKEN or set CHATCTL_TOKEN; \
             `chatctl app create NAME` makes one"
                .into(),
        )
    })
}
