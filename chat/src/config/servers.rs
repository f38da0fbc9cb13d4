//! Where the servers of a cluster are, and how their connections are protected.

use super::source::Source;
use super::variables as v;
use super::{parse, show};
use crate::adapters::endpoint::{Endpoint, Trust};
use secrecy::{ExposeSecret, SecretString};

/// The servers behind `chat-api` and `chat-worker`.
#[derive(Clone, Debug)]
pub struct Servers {
    pub mysql: Endpoint,
    pub rabbitmq: Endpoint,
    pub rabbitmq_management: Option<Endpoint>,
    /// There where `numbering` needs it.
    pub redis: Option<Endpoint>,
    pub elasticsearch: Endpoint,
    /// Where traces go; `None`: there are none.
    pub otlp: Option<Endpoint>,
    /// What keys in Redis and the names of indexes start with.
    pub key_prefix: String,
    pub numbering: Numbering,
    /// The file the database's `Trust::ca_pem` was read from: its driver reads it itself.
    pub mysql_ca_file: Option<String>,
    ca_files: CaFiles,
    plaintext: Vec<Server>,
}

/// Where numbers are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    Redis,
    Mysql,
}

const NUMBERINGS: [(&str, Numbering); 2] =
    [("redis", Numbering::Redis), ("mysql", Numbering::Mysql)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Mysql,
    Rabbitmq,
    Redis,
    Elasticsearch,
    Otlp,
}

const SERVERS: [(&str, Server); 5] = [
    ("mysql", Server::Mysql),
    ("rabbitmq", Server::Rabbitmq),
    ("redis", Server::Redis),
    ("elasticsearch", Server::Elasticsearch),
    ("otlp", Server::Otlp),
];

impl Server {
    fn name(self) -> &'static str {
        let named = SERVERS.iter().find(|(_, server)| *server == self);
        named.map_or("", |(name, _)| name)
    }
}

pub(super) fn read(from: &mut Source<'_>) -> Servers {
    let ca_files: CaFiles = CA_FILES.map(|(name, _)| authorities(from, name));
    let plaintext = from.optional(v::TLS_INSECURE, |text| {
        text.split(',')
            .map(|part| parse::word(part.trim(), &SERVERS))
            .collect::<Result<Vec<_>, _>>()
    });
    let plaintext = plaintext.unwrap_or_default();
    let mut endpoint = |name: &str, server: Server, schemes: Schemes| {
        let trust = Trust {
            ca_pem: trusted(&ca_files, server).map(|file| file.pem.clone()),
            plaintext: plaintext.contains(&server),
        };
        let parse = |text: &str| address(text, schemes, server, trust.plaintext);
        let url = from.secret(name, parse).ok()?;
        url.map(|url| Endpoint { url, trust })
    };
    let mysql = endpoint(
        v::MYSQL_URL,
        Server::Mysql,
        Schemes {
            tls: "mysql",
            plain: "mysql",
        },
    );
    let rabbitmq = endpoint(
        v::RABBITMQ_URL,
        Server::Rabbitmq,
        Schemes {
            tls: "amqps",
            plain: "amqp",
        },
    );
    let https = Schemes {
        tls: "https",
        plain: "http",
    };
    let rabbitmq_management = endpoint(v::RABBITMQ_MANAGEMENT_URL, Server::Rabbitmq, https);
    let redis = endpoint(
        v::REDIS_URL,
        Server::Redis,
        Schemes {
            tls: "rediss",
            plain: "redis",
        },
    );
    let elasticsearch = endpoint(v::ELASTICSEARCH_URL, Server::Elasticsearch, https);
    let otlp = endpoint(v::OTLP_ENDPOINT, Server::Otlp, https);
    let numbering = from.value(v::NUMBERING, |text| parse::word(text, &NUMBERINGS));
    if numbering == Numbering::Redis {
        required(from, v::REDIS_URL, redis.as_ref());
    }
    Servers {
        mysql: required(from, v::MYSQL_URL, mysql.as_ref()),
        rabbitmq: required(from, v::RABBITMQ_URL, rabbitmq.as_ref()),
        rabbitmq_management,
        redis,
        elasticsearch: required(from, v::ELASTICSEARCH_URL, elasticsearch.as_ref()),
        otlp,
        key_prefix: from.value(v::KEY_PREFIX, key_prefix),
        numbering,
        mysql_ca_file: trusted(&ca_files, Server::Mysql).map(|file| file.path.clone()),
        ca_files,
        plaintext,
    }
}

