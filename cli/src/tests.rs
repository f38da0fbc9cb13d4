//! The command lines of all programs, without an environment.

use super::*;
use chat::config::{Api, Standalone};

fn line(program: Program, arguments: &[&str], environment: &[(&str, &str)]) -> CommandLine {
    let arguments = [&[program.name()], arguments].concat();
    let command = command(program, "about").subcommand(Command::new("run"));
    let matches = command.try_get_matches_from(arguments).expect("it parses");
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment = environment.iter().map(owned).collect();
    CommandLine::new(program, matches, environment)
}

#[test]
fn clap_finds_no_fault_in_the_flags() {
    for program in Program::ALL {
        command(program, "about").debug_assert();
    }
}

#[test]
fn a_flag_wins_over_its_variable_before_and_after_the_command() {
    let environment = [("CHAT_LISTEN", "127.0.0.1:1"), ("CHAT_NUMBER_BLOCK", "7")];
    for arguments in [
        &["--listen", "127.0.0.1:2"][..],
        &["--listen=127.0.0.1:2", "run"],
        &["run", "--listen", "127.0.0.1:2"],
    ] {
        let line = line(Program::Standalone, arguments, &environment);
        let serving = line.settings::<Standalone>().expect("it is right").serving;
        assert_eq!((serving.listen.port(), serving.number_block), (2, 7));
    }
}

#[test]
fn help_names_every_flag_variable_and_default_under_its_group() {
    for program in Program::ALL {
        let help = command(program, "about").render_long_help().to_string();
        let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for variable in program.variables() {
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
}

#[test]
fn a_program_has_no_flag_for_what_it_does_not_read() {
    for (program, flag) in [
        (Program::Standalone, "--mysql-url-file"),
        (Program::Api, "--data-dir"),
        (Program::Worker, "--listen"),
    ] {
        let arguments = [program.name(), flag, "x"];
        let command = command(program, "about");
        assert!(command.try_get_matches_from(arguments).is_err(), "{flag}");
    }
}

#[test]
fn a_secret_has_no_flag_only_its_file_has() {
    let arguments = ["chat-api", "--mysql-url", "x"];
    let command = command(Program::Api, "about");
    assert!(command.try_get_matches_from(arguments).is_err());
    let line = line(Program::Api, &["--admin-key-file", "/x"], &[]);
    assert_eq!(line.lookup("CHAT_ADMIN_KEY_FILE").as_deref(), Some("/x"));
    assert_eq!(line.lookup("CHAT_ADMIN_KEY"), None);
}

#[test]
fn what_is_missing_is_said_at_once_and_ends_with_2() {
    let line = line(Program::Api, &[], &[]);
    let wrong = line.settings::<Api>().expect_err("no address is set");
    let text = wrong.to_string();
    for name in [
        "CHAT_MYSQL_URL",
        "CHAT_RABBITMQ_URL",
        "CHAT_REDIS_URL",
        "CHAT_ELASTICSEARCH_URL",
    ] {
        assert!(text.contains(&format!("{name}: is not set")), "{text}");
    }
}

#[test]
fn the_documentation_has_the_tables_of_settings() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cluster.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    for program in [Program::Api, Program::Worker] {
        let name = program.name();
        let (_, rest) = page
            .split_once(&format!("<!-- {name}:begin -->\n"))
            .expect("the begin marker");
        let (table, _) = rest
            .split_once(&format!("<!-- {name}:end -->"))
            .expect("the end marker");
        let wanted = markdown(program);
        assert_eq!(
            table, wanted,
            "paste what `{name} config --markdown` prints"
        );
    }
}
