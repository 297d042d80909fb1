//! `redis`: servers that can be told apart, and secrets that can be read.

use std::time::Duration;

use taffrail_redis::{Key, Server, Tls};

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::Text;
use crate::config::source::Span;
use crate::config::written::{Redis, RedisTls};

/// The most keys that are watched on one server.
const MOST_KEYS: usize = 1000;

impl Checker<'_> {
    /// The servers.
    pub(super) fn redis(&mut self, written: &Field<Vec<Field<Redis>>>, interval: Duration) -> Vec<Server> {
        let mut servers: Vec<Server> = Vec::new();
        let mut names = Vec::new();
        for (at, written) in written.get().into_iter().flatten().filter_map(Field::good) {
            let Some(server) = self.server(at, written, interval, &mut names) else { continue };
            if let Some(other) = servers.iter().find(|known| {
                known.address.to_string() == server.address.to_string() && known.labels == server.labels
            }) {
                let what = format!("`{}` and `{}` would have the same series", other.name, server.name);
                self.fault(at, what, "remove one, or give one a label that tells them apart");
            }
            servers.push(server);
        }
        servers
    }

    fn server(
        &mut self,
        at: Span,
        written: &Redis,
        interval: Duration,
        names: &mut Vec<String>,
    ) -> Option<Server> {
        let name = written.name.get().map_or("redis", |name| &name.0).to_owned();
        self.unique("Redis servers", &name, written.name.span().or(Some(at)), names);
        let Some((url_at, url)) = written.url.good() else {
            if written.url.span().is_none() {
                self.fault(at, "the server has no `url`", "add `url: redis://host:6379`");
            }
            return None;
        };
        let address = url.0.parse();
        let address = address.map_err(|e: taffrail_redis::AddressError| {
            self.fault(url_at, "the address of the Redis server cannot be used", e.to_string());
        });
        let interval = match written.interval {
            Field::Absent => interval,
            _ => self.interval(&written.interval, defaults::INTERVAL),
        };
        let limits = bounds(Duration::from_millis(100), Duration::from_secs(600));
        let timeout = self.duration(&written.timeout, defaults::REDIS_TIMEOUT, &limits).min(interval);
        let reserved = [("instance", "it is the server's address"), ("job", "it is `redis`")];
        let labels = self.labels(&written.labels, &reserved);
        Some(Server {
            name,
            address: address.ok()?,
            username: written.username.get().map(|user| user.0.clone()),
            password: self.redis_password(written),
            tls: self.redis_tls(&written.tls),
            keys: self.redis_keys(&written.keys),
            interval,
            timeout,
            labels,
        })
    }

    fn redis_password(&mut self, written: &Redis) -> Option<taffrail_core::Source> {
        if let (Some(second), Some(_)) = (written.password_file.span(), written.password.span()) {
            self.fault(second, "the password is given twice", "keep `password_file`");
        }
        if let (Some(at), Field::Absent, Field::Absent) =
            (written.username.span(), &written.password, &written.password_file)
        {
            self.fault(at, "a user without a password", "add `password_file`");
        }
        if let Some((at, path)) = written.password_file.good() {
            // It is read at each login; what is wrong with it now is better known now.
            let _ = self.secret(at, path);
            return Some(taffrail_core::Source::File(self.path(at, path)));
        }
        let secret = written.password.get()?;
        Some(taffrail_core::Source::Text(taffrail_core::Secret::new(secret.expose())))
    }

    fn redis_tls(&mut self, written: &Field<RedisTls>) -> Tls {
        let Some(tls) = written.get() else { return Tls::default() };
        Tls {
            ca_file: tls.ca_file.good().map(|(at, path)| self.path(at, path)),
            server_name: tls.server_name.get().map(|name| name.0.clone()),
        }
    }

    fn redis_keys(&mut self, written: &Field<Vec<Field<Text>>>) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for (at, text) in written.get().into_iter().flatten().filter_map(Field::good) {
            match text.0.parse::<Key>() {
                Ok(key) if keys.contains(&key) => {
                    self.fault(at, format!("the key {key} is named twice"), "remove one");
                }
                Ok(key) => keys.push(key),
                Err(e) => self.fault(at, "the key cannot be used", e.to_string()),
            }
        }
        if let (true, Some(at)) = (keys.len() > MOST_KEYS, written.span()) {
            self.fault(at, format!("{} keys", keys.len()), format!("at most {MOST_KEYS} on one server"));
        }
        keys
    }
}
