//! Real servers of the test's own, and what the exporter reads of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use taffrail_core::subject::Run;
use taffrail_core::text::{Format, page};
use taffrail_core::{Clock, CollectError, Exporter, Note, Out};
use taffrail_postgres::Server;
use taffrail_postgres::config::{Address, Password, Secret};
use tokio_postgres::NoTls;

/// The superuser's password.
pub const PASSWORD: &str = "hunter2";

/// The program that this variable names, in the environment or in what `setup.sh` wrote.
pub fn program(name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(name) {
        return Some(path.into());
    }
    let env = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/env.sh");
    let text = fs::read_to_string(env).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")))?;
    Some(line.trim_matches('\'').into())
}

/// A program that ends with the value.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with a folder of its own.
pub struct Cluster {
    /// Its port on the loopback address.
    pub port: u16,
    process: Running,
    dir: tempfile::TempDir,
}

/// A command that PostgreSQL's programs run under: they refuse to run as root.
#[expect(clippy::disallowed_methods, reason = "a test runs the real server")]
fn command(program: &Path) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// Starts the server that a variable names, and waits until it answers.
    pub async fn start(variable: &str) -> Self {
        Self::start_with(variable, &[]).await
    }

    /// The same with settings of its own.
    pub async fn start_with(variable: &str, settings: &[&str]) -> Self {
        let program =
            program(variable).unwrap_or_else(|| panic!("no {variable}: run collector/tests/setup.sh"));
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let (data, password) = (dir.path().join("data"), dir.path().join("password"));
        fs::write(&password, PASSWORD).unwrap();
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
            std::os::unix::fs::chown(&password, Some(65534), Some(65534)).unwrap();
        }
        let mut initdb = command(&program.with_file_name("initdb"));
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password).stdout(Stdio::null());
        let options = ["-U", "postgres", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C"];
        assert!(initdb.args(options).status().unwrap().success());
        Self::serve(&program, dir, settings).await
    }

    /// Serves what is in the folder `data`.
    async fn serve(program: &Path, dir: tempfile::TempDir, settings: &[&str]) -> Self {
        let port = free_port();
        let data = dir.path().join("data");
        let mut server = command(program);
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"]).arg(dir.path());
        let common = ["fsync=off", "max_connections=12", "superuser_reserved_connections=2"];
        for setting in common.iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let process = Running(server.stderr(Stdio::null()).spawn().unwrap());
        let cluster = Cluster { port, process, dir };
        for _ in 0..400 {
            if cluster.try_client("postgres").await.is_ok() {
                return cluster;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not start");
    }

    async fn try_client(&self, user: &str) -> Result<tokio_postgres::Client, String> {
        let stream =
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.map_err(|e| e.to_string())?;
        let mut config = tokio_postgres::Config::new();
        config.user(user).password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Begins a "smart" shutdown.
    pub fn shut_down_when_all_have_gone(&self) {
        let pid = rustix::process::Pid::from_child(&self.process.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// A session of somebody else's.
    pub async fn client(&self) -> tokio_postgres::Client {
        self.try_client("postgres").await.unwrap()
    }

    /// Lets it speak TLS with a certificate for `localhost`; the file of the authority that signed it.
    pub async fn with_tls(&self) -> PathBuf {
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = own.signed_by(&key, &issuer).unwrap();
        let path = |name: &str| self.dir.path().join(name);
        for (name, text) in [("ca.pem", root.pem()), ("own.pem", own.pem()), ("own.key", key.serialize_pem())]
        {
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o600)).unwrap();
            if rustix::process::getuid().is_root() {
                std::os::unix::fs::chown(path(name), Some(65534), Some(65534)).unwrap();
            }
        }
        let client = self.client().await;
        for (setting, value) in [("ssl_cert_file", "own.pem"), ("ssl_key_file", "own.key")] {
            let value = path(value);
            client
                .simple_query(&format!("alter system set {setting} = '{}'", value.display()))
                .await
                .unwrap();
        }
        client.simple_query("alter system set ssl = on").await.unwrap();
        client.simple_query("select pg_reload_conf()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        path("ca.pem")
    }

    /// A server that follows this one through the slot `follower`, from a copy of its files ("Making a Base Backup Using
    /// the Low Level API", PostgreSQL's documentation).
    pub async fn replica(&self, variable: &str) -> Self {
        let program = program(variable).unwrap();
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let data = dir.path().join("data");
        let client = self.client().await;
        client.batch_execute("select pg_create_physical_replication_slot('follower')").await.unwrap();
        client.batch_execute("select pg_backup_start('copy', true)").await.unwrap();
        copy(&self.dir.path().join("data"), &data);
        let stopped = client.query_one("select labelfile from pg_backup_stop(false)", &[]).await.unwrap();
        for name in ["postmaster.pid", "postmaster.opts"] {
            fs::remove_file(data.join(name)).unwrap();
        }
        // Slots are the other's.
        fs::remove_dir_all(data.join("pg_replslot")).unwrap();
        fs::create_dir(data.join("pg_replslot")).unwrap();
        fs::write(data.join("backup_label"), stopped.get::<_, String>(0)).unwrap();
        fs::write(data.join("standby.signal"), "").unwrap();
        if rustix::process::getuid().is_root() {
            give_away(dir.path());
        }
        let upstream = format!(
            "primary_conninfo=host=127.0.0.1 port={} user=postgres password={PASSWORD} application_name=follower",
            self.port
        );
        Self::serve(&program, dir, &[&upstream, "primary_slot_name=follower", "hot_standby_feedback=on"])
            .await
    }

    /// Runs statements.
    pub async fn sql(&self, text: &str) {
        self.client().await.batch_execute(text).await.unwrap();
    }

    /// The exporter's settings for it.
    pub fn server(&self, user: &str) -> Server {
        let address = Address::Host("127.0.0.1".to_owned(), self.port);
        let mut server = Server::new("main", address, user);
        server.database = "postgres".to_owned();
        server.password = Password::Text(Secret::new(PASSWORD));
        server.timeout = Duration::from_secs(5);
        server
    }
}

/// Copies a folder that changes meanwhile.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied);
        } else if let Err(error) = fs::copy(&path, &copied) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", path.display());
        }
    }
}