/// Whom a variable says to trust: every server's authorities, or one's own, which come later here and win.
const CA_FILES: [(&str, Option<Server>); 5] = [
    (v::TLS_CA_FILE, None),
    (v::MYSQL_CA_FILE, Some(Server::Mysql)),
    (v::RABBITMQ_CA_FILE, Some(Server::Rabbitmq)),
    (v::REDIS_CA_FILE, Some(Server::Redis)),
    (v::ELASTICSEARCH_CA_FILE, Some(Server::Elasticsearch)),
];

/// In the order of `CA_FILES`.
type CaFiles = [Option<CaFile>; 5];

#[derive(Clone, Debug)]
struct CaFile {
    path: String,
    pem: Vec<u8>,
}

fn trusted(files: &CaFiles, server: Server) -> Option<&CaFile> {
    let applies = |of: Option<Server>| of.is_none_or(|of| of == server);
    let files = CA_FILES.iter().zip(files).rev();
    files
        .filter(|((_, of), _)| applies(*of))
        .find_map(|(_, file)| file.as_ref())
}

fn authorities(from: &mut Source<'_>, name: &str) -> Option<CaFile> {
    let path = from.optional(name, |text| Ok(text.to_owned()))?;
    let pem =
        from.file(&path)
            .and_then(|text| match text.contains("-----BEGIN CERTIFICATE-----") {
                true => Ok(text.into_bytes()),
                false => Err(format!("{path:?} holds no PEM certificate")),
            });
    let pem = pem.map_err(|problem| from.refuse(name, problem)).ok()?;
    Some(CaFile { path, pem })
}

/// Something to go on with; without an address a problem has been recorded.
fn required(from: &mut Source<'_>, name: &str, endpoint: Option<&Endpoint>) -> Endpoint {
    if endpoint.is_none() && !from.has_problem_with(name) {
        from.refuse(
            name,
            format!("is not set, and this program needs it (or {name}_FILE)"),
        );
    }
    endpoint.cloned().unwrap_or_else(|| Endpoint {
        url: SecretString::default(),
        trust: Trust::default(),
    })
}

#[derive(Clone, Copy)]
struct Schemes {
    tls: &'static str,
    plain: &'static str,
}

/// Says nothing of the text: it holds a password.
fn address(
    text: &str,
    schemes: Schemes,
    server: Server,
    may_be_plain: bool,
) -> Result<SecretString, String> {
    let Schemes { tls, plain } = schemes;
    let wrong = || format!("is not an address like {tls}://user:password@host:port");
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if host.is_empty() || host.starts_with(':') || text.contains(char::is_whitespace) {
        return Err(wrong());
    }
    if scheme == tls {
        Ok(text.into())
    } else if scheme != plain {
        Err(format!("{} of {tls}://", wrong()))
    } else if may_be_plain {
        Ok(text.into())
    } else {
        let name = server.name();
        Err(format!(
            "{plain}:// sends passwords and messages in the clear: use {tls}://, or allow it by {}={name}",
            v::TLS_INSECURE
        ))
    }
}

fn key_prefix(text: &str) -> Result<String, String> {
    let valid = text.len() <= 40
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is not 1 to 40 of a-z, 0-9 and hyphen, a letter first"))
}

impl Servers {
    /// The names of the servers that may be reached without TLS.
    pub fn without_tls(&self) -> Vec<&'static str> {
        self.plaintext.iter().map(|server| server.name()).collect()
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        let masked = |endpoint: &Endpoint| match endpoint.url.expose_secret().is_empty() {
            true => String::new(),
            false => show::MASK.to_owned(),
        };
        let optional =
            |endpoint: &Option<Endpoint>| endpoint.as_ref().map(masked).unwrap_or_default();
        Some(match name {
            v::MYSQL_URL => masked(&self.mysql),
            v::RABBITMQ_URL => masked(&self.rabbitmq),
            v::RABBITMQ_MANAGEMENT_URL => optional(&self.rabbitmq_management),
            v::REDIS_URL => optional(&self.redis),
            v::ELASTICSEARCH_URL => masked(&self.elasticsearch),
            v::OTLP_ENDPOINT => optional(&self.otlp),
            v::TLS_INSECURE => self.without_tls().join(","),
            v::KEY_PREFIX => self.key_prefix.clone(),
            v::NUMBERING => NUMBERINGS
                .iter()
                .find(|(_, numbering)| *numbering == self.numbering)
                .map_or(String::new(), |(word, _)| (*word).to_owned()),
            _ => {
                let place = CA_FILES.iter().position(|(of, _)| *of == name)?;
                let file = self.ca_files[place].as_ref();
                file.map(|file| file.path.clone()).unwrap_or_default()
            }
        })
    }
}

#[cfg(test)]
mod tests;
