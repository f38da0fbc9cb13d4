//! `chat-operator`: looks after ChatSystems, prints the resource definition, and what it makes of a resource.
//!
//! Exit codes: 0 done, 1 failed, 2 the command line is wrong.

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command};
use operator::validate::{Observed, Secrets, validate};
use operator::{build, manifest, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match command().get_matches().subcommand() {
        Some(("run", asked)) => run::run(asked),
        Some(("crd", _)) => cli::print(&manifest::definition()),
        Some(("render", asked)) => render(asked).and_then(|text| cli::print(&text)),
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
        .subcommand(run::command())
        .subcommand(Command::new("crd").about("Print the resource definition of ChatSystem"))
        .subcommand(
            Command::new("render")
                .about(
                    "Print the objects that ChatSystem resources become, without asking a cluster: \
                     `chat-operator render -f acme.yaml | kubectl diff -f -` shows what would change",
                )
                .arg(
                    Arg::new("file")
                        .short('f')
                        .long("filename")
                        .value_name("FILE")
                        .required(true)
                        .help("The resources; - reads standard input"),
                )
                .arg(
                    Arg::new("operator-namespace")
                        .long("operator-namespace")
                        .value_name("NAME")
                        .default_value("chat-operator")
                        .help("Where the operator runs; NetworkPolicies let it in"),
                ),
        )
}

fn render(asked: &ArgMatches) -> Result<String> {
    let text = |name: &str| asked.get_one::<String>(name).cloned().unwrap_or_default();
    let file = text("file");
    let resources = match file.as_str() {
        "-" => std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?,
        path => std::fs::read_to_string(path).with_context(|| format!("cannot read {path:?}"))?,
    };
    let observed = Observed {
        secrets: Secrets::Unseen,
        operator_namespace: text("operator-namespace"),
    };
    let resources = manifest::read(&resources).with_context(|| format!("in {file:?}"))?;
    if resources.is_empty() {
        bail!("in {file:?}: there is no ChatSystem");
    }
    let mut printed = String::new();
    for resource in resources {
        let system = validate(&resource, &observed).with_context(|| format!("in {file:?}"))?;
        for object in build::build(&system).documents() {
            printed.push_str("---\n");
            printed.push_str(&manifest::document(&object));
        }
    }
    Ok(printed)
}

#[expect(clippy::print_stderr, reason = "it has no log")]
fn complain(error: &anyhow::Error) -> ExitCode {
    eprintln!("chat-operator: {error:#}");
    ExitCode::FAILURE
}
