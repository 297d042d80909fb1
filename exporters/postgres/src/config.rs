//! One server: where it is, who asks, and how much is asked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::custom::CustomQuery;
use crate::tls::Tls;
use crate::view::View;

/// The user that is asked for where none is named.
pub const USER: &str = "postgres";
/// PostgreSQL's port.
pub const PORT: u16 = 5432;

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Unique among servers; logs and the live page use it.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// The database that the first session is for; the views of the whole server are read there.
    pub database: String,
    /// Who asks.
    pub user: String,
    /// The password.
    pub password: Password,
    /// Whether and how the connection is encrypted.
    pub tls: Tls,
    /// The `instance` of its series: `host:port`.
    pub instance: String,
    /// Labels of its series, beside `instance`; `job` among them where it is not the exporter's.
    pub labels: BTreeMap<String, String>,
    /// How often the views of the whole server are read.
    pub interval: Duration,
    /// How often each database's own views are read, and what costs more.
    pub database_interval: Duration,
    /// How often what costs most is read: bloat, the buffer cache.
    pub costly_interval: Duration,
    /// How long one statement may take.
    pub timeout: Duration,
    /// How many databases, tables and statements are told apart.
    pub limits: Limits,
    /// Databases that are looked into; without any, all that the role may connect to.
    pub databases: Vec<String>,
    /// Whether `pg_stat_activity_*` tell users, applications and what is waited for.
    pub activity_detail: bool,
    /// Views that are read, or not, other than by default.
    pub views: BTreeMap<String, bool>,
    /// Queries of the user's own.
    pub queries: Vec<CustomQuery>,
}

impl Server {
    /// A server with every default, asked by `user`.
    pub fn new(name: &str, address: Address, user: &str) -> Self {
        let instance = match &address {
            Address::Host(..) => address.to_string(),
            Address::Socket(_, port) => format!("localhost:{port}"),
        };
        Server {
            name: name.to_owned(),
            instance,
            address,
            database: user.to_owned(),
            user: user.to_owned(),
            password: Password::None,
            tls: Tls::default(),
            labels: BTreeMap::new(),
            interval: Duration::from_secs(15),
            database_interval: Duration::from_secs(60),
            costly_interval: Duration::from_secs(3600),
            timeout: Duration::from_secs(5),
            limits: Limits::default(),
            databases: Vec::new(),
            activity_detail: false,
            views: BTreeMap::new(),
            queries: Vec::new(),
        }
    }

    /// Whether a metric of this name is told without a query of the user's own.
    pub fn tells(&self, metric: &str) -> bool {
        crate::custom::tells(self, metric)
    }

    /// Whether a view is read.
    pub fn reads(&self, view: &View) -> bool {
        self.views.get(view.name).copied().unwrap_or(view.on)
    }
}

/// How much is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Databases whose own views are read.
    pub databases: u32,
    /// Tables of each database, the largest first.
    pub tables: u32,
    /// Statements, by the time that they took in all.
    pub statements: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { databases: 20, tables: 200, statements: 100 }
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host's name or address, and a port.
    Host(String, u16),
    /// A folder that holds the server's socket, and the port that the socket is named after.
    Socket(PathBuf, u16),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Host(host, port) => write!(f, "{host}:{port}"),
            Address::Socket(folder, port) => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
        }
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from view.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Where the password comes from. Files are read at each login, so that a new password is taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// As it is written.
    Text(Secret),
    /// All that the file holds, without the line feed at its end.
    File(PathBuf),
    /// A line of this file, as libpq reads `.pgpass`; none where the file is not there.
    PassFile(PathBuf),
    /// The server asks for none.
    None,
}
