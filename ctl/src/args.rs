//! What can be typed: commands, flags, their environment variables and their help.
//!
//! Values are parsed here as far as that needs no server; limits of texts are the server's to know, so
//! that there is one place for them.

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::{Map, Value};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  chatctl app create support                      make an application; prints its token and key
  export CHATCTL_TOKEN=... CHATCTL_KEY=...        so that the commands below need no --token and --key
  chatctl chat create --name billing              make a chat; prints its number
  chatctl send --chat 1 'hello, world'            write a message
  chatctl list --chat 1 --limit 20                read the first 20 messages
  chatctl tail --chat 1 -f                        read the last ones and wait for more
  chatctl search 'helo \"hello world\" -spam'       words (typos allowed), phrases, exclusions
  chatctl import history.jsonl                    read messages from a file; safe to run again
  chatctl export - | gzip > backup.jsonl.gz       write every chat in the same format

Exit status: 0 done, 1 refused or failed, 2 wrong usage.";

/// The command line client of ChatSystem.
#[derive(Debug, Parser)]
#[command(name = "chatctl", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Settings (for every command)")]
pub(crate) struct Settings {
    /// Where the server is.
    #[arg(
        long,
        global = true,
        env = "CHATCTL_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    pub(crate) url: String,
    /// The application to work in.
    #[arg(
        long,
        global = true,
        env = "CHATCTL_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub(crate) token: Option<String>,
    /// The application's key, or the administrator's; needed unless the server runs open. Other users
    /// of this machine can see flags: prefer the variable or --key-file.
    #[arg(
        long,
        global = true,
        env = "CHATCTL_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(crate) key: Option<String>,
    /// A file that holds the key; wins over --key.
    #[arg(long, global = true, env = "CHATCTL_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// How long to try again while the server is away or busy [default: 3; import, export, tail: 30]
    #[arg(long, global = true, env = "CHATCTL_RETRY_FOR", value_name = "SECONDS")]
    pub(crate) retry_for: Option<u64>,
    /// Print JSON, one document per line, as the server sent it.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Colour what is printed; NO_COLOR in the environment turns `auto` off.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// See <https://no-color.org>.
    #[arg(long = "no-color", hide = true, global = true, env = "NO_COLOR", num_args = 0..=1, default_missing_value = "1")]
    pub(crate) no_color: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make, list, rename and delete applications.
    #[command(subcommand)]
    App(AppCommand),
    /// Make, list and delete chats.
    #[command(subcommand)]
    Chat(ChatCommand),
    /// Write a message.
    #[command(
        after_help = "Examples:\n  chatctl send --chat 1 'hello'\n  git log -1 | chatctl send --chat 1 --author ci -"
    )]
    Send(SendArguments),
    /// Read messages in the order of their numbers.
    #[command(
        after_help = "Examples:\n  chatctl list --chat 1 --after 50\n  chatctl list --chat 1 --all --json | wc -l"
    )]
    List(ListArguments),
    /// Read one message.
    Show(MessageArguments),
    /// Change what a message says.
    #[command(after_help = "Example:\n  chatctl edit --chat 1 12 'what I meant to say'")]
    Edit(EditArguments),
    /// Delete a message.
    Delete(MessageArguments),
    /// Find messages by their words.
    #[command(
        after_help = "Every word must match: exactly, as a beginning, or with a typo. \"two words\" in quotes\nare a phrase, -word excludes.\n\nExamples:\n  chatctl search segfault\n  chatctl search --chat 3 '\"memory leak\" -test' --sort number\n  chatctl search --author 'Ada Lovelace' --since 2026-01-01T00:00:00Z engine"
    )]
    Search(SearchArguments),
    /// Read the newest messages, and with -f wait for more.
    #[command(after_help = "Example:\n  chatctl tail --chat 1 -f -n 5")]
    Tail(TailArguments),
    /// Write the messages of a file in JSON Lines into chats of their own.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArguments),
    /// Write chats as JSON Lines, the format that import reads.
    #[command(
        after_help = "Examples:\n  chatctl export backup.jsonl\n  chatctl export --chat 3 - | jq -r .content\n\nMessages that are accepted but not stored yet are waited for, so none is skipped."
    )]
    Export(ExportArguments),
}

