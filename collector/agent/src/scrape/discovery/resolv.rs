//! `/etc/resolv.conf`: which servers are asked for names, and what is put behind a name that is not whole.
//!
//! As resolv.conf(5) has it. `timeout` and `attempts` are not looked at: each server has two seconds.

use std::net::IpAddr;

/// As many dots make a name whole, where the file does not say.
const NDOTS: usize = 1;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolv {
    /// Servers, in the order in which they are asked.
    pub servers: Vec<IpAddr>,
    search: Vec<String>,
    ndots: usize,
}

/// Reads the file. What cannot be understood is left out, as resolvers do.
pub fn parse(text: &str) -> Resolv {
    let mut resolv = Resolv { ndots: NDOTS, ..Resolv::default() };
    for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => {
                // A scope behind the address (`fe80::1%eth0`) cannot be asked without its interface.
                resolv.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()));
            }
            Some("domain") => resolv.search = words.take(1).map(str::to_owned).collect(),
            Some("search") => resolv.search = words.map(str::to_owned).collect(),
            Some("options") => {
                let mut dots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse::<usize>().ok());
                resolv.ndots = dots.next_back().map_or(resolv.ndots, |dots| dots.min(15));
            }
            _ => {}
        }
    }
    resolv
}

impl Resolv {
    /// The whole names that `name` may stand for, in the order in which they are asked for.
    pub fn names(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let whole = format!("{name}.");
        let enough = name.split('.').count() > self.ndots;
        let with = self.search.iter().map(|domain| format!("{whole}{}.", domain.trim_matches('.')));
        let mut names: Vec<String> = with.collect();
        names.insert(if enough { 0 } else { names.len() }, whole);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read() {
        let text = "# a comment\nnameserver 127.0.0.1\nnameserver ::1\nnameserver nobody\nsearch a.example b.example\n\
            options timeout:1 ndots:2\n";
        let resolv = parse(text);
        assert_eq!(resolv.servers, ["127.0.0.1", "::1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        assert_eq!(resolv.names("x.y."), ["x.y."]);
        assert_eq!(resolv.names("x.y"), ["x.y.a.example.", "x.y.b.example.", "x.y."]);
        assert_eq!(resolv.names("x.y.z"), ["x.y.z.", "x.y.z.a.example.", "x.y.z.b.example."]);
        assert_eq!(parse("domain c.example").names("x"), ["x.c.example.", "x."]);
        assert_eq!(parse("").names("x.y"), ["x.y."]);
    }
}
