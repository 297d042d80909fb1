//! `pgbouncer`: poolers that can be told apart, each with a URL that reads and one password.

use std::time::Duration;

use taffrail_postgres::Server;
use taffrail_postgres::config::{Password, Secret};

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::error::Fault;
use crate::config::field::Field;
use crate::config::source::Span;
use crate::config::written::PgBouncer;

impl Checker<'_> {
    /// The poolers.
    pub(super) fn pgbouncer(
        &mut self,
        written: &Field<Vec<Field<PgBouncer>>>,
        interval: Duration,
    ) -> Vec<Server> {
        let mut poolers: Vec<Server> = Vec::new();
        let mut names = Vec::new();
        for (at, written) in written.get().into_iter().flatten().filter_map(Field::good) {
            let name = written.name.get().map_or("pgbouncer", |name| &name.0);
            self.unique("poolers", name, written.name.span().or(Some(at)), &mut names);
            let Some(pooler) = self.pooler(at, name, written, interval) else { continue };
            let same = |other: &&Server| other.instance == pooler.instance && other.labels == pooler.labels;
            if let Some(other) = poolers.iter().find(same) {
                let what = format!("`{}` and `{name}` would have the same series", other.name);
                self.fault(at, what, "give one an `instance` of its own");
            }
            poolers.push(pooler);
        }
        poolers
    }

    fn pooler(&mut self, at: Span, name: &str, written: &PgBouncer, interval: Duration) -> Option<Server> {
        let Some((url_at, url)) = written.url.good() else {
            if matches!(written.url, Field::Absent) {
                self.fault(at, "the pooler has no `url`", "add url: postgres://stats@pool.example:6432");
            }
            return None;
        };
        let mut pooler = match taffrail_postgres::url::parse(name, &url.0) {
            Ok(pooler) => pooler,
            Err(error) => {
                let (what, help) = error.split_once('\n').unwrap_or((&error, ""));
                self.faults.push(Fault::at(url_at, what).help(help));
                return None;
            }
        };
        pooler.database = taffrail_pgbouncer::CONSOLE.to_owned();
        if let (Some(second), Some(_)) = (written.password_file.span(), written.password.span()) {
            self.fault(second, "the password is given twice", "keep `password_file`");
        }
        pooler.password = match (written.password_file.good(), written.password.get()) {
            (Some((at, path)), _) => {
                // It is read at each login; what is wrong with it now is better known now.
                let _ = self.secret(at, path);
                Password::File(self.path(at, path))
            }
            (None, Some(secret)) => Password::Text(Secret::new(secret.expose())),
            (None, None) => Password::None,
        };
        if let Some(instance) = written.instance.get() {
            pooler.instance.clone_from(&instance.0);
        }
        pooler.labels =
            self.labels(&written.labels, &[("job", "it is `pgbouncer`"), ("instance", "use `instance`")]);
        pooler.interval = match written.interval {
            Field::Absent => interval,
            _ => self.interval(&written.interval, defaults::INTERVAL),
        };
        let limits = bounds(Duration::from_millis(100), Duration::from_secs(600));
        let timeout = self.duration(&written.timeout, defaults::PGBOUNCER_TIMEOUT, &limits);
        pooler.timeout = timeout.min(pooler.interval);
        Some(pooler)
    }
}