const IMPORT_HELP: &str = "\
One JSON object per line (UTF-8, at most 1 MiB; CRLF and a byte order mark are accepted):
  {\"chat\":{\"number\":7,\"name\":\"billing\"},\"number\":12,\"author\":\"Ada\",\"content\":\"hi\",
   \"metadata\":{\"lang\":\"en\"},\"reply_to\":11,\"created_at\":\"2026-01-02T03:04:05Z\"}
Only chat (number or name) and content are needed. Each distinct chat.number, or chat.name where no
number is given, becomes a new chat; its first line decides its name and metadata (chat.metadata). A
line with nothing but chat makes just the chat. number and reply_to are numbers of the file, unique
within a chat: a reply gets the new number of the line it refers to, which must stand above it.

Lines of one chat are written one after another, many chats at once. Every write carries a key made
from the import's name, the chat, the line's number (or else its place in the file) and its content:
run the same import again after an interruption and nothing is added twice. Refused lines are
reported with their number and reason, and the import goes on; the exit status is then 1.

Memory stays bounded: about 64 MiB of lines, 600 bytes and its name per chat, and 50 bytes per run of
consecutive numbers of a chat; of those at most 2,000,000 are remembered for replies.

Examples:
  chatctl import history.jsonl
  zcat history.jsonl.gz | chatctl import --import-id history.jsonl -";

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Make an application and print its token and its key (shown only this once).
    Create { name: String },
    /// List applications, oldest first.
    List {
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        page: u64,
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100))]
        per_page: u64,
    },
    /// Show an application.
    Show {
        /// The application [default: --token]
        #[arg(value_name = "TOKEN")]
        application: Option<String>,
    },
    /// Rename the application given by --token.
    Rename { name: String },
    /// Delete an application with all its chats; there is no way back.
    Delete {
        /// Must be written out here; --token and CHATCTL_TOKEN do not count.
        #[arg(value_name = "TOKEN")]
        application: String,
    },
    /// Make a second key for the application given by --token and print it (shown only this once).
    RotateKey,
    /// List the keys of the application given by --token, without their secrets.
    Keys,
    /// Revoke a key of the application given by --token.
    RevokeKey { key_id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChatCommand {
    /// Make a chat and print its number.
    Create {
        #[arg(long)]
        name: Option<String>,
        /// A JSON object, like '{"topic":"billing"}'.
        #[arg(long, value_name = "JSON", value_parser = json_object)]
        metadata: Option<Map<String, Value>>,
    },
    /// List chats in the order of their numbers.
    List {
        #[command(flatten)]
        page: PageArguments,
    },
    /// Show a chat.
    Show {
        #[arg(value_name = "CHAT", value_parser = clap::value_parser!(u64).range(1..))]
        chat: u64,
    },
    /// Delete a chat with all its messages; there is no way back.
    Delete {
        #[arg(value_name = "CHAT", value_parser = clap::value_parser!(u64).range(1..))]
        chat: u64,
    },
}

#[derive(Args, Debug)]
pub(crate) struct PageArguments {
    /// Start after this number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) after: u64,
    /// How many at most (1 to 200).
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub(crate) limit: u64,
    /// Go on to the end.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SendArguments {
    #[command(flatten)]
    pub(crate) chat: ChatArgument,
    /// What to say; `-` reads it from standard input.
    pub(crate) content: String,
    #[arg(long)]
    pub(crate) author: Option<String>,
    /// A JSON object, like '{"lang":"en"}'.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub(crate) metadata: Option<Map<String, Value>>,
    /// The number of the message this one answers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) reply_to: Option<u64>,
    /// When it was written, if not now: RFC 3339, like 2026-01-02T03:04:05Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) created_at: Option<String>,
    /// Sending again with the same key adds nothing [default: random]
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ChatArgument {
    /// The number of the chat.
    #[arg(id = "chat", long, short = 'c', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) number: u64,
}

#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) chat: ChatArgument,
    #[command(flatten)]
    pub(crate) page: PageArguments,
    /// The nearest ones below this number.
    #[arg(long, value_name = "N", conflicts_with_all = ["after", "all"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) before: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct MessageArguments {
    #[command(flatten)]
    pub(crate) chat: ChatArgument,
    /// The number of the message.
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) number: u64,
}

