//! A server's URL, as libpq reads it ("Connection URIs", PostgreSQL's documentation), but without a password in it.

use std::path::{Path, PathBuf};

use url::Url;

use crate::config::{Address, PORT, Server, USER};
use crate::tls::{Mode, Tls};

/// What would be right.
const EXAMPLE: &str = "write postgres://monitor@db.example:5432/postgres?sslmode=verify-full";

/// Reads `postgres://user@host:port/database?sslmode=…` into a server with every default. An error has two lines: what is
/// wrong, and what would be right; none shows a password.
pub fn parse(name: &str, text: &str) -> Result<Server, String> {
    let wrong = |what: &str| format!("{what}\n{EXAMPLE}");
    let url = Url::parse(text).map_err(|error| wrong(&format!("that is no URL: {error}")))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(wrong(&format!("the URL's scheme is `{}`", url.scheme())));
    }
    if url.password().is_some() {
        return Err("a URL cannot hold a password: it would end up in logs\n\
             write password_file: /path/to/the/password beside `url`"
            .to_owned());
    }
    let decode = |text: &str| decoded(text).ok_or_else(|| wrong("a %-escape is broken"));
    let user = Some(url.username()).filter(|user| !user.is_empty()).unwrap_or(USER);
    let user = decode(user)?;
    let database = decode(url.path().trim_start_matches('/'))?;
    let port = url.port().unwrap_or(PORT);
    let mut host = decode(url.host_str().unwrap_or_default())?;
    let mut tls = Tls::default();
    let mut files: [Option<PathBuf>; 2] = [None, None];
    let mut port_given = port;
    for (key, value) in url.query_pairs() {
        match &*key {
            "host" => host = value.into_owned(),
            "port" => port_given = value.parse().map_err(|_| wrong("the port is no number"))?,
            "sslmode" => tls.mode = mode(&value).ok_or_else(|| unknown_mode(&value))?,
            "sslrootcert" => tls.ca_file = Some(PathBuf::from(&*value)),
            "sslcert" => files[0] = Some(PathBuf::from(&*value)),
            "sslkey" => files[1] = Some(PathBuf::from(&*value)),
            // The name and the timeouts are this program's own.
            "application_name" | "connect_timeout" => {}
            other => {
                return Err(format!(
                    "the URL's parameter `{other}` is not known\n\
                     host, port, sslmode, sslrootcert, sslcert and sslkey are"
                ));
            }
        }
    }
    tls.identity = match files {
        [Some(certificate), Some(key)] => Some((certificate, key)),
        [None, None] => None,
        _ => {
            return Err(
                "a client's certificate has a key\nwrite both sslcert=… and sslkey=…, or neither".to_owned()
            );
        }
    };
    let address = match host.as_str() {
        "" => Address::Socket(PathBuf::from("/var/run/postgresql"), port_given),
        path if path.starts_with('/') => Address::Socket(Path::new(path).to_owned(), port_given),
        host => Address::Host(host.trim_matches(['[', ']']).to_owned(), port_given),
    };
    let mut server = Server::new(name, address, &user);
    if !database.is_empty() {
        server.database = database;
    }
    server.tls = tls;
    Ok(server)
}

/// A mode by libpq's name. `allow`, which asks for plain text first, is not offered.
pub fn mode(name: &str) -> Option<Mode> {
    Some(match name {
        "disable" => Mode::Disable,
        "prefer" => Mode::Prefer,
        "require" => Mode::Require,
        "verify-ca" => Mode::VerifyCa,
        "verify-full" => Mode::VerifyFull,
        _ => return None,
    })
}

fn unknown_mode(name: &str) -> String {
    format!("`{name}` is no sslmode\nvalid here: disable, prefer, require, verify-ca, verify-full")
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(rest.next()?)? * 16 + digit(rest.next()?)?) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_as_libpq_reads_them() {
        let server =
            parse("main", "postgresql://mon%40x@db:6432/sh%20op?sslmode=verify-full&sslrootcert=/ca")
                .unwrap();
        assert_eq!(server.address, Address::Host("db".to_owned(), 6432));
        assert_eq!((&*server.user, &*server.database, &*server.instance), ("mon@x", "sh op", "db:6432"));
        assert_eq!((server.tls.mode, server.tls.ca_file), (Mode::VerifyFull, Some("/ca".into())));
        let server = parse("main", "postgres://[::1]").unwrap();
        assert_eq!(
            (&*server.user, &*server.database, &*server.instance),
            ("postgres", "postgres", "[::1]:5432")
        );
        let server = parse("main", "postgres:///shop?host=/run/pg&port=5433").unwrap();
        assert_eq!(server.address, Address::Socket("/run/pg".into(), 5433));
        assert_eq!((&*server.database, &*server.instance), ("shop", "localhost:5433"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, what) in [
            ("postgres://u:hunter2@db", "password_file"),
            ("mysql://db", "scheme is `mysql`"),
            ("db:5432", "scheme is `db`"),
            ("postgres://db?sslmode=verify", "no sslmode"),
            ("postgres://db?target=x", "`target` is not known"),
            ("postgres://db?sslcert=/x", "sslkey"),
            ("postgres://%zz@db", "%-escape"),
        ] {
            let error = parse("main", url).unwrap_err();
            assert!(error.contains(what) && error.contains('\n') && !error.contains("hunter2"), "{error}");
        }
    }
}
