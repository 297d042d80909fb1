//! `postgres`: servers, each with a URL that reads, one password, and views that there are.

use std::path::PathBuf;
use std::time::Duration;

use taffrail_postgres::config::{Password, Secret};
use taffrail_postgres::{Server, VIEWS};

use super::{Checker, bounds};
use crate::config::de::nearest;
use crate::config::defaults;
use crate::config::error::Fault;
use crate::config::field::Field;
use crate::config::scalar::Text;
use crate::config::source::Span;
use crate::config::written;

/// Labels that a server sets itself.
const RESERVED: [(&str, &str); 2] = [("job", "use `job`"), ("instance", "use `instance`")];
/// More than any server has.
const ALL: u32 = i32::MAX as u32;
/// Each is several series, which never end as long as its statement runs.
const MOST_STATEMENTS: u32 = 1000;

impl Checker<'_> {
    /// Everything about PostgreSQL servers.
    pub(super) fn postgres_servers(&mut self, written: &written::Written, interval: Duration) -> Vec<Server> {
        let mut servers: Vec<Server> = Vec::new();
        let mut names = Vec::new();
        for (at, server) in written.postgres.get().into_iter().flatten().filter_map(Field::good) {
            let name = server.name.get().map_or("postgres", |name| &name.0);
            self.unique("PostgreSQL servers", name, server.name.span().or(Some(at)), &mut names);
            let Some(server) = self.postgres_server(at, name, server, interval) else { continue };
            let same = |other: &&Server| other.instance == server.instance && other.labels == server.labels;
            if let Some(other) = servers.iter().find(same) {
                let what = format!(
                    "`{}` and `{name}` have the same instance and labels, so their series would be the same",
                    other.name
                );
                self.fault(at, what, "give one an `instance` of its own");
            }
            servers.push(server);
        }
        servers
    }

    fn postgres_server(
        &mut self,
        at: Span,
        name: &str,
        written: &written::PostgresServer,
        interval: Duration,
    ) -> Option<Server> {
        let Some((url_at, url)) = written.url.good() else {
            if matches!(written.url, Field::Absent) {
                self.fault(at, "the server has no `url`", "add url: postgres://monitor@db.example/postgres");
            }
            return None;
        };
        let mut server = match taffrail_postgres::url::parse(name, &url.0) {
            Ok(server) => server,
            Err(error) => {
                let (what, help) = error.split_once('\n').unwrap_or((&error, ""));
                self.faults.push(Fault::at(url_at, what).help(help));
                return None;
            }
        };
        server.password = self.password(written);
        if let Some(instance) = written.instance.get() {
            server.instance.clone_from(&instance.0);
        }
        server.labels = self.labels(&written.labels, &RESERVED);
        if let Some(job) = written.job.get() {
            server.labels.insert("job".to_owned(), job.0.clone());
        }
        server.interval = match written.interval {
            Field::Absent => interval,
            _ => self.interval(&written.interval, defaults::INTERVAL),
        };
        let day = bounds(server.interval, Duration::from_secs(86_400));
        server.database_interval =
            self.duration(&written.database_interval, defaults::DATABASE_INTERVAL, &day);
        server.costly_interval = self.duration(&written.costly_interval, defaults::COSTLY_INTERVAL, &day);
        let limits = bounds(Duration::from_millis(10), Duration::from_secs(60));
        server.timeout = self.duration(&written.timeout, defaults::POSTGRES_TIMEOUT, &limits);
        self.limits(written, &mut server);
        self.views(written, &mut server);
        server.queries = self.queries(&written.queries, &server);
        Some(server)
    }

    fn password(&mut self, written: &written::PostgresServer) -> Password {
        if let (Some(second), Some(_)) = (written.password_file.span(), written.password.span()) {
            self.fault(second, "the password is given twice", "keep `password_file`");
        }
        if let Some((at, path)) = written.password_file.good() {
            // It is read at each login; what is wrong with it now is better known now.
            let _ = self.secret(at, path);
            return Password::File(self.path(at, path));
        }
        if let Some(secret) = written.password.get() {
            return Password::Text(Secret::new(secret.expose()));
        }
        if let Some((at, path)) = written.passfile.good() {
            return Password::PassFile(self.path(at, path));
        }
        let home = || (self.env)("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
        let file = (self.env)("PGPASSFILE").map(PathBuf::from).or_else(home);
        file.map_or(Password::None, Password::PassFile)
    }

    fn limits(&mut self, written: &written::PostgresServer, server: &mut Server) {
        let names = written.databases.get().into_iter().flatten().filter_map(Field::get);
        server.databases = names.map(|name| name.0.clone()).collect();
        if !server.databases.is_empty() {
            server.limits.databases = ALL;
        }
        self.most(&written.max_databases, ALL, &mut server.limits.databases);
        self.most(&written.max_tables, ALL, &mut server.limits.tables);
        self.most(&written.max_statements, MOST_STATEMENTS, &mut server.limits.statements);
        server.activity_detail = written.activity_detail.get().copied().unwrap_or(false);
    }

    /// A number, or `all` where there may be any number.
    fn most(&mut self, field: &Field<Text>, limit: u32, most: &mut u32) {
        let Some((at, text)) = field.good() else { return };
        match text.0.parse() {
            _ if text.0 == "all" && limit == ALL => *most = ALL,
            Ok(number) if (1..=limit).contains(&number) => *most = number,
            _ if limit == ALL => {
                self.fault(at, format!("`{}` is neither a number nor `all`", text.0), "write 200, or all");
            }
            _ => self.fault(at, format!("`{}` is not a number up to {limit}", text.0), "write 100"),
        }
    }

    fn views(&mut self, written: &written::PostgresServer, server: &mut Server) {
        let names = || VIEWS.iter().map(|view| view.name);
        for (name, on) in written.views.get().into_iter().flatten() {
            let Some((at, on)) = on.good() else { continue };
            if names().any(|known| known == name) {
                server.views.insert(name.clone(), *on);
                continue;
            }
            let guess = nearest(name, names());
            let guess = guess.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
            let help = format!("views of this version: {}", names().collect::<Vec<_>>().join(", "));
            self.fault(at, format!("unknown view `{name}`{guess}"), help);
        }
    }
}
