//! Passwords in files: alone, or in the lines of a `.pgpass` ("The Password File", PostgreSQL's documentation).

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::{Address, Password, Secret, Server};
use crate::error::Error;

/// The largest file that is read.
const MAX_FILE: u64 = 1 << 20;
/// Group and others.
const OTHERS: u32 = 0o077;

/// The password for `database`, if there is one. Blocks on the file.
pub fn password(server: &Server, database: &str) -> Result<Option<Secret>, Error> {
    match &server.password {
        Password::None => Ok(None),
        Password::Text(secret) => Ok(Some(secret.clone())),
        Password::File(path) => {
            let text = read(path)?.ok_or_else(|| missing(path))?.0;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Ok(Some(Secret::new(text.strip_suffix('\r').unwrap_or(text))))
        }
        Password::PassFile(path) => {
            let Some((text, mode)) = read(path)? else { return Ok(None) };
            if mode & OTHERS != 0 {
                let why = format!("others may read it (mode {:o}): chmod 600", mode & 0o777);
                return Err(Error::File { path: path.clone(), why });
            }
            Ok(find(&text, &server.address, database, &server.user).map(Secret::new))
        }
    }
}

fn missing(path: &Path) -> Error {
    Error::File { path: path.to_owned(), why: "it is not there".to_owned() }
}

/// A file's text and mode; none where there is no such file.
fn read(path: &Path) -> Result<Option<(String, u32)>, Error> {
    let fail = |error: std::io::Error| Error::File { path: path.to_owned(), why: error.to_string() };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let mode = file.metadata().map_err(fail)?.permissions().mode();
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(fail)?;
    Ok(Some((text, mode)))
}

/// The password of the first line that fits: `host:port:database:user:password`, where `*` fits all.
fn find(text: &str, address: &Address, database: &str, user: &str) -> Option<String> {
    // A socket in the usual folder goes by the name of `localhost`, another by its folder.
    let (host, port) = match address {
        Address::Host(host, port) => (host.clone(), port),
        Address::Socket(folder, port) if folder == Path::new("/var/run/postgresql") => {
            ("localhost".to_owned(), port)
        }
        Address::Socket(folder, port) => (folder.display().to_string(), port),
    };
    let wanted = [host.as_str(), &port.to_string(), database, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line)?;
        let fits = |(field, wanted): (&String, &str)| field == "*" || field == wanted;
        fields.iter().zip(wanted).all(fits).then(|| fields[4].clone())
    })
}

/// The five fields of a line, in which `\:` and `\\` stand for `:` and `\`; the rest behind the fourth is the password.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields: [String; 5] = Default::default();
    let (mut at, mut chars) = (0, line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields[at].push(chars.next().unwrap_or('\\')),
            ':' if at < 4 => at += 1,
            c => fields[at].push(c),
        }
    }
    (at == 4).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# comment\ndb:5432:shop:ada:one\n*:*:*:ada:t\\:w\\\\o:x\nbroken\n/run/pg:*:*:*:three\n";
        let host = |host: &str| Address::Host(host.to_owned(), 5432);
        assert_eq!(find(text, &host("db"), "shop", "ada").unwrap(), "one");
        assert_eq!(find(text, &host("db"), "other", "ada").unwrap(), "t:w\\o:x");
        assert_eq!(find(text, &host("db"), "shop", "bob"), None);
        assert_eq!(find(text, &Address::Socket("/run/pg".into(), 1), "shop", "bob").unwrap(), "three");
    }
}
