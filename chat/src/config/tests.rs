//! Every setting, right and wrong, without an environment.

use super::*;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const KEY: &str = "a-key-that-nobody-guesses";

fn read(set: &[(&str, &str)]) -> Result<Standalone, Wrong> {
    let set: BTreeMap<_, _> = set.iter().copied().collect();
    let lookup = |name: &str| set.get(name).map(|value| (*value).to_owned());
    Standalone::from_lookup(&lookup, &|path: &Path| match path.to_str() {
        Some("/key") => Ok(format!("{KEY}\n")),
        Some("/short") => Ok("tell-nobody\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    })
}

fn problems(set: &[(&str, &str)]) -> Vec<Problem> {
    read(set).unwrap_err().0
}

fn admin_key(settings: &Standalone) -> &str {
    use secrecy::ExposeSecret;
    match &settings.serving.auth {
        Auth::None => "",
        Auth::Keys { admin_key } => admin_key.as_ref().map_or("", |key| key.expose_secret()),
    }
}

#[test]
fn nothing_set_is_a_chat_on_loopback_without_keys() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.serving.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.process.admin_listen.to_string(), "127.0.0.1:8081");
    assert_eq!(settings.data_dir, Path::new("data"));
    assert_eq!(settings.serving.number_block, 256);
    assert!(matches!(settings.serving.auth, Auth::None));
    assert_eq!(settings.serving.rates, Rates::OFF);
    assert_eq!(settings.process.log_format, LogFormat::Human);
    assert!(settings.serving.cors_origins.is_empty());
}

#[test]
fn blank_is_not_set() {
    assert_eq!(
        read(&[(LISTEN, ""), (LOG, "  ")])
            .unwrap()
            .serving
            .listen
            .port(),
        8080
    );
}

#[test]
fn every_example_in_the_table_is_accepted() {
    for variable in Program::Standalone.variables() {
        let mut set = vec![(variable.name, variable.example)];
        if variable.name == AUTH_MODE {
            set.push((ADMIN_KEY, KEY));
        }
        assert!(read(&set).is_ok(), "{:?}", read(&set));
    }
}

#[test]
fn every_wrong_value_names_its_variable_and_an_example() {
    let long = "x".repeat(256);
    for (name, value, said) in [
        (LISTEN, "8080", "\"8080\" is not an IP address with a port"),
        (
            LISTEN,
            "example.com:80",
            "\"example.com:80\" is not an IP address with a port",
        ),
        (
            ADMIN_LISTEN,
            "127.0.0.1",
            "\"127.0.0.1\" is not an IP address with a port",
        ),
        (
            ADMIN_LISTEN,
            "127.0.0.1:8080",
            "127.0.0.1:8080 is what CHAT_LISTEN takes already",
        ),
        (DATA_DIR, "a\u{fffd}b", "\"a\u{fffd}b\" is not UTF-8"),
        (
            NUMBER_BLOCK,
            "0",
            "\"0\" is not a whole number from 1 to 100000",
        ),
        (
            NUMBER_BLOCK,
            "many",
            "\"many\" is not a whole number from 1 to 100000",
        ),
        (
            FOLD_INTERVAL_MS,
            "1.5",
            "\"1.5\" is not a whole number from 10 to 3600000",
        ),
        (AUTH_MODE, "jwt", "\"jwt\" is not one of: none, keys"),
        (ADMIN_KEY, "short", "has 5 characters, 16 are the least"),
        (
            ADMIN_KEY,
            "blanks are no good here",
            "contains a character that is not printable ASCII",
        ),
        (ADMIN_KEY, &long, "has 256 characters, 255 are the most"),
        (
            TRUSTED_PROXIES,
            "10.0.0.0/8",
            "\"10.0.0.0/8\" is not a whole number from 0 to 10",
        ),
        (
            CORS_ORIGINS,
            "*",
            "\"*\" would let every page on the web in; list the origins",
        ),
        (
            CORS_ORIGINS,
            "https://a/",
            "\"https://a/\" is not an origin like https://app.example.com",
        ),
        (RATE_LIMIT, "on", "'on' is not name=N/s"),
        (
            MAX_CONNECTIONS,
            "-1",
            "\"-1\" is not a whole number from 1 to 100000",
        ),
        (
            LOG,
            "loud=very",
            "\"loud=very\" is neither a level nor a list of target=level pairs",
        ),
        (LOG_FORMAT, "xml", "\"xml\" is not one of: human, json"),
    ] {
        let set = [(name, value)];
        let example = Variable::named(name).example;
        let expected = Problem {
            variable: name.to_owned(),
            problem: said.to_owned(),
            example,
        };
        assert_eq!(problems(&set), [expected]);
        let text = read(&set).unwrap_err().to_string();
        assert!(
            text.contains(&format!("for example {name}={example}")),
            "{text}"
        );
    }
}

#[test]
fn all_problems_come_at_once() {
    let found = problems(&[(LISTEN, "x"), (NUMBER_BLOCK, "x"), (LOG_FORMAT, "x")]);
    let names: Vec<_> = found
        .iter()
        .map(|problem| problem.variable.as_str())
        .collect();
    assert_eq!(names, [LISTEN, NUMBER_BLOCK, LOG_FORMAT]);
}

#[test]
fn without_keys_only_loopback_is_allowed() {
    for listen in [
        "127.0.0.1:1",
        "127.9.9.9:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
        "localhost:1",
    ] {
        assert!(read(&[(LISTEN, listen)]).is_ok(), "{listen}");
    }
    for listen in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1"] {
        let [problem] = &problems(&[(LISTEN, listen)])[..] else {
            panic!("{listen}")
        };
        assert_eq!(problem.variable, AUTH_MODE);
        assert!(
            problem
                .problem
                .contains("set CHAT_AUTH_MODE=keys and CHAT_ADMIN_KEY")
        );
        assert!(read(&[(LISTEN, listen), (AUTH_MODE, "keys"), (ADMIN_KEY, KEY)]).is_ok());
    }
}

