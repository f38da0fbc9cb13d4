//! The one table of settings. Help texts, the README's table, parsing and the names that charts and
//! tests rely on all come from here.

/// One setting: an environment variable and a flag.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    /// Without its dashes. For a secret, the flag that names its file.
    pub flag: &'static str,
    pub group: Group,
    pub default: Default,
    /// A value that is accepted.
    pub example: &'static str,
    /// Sentences for people, the first one says what it is.
    pub help: &'static str,
    /// Secrets are never printed, have no flag (arguments are visible to every user of a machine),
    /// and can be read from the file that `<name>_FILE` names.
    pub secret: bool,
    /// Who reads it.
    pub programs: &'static [Program],
}

/// The programs that have settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Standalone,
    Api,
    Worker,
}

impl Program {
    pub const ALL: [Self; 3] = [Self::Standalone, Self::Api, Self::Worker];

    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "chat-standalone",
            Self::Api => "chat-api",
            Self::Worker => "chat-worker",
        }
    }

    /// Its settings, in the order people read them.
    pub fn variables(self) -> impl Iterator<Item = &'static Variable> {
        VARIABLES
            .iter()
            .filter(move |variable| variable.programs.contains(&self))
    }
}

const EVERYWHERE: &[Program] = &Program::ALL;
const ALONE: &[Program] = &[Program::Standalone];
const SERVING: &[Program] = &[Program::Standalone, Program::Api];
const CLUSTER: &[Program] = &[Program::Api, Program::Worker];
const API: &[Program] = &[Program::Api];