#[derive(Args, Debug)]
pub(crate) struct EditArguments {
    #[command(flatten)]
    pub(crate) message: MessageArguments,
    /// What it says from now on; `-` reads it from standard input.
    #[arg(required_unless_present = "metadata")]
    pub(crate) content: Option<String>,
    /// A JSON object, or null to remove it.
    #[arg(long, value_name = "JSON", value_parser = json_object_or_null)]
    pub(crate) metadata: Option<Value>,
}

#[derive(Args, Debug)]
pub(crate) struct SearchArguments {
    /// Words, "phrases" and -exclusions (write `--` before one that comes first).
    #[arg(required = true)]
    pub(crate) query: Vec<String>,
    /// Only in this chat.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) chat: Option<u64>,
    /// Only by this author.
    #[arg(long)]
    pub(crate) author: Option<String>,
    /// Only from this moment on: RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only before this moment: RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    #[arg(long, default_value = "relevance")]
    pub(crate) sort: Sort,
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) page: u64,
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) per_page: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sort {
    Relevance,
    Number,
}

#[derive(Args, Debug)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    pub(crate) chat: ChatArgument,
    /// Wait for more until interrupted.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// How many to start with (0 to 200).
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=200))]
    pub(crate) lines: u64,
    /// How often to ask, with -f.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..))]
    pub(crate) interval: u64,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    /// The file to read; `-` is standard input.
    pub(crate) file: String,
    /// The name of this import: running again under the same name adds nothing twice [default: the
    /// file's name without its directory]
    #[arg(long, value_name = "NAME")]
    pub(crate) import_id: Option<String>,
    /// How many chats to write at the same time.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) parallel: u16,
    /// What to do with a reply to a message that was not imported: refuse the line, or write it without
    /// its reply_to.
    #[arg(long, value_name = "HOW", default_value = "refuse")]
    pub(crate) orphan_replies: OrphanReplies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OrphanReplies {
    Refuse,
    Detach,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// The file to write; `-` is standard output.
    #[arg(default_value = "-")]
    pub(crate) file: String,
    /// Only this chat.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) chat: Option<u64>,
}

fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("not a JSON object ({error}); write for example '{{\"a\":1}}'"))
}

fn json_object_or_null(text: &str) -> Result<Value, String> {
    if text.trim() == "null" {
        Ok(Value::Null)
    } else {
        json_object(text).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_is_consistent_and_has_help() {
        Arguments::command().debug_assert();
        for command in Arguments::command().get_subcommands() {
            assert!(
                command.get_about().is_some(),
                "{} has no help",
                command.get_name()
            );
        }
    }

    #[test]
    fn a_number_below_one_is_refused_while_parsing() {
        assert!(Arguments::try_parse_from(["chatctl", "show", "--chat", "0", "1"]).is_err());
        assert!(Arguments::try_parse_from(["chatctl", "show", "--chat", "1", "0"]).is_err());
    }

    #[test]
    fn settings_may_stand_after_the_command() {
        let parsed =
            Arguments::try_parse_from(["chatctl", "list", "--chat", "1", "--json", "--token", "T"])
                .unwrap();
        assert!(parsed.settings.json);
        assert_eq!(parsed.settings.token.as_deref(), Some("T"));
    }

    #[test]
    fn metadata_is_an_object_and_only_an_edit_may_remove_it() {
        assert!(json_object("[1]").is_err());
        assert!(json_object("null").is_err());
        assert_eq!(json_object_or_null("null"), Ok(Value::Null));
        assert!(json_object_or_null("1").is_err());
    }
}
