//! `chat-operator`: prints the resource definition.
//!
//! Exit codes: 0 done, 1 failed, 2 the command line is wrong.

use clap::Command;
use operator::manifest;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match command().get_matches().subcommand() {
        Some(("crd", _)) => cli::print(&manifest::definition()),
        _ => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

fn command() -> Command {
    Command::new("chat-operator")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Turns ChatSystem resources into running chats on Kubernetes.")
        .after_help("Exit codes: 0 done, 1 failed, 2 the command line is wrong.")
        .max_term_width(100)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("crd").about("Print the resource definition of ChatSystem"))
}

#[expect(clippy::print_stderr, reason = "it has no log")]
fn complain(error: &anyhow::Error) -> ExitCode {
    eprintln!("chat-operator: {error:#}");
    ExitCode::FAILURE
}