/// Lets the user that servers run as have a folder.
fn give_away(path: &Path) {
    std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give_away(&entry.unwrap().path()));
    }
}

/// A page: each series' type and value.
pub type Page = BTreeMap<String, (String, f64)>;

/// What an exporter gave in one round.
pub struct Given {
    /// Its series.
    pub page: Page,
    /// What went wrong, subject by subject.
    pub problems: Vec<String>,
    /// Its notes.
    pub notes: Vec<Note>,
}

/// An exporter that remembers its rounds.
pub struct Reader {
    exporter: Exporter,
    outs: Vec<Out>,
}

impl Reader {
    /// Of one server.
    pub fn new(server: &Server) -> Self {
        let exporter =
            taffrail_postgres::exporter(std::slice::from_ref(server), "postgres", &Clock::system());
        let outs = exporter.subjects.iter().map(|_| Out::default()).collect();
        Reader { exporter, outs }
    }

    /// One round of every subject.
    pub async fn read(&mut self) -> Given {
        let mut given = Given { page: Page::new(), problems: Vec::new(), notes: Vec::new() };
        for (subject, out) in self.exporter.subjects.iter_mut().zip(&mut self.outs) {
            out.begin(0);
            let Run::Async(collect) = &mut subject.run else { panic!("it blocks") };
            match collect.collect(out).await {
                Ok(()) | Err(CollectError::Absent) => {}
                Err(error) => given.problems.push(error.to_string()),
            }
            let mut collected = out.finish();
            given.notes.append(&mut collected.notes);
            // Definitions come with a series' first value only; a page needs them each time.
            *out = Out::default();
            given.page.extend(parse(&String::from_utf8_lossy(&page(&collected, Format::Prometheus))));
        }
        given
    }
}

/// One round of one server.
pub async fn read(server: &Server) -> Given {
    Reader::new(server).read().await
}

/// Reads a page; labels are sorted, and empty ones and `server` left out.
pub fn parse(text: &str) -> Page {
    let mut types = BTreeMap::new();
    let mut series = Page::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            types.insert(name.to_owned(), kind.to_owned());
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (left, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = left.split_once('{').unwrap_or((left, "}"));
        let mut labels: Vec<&str> = labels.trim_end_matches('}').split("\",").collect();
        labels.retain(|label| {
            !label.is_empty() && !label.trim_end_matches('"').ends_with('=') && !label.starts_with("server=")
        });
        labels.sort_unstable();
        let labels: Vec<&str> = labels.into_iter().map(|label| label.trim_end_matches('"')).collect();
        let kind = types.get(name).cloned().unwrap_or_default();
        series.insert(format!("{name}{{{}}}", labels.join(",")), (kind, value.parse().unwrap()));
    }
    series
}

/// postgres_exporter with these collectors beside it: its page.
pub async fn peer(cluster: &Cluster, collectors: &[&str]) -> Page {
    let collectors: Vec<String> = collectors.iter().map(|name| format!("--collector.{name}")).collect();
    peer_with(cluster, &collectors).await
}

/// postgres_exporter with these arguments beside it: its page.
#[expect(clippy::disallowed_methods, reason = "a test runs the real peer")]
pub async fn peer_with(cluster: &Cluster, arguments: &[String]) -> Page {
    let program = program("POSTGRES_EXPORTER").expect("no POSTGRES_EXPORTER: run collector/tests/setup.sh");
    let port = free_port();
    let url = format!("postgresql://postgres:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable", cluster.port);
    let mut command = Command::new(program);
    command.env("DATA_SOURCE_NAME", url).arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.args(arguments);
    let _peer = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        return parse(answer.split_once("\r\n\r\n").unwrap().1);
    }
    panic!("postgres_exporter does not start");
}
