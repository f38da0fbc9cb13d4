//! The command line: what `chat-worker` can be asked to do.

use chat::config::Program;
use chat::event::Queue;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::time::Duration;

const ABOUT: &str = "Stores and indexes what the API of a chat accepted, and keeps the system in order: \
                     tables, topology, counts, gaps, search index and dead letters.";

#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// The settings in effect, or their table.
    Config(ArgMatches),
    Run(Role),
    Topology,
    Migrate {
        after_restore: bool,
    },
    Reconcile(Reconcile),
    Audit(Audit),
    Reindex,
    DeadLetters(DeadLetters),
}

/// Which queues a worker reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    pub(crate) queues: &'static [Queue],
}

const ROLES: [Role; 4] = [
    Role {
        name: "chats",
        queues: &[Queue::Chats],
    },
    Role {
        name: "messages",
        queues: &[Queue::Messages],
    },
    Role {
        name: "indexing",
        queues: &[Queue::Indexing],
    },
    Role {
        name: "all",
        queues: &[Queue::Chats, Queue::Messages, Queue::Indexing],
    },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reconcile {
    /// Again and again until a signal comes; once where it is absent.
    pub(crate) every: Option<Duration>,
    /// Print the metrics of the pass in Prometheus' text format.
    pub(crate) metrics: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) repair: bool,
    pub(crate) json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeadLetters {
    List { json: bool },
    Show { id: String },
    Redrive { id: Option<String> },
    Drop { id: Option<String> },
}

pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    let letter = |required: bool| {
        let help = if required {
            "The letter's id, as `ls` prints it"
        } else {
            "The letter's id, as `ls` prints it; without it, --all"
        };
        Arg::new("ID").help(help).required(required)
    };
    let some = |name: &'static str, about: &'static str| {
        Command::new(name)
            .about(about)
            .arg(letter(false).required_unless_present("all"))
            .arg(flag("all", "Every letter that is there now").conflicts_with("ID"))
    };
    cli::command(Program::Worker, ABOUT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("run").about("Consume queues until a signal comes").arg(
                Arg::new("role")
                    .long("role")
                    .default_value("all")
                    .value_parser(PossibleValuesParser::new(ROLES.map(|role| role.name)))
                    .help("Which queues: chats, messages (with what was left unrouted and what is suspect), indexing, or all"),
            ),
        )
        .subcommand(
            Command::new("migrate")
                .about("Bring the database's tables up to date; many may do so at once")
                .arg(flag(
                    "after-restore",
                    "The database was restored from a copy: let numbers continue far above those in it. Before any API starts",
                )),
        )
        .subcommand(Command::new("topology").about("Declare exchanges and queues, and make an empty search index"))
        .subcommand(
            Command::new("reconcile")
                .about("Fold counts, purge what was deleted and explain gaps, until nothing is left to do")
                .arg(
                    Arg::new("every")
                        .long("every")
                        .value_name("SECONDS")
                        .value_parser(value_parser!(u64).range(1..=86_400))
                        .help("Again after so many seconds, until a signal comes"),
                )
                .arg(flag("metrics", "Print the metrics of the pass")),
        )
        .subcommand(
            Command::new("audit")
                .about("Recount everything, and compare the search index with the database; exit code 1 if anything differs")
                .arg(flag("repair", "Mend what differs"))
                .arg(flag("json", "Print JSON instead of a table")),
        )
        .subcommand(Command::new("reindex").about(
            "Build the search index anew beside the old one, prove that it equals the database, and swap them. \
             Goes on where an interrupted run ended",
        ))
        .subcommand(
            Command::new("dlq")
                .about("Dead letters: commands that nobody could carry out")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(Command::new("ls").about("List them").arg(flag("json", "Print JSON instead of a table")))
                .subcommand(Command::new("show").about("Print one with its body").arg(letter(true)))
                .subcommand(some("redrive", "Publish again to the queue it came from; harmless when done twice"))
                .subcommand(some("drop", "Remove for ever")),
        )
}

impl Task {
    pub(crate) fn of(asked: Option<(&str, &ArgMatches)>) -> Self {
        match asked {
            Some(("config", args)) => Self::Config(args.clone()),
            Some(("migrate", args)) => Self::Migrate {
                after_restore: args.get_flag("after-restore"),
            },
            Some(("topology", _)) => Self::Topology,
            Some(("reconcile", args)) => Self::Reconcile(Reconcile {
                every: args.get_one("every").copied().map(Duration::from_secs),
                metrics: args.get_flag("metrics"),
            }),
            Some(("audit", args)) => Self::Audit(Audit {
                repair: args.get_flag("repair"),
                json: args.get_flag("json"),
            }),
            Some(("reindex", _)) => Self::Reindex,
            Some(("dlq", args)) => Self::DeadLetters(DeadLetters::of(args.subcommand())),
            Some(("run", args)) => Self::Run(role(args)),
            _ => Self::Run(ROLES[3]),
        }
    }
}

fn role(args: &ArgMatches) -> Role {
    let asked = args.get_one::<String>("role");
    let found = ROLES
        .into_iter()
        .find(|role| Some(role.name) == asked.map(String::as_str));
    found.unwrap_or(ROLES[3])
}

impl DeadLetters {
    fn of(asked: Option<(&str, &ArgMatches)>) -> Self {
        let id = |args: &ArgMatches| args.get_one::<String>("ID").cloned();
        match asked {
            Some(("show", args)) => Self::Show {
                id: id(args).unwrap_or_default(),
            },
            Some(("redrive", args)) => Self::Redrive { id: id(args) },
            Some(("drop", args)) => Self::Drop { id: id(args) },
            Some((_, args)) => Self::List {
                json: args.get_flag("json"),
            },
            None => Self::List { json: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Option<Task> {
        let arguments = [&["chat-worker"], arguments].concat();
        let matches = command().try_get_matches_from(arguments).ok()?;
        Some(Task::of(matches.subcommand()))
    }

    #[test]
    fn clap_finds_no_fault_in_the_commands() {
        command().debug_assert();
    }

    #[test]
    fn a_role_chooses_queues() {
        for (arguments, queues) in [
            (&["run", "--role", "chats"][..], &[Queue::Chats][..]),
            (&["run", "--role", "indexing"], &[Queue::Indexing]),
            (&["run"], &[Queue::Chats, Queue::Messages, Queue::Indexing]),
        ] {
            let Some(Task::Run(role)) = asked(arguments) else {
                panic!("{arguments:?}")
            };
            assert_eq!(role.queues, queues);
        }
        assert!(asked(&["run", "--role", "cooking"]).is_none());
    }

    #[test]
    fn letters_are_named_one_by_one_or_all_at_once() {
        let Some(Task::DeadLetters(redrive)) = asked(&["dlq", "redrive", "7"]) else {
            panic!("it parses")
        };
        assert_eq!(
            redrive,
            DeadLetters::Redrive {
                id: Some("7".into())
            }
        );
        assert!(asked(&["dlq", "redrive", "--all"]).is_some());
        for wrong in [
            &["dlq", "redrive"][..],
            &["dlq", "drop", "7", "--all"],
            &["dlq"],
            &[],
        ] {
            assert!(asked(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_pass_may_be_repeated() {
        let Some(Task::Reconcile(reconcile)) = asked(&["reconcile", "--every", "5", "--metrics"])
        else {
            panic!("it parses")
        };
        let every = Some(Duration::from_secs(5));
        assert_eq!(
            reconcile,
            Reconcile {
                every,
                metrics: true
            }
        );
        assert!(asked(&["reconcile", "--every", "0"]).is_none());
    }
}
