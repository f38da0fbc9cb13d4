//! What the command lines of all programs have in common: a flag for each setting, where a setting's
//! value comes from, logging, and how a program ends.
//!
//! clap supplies flags and help, nothing else: a flag's text goes through the same reading as an
//! environment variable's, and wins over it.

use anyhow::Context;
use chat::config::{
    Environment, OTLP_ENDPOINT, Process, Program, Servers, Settings, TLS_INSECURE, Variable, Wrong,
    markdown, show,
};
use chat::traces;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// A program's command with its settings as flags and the subcommand `config`. What it does by itself is
/// for the caller to add.
pub fn command(program: Program, about: &'static str) -> Command {
    Command::new(program.name())
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .after_help(
            "Every setting is an environment variable too; a flag wins over it.\n\
             Exit codes: 0 done, 1 failed, 2 the command line or a setting is wrong.",
        )
        .max_term_width(100)
        .next_line_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("config")
                .about("Print the settings in effect, secrets masked")
                .arg(
                    Arg::new("markdown")
                        .long("markdown")
                        .action(ArgAction::SetTrue)
                        .hide(true),
                ),
        )
        .args(program.variables().map(flag))
}

fn flag(variable: &'static Variable) -> Arg {
    let (name, default) = (variable.flag_name(), variable.default_text());
    Arg::new(variable.name)
        .long(variable.flag)
        .value_name(if variable.secret { "PATH" } else { "VALUE" })
        .help(format!(
            "{}\n[default: {default}] [env: {name}]",
            variable.help
        ))
        .help_heading(variable.group.title())
        .global(true)
}

/// What this process was asked to do, and with which settings.
pub struct CommandLine {
    program: Program,
    matches: ArgMatches,
    environment: Environment,
}

impl CommandLine {
    /// From the arguments and the environment of this process; ends it when they ask for help or are wrong.
    pub fn of_this_process(program: Program, command: Command) -> Self {
        Self::new(program, command.get_matches(), Environment::read())
    }

    pub fn new(program: Program, matches: ArgMatches, environment: Environment) -> Self {
        Self {
            program,
            matches,
            environment,
        }
    }

    /// The subcommand, if one was given.
    pub fn task(&self) -> Option<(&str, &ArgMatches)> {
        self.matches.subcommand()
    }

    pub fn settings<S: Settings>(&self) -> Result<S, Wrong> {
        S::from_lookup(&|name| self.lookup(name), &|path| {
            std::fs::read_to_string(path)
        })
    }

    /// What the subcommand `config` prints: what is in effect, or the table for the documentation.
    pub fn config<S: Settings>(&self, args: &ArgMatches) -> Result<String, Wrong> {
        match args.get_flag("markdown") {
            true => Ok(markdown(S::PROGRAM)),
            false => self.settings::<S>().map(|settings| show(&settings)),
        }
    }

    /// Starts logging as the settings say, and names variables that look like ours and are none.
    pub fn start_logging(&self, process: &Process) -> anyhow::Result<()> {
        chat::telemetry::init(&process.log, process.log_format)
            .map_err(anyhow::Error::from_boxed)?;
        for name in self.environment.unknown() {
            tracing::warn!("{name} is set and is no setting of this program; see --help");
        }
        Ok(())
    }

    /// The text of a variable: from its flag, or from the environment.
    pub fn lookup(&self, name: &str) -> Option<String> {
        let by_flag = self
            .program
            .variables()
            .find(|variable| variable.flag_name() == name)
            .and_then(|variable| self.matches.get_one::<String>(variable.name).cloned());
        by_flag.or_else(|| self.environment.get(name))
    }
}

/// Runs a task on all cores, and exports what it traced.
pub fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    carry_out(Builder::new_multi_thread(), task)
}

/// The same on one thread, for where there is little to compute: each thread keeps memory of its own.
pub fn block_on_one_thread<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    carry_out(Builder::new_current_thread(), task)
}

fn carry_out<T>(
    mut runtime: Builder,
    task: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let runtime = runtime.enable_all().build()?;
    let outcome = runtime.block_on(task);
    runtime.block_on(traces::flush());
    // Dropping the runtime would wait for whatever still blocks a thread, however long that takes.
    runtime.shutdown_background();
    outcome
}

/// Takes an address to listen on; `setting` is the variable that names it.
pub async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; {setting} names another address"))
}

/// Starts tracing where the settings name a collector: this part (0 to 1) of the requests whose callers leave
/// it to us, and what follows from a traced request. Must be called in the task of `block_on`.
pub fn start_traces(program: Program, servers: &Servers, sample: f64) -> anyhow::Result<()> {
    match &servers.otlp {
        None => Ok(()),
        Some(_) if !traces::BUILT_IN => {
            tracing::warn!(
                "{OTLP_ENDPOINT} is set, and this program was built without traces (feature otlp)"
            );
            Ok(())
        }
        Some(collector) => traces::start(program.name(), collector, sample).context("cannot trace"),
    }
}

/// Says which servers are reached without TLS.
pub fn warn_of_plaintext(servers: &Servers) {
    for server in servers.without_tls() {
        tracing::warn!(
            server,
            "may be reached without TLS, as {TLS_INSECURE} says: whoever is on the way can read it"
        );
    }
}

/// How the process ends; what went wrong is said on standard error.
pub fn ended(program: Program, outcome: &anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(program, error);
            ExitCode::from(if error.is::<Wrong>() { 2 } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "there may be no log yet")]
fn complain(program: Program, error: &anyhow::Error) {
    eprintln!("{}: {}", program.name(), sentence(error));
}

/// The error and its causes, without those that are quoted by what they caused.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// To standard output, which somebody may have closed.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests;