/// What holds when nobody sets a variable.
#[derive(Debug)]
pub enum Default {
    Value(&'static str),
    /// Follows from other settings, as these words say.
    Rule(&'static str),
    Unset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Addresses,
    Servers,
    Data,
    Access,
    Limits,
    Log,
    Traces,
}

impl Group {
    pub const ALL: [Self; 7] = [
        Self::Addresses,
        Self::Servers,
        Self::Data,
        Self::Access,
        Self::Limits,
        Self::Log,
        Self::Traces,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Addresses => "Addresses",
            Self::Servers => "Servers",
            Self::Data => "Data",
            Self::Access => "Access",
            Self::Limits => "Limits",
            Self::Log => "Log",
            Self::Traces => "Traces",
        }
    }
}

pub const LISTEN: &str = "CHAT_LISTEN";
pub const ADMIN_LISTEN: &str = "CHAT_ADMIN_LISTEN";
pub const MYSQL_URL: &str = "CHAT_MYSQL_URL";
pub const REDIS_URL: &str = "CHAT_REDIS_URL";
pub const RABBITMQ_URL: &str = "CHAT_RABBITMQ_URL";
pub const RABBITMQ_MANAGEMENT_URL: &str = "CHAT_RABBITMQ_MANAGEMENT_URL";
pub const ELASTICSEARCH_URL: &str = "CHAT_ELASTICSEARCH_URL";
pub const TLS_CA_FILE: &str = "CHAT_TLS_CA_FILE";
pub const MYSQL_CA_FILE: &str = "CHAT_MYSQL_CA_FILE";
pub const RABBITMQ_CA_FILE: &str = "CHAT_RABBITMQ_CA_FILE";
pub const REDIS_CA_FILE: &str = "CHAT_REDIS_CA_FILE";
pub const ELASTICSEARCH_CA_FILE: &str = "CHAT_ELASTICSEARCH_CA_FILE";
pub const TLS_INSECURE: &str = "CHAT_TLS_INSECURE";
pub const KEY_PREFIX: &str = "CHAT_KEY_PREFIX";
pub const NUMBERING: &str = "CHAT_NUMBERING";
pub const EXPECTED_REPLICAS: &str = "CHAT_EXPECTED_REPLICAS";
pub const DATA_DIR: &str = "CHAT_DATA_DIR";
pub const NUMBER_BLOCK: &str = "CHAT_NUMBER_BLOCK";
pub const FOLD_INTERVAL_MS: &str = "CHAT_FOLD_INTERVAL_MS";
pub const AUTH_MODE: &str = "CHAT_AUTH_MODE";
pub const ADMIN_KEY: &str = "CHAT_ADMIN_KEY";
pub const TRUSTED_PROXIES: &str = "CHAT_TRUSTED_PROXIES";
pub const CORS_ORIGINS: &str = "CHAT_CORS_ORIGINS";
pub const RATE_LIMIT: &str = "CHAT_RATE_LIMIT";
pub const MAX_CONNECTIONS: &str = "CHAT_MAX_CONNECTIONS";
pub const LOG: &str = "CHAT_LOG";
pub const LOG_FORMAT: &str = "CHAT_LOG_FORMAT";
pub const OTLP_ENDPOINT: &str = "CHAT_OTLP_ENDPOINT";
pub const OTLP_SAMPLE: &str = "CHAT_OTLP_SAMPLE";

/// The rates outside loopback, where strangers may knock.
pub const PUBLIC_RATES: &str = "general=100/s,create=50/s";

/// Every setting, in the order people read them.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: LISTEN,
        flag: "listen",
        group: Group::Addresses,
        default: Default::Value("127.0.0.1:8080"),
        example: "127.0.0.1:9000",
        help: "Where the API answers. Port 0 takes a free one.",
        secret: false,
        programs: SERVING,
    },
    Variable {
        name: ADMIN_LISTEN,
        flag: "admin-listen",
        group: Group::Addresses,
        default: Default::Value("127.0.0.1:8081"),
        example: "127.0.0.1:9001",
        help: "Where /livez, /readyz and /metrics answer. Keep it away from strangers.",
        secret: false,
        programs: EVERYWHERE,
    },
    Variable {
        name: MYSQL_URL,
        flag: "mysql-url-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "mysql://chat:PASSWORD@mysql:3306/chat",
        help: "The database: MySQL 8.0 or later, or MariaDB 10.6 or later. Required.",
        secret: true,
        programs: CLUSTER,
    },
    Variable {
        name: RABBITMQ_URL,
        flag: "rabbitmq-url-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "amqps://chat:PASSWORD@rabbitmq:5671/chat",
        help: "The broker, RabbitMQ 3.10 or later; the path is the virtual host. Required.",
        secret: true,
        programs: CLUSTER,
    },
    Variable {
        name: RABBITMQ_MANAGEMENT_URL,
        flag: "rabbitmq-management-url-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "https://chat:PASSWORD@rabbitmq:15671",
        help: "The broker's management API, which tells whether queues are at rest. Unset: numbers that were given and never stored stay unexplained.",
        secret: true,
        programs: CLUSTER,
    },
    Variable {
        name: REDIS_URL,
        flag: "redis-url-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "rediss://chat:PASSWORD@redis:6379",
        help: "Redis 7 or later, or Valkey: numbers, idempotency keys, rate limits. Required unless CHAT_NUMBERING=mysql. Everything in it may be deleted at any moment.",
        secret: true,
        programs: CLUSTER,
    },
    Variable {
        name: ELASTICSEARCH_URL,
        flag: "elasticsearch-url-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "https://chat:PASSWORD@elasticsearch:9200",
        help: "The search engine, Elasticsearch 8 or 9. Required.",
        secret: true,
        programs: CLUSTER,
    },
    Variable {
        name: TLS_CA_FILE,
        flag: "tls-ca-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "/etc/chat/ca.pem",
        help: "Certificates (PEM) of the authorities that sign the servers' certificates. Unset: those the system trusts.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: MYSQL_CA_FILE,
        flag: "mysql-ca-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "/etc/chat/mysql-ca.pem",
        help: "The same for the database alone. Unset: what CHAT_TLS_CA_FILE says.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: RABBITMQ_CA_FILE,
        flag: "rabbitmq-ca-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "/etc/chat/rabbitmq-ca.pem",
        help: "The same for the broker and its management API alone. Unset: what CHAT_TLS_CA_FILE says.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: REDIS_CA_FILE,
        flag: "redis-ca-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "/etc/chat/redis-ca.pem",
        help: "The same for Redis alone. Unset: what CHAT_TLS_CA_FILE says.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: ELASTICSEARCH_CA_FILE,
        flag: "elasticsearch-ca-file",
        group: Group::Servers,
        default: Default::Unset,
        example: "/etc/chat/elasticsearch-ca.pem",
        help: "The same for the search engine alone. Unset: what CHAT_TLS_CA_FILE says.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: TLS_INSECURE,
        flag: "tls-insecure",
        group: Group::Servers,
        default: Default::Unset,
        example: "mysql,redis",
        help: "Servers that may be reached without TLS, so that passwords and messages can be read on the way: mysql, rabbitmq, redis, elasticsearch, otlp, separated by commas. Unset: none.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: KEY_PREFIX,
        flag: "key-prefix",
        group: Group::Servers,
        default: Default::Value("chat"),
        example: "acme",
        help: "What the names of this system's keys in Redis and of its search index start with. 1 to 40 of a-z, 0-9 and hyphen, a letter first.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: NUMBERING,
        flag: "numbering",
        group: Group::Servers,
        default: Default::Value("redis"),
        example: "mysql",
        help: "Where numbers are counted: redis (fast), or mysql (one row for each, needs no Redis). All processes of a system say the same.",
        secret: false,
        programs: CLUSTER,
    },
    Variable {
        name: DATA_DIR,
        flag: "data-dir",
        group: Group::Data,
        default: Default::Value("data"),
        example: "/var/lib/chat",
        help: "The directory of the database and the index, made if it is missing. One process at a time.",
        secret: false,
        programs: ALONE,
    },
    Variable {
        name: NUMBER_BLOCK,
        flag: "number-block",
        group: Group::Data,
        default: Default::Value("256"),
        example: "1000",
        help: "How many numbers of a chat are reserved at once; a kill leaves at most that many unused. 1 to 100000.",
        secret: false,
        programs: SERVING,
    },
    Variable {
        name: FOLD_INTERVAL_MS,
        flag: "fold-interval-ms",
        group: Group::Data,
        default: Default::Value("1000"),
        example: "5000",
        help: "Milliseconds between two passes that fold the ledger into the counts, which are exact in between as well. 10 to 3600000.",
        secret: false,
        programs: ALONE,
    },
    Variable {
        name: AUTH_MODE,
        flag: "auth-mode",
        group: Group::Access,
        default: Default::Value("none"),
        example: "keys",
        help: "none: everything is open, for loopback addresses only. keys: every request needs an application's key or the admin key.",
        secret: false,
        programs: SERVING,
    },
    Variable {
        name: ADMIN_KEY,
        flag: "admin-key-file",
        group: Group::Access,
        default: Default::Unset,
        example: "at-least-16-random-characters",
        help: "The key that may create and list applications. Where the mode is keys, chat-standalone needs it; chat-api without it lets nobody do that. 16 to 255 printable ASCII characters.",
        secret: true,
        programs: SERVING,
    },
    Variable {
        name: TRUSTED_PROXIES,
        flag: "trusted-proxies",
        group: Group::Access,
        default: Default::Value("0"),
        example: "1",
        help: "How many proxies in front of the API add the address they see to X-Forwarded-For. 0: the header is ignored. 0 to 10.",
        secret: false,
        programs: SERVING,
    },
    Variable {
        name: CORS_ORIGINS,
        flag: "cors-origins",
        group: Group::Access,
        default: Default::Unset,
        example: "https://app.example.com,http://localhost:3000",
        help: "Origins whose pages may call the API, separated by commas. Unset: none.",
        secret: false,
        programs: SERVING,
    },
    Variable {
        name: RATE_LIMIT,
        flag: "rate-limit",
        group: Group::Limits,
        default: Default::Rule("off on loopback, elsewhere general=100/s,create=50/s"),
        example: PUBLIC_RATES,
        help: "Requests a second for each application and for each client address: off, or rates for all requests (general) and for those that create something (create). Twice the rate may come at once.",
        secret: false,
        programs: SERVING,
    },
    Variable {
        name: EXPECTED_REPLICAS,
        flag: "expected-replicas",
        group: Group::Limits,
        default: Default::Value("1"),
        example: "4",
        help: "How many processes serve the API: while Redis is away, each lets its share of the rate limits through. 1 to 1000.",
        secret: false,
        programs: API,
    },
    Variable {
        name: MAX_CONNECTIONS,
        flag: "max-connections",
        group: Group::Limits,
        default: Default::Value("1000"),
        example: "5000",
        help: "Connections to the API at the same time; more wait until one closes. 1 to 100000.",
        secret: false,
        programs: SERVING,
    },
    Variable {
        name: LOG,
        flag: "log",
        group: Group::Log,
        default: Default::Value("info,tantivy=warn"),
        example: "debug,hyper=info",
        help: "What is logged: a level (error, warn, info, debug, trace), or target=level pairs separated by commas.",
        secret: false,
        programs: EVERYWHERE,
    },
    Variable {
        name: LOG_FORMAT,
        flag: "log-format",
        group: Group::Log,
        default: Default::Value("human"),
        example: "json",
        help: "human or json, one line for each event on standard error.",
        secret: false,
        programs: EVERYWHERE,
    },
    Variable {
        name: OTLP_ENDPOINT,
        flag: "otlp-endpoint-file",
        group: Group::Traces,
        default: Default::Unset,
        example: "https://collector:4318",
        help: "The OpenTelemetry collector that takes traces, by OTLP over HTTP with protobuf; /v1/traces is added. Unset: no traces. For programs that were built with them.",
        secret: true,
        programs: CLUSTER,
    },
    Variable {
        name: OTLP_SAMPLE,
        flag: "otlp-sample",
        group: Group::Traces,
        default: Default::Value("0.01"),
        example: "0.1",
        help: "Which part of the requests is traced, 0 to 1, where the caller's traceparent does not say whether it is.",
        secret: false,
        programs: API,
    },
];

impl Variable {
    /// The row of the table with this name.
    pub(super) fn named(name: &str) -> &'static Self {
        VARIABLES
            .iter()
            .find(|variable| variable.name == name)
            .expect("every name constant has its row in the table")
    }

    /// The variable that the flag sets.
    pub fn flag_name(&self) -> String {
        if self.secret {
            self.file_name()
        } else {
            self.name.to_owned()
        }
    }

    /// The variable that names the file a secret is in.
    pub fn file_name(&self) -> String {
        format!("{}_FILE", self.name)
    }

    /// What holds when it is not set, in words.
    pub fn default_text(&self) -> &'static str {
        match self.default {
            Default::Value(text) | Default::Rule(text) => text,
            Default::Unset => "unset",
        }
    }
}

pub(super) const PREFIX: &str = "CHAT_";
