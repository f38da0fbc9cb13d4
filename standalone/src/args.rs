//! The command line: commands, and one flag for each row of `chat::config::VARIABLES`.
//!
//! clap supplies flags and help, nothing else: a flag's text goes through the same reading as an
//! environment variable's, and wins over it.

use chat::config::{Environment, Settings, VARIABLES, Variable, Wrong};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;

/// What was asked for.
pub(crate) struct Invocation {
    pub(crate) task: Task,
    matches: ArgMatches,
    environment: Environment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Run,
    ShowSettings,
    /// The README's table of settings.
    ShowTable,
    Backup(PathBuf),
}

impl Invocation {
    /// From the arguments of this process; ends it when they ask for help or are wrong.
    pub(crate) fn of_this_process() -> Self {
        Self::new(command().get_matches(), Environment::read())
    }

    fn new(matches: ArgMatches, environment: Environment) -> Self {
        let task = match matches.subcommand() {
            Some(("config", args)) if args.get_flag("markdown") => Task::ShowTable,
            Some(("config", _)) => Task::ShowSettings,
            Some(("backup", args)) => {
                let file = args.get_one::<PathBuf>("FILE");
                Task::Backup(file.expect("clap requires the argument").clone())
            }
            _ => Task::Run,
        };
        Self {
            task,
            matches,
            environment,
        }
    }

    pub(crate) fn settings(&self) -> Result<Settings, Wrong> {
        Settings::from_lookup(&|name| self.lookup(name), &|path| {
            std::fs::read_to_string(path)
        })
    }

    /// Variables that look like ours and are none.
    pub(crate) fn unknown_variables(&self) -> Vec<&str> {
        self.environment.unknown().collect()
    }

    fn lookup(&self, name: &str) -> Option<String> {
        let by_flag = VARIABLES
            .iter()
            .find(|variable| variable.flag_name() == name)
            .and_then(|variable| self.matches.get_one::<String>(variable.name).cloned());
        by_flag.or_else(|| self.environment.get(name))
    }
}

fn command() -> Command {
    Command::new("chat-standalone")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A durable, searchable, multi-tenant chat in one process")
        .after_help(
            "Every setting is an environment variable too; a flag wins over it.\n\
             Documentation of the API: /docs on the address where it answers.",
        )
        .max_term_width(100)
        .next_line_help(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("run").about("Start the chat (the default)"))
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
        .subcommand(
            Command::new("backup")
                .about("Copy the database to FILE, while the chat runs or not")
                .arg(
                    Arg::new("FILE")
                        .required(true)
                        .value_parser(value_parser!(PathBuf)),
                ),
        )
        .args(VARIABLES.iter().map(flag))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(arguments: &[&str], environment: &[(&str, &str)]) -> Invocation {
        let arguments = [&["chat-standalone"], arguments].concat();
        let matches = command().try_get_matches_from(arguments).unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Invocation::new(matches, environment.iter().map(owned).collect())
    }

    #[test]
    fn clap_finds_no_fault_in_the_flags() {
        command().debug_assert();
    }

    #[test]
    fn the_task_is_the_command_and_running_is_the_default() {
        for (arguments, task) in [
            (&[][..], Task::Run),
            (&["run"], Task::Run),
            (&["config"], Task::ShowSettings),
            (&["config", "--markdown"], Task::ShowTable),
            (&["backup", "a.db"], Task::Backup("a.db".into())),
        ] {
            assert_eq!(invocation(arguments, &[]).task, task);
        }
        assert!(
            command()
                .try_get_matches_from(["chat-standalone", "backup"])
                .is_err()
        );
        assert!(
            command()
                .try_get_matches_from(["chat-standalone", "dance"])
                .is_err()
        );
    }

    #[test]
    fn a_flag_wins_over_its_variable_before_and_after_the_command() {
        let environment = [("CHAT_LISTEN", "127.0.0.1:1"), ("CHAT_NUMBER_BLOCK", "7")];
        for arguments in [
            &["--listen", "127.0.0.1:2"][..],
            &["--listen=127.0.0.1:2", "run"],
            &["run", "--listen", "127.0.0.1:2"],
        ] {
            let settings = invocation(arguments, &environment).settings().unwrap();
            assert_eq!((settings.listen.port(), settings.number_block), (2, 7));
        }
    }

    #[test]
    fn help_names_every_flag_variable_and_default_under_its_group() {
        let help = command().render_long_help().to_string();
        let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for variable in VARIABLES {
            let entry = [
                format!("--{} <", variable.flag),
                format!("[default: {}]", variable.default_text()),
                format!("[env: {}]", variable.flag_name()),
                format!("{}:", variable.group.title()),
                variable.help.to_owned(),
            ];
            for text in entry {
                assert!(flat.contains(&text), "{text} is missing in\n{help}");
            }
        }
    }

    #[test]
    fn a_secret_has_no_flag_only_its_file_has() {
        assert!(
            command()
                .try_get_matches_from(["chat-standalone", "--admin-key", "x"])
                .is_err()
        );
        let invocation = invocation(&["--admin-key-file", "/x"], &[]);
        assert_eq!(
            invocation.lookup("CHAT_ADMIN_KEY_FILE").as_deref(),
            Some("/x")
        );
        assert_eq!(invocation.lookup("CHAT_ADMIN_KEY"), None);
    }
}
