//! The command line: what `chat-standalone` can be asked to do.

use chat::config::{Environment, Program};
use clap::{Arg, ArgMatches, Command, value_parser};
use cli::CommandLine;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub(crate) enum Task {
    Run,
    /// The settings in effect, or their table.
    Config(ArgMatches),
    Backup(PathBuf),
}

/// From the arguments of this process; ends it when they ask for help or are wrong.
pub(crate) fn of_this_process() -> (CommandLine, Task) {
    asked(command().get_matches(), Environment::read())
}

fn asked(matches: ArgMatches, environment: Environment) -> (CommandLine, Task) {
    let line = CommandLine::new(Program::Standalone, matches, environment);
    let task = match line.task() {
        Some(("config", args)) => Task::Config(args.clone()),
        Some(("backup", args)) => {
            let file = args.get_one::<PathBuf>("FILE");
            Task::Backup(file.expect("clap requires the argument").clone())
        }
        _ => Task::Run,
    };
    (line, task)
}

fn command() -> Command {
    cli::command(
        Program::Standalone,
        "A durable, searchable, multi-tenant chat in one process. Documentation of the API: /docs on the address where it answers.",
    )
    .subcommand(Command::new("run").about("Start the chat (the default)"))
    .subcommand(
        Command::new("backup")
            .about("Copy the database to FILE, while the chat runs or not")
            .arg(
                Arg::new("FILE")
                    .required(true)
                    .value_parser(value_parser!(PathBuf)),
            ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(arguments: &[&str]) -> Option<Task> {
        let arguments = [&["chat-standalone"], arguments].concat();
        let matches = command().try_get_matches_from(arguments).ok()?;
        Some(asked(matches, Environment::default()).1)
    }

    #[test]
    fn the_task_is_the_command_and_running_is_the_default() {
        assert!(matches!(task(&[]), Some(Task::Run)));
        assert!(matches!(task(&["run"]), Some(Task::Run)));
        assert!(matches!(task(&["config"]), Some(Task::Config(_))));
        assert!(matches!(task(&["backup", "a.db"]), Some(Task::Backup(file)) if file == *"a.db"));
        assert!(task(&["backup"]).is_none());
        assert!(task(&["dance"]).is_none());
    }
}