#[test]
fn keys_need_an_admin_key() {
    let [problem] = &problems(&[(AUTH_MODE, "keys")])[..] else {
        panic!("one problem")
    };
    assert_eq!(problem.variable, ADMIN_KEY);
}

#[test]
fn the_admin_key_may_be_in_a_file() {
    let file = Variable::named(ADMIN_KEY).file_name();
    let settings = read(&[(AUTH_MODE, "keys"), (&file, "/key")]).unwrap();
    assert_eq!(admin_key(&settings), KEY);
    for (set, said) in [
        (
            vec![(file.as_str(), "/none")],
            "cannot read \"/none\": entity not found",
        ),
        (
            vec![(file.as_str(), "/short")],
            "has 11 characters, 16 are the least",
        ),
        (
            vec![(file.as_str(), "/key"), (ADMIN_KEY, KEY)],
            "is set as well as CHAT_ADMIN_KEY: set one of them",
        ),
    ] {
        let found = problems(&set);
        assert_eq!(
            (found[0].variable.as_str(), found[0].problem.as_str()),
            (file.as_str(), said)
        );
    }
}

#[test]
fn a_secret_is_in_no_text() {
    let settings = read(&[(AUTH_MODE, "keys"), (ADMIN_KEY, KEY)]).unwrap();
    let wrong = read(&[(ADMIN_KEY, "tell-nobody")]).unwrap_err();
    for text in [
        show(&settings),
        format!("{settings:?}"),
        wrong.to_string(),
        format!("{wrong:?}"),
    ] {
        assert!(
            !text.contains(KEY) && !text.contains("tell-nobody"),
            "{text}"
        );
    }
    assert!(show(&settings).contains("\nCHAT_ADMIN_KEY=********\n"));
}

#[test]
fn limits_are_on_where_strangers_may_knock() {
    let public = [
        (LISTEN, "0.0.0.0:8080"),
        (AUTH_MODE, "keys"),
        (ADMIN_KEY, KEY),
    ];
    assert_eq!(
        read(&public).unwrap().serving.rates,
        Rates::parse(PUBLIC_RATES).unwrap()
    );
    let off = [&public[..], &[(RATE_LIMIT, "off")]].concat();
    assert_eq!(read(&off).unwrap().serving.rates, Rates::OFF);
}

#[test]
fn what_is_shown_reads_back_as_the_same_settings() {
    let set = [
        (LISTEN, "[::1]:9000"),
        (DATA_DIR, "/var/lib/chat"),
        (CORS_ORIGINS, "https://A.example , http://localhost:3000"),
        (RATE_LIMIT, "create=5/s"),
        (LOG_FORMAT, "json"),
    ];
    let shown = show(&read(&set).unwrap());
    let lines = shown.lines().filter_map(|line| line.split_once('='));
    assert_eq!(show(&read(&lines.collect::<Vec<_>>()).unwrap()), shown);
    assert!(shown.contains("CHAT_CORS_ORIGINS=https://a.example,http://localhost:3000\n"));
}

#[test]
fn names_are_unique_and_unknown_ones_are_told() {
    for variable in VARIABLES {
        let flag = variable.flag.to_ascii_uppercase().replace('-', "_");
        assert_eq!(variable.flag_name(), format!("CHAT_{flag}"));
        let same = VARIABLES.iter().filter(|other| other.name == variable.name);
        assert_eq!(same.count(), 1, "{}", variable.name);
    }
    let set = [
        "CHAT_LISTEN",
        "CHAT_ADMIN_KEY_FILE",
        "CHAT_DATADIR",
        "CHAT_LISTEN_FILE",
    ];
    let environment: Environment = set
        .into_iter()
        .map(|name| (name.to_owned(), String::new()))
        .collect();
    assert_eq!(
        environment.unknown().collect::<Vec<_>>(),
        ["CHAT_DATADIR", "CHAT_LISTEN_FILE"]
    );
}
